//! A journal that does not fit the code: the actor stops with both sides shown, it alone, and its rows stay as they are.

mod support;

use plexspaces_core::batch::Batch;
use plexspaces_core::{ActorId, Code, Error};
use plexspaces_node::Node;
use plexspaces_services::journal;
use plexspaces_services::records::{Segment, segment};
use plexspaces_store::Store;
use plexspaces_store::key::Kind;
use plexspaces_store::testing::Lossy;
use support::{
    Gate, Machine, ask, asker_waits, count, deploy, deploy_as, eventually, guest, id, rebuilt, tell,
};

/// The newest turn of an actor: its number and its first segment.
async fn newest(disk: &Lossy, actor: &ActorId) -> (u64, Segment) {
    let turns = journal::turns(disk.snapshot().as_ref(), actor, 0).await;
    let mut turn = turns.expect("readable").pop().expect("a turn");
    (turn.sequence, turn.segments.remove(0))
}

async fn put(disk: &Lossy, actor: &ActorId, sequence: u64, segment: &Segment) {
    let mut batch = Batch::new();
    journal::put_segment(&mut batch, actor, sequence, 0, segment);
    disk.commit(batch).await.expect("written");
}

/// Changes the first segment of an actor's newest turn; gives what was there.
async fn tamper(disk: &Lossy, actor: &str, change: impl FnOnce(&mut Segment)) -> (u64, Segment) {
    let actor = id(actor);
    let (sequence, before) = newest(disk, &actor).await;
    let mut segment = before.clone();
    change(&mut segment);
    assert_ne!(segment, before, "something is changed");
    put(disk, &actor, sequence, &segment).await;
    (sequence, before)
}

/// A node on which counter/victim and counter/sibling have a turn to replay: each has 1 and has written a tuple.
async fn two_counters() -> Machine {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    for actor in ["counter/victim", "counter/sibling"] {
        ask(&node, actor, "add", "1").await.expect("added");
        ask(&node, actor, "write", "w").await.expect("written");
    }
    node.crash(1).await
}

async fn stopped(node: &Node, actor: &str) -> Error {
    let error = ask(node, actor, "get", "").await.expect_err("it stopped");
    assert_eq!(error.code, Code::ReplayMismatch, "{error:?}");
    error
}

