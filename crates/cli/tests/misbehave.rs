//! Guests that do what they must not: each is stopped at its limit, its caller is told, and no other actor notices.

mod support;

use std::time::{Duration, Instant};
use support::{Home, Node, guest, resident_kib};
use tokio::sync::RwLock;

/// Who measures takes it for writing, the others for reading: nobody misbehaves beside a measurement.
static QUIET: RwLock<()> = RwLock::const_new(());

const LIMITS: &str = "[actors.misbehave.limits]\nturn_ms = 300\nmemory_bytes = 16777216\nmessage_bytes = 1048576\neffects = 100\n";

/// What a neighbour may notice at most: far above a turn, far below a loop's 300 ms.
const NOTICED_MAX: Duration = Duration::from_millis(50);

async fn node(home: &Home) -> Node {
    let node = home.start();
    node.deploy_with("misbehave", &guest("misbehave"), LIMITS)
        .await;
    node.deploy("counter", &guest("counter")).await;
    node
}

/// The actor that misbehaved serves again, and so does its neighbour.
async fn unharmed(node: &Node, actor: &str) {
    assert_eq!(
        node.ask(actor, "echo", "still here").await.reply(),
        "still here"
    );
    node.ask("counter/neighbour", "add", "1").await.ok();
}

#[tokio::test]
async fn a_loop_ends_at_the_time_limit() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    let start = Instant::now();
    node.ask("misbehave/loop", "loop", "")
        .await
        .refused(504, "PS3004");
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < Duration::from_secs(10),
        "{took:?}"
    );
    unharmed(&node, "misbehave/loop").await;
}

#[tokio::test]
async fn a_hoard_ends_at_the_memory_limit() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    let before = resident_kib(node.pid());
    for _ in 0..5 {
        node.ask("misbehave/alloc", "alloc", "")
            .await
            .failed("PS3003");
    }
    unharmed(&node, "misbehave/alloc").await;
    let grown = resident_kib(node.pid()).saturating_sub(before);
    assert!(grown < 64 << 10, "five hoards of 16 MiB left {grown} KiB");
}

#[tokio::test]
async fn a_recursion_ends_at_the_stack_limit() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    node.ask("misbehave/recurse", "recurse", "")
        .await
        .failed("PS3005");
    // The stack that Rust keeps in the linear memory ends there, so it is an access outside of it.
    node.ask("misbehave/recurse", "recurse_framed", "")
        .await
        .failed("PS3002");
    unharmed(&node, "misbehave/recurse").await;
}

#[tokio::test]
async fn a_trap_is_told_and_its_backtrace_is_logged() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    node.ask("misbehave/trap", "trap", "")
        .await
        .refused(500, "PS3002");
    node.ask("misbehave/trap", "panic", "a text to find in the log")
        .await
        .refused(500, "PS3002");
    unharmed(&node, "misbehave/trap").await;
    let log = std::fs::read_to_string(home.log()).expect("a log");
    assert!(log.contains("misbehave/trap"), "{log}");
    assert!(log.contains("backtrace"), "{log}");
    assert!(log.contains("a text to find in the log"), "{log}");
}

#[tokio::test]
async fn a_trap_in_init_is_a_failed_activation() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    node.deploy("trapinit", &guest("trapinit")).await;
    for _ in 0..2 {
        node.ask("trapinit", "call", "hello")
            .await
            .refused(412, "PS3007");
    }
    unharmed(&node, "misbehave/init").await;
    node.kill();
    let node = home.start();
    node.ask("trapinit", "call", "hello")
        .await
        .refused(412, "PS3007");
    unharmed(&node, "misbehave/init").await;
}

#[tokio::test]
async fn an_error_reaches_the_caller_with_its_kind() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    for (kind, status) in [
        ("invalid-argument", 400),
        ("not-found", 404),
        ("already-exists", 409),
        ("permission-denied", 403),
        ("timeout", 504),
        ("conflict", 409),
        ("unavailable", 503),
        ("failed-precondition", 412),
        ("internal", 500),
    ] {
        let answer = node.ask("misbehave/error", "error", kind).await;
        println!("{kind}: {} {}", answer.status, answer.text());
        let detail = answer.refused(status, "PS3001");
        assert!(detail.contains("as asked"), "{detail}");
    }
    unharmed(&node, "misbehave/error").await;
}

