//! What a durable actor can see and steer of its own durability.

use crate::bindings::plexspaces::actor::durability;
use crate::{Context, Error};

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
