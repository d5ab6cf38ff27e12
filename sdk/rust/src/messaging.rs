//! Messages between the actors of one tenant and namespace.
//!
//! Sends, spawns and stops happen when the turn commits, so a turn that fails has sent nothing. An ask
//! commits what the turn did before it, and then waits.

use std::time::Duration;

use crate::bindings::plexspaces::actor::messaging;
use crate::{Error, milliseconds};

/// Sends a message: exactly once, in order per sender and receiver.
///
/// Errors: `not-found` (no such actor type), `resource-exhausted` (the mailbox is full), `invalid-argument`
/// (a malformed id or message type, a payload over the message limit).
pub fn send(to: &str, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
    messaging::send_message(to, msg_type, payload)
}

/// Asks and waits for the reply. The callee's error is returned as it is.
///
/// Errors beside those of [`send`]: `timeout`, `failed-precondition` (asking oneself).
pub fn ask(to: &str, msg_type: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, Error> {
    messaging::ask_message(to, msg_type, payload, milliseconds(timeout))
}

/// Makes an actor of the deployed type `behavior` and returns its id. Without a key the runtime gives a
/// unique one; `args` go to the new actor's [`create`](crate::Activation::create).
///
/// Errors: `already-exists` (that key lives), `not-found` (no such actor type).
pub fn spawn(behavior: &str, key: Option<&str>, args: &[u8]) -> Result<String, Error> {
    let options = messaging::SpawnOptions {
        key: key.map(str::to_owned),
        args: args.to_vec(),
    };
    messaging::spawn_actor(behavior, &options)
}

/// This actor's own id.
pub fn self_id() -> Result<String, Error> {
    messaging::self_id()
}

/// Stops an actor in an orderly way. Its state stays; the next message activates it again.
pub fn stop(id: &str, reason: &str) -> Result<(), Error> {
    messaging::stop_actor(id, reason)
}
