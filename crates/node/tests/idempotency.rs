//! Message ids that callers give: bounded, never forgotten early, and one effect however often they come. What one
//! client sees is tested against the binary (crates/cli/tests/calculator.rs).

mod support;

use plexspaces_core::batch::Batch;
use plexspaces_core::message::{Delivery, FROM_HTTP, Message};
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, ErrorKind};
use plexspaces_node::Node;
use plexspaces_services::dedup::{self, CallerId, KEPT_MS, PER_ACTOR_MAX};
use plexspaces_store::Store;
use plexspaces_store::testing::Lossy;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{Gate, Machine, ask, ask_with, count, deploy, eventually, id, keyed};
use tokio::task::JoinSet;

fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.expect("it is after 1970").as_millis();
    millis.try_into().expect("it is before 584 million")
}

/// Has counter/full remember as many replies to `add 1` as it may, `expiring` of which are forgotten at `at_ms`.
async fn fill(disk: &Lossy, expiring: usize, at_ms: u64) {
    for part in (0..PER_ACTOR_MAX).collect::<Vec<_>>().chunks(10_000) {
        let mut batch = Batch::new();
        for &n in part {
            let message = Message {
                from: FROM_HTTP.into(),
                msg_type: "add".into(),
                payload: "1".into(),
                delivery: Delivery::Ask,
            };
            let caller = CallerId::new("default", &format!("k{n}"), &message).expect("valid");
            let written = if n < expiring {
                at_ms - KEPT_MS
            } else {
                wall()
            };
            let reply = Ok(format!("reply {n}").into());
            dedup::remember(
                &mut batch,
                &id("counter/full"),
                &caller,
                &reply,
                Millis(written),
            );
        }
        disk.commit(batch).await.expect("written");
    }
}

/// A node on which counter/full is full; of what it remembers some expires after `pause`.
async fn full(expiring: usize, pause: Duration) -> Machine {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let left = node.disk.crash(1);
    drop(node);
    fill(&left, expiring, wall() + pause.as_millis() as u64).await;
    Machine::boot(left, Gate::Kept).await
}

async fn remembered(node: &Machine) -> usize {
    let snapshot = node.disk.snapshot();
    let count = dedup::count(snapshot.as_ref(), &id("counter/full")).await;
    count.expect("counted")
}

async fn refuses_new_keys(node: &Node) {
    let error = ask_with(node, "counter/full", keyed("one more", "add", "1")).await;
    let error = error.expect_err("it is full");
    assert_eq!(error.code, Code::TooManyKeys);
    assert_eq!(error.kind, ErrorKind::ResourceExhausted);
    let error = node
        .tell(&id("counter/full"), keyed("another", "add", "1"))
        .await;
    assert_eq!(error.expect_err("it is full").code, Code::TooManyKeys);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_bound_new_keys_are_refused_and_nothing_is_forgotten() {
    let node = full(0, Duration::ZERO).await;
    refuses_new_keys(&node).await;
    assert_eq!(remembered(&node).await, PER_ACTOR_MAX);
    for n in [0, PER_ACTOR_MAX / 2, PER_ACTOR_MAX - 1] {
        let again = keyed(&format!("k{n}"), "add", "1");
        let reply = ask_with(&node, "counter/full", again).await;
        assert_eq!(reply.expect("remembered"), format!("reply {n}"));
    }
    // Without a key everything is as usual, and so are other actors.
    assert_eq!(count(&node, "counter/full").await, 0);
    let other = ask_with(&node, "counter/other", keyed("new", "add", "1")).await;
    assert_eq!(other.expect("not full"), "1");
    refuses_new_keys(&node).await;
    assert_eq!(remembered(&node).await, PER_ACTOR_MAX);
}

/// Some expire while the actor is active and the refusals go on.
#[tokio::test(flavor = "multi_thread")]
async fn what_expires_makes_room() {
    let node = full(3, Duration::from_millis(1_500)).await;
    refuses_new_keys(&node).await;
    eventually("three are forgotten", || async {
        assert_eq!(
            count(&node, "counter/full").await,
            0,
            "it is active all the time"
        );
        remembered(&node).await == PER_ACTOR_MAX - 3
    })
    .await;
    // The actor at the bound is counted again once a second.
    eventually("there is room", || async {
        let reply = ask_with(&node, "counter/full", keyed("new", "add", "1")).await;
        reply.is_ok_and(|reply| reply == "1")
    })
    .await;
    // One that was forgotten is new, and so is a message that is only told.
    let reply = ask_with(&node, "counter/full", keyed("k0", "add", "1")).await;
    assert_eq!(reply.expect("there is room"), "2");
    let told = node
        .tell(&id("counter/full"), keyed("told", "add", "1"))
        .await;
    told.expect("there is room");
    refuses_new_keys(&node).await;
    assert_eq!(count(&node, "counter/full").await, 3);
}

/// Errors count, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_stored_error_takes_a_place() {
    let node = full(1, Duration::ZERO).await;
    eventually("one is forgotten", || async {
        remembered(&node).await < PER_ACTOR_MAX
    })
    .await;
    let failed = keyed("fails", "fail_after_add", "1");
    let error = ask_with(&node, "counter/full", failed.clone()).await;
    let error = error.expect_err("it fails");
    assert_eq!(error.code, Code::GuestError);
    refuses_new_keys(&node).await;
    let again = ask_with(&node, "counter/full", failed).await;
    assert_eq!(again.expect_err("stored"), error);
}