#[tokio::test]
async fn a_reply_over_the_limit_is_not_sent() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    let answer = node.ask("misbehave/big", "big", "1048576").await.ok();
    assert_eq!(answer.body.len(), 1 << 20);
    node.ask("misbehave/big", "big", "1048577")
        .await
        .failed("PS3006");
    unharmed(&node, "misbehave/big").await;

    // 50 MB, from a guest that has the memory for it.
    let roomy = "[actors.roomy.limits]\nmemory_bytes = 134217728\n";
    node.deploy_with("roomy", &guest("misbehave"), roomy).await;
    node.ask("roomy", "big", "50000000").await.failed("PS3006");
    unharmed(&node, "roomy").await;
}

#[tokio::test]
async fn effects_over_the_limit_are_none_at_all() {
    let _quiet = QUIET.read().await;
    let home = Home::new();
    let node = node(&home).await;
    node.ask("misbehave/effects", "write_many", "100")
        .await
        .ok();
    node.ask("misbehave/effects", "write_many", "101")
        .await
        .failed("PS3008");
    node.ask("misbehave/effects", "send_many", "101 counter/neighbour")
        .await
        .failed("PS3008");
    unharmed(&node, "misbehave/effects").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_loops_are_not_noticed() {
    let _quiet = QUIET.write().await;
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/neighbour", "add", "1").await.ok();
    let calm = latencies(&node, Duration::from_millis(600)).await;

    let loops: Vec<_> = ["misbehave/loop1", "misbehave/loop2"]
        .map(|actor| {
            let api = node.api();
            tokio::spawn(async move {
                for _ in 0..6 {
                    api.ask(actor, "loop", "").await.refused(504, "PS3004");
                }
            })
        })
        .into();
    let busy = latencies(&node, Duration::from_millis(1500)).await;
    assert!(
        loops.iter().all(|task| !task.is_finished()),
        "the loops ran all the while"
    );
    for task in loops {
        task.await.expect("every loop is stopped");
    }

    let (calm, busy) = (percentile(calm, 99), percentile(busy, 99));
    println!("p99 {calm:?} alone, {busy:?} beside two loops");
    assert!(
        busy < NOTICED_MAX,
        "p99 {busy:?} beside two loops, {calm:?} alone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_misbehaviour_is_not_noticed() {
    let _quiet = QUIET.write().await;
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/neighbour", "add", "1").await.ok();
    let crowd: Vec<_> = [
        ("alloc", "PS3003"),
        ("recurse", "PS3005"),
        ("trap", "PS3002"),
    ]
    .map(|(what, code)| {
        let api = node.api();
        tokio::spawn(async move {
            loop {
                api.ask(&format!("misbehave/{what}"), what, "")
                    .await
                    .failed(code);
            }
        })
    })
    .into();
    let busy = percentile(latencies(&node, Duration::from_millis(1500)).await, 99);
    println!("p99 {busy:?} in the crowd");
    for task in crowd {
        assert!(
            !task.is_finished(),
            "each fails in its own way: {:?}",
            task.await
        );
        task.abort();
    }
    assert!(busy < 2 * NOTICED_MAX, "p99 {busy:?} in the crowd");
}

/// How long the neighbour's answers take, for a while and at least 100 of them.
async fn latencies(node: &Node, lasting: Duration) -> Vec<Duration> {
    let start = Instant::now();
    let mut took = Vec::new();
    while start.elapsed() < lasting {
        let asked = Instant::now();
        node.ask("counter/neighbour", "add", "1").await.ok();
        took.push(asked.elapsed());
    }
    println!("{} asks in {lasting:?}", took.len());
    took
}

fn percentile(mut took: Vec<Duration>, percent: usize) -> Duration {
    took.sort_unstable();
    took[(took.len() * percent / 100).min(took.len() - 1)]
}
