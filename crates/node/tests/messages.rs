//! Messages between actors when the power fails: sends exactly once and in order, asks answered once, dead letters.

mod support;

use plexspaces_core::Code;
use plexspaces_services::records::{DeadLetter, decode};
use plexspaces_store::key::Kind;
use plexspaces_store::testing::Lossy;
use std::time::Duration;
use support::{Gate, Machine, ask, asker_waits, count, deploy, eventually, tell};

/// A flush that takes a while, so that a crash finds work that is half done.
async fn slow_disk() -> Machine {
    Machine::boot(Lossy::open(Duration::from_millis(1)), Gate::Kept).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_a_crash_arrives_once() {
    let mut node = slow_disk().await;
    deploy(&node, "counter", "").await;
    let mut lost = 0;
    for round in 1..=10 {
        for n in 0..10 {
            let to = format!("counter/to{} add 1", n % 3);
            ask(&node, "counter/from", "send", &to).await.expect("sent");
            tell(&node, "counter/told", "add", "1").await;
        }
        // Some have arrived and some have not, and of those that have some are lost and arrive again.
        node = node.crash(round).await;
        lost += node.lost;
    }
    node.quiet().await;
    let mut arrived = 0;
    for n in 0..3 {
        arrived += count(&node, &format!("counter/to{n}")).await;
    }
    assert_eq!(arrived, 100);
    assert_eq!(count(&node, "counter/told").await, 100);
    assert!(lost > 0, "the crashes took something");
}

/// A recorder counts its events and writes ("event", n, ...) for each: in order, and none twice.
#[tokio::test(flavor = "multi_thread")]
async fn messages_keep_their_order_across_a_crash() {
    let mut node = slow_disk().await;
    deploy(&node, "counter", "").await;
    deploy(&node, "event", "").await;
    for n in 0..60 {
        let message = format!("event/e n{n}");
        ask(&node, "counter/from", "send", &message)
            .await
            .expect("sent");
        if n % 20 == 10 {
            node = node.crash(n).await;
        }
    }
    node.quiet().await;
    let heard: Vec<String> = node.heard("event/e").await.into_iter().skip(1).collect();
    let sent: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    assert_eq!(heard, sent);
    assert_eq!(node.tuples().await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asker_that_waits_is_answered_after_a_crash() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let asks = asker_waits(&node).await;
    let left = node.disk.crash(1);
    drop((asks, node));
    let node = Machine::boot(left, Gate::Kept).await;
    node.quiet().await;
    for _ in 0..2 {
        assert_eq!(count(&node, "counter/asker").await, 5);
        assert_eq!(count(&node, "counter/callee").await, 1);
    }
    let node = node.crash(2).await;
    assert_eq!(count(&node, "counter/asker").await, 5);
    assert_eq!(count(&node, "counter/callee").await, 1);
}

/// The power fails again and again while the asker waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_asker_that_waits_is_answered_after_many_crashes() {
    let node = slow_disk().await;
    deploy(&node, "counter", "").await;
    let asks = asker_waits(&node).await;
    let mut left = node.disk.crash(0);
    drop((asks, node));
    for seed in 1..=5 {
        let node = Machine::boot(left, Gate::Kept).await;
        left = node.disk.crash(seed);
        drop(node);
    }
    let node = Machine::boot(left, Gate::Kept).await;
    node.quiet().await;
    assert_eq!(count(&node, "counter/asker").await, 5);
    assert_eq!(count(&node, "counter/callee").await, 1);
}

/// Nobody answers in time, and the deadline is that of the first life: the turn fails, and its segment before the wait
/// stays in the journal while its memory does not.
#[tokio::test(flavor = "multi_thread")]
async fn an_ask_whose_deadline_passes_while_the_node_is_down_fails_its_turn() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    let asks = asker_waits(&node).await;
    let left = node.disk.crash(1);
    drop((asks, node));
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let node = Machine::boot(left, Gate::Kept).await;
    node.quiet().await;
    assert_eq!(count(&node, "counter/asker").await, 0);
    assert_eq!(
        count(&node, "counter/callee").await,
        0,
        "it came too late to be asked"
    );
    let node = node.crash(2).await;
    assert_eq!(count(&node, "counter/asker").await, 0);
}

