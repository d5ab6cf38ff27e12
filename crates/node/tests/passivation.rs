//! Actors that are idle, or whose node ends in an orderly way: nothing of them stays in memory, and all comes back.

mod support;

use plexspaces_core::Code;
use plexspaces_node::Node;
use plexspaces_services::journal;
use plexspaces_store::Store;
use support::{Machine, ask, asker_waits, count, deploy, eventually, id, tell};

const ACTORS: usize = 50;

async fn add_to_all(node: &Node) {
    for n in 0..ACTORS {
        let actor = format!("counter/{n}");
        ask(node, &actor, "add", "1").await.expect("added");
    }
}

async fn nothing_in_memory(node: &Node) {
    eventually("nothing is in memory", || async {
        let stats = node.stats();
        stats.actors_in_memory == 0 && stats.instances == 0
    })
    .await;
}

/// Whether the actor's newest turn is covered by its checkpoint, so that there is nothing to replay.
async fn has_no_tail(node: &Machine, actor: &str) -> bool {
    let snapshot = node.disk.snapshot();
    let (_, row) = journal::actor(snapshot.as_ref(), &id(actor))
        .await
        .expect("readable")
        .expect("the actor exists");
    let tail = journal::turns(snapshot.as_ref(), &id(actor), row.checkpoint + 1).await;
    row.has_checkpoint && tail.expect("readable").is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_actors_leave_memory_and_come_back_as_they_were() {
    let node = Machine::new().await;
    deploy(&node, "counter", "[actors.counter]\nidle_ms = 1\n").await;
    for round in 1..=3 {
        add_to_all(&node).await;
        nothing_in_memory(&node).await;
        assert!(has_no_tail(&node, "counter/7").await);
        assert_eq!(count(&node, "counter/7").await, round);
    }
    // What is told wakes them, too, and a checkpoint without a turn since is not written again.
    tell(&node, "counter/7", "add", "10").await;
    eventually("it is added", || async {
        count(&node, "counter/7").await == 13
    })
    .await;
    nothing_in_memory(&node).await;
    let node = node.crash(1).await;
    assert_eq!(count(&node, "counter/7").await, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_that_are_not_idle_long_enough_stay() {
    let node = Machine::new().await;
    deploy(&node, "counter", "[actors.counter]\nidle_ms = 60000\n").await;
    deploy(&node, "event", "[actors.event]\nidle_ms = 1\n").await;
    add_to_all(&node).await;
    tell(&node, "event/e", "hello", "").await;
    eventually("the recorder is passive", || async {
        node.stats().actors_in_memory == ACTORS && node.stats().instances == ACTORS
    })
    .await;
}

/// A wait is not idleness.
#[tokio::test(flavor = "multi_thread")]
async fn an_actor_in_a_turn_is_not_idle() {
    let node = Machine::new().await;
    deploy(&node, "counter", "[actors.counter]\nidle_ms = 1\n").await;
    asker_waits(&node).await.join_all().await;
    node.quiet().await;
    assert_eq!(count(&node, "counter/asker").await, 5);
    assert_eq!(count(&node, "counter/callee").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_ephemeral_actor_forgets() {
    let node = Machine::new().await;
    let config = "[actors.counter]\nidle_ms = 1\ndurable = false\n";
    deploy(&node, "counter", config).await;
    add_to_all(&node).await;
    nothing_in_memory(&node).await;
    assert_eq!(count(&node, "counter/7").await, 0);
}

/// A message for nobody leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_not_kept_in_memory() {
    let node = Machine::new().await;
    deploy(&node, "counter", "[actors.counter]\nidle_ms = 1\n").await;
    deploy(&node, "trapinit", "[actors.trapinit]\nidle_ms = 1\n").await;
    for n in 0..20 {
        let error = ask(&node, &format!("trapinit/{n}"), "x", "").await;
        assert_eq!(error.expect_err("it traps").code, Code::ActivationFailed);
        let error = ask(&node, &format!("counter/{n}"), "unheard-of", "").await;
        assert_eq!(error.expect_err("it is refused").code, Code::GuestError);
    }
    nothing_in_memory(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_leaves_nothing_to_replay() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    add_to_all(&node).await;
    node.shutdown().await.expect("an orderly end");
    let refused = ask(&node, "counter/0", "add", "1").await;
    assert_eq!(refused.expect_err("it has ended").code, Code::ShuttingDown);
    assert_eq!(node.stats().actors_in_memory, 0);
    for n in 0..ACTORS {
        assert!(has_no_tail(&node, &format!("counter/{n}")).await);
    }
    let node = node.crash(1).await;
    assert_eq!(node.lost, 0, "everything was flushed");
    add_to_all(&node).await;
    assert_eq!(count(&node, "counter/0").await, 2);
}
