//! An idle node uses no CPU, however many actors it knows. Alone in its file, so that nothing else runs beside it.

mod support;

use plexspaces_node::{COLLECT_AFTER, Node, Options};
use plexspaces_services::blob::Content;
use plexspaces_store::{Fjall, FjallOptions, Store};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{PATIENCE, ask, ask_with, cache, deploy, eventually, id, keyed, values};
use tokio::task::JoinSet;

const PASSIVE: usize = 10_000;
const HOT: usize = 7_000;

/// How long an idle node is watched, and how much CPU time it may use meanwhile.
const WATCHED: Duration = Duration::from_secs(1);
const USED_MAX: Duration = Duration::from_millis(10);

/// What the timer that fires has its receiver do.
const FIRED: &str = r#"[["keyvalue.put", "fired", "x"]]"#;

/// The CPU time that the threads of this process have used.
fn used() -> Duration {
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task").expect("procfs") {
        let path = thread.expect("readable").path().join("schedstat");
        // A thread that ends just now has used what it used; an idle node ends none.
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let first = text.split(' ').next().expect("three numbers");
        nanos += first.parse::<u64>().expect("nanoseconds");
    }
    Duration::from_nanos(nanos)
}

fn used_within(watched: Duration) -> Duration {
    let before = used();
    std::thread::sleep(watched);
    used().saturating_sub(before)
}

/// What was started has to end first: the last flush, the compaction, the ticker that lingers for a moment.
fn stays_idle(what: &str) {
    let start = Instant::now();
    while used_within(Duration::from_millis(100)) > Duration::from_millis(1) {
        assert!(start.elapsed() < PATIENCE, "{what}: it never comes to rest");
    }
    let used = used_within(WATCHED);
    println!("{what}: {used:?} of CPU time in {WATCHED:?}");
    assert!(used <= USED_MAX, "{what}: {used:?} in {WATCHED:?}");
}

async fn spawn(node: &Node, kind: &str, count: usize) {
    for part in (0..count).collect::<Vec<_>>().chunks(500) {
        let mut spawns = JoinSet::new();
        for n in part {
            let (node, id) = (node.clone(), id(&format!("{kind}/{n}")));
            spawns.spawn(async move { node.spawn(&id, bytes::Bytes::new()).await });
        }
        for spawned in spawns.join_all().await {
            spawned.expect("spawned");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_uses_no_cpu() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Fjall::open(folder.path(), &FjallOptions::default()).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let node = Node::start(Options {
        node_id: "idle".into(),
        store,
        blobs: Content::in_memory(),
        collect_after: COLLECT_AFTER,
        cache: cache(),
    })
    .await
    .expect("the node starts");
    deploy(&node, "counter", "[actors.counter]\nidle_ms = 1\n").await;
    deploy(&node, "ledger", "[actors.ledger]\nidle_ms = 86400000\n").await;
    assert!(used() > Duration::ZERO, "the kernel counts");
    stays_idle("without actors");

    spawn(&node, "counter", PASSIVE).await;
    eventually("all are passive", || async {
        node.stats().actors_in_memory == 0
    })
    .await;
    // What is due much later, and what waits for its receiver's type.
    deploy(&node, "program", "[actors.program]\nidle_ms = 1\n").await;
    let late = json!([
        "messaging.set_reminder",
        "r%",
        "t",
        "",
        3_600_000,
        3_600_000
    ]);
    let parked = json!(["messaging.send_after", "event/x", "t", "", 1_000]);
    let fired = json!(["messaging.send_after", "program/b", "run", FIRED, 1_100]);
    deploy(&node, "event", "").await;
    values(
        &node,
        "program/a",
        json!([["repeat", 1_000, late], parked, fired]),
    )
    .await;
    node.undeploy("event-app").await.expect("undeployed");
    let read = json!([["keyvalue.exists", "fired"]]);
    eventually("the timer fires", || async {
        values(&node, "program/b", read.clone()).await[0] == true
    })
    .await;
    eventually("all are passive again", || async {
        node.stats().actors_in_memory == 0
    })
    .await;
    stays_idle("10,000 passive actors and 1,001 timers");

    spawn(&node, "ledger", HOT).await;
    // A reply that expires, and a message that was given up.
    let request = keyed("k", "deposit", "5 x");
    ask_with(&node, "ledger/7", request)
        .await
        .expect("deposited");
    ask(&node, "ledger/7", "transfer", "counter/7 1 y")
        .await
        .expect("sent");
    eventually("one is passive again", || async {
        node.stats().actors_in_memory == HOT
    })
    .await;
    assert_eq!(node.stats().instances, HOT);
    let maps = std::fs::read_to_string("/proc/self/maps").expect("procfs");
    println!("{} memory mappings", maps.lines().count());
    stays_idle("10,000 passive and 7,000 hot actors");
    // Somebody is told of something, and the pump has nothing left to do.
    deploy(&node, "program", "[actors.program]\nidle_ms = 86400000\n").await;
    let subscribe = json!([
        ["channels.subscribe_to_topic", "t", []],
        ["keyvalue.watch", ""]
    ]);
    values(&node, "program/s", subscribe).await;
    let publish = json!([
        ["channels.publish_to_topic", "t", "", "1"],
        ["keyvalue.put", "k", "v"]
    ]);
    values(&node, "program/p", publish).await;
    eventually("it is told", || async {
        values(&node, "program/s", json!([["heard"]])).await == [2]
    })
    .await;
    stays_idle("after a pump");
    assert_eq!(
        ask(&node, "ledger/7", "balance", "").await.expect("there"),
        "4"
    );
    node.shutdown().await.expect("an orderly end");
}
