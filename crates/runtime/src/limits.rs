//! The memory of one instance, bounded.
//!
//! wasmtime asks before a memory or a table grows. Over the limit the guest traps at once: a guest that gets a failed
//! growth instead mostly aborts anyway, and with a worse message.

use thiserror::Error;
use wasmtime::ResourceLimiter;

/// The limit that ended a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum LimitHit {
    #[error("memory: {wanted} bytes wanted, {limit} allowed")]
    Memory { wanted: u64, limit: u64 },
    #[error("table: {wanted} elements wanted, {limit} allowed")]
    Table { wanted: u64, limit: u64 },
    #[error("time: the turn ran longer than {limit_ms} ms")]
    Time { limit_ms: u64 },
}

/// Table elements of one instance, over all its tables.
const TABLE_ELEMENTS_MAX: u64 = 200_000;

/// Counts what one instance has.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_max: u64,
    memory: u64,
    table: u64,
}

impl Limiter {
    pub(crate) fn new(memory_max: u64) -> Self {
        Limiter {
            memory_max,
            memory: 0,
            table: 0,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory + (desired - current) as u64;
        if wanted > self.memory_max {
            return Err(LimitHit::Memory {
                wanted,
                limit: self.memory_max,
            }
            .into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.table + (desired - current) as u64;
        if wanted > TABLE_ELEMENTS_MAX {
            return Err(LimitHit::Table {
                wanted,
                limit: TABLE_ELEMENTS_MAX,
            }
            .into());
        }
        self.table = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        1_000
    }

    fn tables(&self) -> usize {
        1_000
    }

    fn memories(&self) -> usize {
        100
    }
}
