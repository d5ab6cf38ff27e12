//! Takes events and nothing else: an ask finds no handler.
//!
//! Every event becomes the tuple ("event", n, type, from, payload), where n counts them from 1, except `fail`
//! (writes, then fails, so that nothing is left) and `panic`.

use plexspaces_sdk::prelude::*;

#[derive(Default)]
struct Recorder {
    seen: i64,
}

impl GenEvent for Recorder {
    fn handle_event(&mut self, from: &str, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
        self.seen += 1;
        tuplespace::write(tuple!["event", self.seen, msg_type, from, payload])?;
        match msg_type {
            "fail" => Err(Error::unavailable("failed, as asked")),
            "panic" => panic!("panicked, as asked"),
            _ => Ok(()),
        }
    }
}

actor!(Recorder: GenEvent);