/// The same id with other payloads, all at once: one is taken and the others are told so, whatever comes first.
#[tokio::test(flavor = "multi_thread")]
async fn one_id_for_many_messages_takes_one() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for round in 0..20 {
        let mut tells = JoinSet::new();
        for n in 1..=8 {
            let node = Node::clone(&node);
            let to = id(&format!("counter/{round}"));
            tells.spawn(async move { (n, node.tell(&to, keyed("k", "add", n.to_string())).await) });
        }
        let mut taken = Vec::new();
        for (n, outcome) in tells.join_all().await {
            match outcome {
                Ok(()) => taken.push(n),
                Err(error) => assert_eq!(error.code, Code::IdempotencyMismatch),
            }
        }
        assert_eq!(taken.len(), 1, "one of {taken:?}");
        node.quiet().await;
        assert_eq!(count(&node, &format!("counter/{round}")).await, taken[0]);
    }
}

/// A keyed request whose turn stands in a wait when the power fails: asked again, it is answered by that turn's end.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_crash_interrupts_is_joined() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let request = keyed("k", "add_ask", "5 counter/callee add 1");
    let mut asks = support::callee_is_busy(&node).await;
    let (caller, first) = (Node::clone(&node), request.clone());
    asks.spawn(async move { drop(ask_with(&caller, "counter/asker", first).await) });
    support::stands_in_a_wait(&node, "counter/asker").await;
    let left = node.disk.crash(1);
    drop((asks, node));
    let node = Machine::boot(left, Gate::Kept).await;
    for _ in 0..2 {
        let reply = ask_with(&node, "counter/asker", request.clone()).await;
        assert_eq!(reply.expect("answered"), "1");
    }
    assert_eq!(count(&node, "counter/asker").await, 5);
    assert_eq!(count(&node, "counter/callee").await, 1);
    let error = ask(&node, "counter/asker", "unheard-of", "").await;
    assert_eq!(error.expect_err("an unkeyed one").code, Code::GuestError);
}

/// An actor is made by a spawn and by a message at the same time: both succeed.
#[tokio::test(flavor = "multi_thread")]
async fn a_spawn_and_a_message_at_once_make_one_actor() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for n in 0..300 {
        let actor = format!("counter/{n}");
        let spawned_id = id(&actor);
        let (spawned, added) = tokio::join!(
            node.spawn(&spawned_id, "100".into()),
            ask(&node, &actor, "add", "1")
        );
        let added = added.expect("added");
        match spawned {
            Ok(()) => assert_eq!(added, "101"),
            Err(error) => {
                assert_eq!(error.code, Code::ActorExists, "{error}");
                assert_eq!(added, "1");
            }
        }
    }
}
