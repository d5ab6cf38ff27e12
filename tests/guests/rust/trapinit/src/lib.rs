//! Traps whenever it becomes active, before it can take a message.

use plexspaces_sdk::prelude::*;

struct TrapInit;

impl Activation for TrapInit {
    fn create(_args: &[u8]) -> Result<Self, Error> {
        panic!("trapinit never becomes active")
    }

    fn restore(_state: &[u8]) -> Result<Self, Error> {
        panic!("trapinit never becomes active")
    }
}

impl MessageHandler for TrapInit {
    fn handle_message(&mut self, _: &str, _: &str, payload: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(payload.to_vec())
    }
}

actor!(TrapInit: Activation, MessageHandler);
