//! Services from guest code: one operation per turn, and a hundred, beside batches of the raw store.
//!
//! The guest is `tests/guests/rust/program`, whose turns run the calls that the message lists. Its reading of the
//! message is part of what is measured.

use super::inside::{actor, node};
use crate::bench::child::Servers;
use crate::bench::load::{self, Caller, HttpCaller, Target};
use crate::bench::report::{Floor, Run, Unit};
use crate::bench::{Bench, Plan, Subject, floor};
use crate::output;
use anyhow::{Result, ensure};
use bytes::Bytes;
use plexspaces_core::ActorId;
use plexspaces_node::{Node, Request};
use serde_json::{Value, json};
use std::time::Duration;

/// Callers, each with an actor of its own.
const CALLERS: usize = 16;

/// How many operations a large turn has.
const MANY: u64 = 100;

/// What is called: `@` is the actor's number, `%` the call's.
fn operations() -> Vec<(&'static str, Value)> {
    vec![
        ("keyvalue put", json!([["keyvalue.put", "@/%", "value"]])),
        ("keyvalue get", json!([["keyvalue.get", "@/%"]])),
        (
            "keyvalue increment",
            json!([["keyvalue.increment", "@/n/%", 1]]),
        ),
        (
            "tuplespace write and take",
            json!([
                ["tuplespace.write", ["@", "%"]],
                ["tuplespace.take", ["@", "%"]]
            ]),
        ),
        (
            "queue send and receive",
            json!([
                ["channels.send_to_queue", "@", "message"],
                ["channels.receive_from_queue", "@", 0]
            ]),
        ),
        (
            "lock acquire and release",
            json!([["locks.try_acquire", "@/%"], ["locks.release", "@/%"]]),
        ),
        (
            "registry register",
            json!([["registry.register", "@/%", "address", []]]),
        ),
        (
            "durability persist",
            json!([["durability.persist", "%", "value"]]),
        ),
        (
            "topic publish to one subscriber",
            json!([["channels.publish_to_topic", "@", "", "message", []]]),
        ),
        (
            "timer set and cancel",
            json!([
                ["messaging.set_reminder", "%", "tick", "", 3_600_000, 0],
                ["messaging.cancel_reminder", "%"]
            ]),
        ),
        (
            "blob upload of 1 KiB",
            json!([["blob.upload", "@/%", "x".repeat(1024), []]]),
        ),
    ]
}

pub(crate) async fn run(bench: &mut Bench, subject: &Subject) -> Result<()> {
    let plan = bench.plan.clone();
    let mut started: Option<Node> = None;
    for (name, calls) in operations() {
        for times in [1, MANY] {
            let case = format!("{name}, {times} per turn");
            if !bench.wants(&case) {
                continue;
            }
            let node = match &started {
                Some(node) => node.clone(),
                None => started
                    .insert(node(&plan, "services", subject).await?)
                    .clone(),
            };
            let calls = calls.as_array().expect("written above");
            // Each call in a turn of its own kind: what one leaves, the next finds.
            let program: Vec<Value> = calls
                .iter()
                .map(|call| json!(["repeat", times, call]))
                .collect();
            let operations = times * program.len() as u64;
            let mut callers = ProgramCaller::several(&node, subject, &Value::Array(program))?;
            if name.starts_with("topic") {
                subscribe(&node, subject).await?;
            }
            bench
                .case(&case, Unit::PerSecond, async || {
                    let floor = floor_of(&plan, name, operations).await?;
                    let mut load = load::run(&mut callers, 1, plan.span).await?;
                    let rate = load.rate * operations as f64;
                    Ok(Run {
                        value: rate,
                        p50_us: load.times.percentile_us(50),
                        p99_us: load.times.percentile_us(99),
                        floors: vec![Floor { of: rate, ..floor }],
                    })
                })
                .await?;
        }
    }
    match_among_many(bench, subject).await
}

/// What a case is compared with: batches of the raw store, or, where each operation writes a file of its own, one sync
/// after the other.
async fn floor_of(plan: &Plan, name: &str, operations: u64) -> Result<Floor> {
    let (name, value) = if name.starts_with("blob") {
        let us = floor::disk::fdatasync_us(&plan.folder, 1)?;
        ("raw fdatasync", 1e6 / us)
    } else {
        let rows = floor::store::rows_per_second(&plan.folder, CALLERS, operations, plan.span);
        ("raw store", rows.await?)
    };
    Ok(Floor {
        name,
        unit: Unit::PerSecond,
        value,
        of: value,
    })
}

/// Lets an ephemeral actor, which keeps no journal of what it hears, subscribe to each caller's topic.
async fn subscribe(node: &Node, subject: &Subject) -> Result<()> {
    for n in 0..CALLERS {
        let calls = json!([["channels.subscribe_to_topic", n.to_string(), []]]);
        let id = actor(&subject.kind(false), n)?;
        ask(node, &id, calls.to_string().into()).await?;
    }
    Ok(())
}

