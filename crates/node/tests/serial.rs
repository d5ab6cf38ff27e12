//! Random programs of service calls over many actors, with traps, failures and a disk that loses what was not flushed:
//! what was committed is one serial history that explains every result, as semantics 6 promises.
//!
//! The store numbers its commits, and each segment of a turn is a row of its batch, so the serial order is witnessed:
//! the segments in the order of their rows' versions. The checker (`support/history.rs`) runs the programs' calls in
//! that order against a model and compares each recorded result. So it need not search for an order, as checkers for
//! black boxes do, and also refuses a history that some other order would explain. Beside that: what a client saw end
//! before another began comes before it, and the store holds at the end exactly what the history leaves, so failed
//! turns leave no trace and tuples written = present + taken + expired.
//!
//! `SERIAL_SEED=7` repeats what the clients ask and how much each crash takes.

mod support;

use plexspaces_core::Code;
use plexspaces_node::Node;
use plexspaces_store::Store as _;
use plexspaces_store::key::Kind;
use plexspaces_store::testing::Lossy;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::history::{Ask, Checked, History};
use support::{Gate, Machine, deploy, eventually, run, values};
use tokio::sync::watch;
use tokio::task::JoinSet;

const CLIENTS: usize = 12;
const ACTORS: usize = 6;
const CRASHES: u64 = 24;

/// How long a node lives, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 30..200;

/// How long a flush takes: long enough that the power mostly fails in it.
const FLUSH: Duration = Duration::from_millis(2);

/// All turns are kept, for the checker.
const CONFIG: &str = "[actors.program]\nhistory_turns = 1000000\n";

#[tokio::test(flavor = "multi_thread")]
async fn committed_segments_are_one_serial_history() {
    let seed = match std::env::var("SERIAL_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.expect("after 1970").as_nanos() as u64
        }
    };
    println!("SERIAL_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let clock = Arc::new(AtomicU64::new(0));
    let mut asks = Vec::new();
    let mut node = Machine::boot(Lossy::open(FLUSH), Gate::Kept).await;
    deploy(&node, "program", CONFIG).await;
    let deployed = node.disk.flushed(node.disk.visible()).await;
    deployed.expect("the power is on");
    for life in 0..CRASHES {
        let mut clients = JoinSet::new();
        let (power, has_power) = watch::channel(());
        for client in 0..CLIENTS {
            let (node, clock) = (Node::clone(&node), clock.clone());
            let mut random = StdRng::seed_from_u64(seed ^ (life << 32) ^ client as u64);
            let gone = has_power.clone();
            clients
                .spawn(async move { ask_on(&node, gone, &clock, &mut random, life, client).await });
        }
        let life_ms = random.random_range(LIFE_MS);
        tokio::time::sleep(Duration::from_millis(life_ms)).await;
        node = node.crash(random.random()).await;
        drop(power);
        for answered in clients.join_all().await {
            asks.extend(answered);
        }
    }
    eventually("interrupted turns have ended", async || {
        node.rows(Kind::Wait).await.is_empty()
    })
    .await;
    let history = History::read(&node).await;
    let Checked {
        state,
        segments,
        reads,
    } = match history.check(&asks) {
        Ok(checked) => checked,
        Err(wrong) => panic!("{wrong}\nSERIAL_SEED={seed}"),
    };
    println!(
        "{} answers, {segments} segments, {reads} reads and takes explained",
        asks.len()
    );
    assert!(
        asks.len() > 100 && segments > 100,
        "too little has happened"
    );
    // The store holds what the history leaves.
    for key in KEYS.iter().chain(&COUNTERS) {
        let found = values(&node, "program/reader", json!([["keyvalue.get", key]])).await;
        assert_eq!(
            found[0].as_str(),
            state.value(key),
            "{key}, SERIAL_SEED={seed}"
        );
    }
    let all = json!([["tuplespace.read_all", ["t", "*", "*"]]]);
    let mut present: Vec<String> = values(&node, "program/reader", all).await[0]
        .as_array()
        .expect("a list")
        .iter()
        .map(Json::to_string)
        .collect();
    present.sort();
    assert_eq!(present, state.tuples(), "SERIAL_SEED={seed}");
    let mut messages = Vec::new();
    let receive = json!([["channels.receive_from_queue", "q", 0]]);
    while let Some(message) = values(&node, "program/reader", receive.clone()).await[0].as_str() {
        messages.push(message.to_owned());
    }
    messages.sort();
    assert_eq!(messages, state.messages(), "SERIAL_SEED={seed}");
    eventually("tuples with a time to live are gone", async || {
        node.tuples().await == present.len()
    })
    .await;
}

