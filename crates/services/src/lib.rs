//! The layers of PlexSpaces: everything durable, as rows of one ordered store.
//!
//! A layer is one file: the layout of its keys, its rules, its tests. A turn works through a [`Transaction`], which
//! buffers what the turn changes, overlays it on what the turn reads, and becomes one batch when the turn commits.
//! No layer commits on its own.
//!
//! * [`transaction`]: how a turn reads and writes; [`reservations`], [`waiters`]: how turns keep out of each other's way
//! * [`tuplespace`]: Linda's tuples; [`keyvalue`]: values by key
//! * [`feeds`]: what is published once and reaches every subscriber: [`topics`], process [`groups`], [`watches`]
//! * [`blob`]: large values, their bytes beside the store
//! * [`queues`]: messages for whoever comes first; [`locks`]: leases with fencing tokens
//! * [`mailbox`], [`waits`], [`dead_letters`]: messages between actors
//! * [`timers`]: messages that are sent later; [`registry`]: services by name; [`persisted`]: what actors keep for themselves
//! * [`journal`]: actors, their turns and checkpoints
//! * [`dedup`]: replies to message ids that callers gave; [`expiry`]: rows that go away by themselves
//! * [`applications`]: applications, deployments, modules
//! * [`scopes`]: where actors live
//! * [`clock`]: the newest time the store knows
//! * [`records`]: the stored messages, and their conversions

pub mod applications;
pub mod blob;
pub mod clock;
pub mod coordination;
pub mod dead_letters;
pub mod dedup;
pub mod expiry;
pub mod feeds;
pub mod groups;
pub mod journal;
pub mod keyvalue;
pub mod locks;
pub mod mailbox;
pub mod persisted;
pub mod queues;
pub mod records;
pub mod registry;
pub mod reservations;
pub mod scopes;
#[cfg(test)]
mod testing;
pub mod timers;
pub mod topics;
pub mod transaction;
pub mod tuplespace;
pub mod waiters;
pub mod waits;
pub mod watches;

pub use coordination::Coordination;
pub use transaction::{Bounds, Held, Transaction};

use plexspaces_core::{Code, Error};

/// A failure of the store, as an error that users see.
#[must_use]
pub fn fault(error: plexspaces_store::Error) -> Error {
    use plexspaces_store::Error as Store;
    let code = match &error {
        Store::Conflict { .. } => Code::TurnConflict,
        Store::Corrupt { .. } | Store::Damaged { .. } => Code::Corrupt,
        Store::Closed => Code::ShuttingDown,
        _ => Code::StoreStopped,
    };
    Error::new(code, error.to_string())
}
