//! How long an instance takes: a store with its limits, the component's instances, and dropping all of it.

use crate::bench::floor::wasm::Raw;
use crate::bench::report::{Floor, Run, Unit};
use crate::bench::stats::Times;
use crate::bench::{Bench, Subject};
use anyhow::{Context as _, Result};
use plexspaces_runtime::{Engine, Instance, Modules, Setup};
use plexspaces_services::applications::Hash;
use std::time::Instant;

/// How many instances one run makes.
const INSTANCES: usize = 500;

/// The most memory that an instance may take, in bytes: the default limit.
const MEMORY_MAX: u64 = 64 << 20;

pub(crate) async fn run(bench: &mut Bench, subject: &Subject, raw: &Raw) -> Result<()> {
    let name = format!("{} instantiate", subject.label);
    if !bench.wants(&name) {
        return Ok(());
    }
    let engine = Engine::new().map_err(|e| anyhow::anyhow!("the engine cannot start: {e:#}"))?;
    let modules = Modules::open(engine, &bench.plan.cache())?;
    let wasm = subject.wasm.to_vec();
    let module = modules
        .get(Hash::of(&subject.wasm), async { Ok(wasm) })
        .await?;
    bench
        .case(&name, Unit::Micros, async || {
            let floor = raw.instantiate_us().await?;
            let mut times = Times::default();
            for _ in 0..INSTANCES {
                let start = Instant::now();
                drop(Instance::new(&module, Setup::detached(MEMORY_MAX)?).await?);
                times.push(start.elapsed());
            }
            let value = times.percentile_us(50).context("nothing was made")?;
            Ok(Run {
                value,
                p50_us: Some(value),
                p99_us: times.percentile_us(99),
                floors: vec![Floor {
                    name: "raw wasmtime",
                    unit: Unit::Micros,
                    value: floor,
                    of: value,
                }],
            })
        })
        .await
}
