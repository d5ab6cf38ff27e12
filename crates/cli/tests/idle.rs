//! What a node costs: no processor time when nothing is asked of it, and bounded memory however much was.
//!
//! `LOAD_ASKS=1000000` makes the load of the second test longer.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{Api, Home, Node, eventually, guest, processor_time, resident_kib};
use tokio::task::JoinSet;

const CLIENTS: usize = 32;

/// Asks `count` times, each client the next one, of the actors `counter/0` to `counter/{actors - 1}` in turn.
async fn load(api: &Api, count: usize, actors: usize) -> Duration {
    let (start, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (api, next) = (api.clone(), next.clone());
        clients.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return;
                }
                let actor = format!("counter/{}", n % actors);
                api.ask(&actor, "add", "1").await.ok();
            }
        });
    }
    clients.join_all().await;
    start.elapsed()
}

/// Two seconds in which the node has used no processor time; what a load left to tidy up may come first.
async fn becomes_idle(node: &Node, what: &str) {
    const WINDOW: Duration = Duration::from_secs(2);
    // The clock that is read has ticks of 10 ms.
    const NOTHING: Duration = Duration::from_millis(10);
    let mut used = Vec::new();
    for _ in 0..15 {
        let before = processor_time(node.pid());
        tokio::time::sleep(WINDOW).await;
        used.push(processor_time(node.pid()) - before);
        if used.last().is_some_and(|used| *used <= NOTHING) {
            println!("{what}: used {used:?} in windows of {WINDOW:?}");
            return;
        }
    }
    panic!("{what}: never idle, used {used:?} in windows of {WINDOW:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_with_10_000_actors_uses_no_processor_time() {
    const ACTORS: usize = 10_000;
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    let took = load(&node, ACTORS, ACTORS).await;
    let stats = node.get("/api/v1/node").await.json();
    println!(
        "{ACTORS} actors in {took:?}: {stats}, {} KiB resident",
        resident_kib(node.pid())
    );
    becomes_idle(&node, "most are live").await;
    node.kill();

    let node = home.start();
    becomes_idle(&node, "after a crash, none is live").await;
    assert_eq!(node.ask("counter/4321", "get", "").await.number(), 1);
    becomes_idle(&node, "one is live").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_actors_have_all_become_passive_is_as_small_as_at_its_start() {
    const ACTORS: usize = 5_000;
    let home = Home::new();
    let node = home.start();
    let config = "[actors.counter]\nidle_ms = 200\n";
    node.deploy_with("counter", &guest("counter"), config).await;
    let before = resident_kib(node.pid());
    load(&node, ACTORS, ACTORS).await;
    let during = resident_kib(node.pid());
    let passive = async || {
        let stats = node.get("/api/v1/node").await.json();
        (stats["instances"] == 0 && stats["actors_in_memory"] == 0).then_some(())
    };
    eventually("all are passive", passive).await;
    becomes_idle(&node, "all are passive").await;
    let after = resident_kib(node.pid());
    println!("resident: {before} KiB before, {during} during, {after} after {ACTORS} actors");
    // The rows stay, in the write buffer, and what the allocator and the pool hold on to.
    assert!(after < before + (100 << 10));
    assert_eq!(node.ask("counter/4321", "get", "").await.number(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_leaves_memory_bounded() {
    const ACTORS: usize = 300;
    let asks = std::env::var("LOAD_ASKS").map_or(40_000, |text| text.parse().expect("a number"));
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    let before = resident_kib(node.pid());
    let mut resident = Vec::new();
    for _ in 0..4 {
        let took = load(&node, asks / 4, ACTORS).await;
        resident.push(resident_kib(node.pid()));
        println!(
            "{} asks in {took:?}: {} KiB resident",
            asks / 4,
            resident.last().expect("one")
        );
    }
    println!("{before} KiB before, {resident:?} KiB after each quarter of {asks} asks");
    // Write buffers, cache, 300 instances, and what the allocator holds on to.
    const BOUND_KIB: u64 = 400 << 10;
    assert!(resident.iter().all(|kib| *kib < BOUND_KIB), "{resident:?}");
    assert_eq!(
        node.ask("counter/7", "get", "").await.number(),
        (asks / 4 - 7).div_ceil(ACTORS) as i64 * 4
    );
}
