//! New versions: an actor changes to one at its next message, from a checkpoint made under the old version, or stays.

mod support;

use plexspaces_node::Node;
use plexspaces_services::journal;
use plexspaces_store::Store;
use plexspaces_store::key::Kind;
use support::{
    Gate, Machine, ask, asker_waits, count, deploy, deploy_as, eventually, guest, id, rebuilt, tell,
};

/// Deploys another build of the counter. What it does is the same.
async fn deploy_build(node: &Node, build: u8, config: &str) {
    deploy_as(node, "counter", rebuilt(&guest("counter"), build), config).await;
}

/// The deployment that an actor's newest turn ran under.
async fn ran_under(node: &Machine, actor: &str) -> Vec<u8> {
    let turns = journal::turns(node.disk.snapshot().as_ref(), &id(actor), 0).await;
    let turn = turns.expect("readable").pop().expect("a turn");
    turn.segments[0].deployment.to_vec()
}

/// Whether the actor's row says that the deployed version refused its state.
async fn says_refused(node: &Machine, actor: &str) -> bool {
    let found = journal::actor(node.disk.snapshot().as_ref(), &id(actor)).await;
    let (_, row) = found.expect("readable").expect("the actor exists");
    !row.refused.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_actors_keep_their_state_from_version_to_version() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for build in 1..=4 {
        for n in 0..5 {
            let reply = ask(&node, &format!("counter/{n}"), "add", "1").await;
            assert_eq!(reply.expect("added"), build.to_string());
        }
        let before = ran_under(&node, "counter/0").await;
        deploy_build(&node, build, "").await;
        assert_eq!(count(&node, "counter/0").await, i64::from(build));
        assert_ne!(ran_under(&node, "counter/0").await, before);
    }
    let node = node.crash(1).await;
    for n in 0..5 {
        assert_eq!(count(&node, &format!("counter/{n}")).await, 4);
    }
}

/// The newest turn has just made a checkpoint, so there is nothing to replay under the old version.
#[tokio::test(flavor = "multi_thread")]
async fn an_actor_changes_right_after_its_checkpoint() {
    let node = Machine::new().await;
    for (actor, config) in [
        ("counter/asked", ""),
        ("counter/always", "[actors.counter]\ncheckpoint_turns = 1\n"),
    ] {
        deploy(&node, "counter", config).await;
        ask(&node, actor, "add", "7").await.expect("added");
        ask(&node, actor, "checkpoint", "")
            .await
            .expect("asked for");
        deploy_build(&node, 2, config).await;
        assert_eq!(ask(&node, actor, "add", "1").await.expect(actor), "8");
        // A message that nobody asks about again must not be lost, either.
        ask(&node, actor, "checkpoint", "")
            .await
            .expect("asked for");
        deploy_build(&node, 3, config).await;
        tell(&node, actor, "add", "1").await;
        eventually("it is added", || async { count(&node, actor).await == 9 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passive_actor_replays_its_tail_under_the_old_version() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for n in 1..=70 {
        ask(&node, "counter/p", "add", "1").await.expect("added");
        if n % 30 == 0 {
            ask(&node, "counter/p", "write", "w")
                .await
                .expect("written");
        }
    }
    let old = ran_under(&node, "counter/p").await;
    let node = node.crash(1).await;
    deploy_build(&node, 2, "").await;
    assert_eq!(ran_under(&node, "counter/p").await, old);
    assert_eq!(count(&node, "counter/p").await, 70);
    assert_ne!(ran_under(&node, "counter/p").await, old);
    assert_eq!(
        ask(&node, "counter/p", "tuples", "w")
            .await
            .expect("counted"),
        "2"
    );
    let node = node.crash(2).await;
    assert_eq!(count(&node, "counter/p").await, 70);
}

/// Two versions later, after restarts in between: the version that the actor's turns ran under is still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_deployed_no_longer_still_replays() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    ask(&node, "counter/p", "add", "3").await.expect("added");
    let mut node = node;
    for build in 2..=3 {
        node = node.crash(1).await;
        deploy_build(&node, build, "").await;
    }
    let node = node.crash(1).await;
    assert_eq!(count(&node, "counter/p").await, 3);
}

/// Another config is another deployment of the same module.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_config_takes_effect_at_the_next_message() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    ask(&node, "counter/c", "add", "3").await.expect("added");
    let old = ran_under(&node, "counter/c").await;
    deploy(
        &node,
        "counter",
        "[actors.counter.limits]\nturn_ms = 1234\n",
    )
    .await;
    assert_eq!(count(&node, "counter/c").await, 3);
    assert_ne!(ran_under(&node, "counter/c").await, old);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_in_a_wait_changes_after_its_turn() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let asks = asker_waits(&node).await;
    deploy_build(&node, 2, "").await;
    asks.join_all().await;
    let under = ran_under(&node, "counter/asker").await;
    assert_eq!(count(&node, "counter/asker").await, 5);
    assert_ne!(ran_under(&node, "counter/asker").await, under);
    assert_eq!(count(&node, "counter/callee").await, 1);
}

/// The same, and the node ends meanwhile: the turn is rebuilt under the old version.
#[tokio::test(flavor = "multi_thread")]
async fn an_actor_in_a_wait_changes_after_its_turn_and_a_crash() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let asks = asker_waits(&node).await;
    let under = ran_under(&node, "counter/asker").await;
    deploy_build(&node, 2, "").await;
    let left = node.disk.crash(1);
    drop((asks, node));
    let node = Machine::boot(left, Gate::Kept).await;
    node.quiet().await;
    assert_eq!(ran_under(&node, "counter/asker").await, under);
    assert_eq!(count(&node, "counter/asker").await, 5);
    assert_ne!(ran_under(&node, "counter/asker").await, under);
    assert_eq!(count(&node, "counter/callee").await, 1);
}