/// Changes the recorded turn, expects that only its actor stops, that the error has both sides, and that it goes on
/// when its journal is as it was and another version is deployed.
async fn stops_with(change: impl FnOnce(&mut Segment), recorded: &str, replayed: &str) {
    let node = two_counters().await;
    let (sequence, before) = tamper(&node.disk, "counter/victim", change).await;
    let rows = node.rows(Kind::Journal).await;

    let error = stopped(&node, "counter/victim").await;
    let text = &error.message;
    for part in [
        "counter/victim",
        &format!("turn {sequence} "),
        &format!("recorded was {recorded}"),
        &format!("the replay gave {replayed}"),
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
    let detail = |name: &str| {
        let found = error.details.iter().find(|(detail, _)| detail == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert!(detail("recorded").contains(recorded), "{error:?}");
    assert!(detail("replayed").contains(replayed), "{error:?}");

    assert_eq!(count(&node, "counter/sibling").await, 1);
    let again = stopped(&node, "counter/victim").await;
    assert_eq!(again.message, error.message);
    let victim = |rows: Vec<(ActorId, _, _)>| -> Vec<_> {
        rows.into_iter()
            .filter(|(id, ..)| id.key() == "victim")
            .collect()
    };
    assert_eq!(
        victim(node.rows(Kind::Journal).await),
        victim(rows),
        "its rows are untouched"
    );

    // The stop is remembered for the deployment, and a new one lets it try again.
    put(&node.disk, &id("counter/victim"), sequence, &before).await;
    stopped(&node, "counter/victim").await;
    deploy_as(&node, "counter", rebuilt(&guest("counter"), 2), "").await;
    assert_eq!(
        ask(&node, "counter/victim", "add", "1")
            .await
            .expect("it goes on"),
        "2"
    );
    let node = node.crash(2).await;
    assert_eq!(count(&node, "counter/victim").await, 2);
    assert_eq!(count(&node, "counter/sibling").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_arguments() {
    let change = |segment: &mut Segment| segment.calls[0].arguments = 0x1234;
    let recorded = "tuplespace.write with arguments 0000000000001234";
    stops_with(change, recorded, "tuplespace.write with arguments").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_operation() {
    let change = |segment: &mut Segment| segment.calls[0].operation = "tuplespace.take".into();
    stops_with(change, "tuplespace.take with", "tuplespace.write with").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_too_few() {
    let change = |segment: &mut Segment| segment.calls.clear();
    stops_with(change, "the turn ended", "tuplespace.write with").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_too_many() {
    let change = |segment: &mut Segment| {
        let call = segment.calls[0].clone();
        segment.calls.push(call);
    };
    stops_with(change, "tuplespace.write with", "the turn ended").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_reply() {
    let change = |segment: &mut Segment| {
        let Some(segment::End::Done(done)) = &mut segment.end else {
            panic!("the turn is done");
        };
        done.reply = "41".into();
    };
    stops_with(change, "the reply \"41\"", "the reply \"1\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_chance_than_before() {
    let change = |segment: &mut Segment| segment.random_bytes += 8;
    stops_with(change, "8 random bytes drawn", "0 random bytes drawn").await;
}

/// A new version does not make up for a journal that does not fit: state comes from the old version's replay only.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_alone_does_not_help() {
    let node = two_counters().await;
    tamper(&node.disk, "counter/victim", |segment| {
        segment.calls.clear()
    })
    .await;
    stopped(&node, "counter/victim").await;
    deploy_as(&node, "counter", rebuilt(&guest("counter"), 2), "").await;
    stopped(&node, "counter/victim").await;
    assert_eq!(count(&node, "counter/sibling").await, 1);
    let node = node.crash(1).await;
    stopped(&node, "counter/victim").await;
    assert_eq!(count(&node, "counter/sibling").await, 1);
}

/// What is sent to an actor that has stopped is a dead letter, and its sender goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_a_stopped_actor_is_a_dead_letter() {
    let node = two_counters().await;
    tamper(&node.disk, "counter/victim", |segment| {
        segment.calls.clear()
    })
    .await;
    tell(&node, "counter/victim", "add", "1").await;
    let send = "counter/victim add 1";
    ask(&node, "counter/sibling", "send", send)
        .await
        .expect("sent");
    eventually("two dead letters", || async {
        node.rows(Kind::DeadLetter).await.len() == 2
    })
    .await;
    assert!(node.rows(Kind::Mailbox).await.is_empty());
}

/// The turn stands in a wait when the node ends, and its record does not fit: nothing of it is lost or done again.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_stands_in_a_wait() {
    let node = Machine::new().await;
    deploy(&node, "counter", "").await;
    ask(&node, "counter/asker", "add", "1")
        .await
        .expect("added");
    let asks = asker_waits(&node).await;

    let left = node.disk.crash(1);
    let change = |segment: &mut Segment| {
        let Some(segment::End::Wait(wait)) = &mut segment.end else {
            panic!("the turn waits");
        };
        wait.arguments = 0x1234;
    };
    let (sequence, before) = tamper(&left, "counter/asker", change).await;
    drop((asks, node));
    let node = Machine::boot(left, Gate::Kept).await;
    let error = stopped(&node, "counter/asker").await;
    let recorded = "messaging.ask-message with arguments 0000000000001234";
    assert!(error.message.contains(recorded), "{error}");
    stopped(&node, "counter/asker").await;
    put(&node.disk, &id("counter/asker"), sequence, &before).await;
    deploy_as(&node, "counter", rebuilt(&guest("counter"), 2), "").await;
    assert_eq!(
        count(&node, "counter/asker").await,
        6,
        "the turn was finished"
    );
    assert_eq!(count(&node, "counter/callee").await, 1);
    node.quiet().await;
    let node = node.crash(2).await;
    assert_eq!(count(&node, "counter/asker").await, 6);
    assert_eq!(count(&node, "counter/callee").await, 1);
}
