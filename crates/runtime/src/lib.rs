//! Guests: WebAssembly components that implement the `plexspaces:actor` contract.
//!
//! This crate loads components, runs their handlers within limits, and gives them the host side of every interface
//! that they may import. It knows turns, but neither mailboxes nor commits: `node` begins a turn, calls a handler,
//! and commits what the turn sealed.
//!
//! * [`Engine`]: the one wasmtime engine of a node
//! * [`Modules`]: components, compiled once, by the SHA-256 of their bytes
//! * [`Contract`]: which exports a component has, and how messages are routed to them
//! * [`Instance`]: one live guest: `begin` a turn, call, take the turn back
//! * [`Turn`]: a turn's transaction and journal
//! * [`Outside`]: what messaging needs of the node

mod bindings;
mod cache;
pub mod contract;
mod engine;
mod environment;
mod failure;
mod host;
mod instance;
mod limits;
mod module;
mod outside;
pub mod pace;
mod ticker;
mod turn;
mod wasi;

pub use cache::Modules;
pub use contract::{Contract, Handler};
pub use engine::{Engine, INSTANCES_MAX};
pub use failure::Failure;
pub use instance::{Answer, Instance, Setup, Start};
pub use module::Module;
pub use outside::{Abort, Ask, Attempt, Outside, Timer, Tried, Wait, Which};
pub use turn::{Outgoing, Rights, Sealed, Start as TurnStart, Turn};
