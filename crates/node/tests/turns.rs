//! Turns from outside: state, failure, restart.

mod support;

use plexspaces_core::Code;
use plexspaces_node::{COLLECT_AFTER, Node, Options};
use plexspaces_services::blob::Content;
use plexspaces_store::{Memory, Store};
use std::sync::Arc;
use support::{Machine, ask, cache, count, deploy, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn state_is_kept_across_a_restart_and_many_checkpoints() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for n in 1..=200 {
        assert_eq!(
            ask(&node, "counter/a", "add", "1").await.expect("added"),
            n.to_string()
        );
    }
    let node = node.crash(1).await;
    assert_eq!(count(&node, "counter/a").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_leaves_nothing_behind() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    ask(&node, "counter/a", "add", "5").await.expect("added");
    let error = ask(&node, "counter/a", "fail_after_add", "7")
        .await
        .expect_err("it fails");
    assert_eq!(error.code, Code::GuestError);
    assert_eq!(count(&node, "counter/a").await, 5);
}

/// Also one that is not told to shut down, with live actors.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_node_lets_go_of_its_store() {
    let store: Arc<dyn Store> = Arc::new(Memory::open());
    let options = Options {
        node_id: "dropped".into(),
        store: store.clone(),
        blobs: Content::in_memory(),
        collect_after: COLLECT_AFTER,
        cache: cache(),
    };
    let node = Node::start(options).await.expect("the node starts");
    deploy(&node, "counter", "").await;
    for n in 0..10 {
        let reply = ask(&node, &format!("counter/{n}"), "add", "1").await;
        assert_eq!(reply.expect("added"), "1");
    }
    assert!(node.stats().instances > 0);
    drop(node);
    eventually("nobody else has the store", async || {
        Arc::strong_count(&store) == 1
    })
    .await;
}

/// A node that is dropped gives its address space back: only three would fit.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_leaves_nothing_in_memory() {
    let mut node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for n in 1..=10 {
        ask(&node, "counter/a", "add", "1").await.expect("added");
        node = node.crash(n).await;
    }
    assert_eq!(count(&node, "counter/a").await, 10);
}
