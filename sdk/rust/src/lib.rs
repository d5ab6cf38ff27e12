#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! * [`actor`](mod@actor): the traits to implement and, at the crate's root, the [`actor!`] macro that exports them.
//! * [`error`](mod@error): failures as values, in both directions.
//! * [`messaging`]: send, ask, spawn, stop, timers and reminders. [`registry`]: services by name.
//! * [`tuplespace`]: tuples, patterns, [`tuple!`] and [`pattern!`]. [`keyvalue`]: values by key.
//! * [`channels`]: queues and topics. [`process_groups`]: actors that are reached together. [`event`]: what infos say in
//!   their type.
//! * [`blob`]: large values. [`locks`]: leases with fencing tokens.
//! * [`context`](mod@context): whose data a call touches.
//! * [`durability`], [`system`], [`log`]: checkpoints, persisted values and the journal, time and randomness, the node's log.

pub mod actor;
#[doc(hidden)]
pub mod bindings;
pub mod channels;
pub mod blob;
pub mod context;
pub mod durability;
pub mod error;
pub mod event;
#[doc(hidden)]
pub mod export;
pub mod keyvalue;
pub mod locks;
pub mod log;
pub mod messaging;
pub mod registry;
pub mod process_groups;
pub mod system;
pub mod tuplespace;

pub use actor::{
    Activation, GenEvent, GenFsm, GenServer, MessageHandler, Snapshot, Termination, Transition,
};
pub use context::Context;
pub use error::{Error, ErrorCode};
pub use event::Event;
pub use tuplespace::{PatternField, Value};

/// Everything that an actor usually needs: `use plexspaces_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Activation, Context, Error, ErrorCode, Event, GenEvent, GenFsm, GenServer, MessageHandler,
        PatternField, Snapshot, Termination, Transition, Value, actor, blob, channels, debug,
        durability, error, info, keyvalue, locks, messaging, pattern, process_groups, registry,
        system, trace, tuple, tuplespace, warn,
    };
}

/// A duration in the contract's unit; one over the range is as good as for ever.
pub(crate) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