async fn dead_letters(node: &Machine) -> Vec<DeadLetter> {
    let rows = node.rows(Kind::DeadLetter).await;
    let letters = rows
        .iter()
        .map(|(_, key, value)| decode(key, value).expect("a letter"));
    letters.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_fails_three_times_is_a_dead_letter_and_the_actor_goes_on() {
    let node = Machine::new().await;
    deploy(&node, "event", "").await;
    for message in ["one", "fail", "panic", "two"] {
        tell(&node, "event/e", message, "x").await;
    }
    node.quiet().await;
    let letters = dead_letters(&node).await;
    let said: Vec<_> = letters
        .iter()
        .map(|letter| {
            let (message, error) = (letter.message.as_ref(), letter.error.as_ref());
            (
                message.expect("a message").msg_type.as_str(),
                Code::from_number(error.expect("an error").code).expect("a code"),
                letter.tries,
            )
        })
        .collect();
    assert_eq!(
        said,
        [("fail", Code::GuestError, 3), ("panic", Code::Trap, 3)]
    );
    // What failed wrote its tuple each time, and left none.
    assert_eq!(node.tuples().await, 2);
    assert_eq!(node.heard("event/e").await, ["", "one", "two"]);
    let node = node.crash(1).await;
    tell(&node, "event/e", "three", "x").await;
    node.quiet().await;
    assert_eq!(node.heard("event/e").await, ["", "one", "two", "three"]);
    assert_eq!(dead_letters(&node).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_tried_again_survives_a_crash_at_its_place() {
    let node = Machine::new().await;
    deploy(&node, "event", "").await;
    for message in ["fail", "after"] {
        tell(&node, "event/e", message, "x").await;
    }
    eventually("it was tried", || async { node.stats().turns >= 1 }).await;
    let node = node.crash(1).await;
    assert_eq!(dead_letters(&node).await.len(), 0);
    eventually("it was tried again", || async { node.stats().turns >= 1 }).await;
    assert_eq!(node.tuples().await, 0, "what is behind it waits");
    node.quiet().await;
    assert_eq!(dead_letters(&node).await.len(), 1);
    assert_eq!(node.heard("event/e").await, ["", "after"]);
}

/// A send that no handler takes is not tried: it is a dead letter at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_send_without_a_handler_is_a_dead_letter_at_once() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    deploy(&node, "misbehave", "").await;
    let to = "misbehave/m hello x";
    ask(&node, "counter/from", "send", to).await.expect("sent");
    node.quiet().await;
    let letters = dead_letters(&node).await;
    assert_eq!(letters.len(), 1);
    let error = letters[0].error.as_ref().expect("an error");
    assert_eq!(Code::from_number(error.code), Some(Code::NoHandler));
}

/// The type is taken away between two tries: the message and those behind it wait until it is there again.
#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_while_their_type_is_away() {
    let node = Machine::new().await;
    let config = "[actors.event]\nidle_ms = 1\n";
    deploy(&node, "event", config).await;
    for message in ["fail", "after"] {
        tell(&node, "event/e", message, "x").await;
    }
    eventually("it was tried", || async { node.stats().turns >= 1 }).await;
    node.undeploy("event-app").await.expect("undeployed");
    eventually("nobody works on it", || async {
        node.stats().actors_in_memory == 0
    })
    .await;
    assert_eq!(node.rows(Kind::Mailbox).await.len(), 2);
    deploy(&node, "event", config).await;
    node.quiet().await;
    let letters = dead_letters(&node).await;
    assert_eq!(
        letters
            .iter()
            .map(|letter| letter.tries)
            .collect::<Vec<_>>(),
        [3]
    );
    assert_eq!(node.heard("event/e").await, ["", "after"]);
}
