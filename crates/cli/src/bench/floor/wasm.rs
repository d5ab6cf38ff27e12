//! Raw wasmtime: the same component, instantiated and called with nothing around it.

use crate::bench::Message;
use crate::bench::stats::Times;
use anyhow::{Context as _, Result, anyhow};
use std::time::{Duration, Instant};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentType, InstancePre, Lift, Linker, Lower, ResourceTable, TypedFunc, Val,
};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// How many operations make a figure.
const INSTANTIATIONS: usize = 500;

/// A component, compiled by a plain engine: pooling and copy-on-write, async, neither limits nor interruption.
pub(crate) struct Raw {
    engine: Engine,
    pre: InstancePre<State>,
    component: Component,
}

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The contract's error code and error, as far as a call needs their types.
#[derive(Clone, Copy, Debug, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by the guest")]
enum ErrorCode {
    #[component(name = "invalid-argument")]
    InvalidArgument,
    #[component(name = "not-found")]
    NotFound,
    #[component(name = "already-exists")]
    AlreadyExists,
    #[component(name = "permission-denied")]
    PermissionDenied,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "conflict")]
    Conflict,
    #[component(name = "resource-exhausted")]
    ResourceExhausted,
    #[component(name = "unavailable")]
    Unavailable,
    #[component(name = "failed-precondition")]
    FailedPrecondition,
    #[component(name = "internal")]
    Internal,
}

#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
#[allow(dead_code, reason = "made by the guest")]
struct GuestError {
    code: ErrorCode,
    message: String,
    details: Vec<(String, String)>,
}

/// The argument of `init`.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(variant)]
#[allow(dead_code, reason = "the type is the contract's")]
enum Start {
    #[component(name = "create")]
    Create(Vec<u8>),
    #[component(name = "restore")]
    Restore(Vec<u8>),
}

type Init = TypedFunc<(Start,), (Result<(), GuestError>,)>;
type HandleRequest = TypedFunc<(String, String, Vec<u8>), (Result<Vec<u8>, GuestError>,)>;

impl Raw {
    pub(crate) fn new(wasm: &[u8]) -> Result<Self> {
        Self::compile(wasm).map_err(|e| anyhow!("raw wasmtime: {e:#}"))
    }

    fn compile(wasm: &[u8]) -> wasmtime::Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.max_core_instances_per_component(200)
            .max_tables_per_component(20)
            .max_component_instance_size(4 << 20)
            .max_core_instance_size(4 << 20)
            .table_elements(100_000);
        let mut config = Config::new();
        config
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .wasm_component_model(true)
            .concurrency_support(false);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        // The contract's imports are there, so that it can be linked, and must not be called; but Python asks for a
        // seed.
        for (name, import) in component.component_type().imports(&engine) {
            let ComponentItem::ComponentInstance(interface) = import.ty else {
                continue;
            };
            if !name.starts_with("plexspaces:") {
                continue;
            }
            let mut instance = linker.instance(name)?;
            for (function, item) in interface.exports(&engine) {
                if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                    let called = format!("{name}#{function} was called");
                    let seed = function == "random-bytes";
                    instance.func_new(function, move |_, _, parameters, results| {
                        match (parameters, results) {
                            ([Val::U32(length)], [result]) if seed => {
                                let bytes = vec![Val::U8(7); *length as usize];
                                *result = Val::Result(Ok(Some(Box::new(Val::List(bytes)))));
                                Ok(())
                            }
                            _ => Err(wasmtime::Error::msg(called.clone())),
                        }
                    })?;
                }
            }
        }
        let pre = linker.instantiate_pre(&component)?;
        Ok(Raw {
            engine,
            pre,
            component,
        })
    }

    fn store(&self) -> Store<State> {
        Store::new(
            &self.engine,
            State {
                table: ResourceTable::new(),
                wasi: WasiCtx::builder().build(),
            },
        )
    }

    /// The median time of making a store and an instance, and dropping both, in microseconds.
    pub(crate) async fn instantiate_us(&self) -> Result<f64> {
        let mut times = Times::default();
        for _ in 0..INSTANTIATIONS {
            let start = Instant::now();
            let mut store = self.store();
            self.pre
                .instantiate_async(&mut store)
                .await
                .map_err(|e| anyhow!("raw wasmtime: {e:#}"))?;
            drop(store);
            times.push(start.elapsed());
        }
        times.percentile_us(50).context("nothing was instantiated")
    }

    /// Calls in a second, on one thread, of the handler for asks in one instance.
    pub(crate) async fn calls_per_second(&self, message: &Message, span: Duration) -> Result<f64> {
        self.call_for(message, span)
            .await
            .map_err(|e| anyhow!("raw wasmtime: {e:#}"))
    }

    async fn call_for(&self, message: &Message, span: Duration) -> wasmtime::Result<f64> {
        let mut store = self.store();
        let instance = self.pre.instantiate_async(&mut store).await?;
        let find = |interface: &str, function: &str| {
            let interface = self
                .component
                .get_export_index(None, format!("plexspaces:actor/{interface}@0.1.0"))?;
            self.component.get_export_index(Some(&interface), function)
        };
        if let Some(init) = find("activation", "init") {
            let init: Init = instance.get_typed_func(&mut store, init)?;
            let (made,) = init
                .call_async(&mut store, (Start::Create(Vec::new()),))
                .await?;
            made.map_err(|error| wasmtime::format_err!("init gave {error:?}"))?;
        }
        let handler = find("gen-server", "handle-request")
            .ok_or_else(|| wasmtime::format_err!("the component has no gen-server"))?;
        let handler: HandleRequest = instance.get_typed_func(&mut store, handler)?;
        let mut calls = 0u64;
        let start = Instant::now();
        while start.elapsed() < span {
            let parameters = (
                "$bench".to_owned(),
                message.msg_type.clone(),
                message.payload.clone().into_bytes(),
            );
            let (reply,) = handler.call_async(&mut store, parameters).await?;
            if let Err(error) = reply {
                return Err(wasmtime::format_err!("the actor answered {error:?}"));
            }
            calls += 1;
        }
        Ok(calls as f64 / start.elapsed().as_secs_f64())
    }
}
