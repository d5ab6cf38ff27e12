//! The one wasmtime engine of a node, and the linker that every guest is linked with.
//!
//! Everything that decides how guests behave is set here: the pooling allocator with copy-on-write images, epoch
//! interruption for time, and what makes a run repeatable (canonical NaNs, deterministic relaxed SIMD, no threads).

use crate::bindings::Imports;
use crate::host::HostState;
use crate::ticker::Ticker;
use std::sync::Arc;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How many instances a node keeps at once, each with a stack, which wasmtime keeps for the instance's next call. Each
/// takes six or seven memory mappings of the 65,530 that Linux allows a process by default, two of them for the stack,
/// and 4 GiB of the address space's 128 TiB.
pub const INSTANCES_MAX: u32 = 8_000;

/// A guest's stack, in bytes: CPython nests about 1,000 calls deep in 1 MiB.
const GUEST_STACK_BYTES: usize = 1 << 20;

/// The host functions that a guest calls run on the same stack, above the guest's part.
const STACK_BYTES: usize = GUEST_STACK_BYTES + (1 << 20);

/// Engine and linker; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) linker: Arc<Linker<HostState>>,
    pub(crate) ticker: Arc<Ticker>,
}

impl Engine {
    /// Builds the engine.
    ///
    /// # Errors
    /// When the machine cannot reserve the address space, or has no support for what the configuration asks.
    pub fn new() -> wasmtime::Result<Self> {
        let wasmtime = wasmtime::Engine::new(&config())?;
        let mut linker = Linker::new(&wasmtime);
        Imports::add_to_linker::<_, HasSelf<HostState>>(&mut linker, |state| state)?;
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let ticker = Arc::new(Ticker::start(wasmtime.clone()));
        Ok(Engine {
            wasmtime,
            linker: Arc::new(linker),
            ticker,
        })
    }
}

fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * 40)
        .total_tables(INSTANCES_MAX * 4)
        // An instance keeps the stack of its last call for the next one.
        .total_stacks(INSTANCES_MAX)
        // CPython's component has about 40 core instances and 10,000 table elements.
        .max_core_instances_per_component(200)
        .max_tables_per_component(20)
        .max_memories_per_component(4)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(100_000)
        .max_unused_warm_slots(100);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(STACK_BYTES)
        // Guests are called one at a time; this leaves out the tables for component-model concurrency.
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_component_model(true);
    config
}
