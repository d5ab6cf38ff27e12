//! `system`: the turn's time and random stream, for guests without WASI. Not journaled: a replay derives the same.

use super::{Call, HostState, to_wit};
use crate::bindings::plexspaces::actor::system::Host;
use plexspaces_core::{Code, Error};

/// The most random bytes of one call.
const RANDOM_BYTES_MAX: u32 = 65_536;

impl Host for HostState {
    fn now(&mut self) -> Call<u64> {
        Ok(Ok(self.environment.now_ms()))
    }

    fn monotonic(&mut self) -> Call<u64> {
        Ok(Ok(self.environment.now_ms().saturating_mul(1_000_000)))
    }

    fn random_bytes(&mut self, length: u32) -> Call<Vec<u8>> {
        if length > RANDOM_BYTES_MAX {
            let text = format!(
                "system.random-bytes was asked for {length} bytes; at most {RANDOM_BYTES_MAX} are given"
            );
            return Ok(Err(to_wit(Error::new(Code::InvalidArgument, text))));
        }
        let mut bytes = vec![0; length as usize];
        self.environment.fill(&mut bytes);
        Ok(Ok(bytes))
    }
}
