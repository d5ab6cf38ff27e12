//! The cases of the bench.

pub(crate) mod asks;
pub(crate) mod inside;
pub(crate) mod instantiate;
pub(crate) mod memory;
pub(crate) mod services;
pub(crate) mod spawn;
pub(crate) mod start;
