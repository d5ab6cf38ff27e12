//! Actors made on purpose, with creation arguments: once, whole or not at all.

mod support;

use plexspaces_core::Code;
use support::{Machine, ask, count, deploy, id};

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_is_made_once_with_its_arguments() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let actor = id("counter/a");
    node.spawn(&actor, "40".into()).await.expect("made");
    assert_eq!(
        ask(&node, "counter/a", "add", "2").await.expect("added"),
        "42"
    );
    let again = node.spawn(&actor, "7".into()).await;
    assert_eq!(again.expect_err("it is hot").code, Code::ActorExists);

    let node = node.crash(1).await;
    let again = node.spawn(&actor, "7".into()).await;
    assert_eq!(again.expect_err("it is passive").code, Code::ActorExists);
    assert_eq!(count(&node, "counter/a").await, 42);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_make_the_same_actor_at_once_make_one() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for n in 0..50 {
        let actor = id(&format!("counter/{n}"));
        let spawns = (0..8).map(|k| node.spawn(&actor, k.to_string().into()));
        let made: Vec<usize> = futures_util::future::join_all(spawns)
            .await
            .into_iter()
            .enumerate()
            .filter_map(|(k, outcome)| match outcome {
                Ok(()) => Some(k),
                Err(error) => {
                    assert_eq!(error.code, Code::ActorExists, "{error}");
                    None
                }
            })
            .collect();
        let [winner] = made[..] else {
            panic!("{made:?} all made {actor}")
        };
        let count = count(&node, &actor.local()).await;
        assert_eq!(usize::try_from(count).expect("not negative"), winner);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_whose_init_fails_is_not_made() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let actor = id("counter/a");
    let refused = node.spawn(&actor, "no number".into()).await;
    assert_eq!(
        refused.expect_err("init fails").code,
        Code::ActivationFailed
    );
    node.spawn(&actor, "3".into()).await.expect("made");
    assert_eq!(count(&node, "counter/a").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_ephemeral_actor_exists() {
    let node = Machine::new().await;
    deploy(&node, "counter", "[actors.counter]\ndurable = false\n").await;
    let actor = id("counter/a");
    node.spawn(&actor, "5".into()).await.expect("made");
    let again = node.spawn(&actor, "7".into()).await;
    assert_eq!(again.expect_err("it lives").code, Code::ActorExists);
    assert_eq!(count(&node, "counter/a").await, 5);
}