/// The ledger's `init` wants two words as its state, and trapinit's traps: the counter stays what it is.
#[tokio::test(flavor = "multi_thread")]
async fn an_actor_whose_state_is_refused_stays_as_it_is() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    ask(&node, "counter/r", "add", "3").await.expect("added");
    let mut node = node;
    let mut expected = 3;
    for refusing in ["ledger", "trapinit"] {
        deploy_as(&node, "counter", guest(refusing), "").await;
        for _ in 0..2 {
            for _ in 0..2 {
                expected += 1;
                let reply = ask(&node, "counter/r", "add", "1").await;
                assert_eq!(
                    reply.expect("it goes on"),
                    expected.to_string(),
                    "{refusing}"
                );
                assert!(says_refused(&node, "counter/r").await);
            }
            node = node.crash(1).await;
        }
    }
    // New actors are what is deployed now, and the old one becomes it when it can.
    deploy_as(&node, "counter", guest("ledger"), "").await;
    assert_eq!(
        ask(&node, "counter/new", "deposit", "5 x")
            .await
            .expect("a ledger"),
        "5"
    );
    deploy_build(&node, 2, "").await;
    assert_eq!(count(&node, "counter/r").await, expected);
    assert!(!says_refused(&node, "counter/r").await);
}

/// Without `snapshot-state` there is no checkpoint to change from.
#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_cannot_give_its_state_stays_as_it_is() {
    let node = Machine::new().await;
    deploy(&node, "event", "").await;
    tell(&node, "event/e", "one", "").await;
    node.quiet().await;
    deploy_as(&node, "event", rebuilt(&guest("event"), 2), "").await;
    tell(&node, "event/e", "two", "").await;
    node.quiet().await;
    assert_eq!(node.tuples().await, 2, "it counted on");
    assert!(says_refused(&node, "event/e").await);
    let node = node.crash(1).await;
    tell(&node, "event/e", "three", "").await;
    node.quiet().await;
    assert_eq!(node.rows(Kind::DeadLetter).await.len(), 0);
    assert!(says_refused(&node, "event/e").await);
}

/// What waits for an actor whose type is taken away waits until it is there again.
#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_while_their_type_is_away() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let asks = asker_waits(&node).await;
    for _ in 0..10 {
        tell(&node, "counter/callee", "add", "1").await;
    }
    node.undeploy("counter-app").await.expect("undeployed");
    asks.join_all().await;
    let node = node.crash(1).await;
    deploy_build(&node, 2, "").await;
    node.quiet().await;
    assert_eq!(node.rows(Kind::DeadLetter).await.len(), 0);
    assert!(count(&node, "counter/callee").await >= 10);
}
