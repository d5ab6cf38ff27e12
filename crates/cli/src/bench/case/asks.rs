//! Asks: in process and over HTTP, of ephemeral and durable actors, by few and many callers, of many keys and one.

use super::inside::{self, NodeCaller};
use crate::bench::child::Servers;
use crate::bench::floor::disk::fdatasync_us;
use crate::bench::floor::wasm::Raw;
use crate::bench::load::{self, HttpCaller, Load, Target};
use crate::bench::report::{Floor, Run, Unit};
use crate::bench::{Bench, Subject, life};
use anyhow::Result;
use std::net::SocketAddr;

/// How many callers ask at once.
const CALLERS: [usize; 3] = [1, 16, 64];

/// One case.
#[derive(Clone, Copy)]
struct Case {
    durable: bool,
    callers: usize,
    hot: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Case> {
        [false, true].into_iter().flat_map(|durable| {
            [false, true].into_iter().flat_map(move |hot| {
                CALLERS.into_iter().map(move |callers| Case {
                    durable,
                    callers,
                    hot,
                })
            })
        })
    }

    fn name(self, subject: &Subject, place: &str) -> String {
        format!(
            "{} ask {} {place} {} x {}",
            subject.label,
            life(self.durable),
            self.callers,
            if self.hot { "one key" } else { "many keys" },
        )
    }

    fn keys(self, bench: &Bench) -> usize {
        if self.hot { 1 } else { bench.plan.keys }
    }
}

/// Through the node's own interface; beside it the raw call and, for durable actors, the disk.
pub(crate) async fn inside(bench: &mut Bench, subject: &Subject, raw: &Raw) -> Result<()> {
    let place = "in process";
    if !Case::all().any(|case| bench.wants(&case.name(subject, place))) {
        return Ok(());
    }
    let node = inside::node(&bench.plan, &format!("{} asks", subject.label), subject).await?;
    for case in Case::all() {
        let name = case.name(subject, place);
        if !bench.wants(&name) {
            continue;
        }
        let (plan, keys) = (bench.plan.clone(), case.keys(bench));
        let kind = subject.kind(case.durable);
        let mut callers = NodeCaller::several(&node, &kind, keys, &plan.message, case.callers)?;
        load::activate(&mut callers, keys).await?;
        bench
            .case(&name, Unit::PerSecond, async || {
                let calls = raw.calls_per_second(&plan.message, plan.span / 4).await?;
                let disk = fdatasync_us(&plan.folder, case.callers)?;
                let load = load::run(&mut callers, keys, plan.span).await?;
                let mut floors = vec![rate("raw wasmtime calls on one thread", calls, load.rate)];
                floors.extend(case.durable.then(|| synced(case.callers, disk, load.rate)));
                Ok(outcome(load, floors))
            })
            .await?;
    }
    Ok(node.shutdown().await?)
}

/// Over HTTP; beside it the raw HTTP server and, for durable actors, the disk.
pub(crate) async fn over_http(
    bench: &mut Bench,
    subject: &Subject,
    servers: &mut Servers,
) -> Result<()> {
    for case in Case::all() {
        let name = case.name(subject, "over HTTP");
        if !bench.wants(&name) {
            continue;
        }
        let (plan, keys) = (bench.plan.clone(), case.keys(bench));
        let target = |address: SocketAddr| Target {
            address,
            prefix: format!(
                "/api/v1/actors/default/default/{}/",
                subject.kind(case.durable)
            ),
            msg_type: plan.message.msg_type.clone(),
            payload: plan.message.payload.clone().into(),
        };
        let mut callers =
            HttpCaller::connect(target(servers.node().await?.address), case.callers).await?;
        let mut raw_callers =
            HttpCaller::connect(target(servers.raw().await?), case.callers).await?;
        load::activate(&mut callers, keys).await?;
        bench
            .case(&name, Unit::PerSecond, async || {
                let raw = load::run(&mut raw_callers, keys, plan.span).await?;
                let disk = fdatasync_us(&plan.folder, case.callers)?;
                let load = load::run(&mut callers, keys, plan.span).await?;
                let mut floors = vec![rate("raw HTTP", raw.rate, load.rate)];
                floors.extend(case.durable.then(|| synced(case.callers, disk, load.rate)));
                Ok(outcome(load, floors))
            })
            .await?;
    }
    Ok(())
}

fn rate(name: &'static str, value: f64, of: f64) -> Floor {
    Floor {
        name,
        unit: Unit::PerSecond,
        value,
        of,
    }
}

/// For one caller, its time beside that of one fdatasync; for several, what a sync of all their records allows.
fn synced(callers: usize, sync_us: f64, answers_per_s: f64) -> Floor {
    if callers == 1 {
        return Floor {
            name: "fdatasync",
            unit: Unit::Micros,
            value: sync_us,
            of: 1e6 / answers_per_s,
        };
    }
    rate(
        "appends, one fdatasync for all callers",
        callers as f64 * 1e6 / sync_us,
        answers_per_s,
    )
}

fn outcome(mut load: Load, floors: Vec<Floor>) -> Run {
    Run {
        value: load.rate,
        p50_us: load.times.percentile_us(50),
        p99_us: load.times.percentile_us(99),
        floors,
    }
}
