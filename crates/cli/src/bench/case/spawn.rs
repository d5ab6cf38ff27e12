//! Spawns: from the call until the actor is active, in process.
//!
//! Each case has a node of its own, which takes what was spawned with it.

use super::inside::{self, actor};
use crate::bench::floor::wasm::Raw;
use crate::bench::report::{Floor, Run, Unit};
use crate::bench::stats::Times;
use crate::bench::{Bench, Subject, life};
use anyhow::{Context as _, Result};
use bytes::Bytes;
use plexspaces_core::ActorId;
use plexspaces_node::Node;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How many actors a run spawns.
const SPAWNS: usize = 500;

/// How many spawn at the same time where the rate is measured.
const SPAWNERS: usize = 16;

pub(crate) async fn run(bench: &mut Bench, subject: &Subject, raw: &Raw) -> Result<()> {
    for durable in [false, true] {
        one_by_one(bench, subject, raw, durable).await?;
        at_once(bench, subject, raw, durable).await?;
    }
    Ok(())
}

async fn one_by_one(bench: &mut Bench, subject: &Subject, raw: &Raw, durable: bool) -> Result<()> {
    let name = format!("{} spawn {}", subject.label, life(durable));
    if !bench.wants(&name) {
        return Ok(());
    }
    let node = inside::node(&bench.plan, &name, subject).await?;
    let mut fresh = 0;
    bench
        .case(&name, Unit::Micros, async || {
            let floor = raw.instantiate_us().await?;
            let mut times = Times::default();
            for id in fresh_ids(subject, durable, &mut fresh)?.iter() {
                let start = Instant::now();
                node.spawn(id, Bytes::new()).await?;
                times.push(start.elapsed());
            }
            let value = times.percentile_us(50).context("nothing was spawned")?;
            Ok(Run {
                value,
                p50_us: Some(value),
                p99_us: times.percentile_us(99),
                floors: vec![Floor {
                    name: "raw wasmtime instantiate",
                    unit: Unit::Micros,
                    value: floor,
                    of: value,
                }],
            })
        })
        .await?;
    Ok(node.shutdown().await?)
}

async fn at_once(bench: &mut Bench, subject: &Subject, raw: &Raw, durable: bool) -> Result<()> {
    let name = format!(
        "{} spawn {} by {SPAWNERS} at once",
        subject.label,
        life(durable)
    );
    if !bench.wants(&name) {
        return Ok(());
    }
    let node = inside::node(&bench.plan, &name, subject).await?;
    let mut fresh = 0;
    bench
        .case(&name, Unit::PerSecond, async || {
            let floor = raw.instantiate_us().await?;
            let ids = fresh_ids(subject, durable, &mut fresh)?;
            let took = together(&node, &ids).await?;
            let value = ids.len() as f64 / took.as_secs_f64();
            Ok(Run {
                value,
                floors: vec![Floor {
                    name: "raw wasmtime instantiate on one thread",
                    unit: Unit::PerSecond,
                    value: 1e6 / floor,
                    of: value,
                }],
                ..Run::default()
            })
        })
        .await?;
    Ok(node.shutdown().await?)
}

fn fresh_ids(subject: &Subject, durable: bool, fresh: &mut usize) -> Result<Arc<[ActorId]>> {
    let (kind, first) = (subject.kind(durable), *fresh);
    *fresh += SPAWNS;
    let ids: Vec<ActorId> = (first..*fresh)
        .map(|key| actor(&kind, key))
        .collect::<Result<_>>()?;
    Ok(ids.into())
}

async fn together(node: &Node, ids: &Arc<[ActorId]>) -> Result<Duration> {
    let start = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut spawners = JoinSet::new();
    for _ in 0..SPAWNERS {
        let (node, ids, next) = (node.clone(), ids.clone(), next.clone());
        spawners.spawn(async move {
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                node.spawn(id, Bytes::new()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = spawners.join_next().await {
        ended.context("a spawner panicked")??;
    }
    Ok(start.elapsed())
}
