//! A node: actors that come to life when they are told something.
//!
//! The life of a message: [`Node::ask`] hands it to the receiver's [`resident`], which queues it; [`drive`] takes it
//! from the queue; the [`actor`] is loaded and rebuilt if it is passive, runs its turn, and commits; the reply waits in
//! [`Node::ask`] until the flush that covers everything it could have seen.
//!
//! * [`catalog`], [`deploy`], [`manifest`]: what is deployed
//! * [`resident`], [`drive`], [`lane`]: mailboxes in memory and who runs them
//! * [`actor`]: activation, turns, checkpoints, upgrades
//! * [`keys`]: the bound on callers' message ids
//! * [`messaging`]: sends, asks and spawns between actors
//! * [`waiting`]: turns that wait until something is there; [`operation`]: services for programs that are no actors
//! * [`passivate`], [`recover`], [`sweep`], [`collect`]: idle actors, a node's start, expired rows, orphans
//! * [`timers`], [`feeds`]: what is sent later, what is published

mod actor;
mod alarm;
mod catalog;
mod collect;
mod deploy;
mod drive;
mod feeds;
mod keys;
mod lane;
mod manifest;
mod messaging;
mod node;
mod operation;
mod passivate;
mod recover;
mod resident;
mod shared;
mod sweep;
mod timers;
mod waiting;

pub use deploy::{Deploy, Deployed};
pub use manifest::Manifest;
pub use node::{ActorTypeInfo, Application, COLLECT_AFTER, Node, Options, Request, Stats};
pub use operation::{Ended, Operation};