const KEYS: [&str; 3] = ["k0", "k1", "k2"];
const COUNTERS: [&str; 2] = ["n0", "n1"];

/// Asks until the node is gone.
async fn ask_on(
    node: &Node,
    mut gone: watch::Receiver<()>,
    clock: &AtomicU64,
    random: &mut StdRng,
    life: u64,
    client: usize,
) -> Vec<Ask> {
    let mut asks = Vec::new();
    for n in 0.. {
        let id = format!("l{life}c{client}n{n}");
        let actor = format!("program/{}", random.random_range(0..ACTORS));
        let program = program(random, &id);
        let began = clock.fetch_add(1, Ordering::SeqCst);
        let asked = tokio::select! {
            asked = run(node, &actor, program) => asked,
            _ = gone.changed() => break,
        };
        let ended = clock.fetch_add(1, Ordering::SeqCst);
        match asked {
            Ok(_) => asks.push(Ask { id, began, ended }),
            Err(error) if matches!(error.code, Code::StoreStopped | Code::ShuttingDown) => break,
            // Failed as the program wanted, or lost; the history says which.
            Err(_) => {}
        }
    }
    asks
}

/// One to six calls, at times with a failure at the end.
fn program(random: &mut StdRng, id: &str) -> Json {
    let mut calls = vec![json!(["note", id])];
    for _ in 0..random.random_range(1..=6) {
        calls.push(call(random, id));
    }
    match random.random_range(0..12) {
        0 => calls.push(json!(["fail", "as asked"])),
        1 => calls.push(json!(["trap"])),
        _ => {}
    }
    Json::Array(calls)
}

fn call(random: &mut StdRng, id: &str) -> Json {
    let key = KEYS[random.random_range(0..KEYS.len())];
    let counter = COUNTERS[random.random_range(0..COUNTERS.len())];
    let bag = random.random_range(0..3);
    let value = format!("v{}", random.random_range(0..3));
    match random.random_range(0..24) {
        0..4 => json!(["keyvalue.get", key]),
        4 => json!(["keyvalue.exists", key]),
        5..7 => json!(["keyvalue.put", key, value]),
        7 => json!(["keyvalue.delete", key]),
        8..10 => json!(["keyvalue.increment", counter, random.random_range(-5..6)]),
        10 => json!(["keyvalue.get", counter]),
        11 => json!(["keyvalue.compare_and_swap", key, null, value]),
        12 => json!([
            "keyvalue.compare_and_swap",
            key,
            format!("v{}", random.random_range(0..3)),
            value
        ]),
        13..16 => json!(["tuplespace.write", ["t", bag, id]]),
        16..18 => json!(["tuplespace.take", ["t", bag, "*"]]),
        18 => json!([
            "tuplespace.take_blocking",
            ["t", bag, "*"],
            random.random_range(1..20)
        ]),
        19..22 => json!(["channels.send_to_queue", "q", format!("{id} {value}")]),
        22 => json!(["channels.receive_from_queue", "q", 0]),
        23 => json!([
            "channels.receive_from_queue",
            "q",
            random.random_range(1..20)
        ]),
        _ => json!(["tuplespace.write_with_ttl", ["ttl", id], 20]),
    }
}

/// The checker sees what it has to see.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_not_serial_is_refused() {
    let node = Machine::new().await;
    deploy(&node, "program", CONFIG).await;
    for n in 0..5 {
        let calls = json!([
            ["note", format!("a{n}")],
            ["keyvalue.get", "k0"],
            ["keyvalue.put", "k0", format!("v{n}")],
            ["tuplespace.write", ["t", 0, format!("a{n}")]],
        ]);
        values(&node, &format!("program/{n}"), calls).await;
    }
    values(
        &node,
        "program/0",
        json!([
            ["note", "b"],
            ["tuplespace.take", ["t", 0, "*"]],
            ["keyvalue.increment", "n0", 1]
        ]),
    )
    .await;
    let whole = History::read(&node).await;
    assert!(whole.check(&[]).is_ok());
    let mut swapped = whole.clone();
    swapped.swap(1, 3);
    let wrong = swapped.check(&[]).expect_err("reads do not fit");
    assert!(wrong.contains("keyvalue.get"), "{wrong}");
    let mut twice = whole.clone();
    twice.repeat_last();
    let wrong = twice.check(&[]).expect_err("taken twice");
    assert!(wrong.contains("tuplespace.take"), "{wrong}");
    // Real time: the last one ended before the first began.
    let asks = [
        Ask {
            id: "b".into(),
            began: 0,
            ended: 1,
        },
        Ask {
            id: "a0".into(),
            began: 2,
            ended: 3,
        },
    ];
    assert!(
        whole
            .check(&asks)
            .expect_err("out of order")
            .contains("before")
    );
}