/// What a pattern with exact leading fields costs in a space of many tuples.
async fn match_among_many(bench: &mut Bench, subject: &Subject) -> Result<()> {
    let plan = bench.plan.clone();
    let mut filled = 0u64;
    let mut started: Option<Node> = None;
    for among in [1_000u64, 100_000, 1_000_000] {
        if among > plan.rows {
            continue;
        }
        let case = format!("tuplespace read among {among} tuples");
        if !bench.wants(&case) {
            continue;
        }
        let node = match &started {
            Some(node) => node.clone(),
            None => started
                .insert(node(&plan, "tuples", subject).await?)
                .clone(),
        };
        fill(&node, subject, filled, among, "tuplespace.write", |n| {
            json!([["space", n, "x"]])
        })
        .await?;
        filled = among;
        let program = json!([[
            "repeat",
            MANY,
            ["tuplespace.read", ["space", among / 2, "*"]]
        ]]);
        let mut callers = ProgramCaller::several(&node, subject, &program)?;
        callers.truncate(1);
        bench
            .case(&case, Unit::Micros, async || {
                let load = load::run(&mut callers, 1, plan.span).await?;
                Ok(Run {
                    // One caller: the time of a turn, divided by its reads.
                    value: 1e6 / load.rate / MANY as f64,
                    ..Run::default()
                })
            })
            .await?;
    }
    Ok(())
}

/// Makes the calls `from..to` of one kind, in turns as large as they may be.
async fn fill(
    node: &Node,
    subject: &Subject,
    from: u64,
    to: u64,
    call: &str,
    arguments: impl Fn(u64) -> Value,
) -> Result<()> {
    const TURN: u64 = 5_000;
    let id = actor(&subject.kind(true), 0)?;
    for start in (from..to).step_by(TURN as usize) {
        let calls = (start..to.min(start + TURN)).map(|n| {
            let mut whole = vec![json!(call)];
            whole.extend(arguments(n).as_array().expect("a list").iter().cloned());
            Value::Array(whole)
        });
        ask(node, &id, calls.collect::<Value>().to_string().into()).await?;
    }
    Ok(())
}

async fn ask(node: &Node, id: &ActorId, payload: Bytes) -> Result<()> {
    let request = Request {
        msg_type: "run".into(),
        payload,
        idempotency_key: None,
        timeout: Duration::from_secs(60),
    };
    let reply = node.ask(id, request).await?;
    // A call that fails is a value in the reply, and a bench of failures measures nothing.
    ensure!(
        !reply.windows(9).any(|part| part == b"{\"error\":"),
        "a call failed: {}",
        String::from_utf8_lossy(&reply[..reply.len().min(500)])
    );
    Ok(())
}

struct ProgramCaller {
    node: Node,
    id: ActorId,
    payload: Bytes,
}

impl ProgramCaller {
    fn several(node: &Node, subject: &Subject, program: &Value) -> Result<Vec<Self>> {
        let text = program.to_string();
        let caller = |n: usize| {
            Ok(ProgramCaller {
                node: node.clone(),
                id: actor(&subject.kind(true), n)?,
                payload: text.replace('@', &n.to_string()).into(),
            })
        };
        (0..CALLERS).map(caller).collect()
    }
}

impl Caller for ProgramCaller {
    async fn call(&mut self, _: usize) -> Result<()> {
        ask(&self.node, &self.id, self.payload.clone()).await
    }
}

/// What a node's process holds in memory with many keys, then tuples, then queued messages on the disk.
pub(crate) async fn memory(
    bench: &mut Bench,
    subject: &Subject,
    servers: &mut Servers,
) -> Result<()> {
    const TURN: u64 = 5_000;
    let rows = bench.plan.rows;
    for (what, call) in [
        ("keys", json!(["keyvalue.put", "million/@/%", "value"])),
        ("tuples", json!(["tuplespace.write", ["million", "@", "%"]])),
        (
            "queued messages",
            json!(["channels.send_to_queue", "million", "message"]),
        ),
    ] {
        let case = format!("memory with {rows} {what}");
        if !bench.wants(&case) {
            continue;
        }
        let node = servers.node().await?;
        if node.resident_kib().is_none() {
            output::note(&format!(
                "{case}: not measured, since this system has no /proc"
            ));
            continue;
        }
        node.deploy(subject).await?;
        for turn in 0..rows.div_ceil(TURN) {
            let program = json!([["repeat", TURN, call]]).to_string();
            let target = Target {
                address: node.address,
                prefix: format!("/api/v1/actors/default/default/{}/", subject.kind(true)),
                msg_type: "run".into(),
                payload: program.replace('@', &turn.to_string()).into(),
            };
            let mut callers = HttpCaller::connect(target, 1).await?;
            load::activate(&mut callers, 1).await?;
        }
        bench
            .case(&case, Unit::KiB, async || {
                Ok(Run {
                    value: node.resident_kib().unwrap_or(f64::NAN),
                    ..Run::default()
                })
            })
            .await?;
    }
    Ok(())
}
