//! Messages between the actors of one tenant and namespace.
//!
//! Sends, spawns and stops happen when the turn commits, so a turn that fails has sent nothing. An ask
//! commits what the turn did before it, and then waits. Timers and reminders send later.

use std::time::Duration;

use crate::bindings::plexspaces::actor::messaging;
use crate::{Error, milliseconds};

pub use crate::bindings::plexspaces::actor::messaging::{Reminder, ReminderPage};

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

/// Sends a message `delay` after this turn commits; `delay` is at most 10 years. Gives the timer's number.
///
/// In effect exactly once, never early, and kept over restarts: a node that is down at that time sends it when it starts. The
/// receiver sees an ordinary message from this actor. While its mailbox is full or its type is not deployed, it waits.
///
/// Errors beside those of [`send`]: `failed-precondition` (the receiver has no handler for sends), `resource-exhausted`
/// (10,000 timers and reminders are set).
pub fn send_after(to: &str, msg_type: &str, payload: &[u8], delay: Duration) -> Result<u64, Error> {
    messaging::send_after(to, msg_type, payload, milliseconds(delay))
}

/// Cancels a timer of this actor, and says whether it was still to fire.
pub fn cancel_timer(id: u64) -> Result<bool, Error> {
    messaging::cancel_timer(id)
}

/// Has this actor sent a message `first` after this turn commits, and then every `period` (at least 10 ms; zero = once) until
/// it is cancelled. The message comes from `$timer`; a reminder of this name that is set already is replaced.
///
/// It survives restarts, and does not drift: after a time when it could not be sent it comes once, and goes on in phase.
///
/// Errors: those of [`send_after`].
pub fn set_reminder(
    name: &str,
    msg_type: &str,
    payload: &[u8],
    first: Duration,
    period: Duration,
) -> Result<(), Error> {
    messaging::set_reminder(
        name,
        msg_type,
        payload,
        milliseconds(first),
        milliseconds(period),
    )
}

/// Cancels a reminder of this actor, and says whether there was one.
pub fn cancel_reminder(name: &str) -> Result<bool, Error> {
    messaging::cancel_reminder(name)
}

/// Up to `limit` (1 to 1,000) reminders of this actor, by name, after `cursor`.
pub fn list_reminders(cursor: Option<&str>, limit: u32) -> Result<ReminderPage, Error> {
    messaging::list_reminders(cursor, limit)
}
