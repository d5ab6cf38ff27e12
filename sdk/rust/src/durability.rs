//! What a durable actor can see and steer of its own durability.

use crate::bindings::plexspaces::actor::durability;
use crate::{Context, Error};

pub use crate::bindings::plexspaces::actor::durability::{
    JournalEntry, JournalPage, PersistedPage,
};

/// Asks for a checkpoint at the end of this turn. `failed-precondition` in an ephemeral actor or one that
/// exports no [`Snapshot`](crate::Snapshot).
pub fn checkpoint() -> Result<(), Error> {
    durability::checkpoint(&Context::own())
}

/// The sequence number of this turn. Creation is 0.
pub fn sequence() -> Result<u64, Error> {
    durability::get_sequence(&Context::own())
}

/// Whether the journal answers the host calls now. For logging and metrics only: an effect guarded with it
/// makes the replay differ from the first run.
pub fn is_replaying() -> Result<bool, Error> {
    durability::is_replaying(&Context::own())
}

/// Keeps a value under a key of this actor's own until it is deleted, beside the state of [`Snapshot`](crate::Snapshot).
///
/// Errors of this function and of those below: `failed-precondition` (an ephemeral actor keeps nothing),
/// `invalid-argument` (a key that has not 1 to 512 bytes).
pub fn persist(key: &str, value: &[u8]) -> Result<(), Error> {
    durability::persist(&Context::own(), key, value)
}

/// Persists several values at once. Of a key that is named twice the last value counts.
pub fn persist_batch(entries: &[(String, Vec<u8>)]) -> Result<(), Error> {
    durability::persist_batch(&Context::own(), entries)
}

/// The value of a key that this actor has persisted, or none.
pub fn read_persisted(key: &str) -> Result<Option<Vec<u8>>, Error> {
    durability::read_persisted(&Context::own(), key)
}

/// Deletes a persisted key. One that is not there stays so.
pub fn delete_persisted(key: &str) -> Result<(), Error> {
    durability::delete_persisted(&Context::own(), key)
}

/// Up to `limit` (1 to 1,000) persisted keys that start with `prefix`, in order, after `cursor`.
pub fn list_persisted(
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<PersistedPage, Error> {
    durability::list_persisted(&Context::own(), prefix, cursor, limit)
}

/// This actor's finished turns `from` to `to`, both included, as far as they are kept: up to `limit` (1 to 1,000) of them.
pub fn read_journal(from: u64, to: u64, limit: u32) -> Result<JournalPage, Error> {
    durability::read_journal(&Context::own(), from, to, limit)
}
