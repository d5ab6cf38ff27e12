//! Stores for tests, in this crate and in those above it.
//!
//! * [`Lossy`]: loses at a crash what a store may lose at a crash.
//! * [`NoGate`]: says "flushed" too early, to prove that a test would notice.
//! * [`conformance`]: what every backend has to do, as a program that checks it.

pub mod conformance;
mod lossy;
mod no_gate;

pub use lossy::{Lossy, LossyBackend};
pub use no_gate::NoGate;
