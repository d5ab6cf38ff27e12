//! Messages that were given up.
//!
//! Layout: `scope / DeadLetter / type / key / ticket` → `DeadLetter`, written by the batch that takes the message out of
//! the mailbox.

use crate::records::{DeadLetter, Message, encode};
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Error};
use plexspaces_store::Key;
use plexspaces_store::key::{Kind, Path};

/// The row for a message that `tries` tries could not deliver.
#[must_use]
pub fn row(
    id: &ActorId,
    ticket: u64,
    message: Message,
    error: &Error,
    tries: u32,
    at: Millis,
) -> (Key, Bytes) {
    let key = Path::scope(
        id.scope().tenant(),
        id.scope().namespace(),
        Kind::DeadLetter,
    )
    .str(id.kind())
    .str(id.key())
    .u64(ticket)
    .key();
    let letter = DeadLetter {
        message: Some(message),
        error: Some(error.into()),
        at_ms: at.0,
        tries,
    };
    (key, encode(&letter))
}
