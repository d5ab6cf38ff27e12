#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! * [`actor`](mod@actor): the traits to implement and, at the crate's root, the [`actor!`] macro that exports them.
//! * [`error`](mod@error): failures as values, in both directions.
//! * [`messaging`]: send, ask, spawn, stop.
//! * [`tuplespace`]: tuples, patterns, [`tuple!`] and [`pattern!`]. [`keyvalue`]: values by key.
//! * [`channels`]: queues. [`locks`]: leases with fencing tokens.
//! * [`context`](mod@context): whose data a call touches.
//! * [`durability`], [`system`], [`log`]: checkpoints, time and randomness, the node's log.

pub mod actor;
#[doc(hidden)]
pub mod bindings;
pub mod channels;
pub mod context;
pub mod durability;
pub mod error;
#[doc(hidden)]
pub mod export;
pub mod keyvalue;
pub mod locks;
pub mod log;
pub mod messaging;
pub mod system;
pub mod tuplespace;

pub use actor::{
    Activation, GenEvent, GenFsm, GenServer, MessageHandler, Snapshot, Termination, Transition,
};
pub use context::Context;
pub use error::{Error, ErrorCode};
pub use tuplespace::{PatternField, Value};

/// Everything that an actor usually needs: `use plexspaces_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Activation, Context, Error, ErrorCode, GenEvent, GenFsm, GenServer, MessageHandler,
        PatternField, Snapshot, Termination, Transition, Value, actor, channels, debug, error,
        info, keyvalue, locks, messaging, pattern, system, trace, tuple, tuplespace, warn,
    };
}

/// A duration in the contract's unit; one over the range is as good as for ever.
pub(crate) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
