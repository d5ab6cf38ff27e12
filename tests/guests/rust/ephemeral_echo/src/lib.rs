//! Gives back what it gets: the smallest actor, for the benches.

use plexspaces_sdk::prelude::*;

#[derive(Default)]
struct Echo;

impl GenServer for Echo {
    fn handle_request(&mut self, _: &str, _: &str, payload: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(payload.to_vec())
    }
}

actor!(Echo: GenServer);
