//! Turns from outside: state, failure, restart, other actors.

mod support;

use plexspaces_core::Code;
use plexspaces_store::{Memory, Store};
use std::sync::Arc;
use support::{ask, deploy, start};

#[tokio::test(flavor = "multi_thread")]
async fn state_is_kept_across_a_restart_and_many_checkpoints() {
    let store: Arc<dyn Store> = Arc::new(Memory::open());
    let node = start(store.clone()).await;
    deploy(&node, "counter", "").await;
    for n in 1..=200 {
        assert_eq!(
            ask(&node, "counter/a", "add", "1").await.expect("added"),
            n.to_string()
        );
    }
    drop(node);
    let node = start(store).await;
    assert_eq!(
        ask(&node, "counter/a", "get", "").await.expect("got"),
        "200"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_leaves_nothing_behind() {
    let node = start(Arc::new(Memory::open())).await;
    deploy(&node, "counter", "").await;
    ask(&node, "counter/a", "add", "5").await.expect("added");
    let error = ask(&node, "counter/a", "fail_after_add", "7")
        .await
        .expect_err("it fails");
    assert_eq!(error.code, Code::GuestError);
    assert_eq!(ask(&node, "counter/a", "get", "").await.expect("got"), "5");
}
