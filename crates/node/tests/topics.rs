//! Topics, from guest code: order, crashes, filters, full mailboxes.

mod support;

use plexspaces_node::{COLLECT_AFTER, Node, Options};
use plexspaces_services::blob::Content;
use plexspaces_store::key::Kind;
use plexspaces_store::testing::Lossy;
use plexspaces_store::{Fjall, FjallOptions, Store};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use support::{
    Gate, Machine, PATIENCE, ask, cache, deploy, deploy_as, eventually, guest, program_node,
    refused, run, tell, values,
};

async fn subscribe(node: &Node, actor: &str, topic: &str) {
    let calls = json!([["channels.subscribe_to_topic", topic, []]]);
    values(node, actor, calls).await;
}

fn publish(topic: &str, payload: &str) -> Json {
    json!(["channels.publish_to_topic", topic, "", payload])
}

/// Until an actor has heard this many messages; then gives and forgets their payloads.
async fn heard(node: &Node, actor: &str, count: usize) -> Vec<String> {
    heard_n(node, actor, count).await;
    inbox(node, actor)
        .await
        .into_iter()
        .map(|(_, _, payload)| payload)
        .collect()
}

async fn heard_n(node: &Node, actor: &str, count: usize) {
    eventually("everything is delivered", async || {
        values(node, actor, json!([["heard"]])).await == [count]
    })
    .await;
}

async fn inbox(node: &Node, actor: &str) -> Vec<(String, String, String)> {
    let inbox = values(node, actor, json!([["inbox"]])).await.remove(0);
    serde_json::from_value(inbox).expect("a list of messages")
}

/// Until everything published is delivered.
async fn delivered(node: &Machine) {
    eventually("no row is left", async || {
        node.rows_of(Kind::Feed).await == 0 && node.rows_of(Kind::Mailbox).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_get_what_is_published_after_they_subscribed() {
    let node = program_node().await;
    values(&node, "program/p", json!([publish("t", "before")])).await;
    subscribe(&node, "program/a", "t").await;
    // In the turn of its own publish nobody is subscribed yet.
    let calls = json!([
        publish("t", "own turn"),
        ["channels.subscribe_to_topic", "t", []]
    ]);
    values(&node, "program/b", calls).await;
    let calls = json!([
        ["channels.publish_to_topic", "t", "made", "1"],
        ["channels.publish_to_topic", "t", "", "2"],
        publish("other", "3")
    ]);
    values(&node, "program/p", calls).await;
    heard_n(&node, "program/a", 3).await;
    heard_n(&node, "program/b", 2).await;
    let told = |from: &str, msg_type: &str, payload: &str| {
        (from.to_owned(), msg_type.to_owned(), payload.to_owned())
    };
    let after = [
        told("program/p", "$topic:t\nmade", "1"),
        told("program/p", "$topic:t", "2"),
    ];
    assert_eq!(inbox(&node, "program/b").await, after);
    let own = told("program/b", "$topic:t", "own turn");
    assert_eq!(
        inbox(&node, "program/a").await,
        [vec![own], after.to_vec()].concat()
    );
    delivered(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_publishes_and_subscribes_nothing() {
    let node = program_node().await;
    subscribe(&node, "program/a", "t").await;
    for end in [json!(["fail", "as asked"]), json!(["trap"])] {
        let calls = json!([publish("t", "failed"), end]);
        run(&node, "program/p", calls).await.expect_err("it fails");
        let calls = json!([["channels.subscribe_to_topic", "t", []], end]);
        run(&node, "program/b", calls).await.expect_err("it fails");
    }
    values(&node, "program/p", json!([publish("t", "done")])).await;
    assert_eq!(heard(&node, "program/a", 1).await, ["done"]);
    assert_eq!(
        node.rows_of(Kind::Subscription).await,
        2,
        "one, and its cursor"
    );
    assert!(inbox(&node, "program/b").await.is_empty());
}

/// The power goes off in the midst of deliveries: each subscriber hears each message once, in order, none is missing.
#[tokio::test(flavor = "multi_thread")]
async fn order_and_once_hold_across_crashes() {
    const SUBSCRIBERS: usize = 5;
    const ROUNDS: u64 = 8;
    let mut node = Machine::boot(Lossy::open(Duration::from_millis(20)), Gate::Kept).await;
    deploy(&node, "program", "").await;
    for n in 0..SUBSCRIBERS {
        subscribe(&node, &format!("program/{n}"), "t").await;
    }
    let (mut lost, mut published) = (0, Vec::new());
    for round in 0..ROUNDS {
        // What is acknowledged is there after the crash; of the last turn nobody knows.
        for turn in 0..4 {
            let from = format!("{round}-{turn}-");
            let calls = json!([["repeat", 40, publish("t", &format!("{from}%"))]]);
            values(&node, "program/p", calls).await;
            published.extend((0..40).map(|n| format!("{from}{n}")));
        }
        node = node.crash(round * 7 + 1).await;
        lost += node.lost;
    }
    for n in 0..SUBSCRIBERS {
        let actor = format!("program/{n}");
        assert_eq!(heard(&node, &actor, published.len()).await, published);
    }
    delivered(&node).await;
    println!("{lost} commits were lost in {ROUNDS} crashes");
    assert!(lost > 0, "the crashes came at a bad moment for the test");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_subscribers_see_many_publishers_in_one_order() {
    let node = program_node().await;
    for actor in ["program/a", "program/b", "program/c"] {
        subscribe(&node, actor, "t").await;
    }
    let mut publishing = tokio::task::JoinSet::new();
    for p in 0..8 {
        let node = Node::clone(&node);
        publishing.spawn(async move {
            for n in 0..25 {
                let calls = json!([publish("t", &format!("{p}-{n}"))]);
                values(&node, &format!("program/p{p}"), calls).await;
            }
        });
    }
    publishing.join_all().await;
    let a = heard(&node, "program/a", 200).await;
    assert_eq!(heard(&node, "program/b", 200).await, a);
    assert_eq!(heard(&node, "program/c", 200).await, a);
    for p in 0..8 {
        let start = format!("{p}-");
        let of_one: Vec<_> = a.iter().filter(|text| text.starts_with(&start)).collect();
        let expected: Vec<_> = (0..25).map(|n| format!("{p}-{n}")).collect();
        assert_eq!(of_one, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_choose_by_attributes() {
    let node = program_node().await;
    for (actor, filter) in [
        ("program/eu", json!([["region", "eu-west"]])),
        ("program/europe", json!([["region", "eu-*"]])),
        (
            "program/urgent",
            json!([["region", "*"], ["urgent", "yes"]]),
        ),
        ("program/all", json!([])),
    ] {
        let calls = json!([["channels.subscribe_to_topic", "t", filter]]);
        values(&node, actor, calls).await;
    }
    let message = |payload: &str, attributes: Json| {
        json!(["channels.publish_to_topic", "t", "", payload, attributes])
    };
    let calls = json!([
        message("1", json!([["region", "eu-west"]])),
        message("2", json!([["region", "eu-north"], ["urgent", "yes"]])),
        message("3", json!([["region", "us"], ["urgent", "no"]])),
        message("4", json!([["urgent", "yes"]])),
        message("5", json!([])),
    ]);
    values(&node, "program/p", calls).await;
    assert_eq!(
        heard(&node, "program/all", 5).await,
        ["1", "2", "3", "4", "5"]
    );
    delivered(&node).await;
    assert_eq!(heard(&node, "program/eu", 1).await, ["1"]);
    assert_eq!(heard(&node, "program/europe", 2).await, ["1", "2"]);
    assert_eq!(heard(&node, "program/urgent", 1).await, ["2"]);
    // Subscribing again replaces the filter.
    let again = json!([["channels.subscribe_to_topic", "t", [["region", "us"]]]]);
    values(&node, "program/eu", again).await;
    let calls = json!([
        message("6", json!([["region", "eu-west"]])),
        message("7", json!([["region", "us"]])),
    ]);
    values(&node, "program/p", calls).await;
    delivered(&node).await;
    assert_eq!(heard(&node, "program/eu", 1).await, ["7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribing_twice_is_subscribing_once_and_unsubscribing_ends_it() {
    let node = program_node().await;
    for _ in 0..2 {
        subscribe(&node, "program/a", "t").await;
    }
    values(&node, "program/p", json!([publish("t", "1")])).await;
    assert_eq!(heard(&node, "program/a", 1).await, ["1"]);
    let calls = json!([["channels.unsubscribe_from_topic", "t"]]);
    values(&node, "program/a", calls.clone()).await;
    values(&node, "program/a", calls).await;
    values(&node, "program/p", json!([publish("t", "2")])).await;
    delivered(&node).await;
    assert!(inbox(&node, "program/a").await.is_empty());
    assert_eq!(node.rows_of(Kind::Subscription).await, 0);
    // Nobody subscribes, also after a restart: nothing is written.
    let node = node.crash(1).await;
    values(&node, "program/p", json!([publish("t", "3")])).await;
    assert_eq!(node.rows_of(Kind::Feed).await, 0);
    subscribe(&node, "program/a", "t").await;
    values(&node, "program/p", json!([publish("t", "4")])).await;
    assert_eq!(heard(&node, "program/a", 1).await, ["4"]);
}

/// A subscriber that is busy has a full mailbox; it catches up, and others did not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_mailbox_catches_up() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    let config = "[actors.slow.limits]\nmailbox_messages = 4\n";
    deploy_as(&node, "slow", guest("program"), config).await;
    subscribe(&node, "slow/a", "t").await;
    subscribe(&node, "program/b", "t").await;
    let busy = stand_in_a_wait(&node, "slow/a").await;
    let calls = json!([["repeat", 300, publish("t", "%")]]);
    values(&node, "program/p", calls).await;
    let all: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(heard(&node, "program/b", 300).await, all);
    let mailbox = node.rows(Kind::Mailbox).await;
    assert!(mailbox.len() <= 4, "{} messages", mailbox.len());
    values(&node, "program/p", json!([["tuplespace.write", ["go"]]])).await;
    busy.await.expect("no panic");
    delivered(&node).await;
    assert_eq!(heard(&node, "slow/a", 300).await, all);
}

/// The actor waits for the tuple `go`.
async fn stand_in_a_wait(node: &Machine, actor: &str) -> tokio::task::JoinHandle<()> {
    let (of, name) = (Node::clone(node), actor.to_owned());
    let busy = tokio::spawn(async move {
        let calls = json!([["tuplespace.take_blocking", ["go"], 600_000]]);
        drop(ask(&of, &name, "run", &calls.to_string()).await);
    });
    support::stands_in_a_wait(node, actor).await;
    busy
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_too_far_behind_is_told_how_much_is_lost() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    let config = "[actors.slow.limits]\nmailbox_messages = 2\n";
    deploy_as(&node, "slow", guest("program"), config).await;
    subscribe(&node, "slow/a", "t").await;
    let busy = stand_in_a_wait(&node, "slow/a").await;
    for turn in 0..3 {
        let calls = json!([["repeat", 4_500, publish("t", &format!("{turn}-%"))]]);
        values(&node, "program/p", calls).await;
    }
    eventually("the older half is deleted", async || {
        node.rows_of(Kind::Feed).await <= 10_000
    })
    .await;
    // What is lost is known after a restart, too.
    let node = node.crash(3).await;
    busy.abort();
    values(&node, "program/p", json!([["tuplespace.write", ["go"]]])).await;
    delivered(&node).await;
    let inbox = inbox(&node, "slow/a").await;
    let at = inbox
        .iter()
        .position(|(_, msg_type, _)| msg_type == "$topic:t\n$lost");
    let at = at.expect("it is told");
    let lost: usize = inbox[at].2.parse().expect("a number");
    assert_eq!(inbox.len() - 1 + lost, 13_500);
    assert!(lost >= 3_500, "{lost}");
    // Without a gap but the one that it is told of.
    let heard: Vec<&str> = inbox
        .iter()
        .map(|(_, _, payload)| payload.as_str())
        .collect();
    let all: Vec<String> = (0..13_500)
        .map(|n| format!("{}-{}", n / 4_500, n % 4_500))
        .collect();
    assert_eq!(heard[..at], all[..at]);
    assert_eq!(heard[at + 1..], all[at + lost..]);
}

/// A subscriber whose application is gone keeps nobody waiting, and gets its messages when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn an_undeployed_subscriber_gets_its_messages_later() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    deploy_as(&node, "other", guest("program"), "").await;
    subscribe(&node, "other/a", "t").await;
    subscribe(&node, "program/b", "t").await;
    node.undeploy("other-app").await.expect("undeployed");
    values(
        &node,
        "program/p",
        json!([publish("t", "1"), publish("t", "2")]),
    )
    .await;
    assert_eq!(heard(&node, "program/b", 2).await, ["1", "2"]);
    let node = node.crash(5).await;
    deploy_as(&node, "other", guest("program"), "").await;
    assert_eq!(heard(&node, "other/a", 2).await, ["1", "2"]);
    delivered(&node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_subscriber_takes_is_lost_and_told() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    let config = "[actors.small.limits]\nmessage_bytes = 200\n";
    deploy_as(&node, "small", guest("program"), config).await;
    subscribe(&node, "small/a", "t").await;
    let calls = json!([
        publish("t", "1"),
        publish("t", &"x".repeat(201)),
        publish("t", "2")
    ]);
    values(&node, "program/p", calls).await;
    heard_n(&node, "small/a", 3).await;
    delivered(&node).await;
    let inbox = values(&node, "small/a", json!([["inbox"]])).await.remove(0);
    let lost = json!(["$feed", "$topic:t\n$lost", "1"]);
    assert!(inbox.as_array().expect("a list").contains(&lost), "{inbox}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscribers_get_one_row() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    for n in 0..1_000 {
        let calls = json!([["channels.subscribe_to_topic", "t", []]]);
        tell(&node, &format!("program/{n}"), "run", &calls.to_string()).await;
    }
    eventually("all have subscribed", async || {
        node.rows_of(Kind::Subscription).await == 1_000
    })
    .await;
    let start = std::time::Instant::now();
    values(&node, "program/p", json!([publish("t", "1")])).await;
    eventually("all are told", async || {
        node.rows_of(Kind::Subscription).await == 2_000 && node.rows_of(Kind::Mailbox).await == 0
    })
    .await;
    println!(
        "1,000 subscribers have handled a message after {:?}",
        start.elapsed()
    );
    for n in [0, 499, 999] {
        assert_eq!(heard(&node, &format!("program/{n}"), 1).await, ["1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let (huge, long) = ("x".repeat(513), "x".repeat(129));
    let many: Vec<[String; 2]> = (0..65).map(|n| [n.to_string(), String::new()]).collect();
    for call in [
        json!(["channels.publish_to_topic", "", "", ""]),
        json!(["channels.publish_to_topic", huge, "", ""]),
        json!(["channels.publish_to_topic", "a\nb", "", ""]),
        json!(["channels.publish_to_topic", "$t", "", ""]),
        json!(["channels.publish_to_topic", "t", "$x", ""]),
        json!(["channels.publish_to_topic", "t", long, ""]),
        json!(["channels.publish_to_topic", "t", "", "", many]),
        json!(["channels.publish_to_topic", "t", "", "", [["", "v"]]]),
        json!(["channels.publish_to_topic", "t", "", "", [[long, "v"]]]),
        json!([
            "channels.publish_to_topic",
            "t",
            "",
            "",
            [["a", "x".repeat(1_025)]]
        ]),
        json!([
            "channels.publish_to_topic",
            "t",
            "",
            "",
            [["a", "1"], ["a", "2"]]
        ]),
        json!(["channels.subscribe_to_topic", "", []]),
        json!(["channels.subscribe_to_topic", huge, []]),
        json!(["channels.subscribe_to_topic", "t", many]),
        json!(["channels.subscribe_to_topic", "t", [["", "v"]]]),
        json!(["channels.unsubscribe_from_topic", ""]),
    ] {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
    let foreign = json!(["channels.publish_to_topic_of", "other", "default", "t"]);
    assert_eq!(
        refused(&node, "program/a", foreign).await,
        "PermissionDenied"
    );
}

/// On a real disk: a subscription and what is on its way outlive the process.
#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_outlive_the_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Fjall::open(folder.path(), &FjallOptions::default()).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let content = Content::in_memory();
    let options = |store| Options {
        node_id: "test".into(),
        store,
        blobs: content.clone(),
        collect_after: COLLECT_AFTER,
        cache: cache(),
    };
    let node = Node::start(options(store)).await.expect("it starts");
    deploy(&node, "program", "").await;
    subscribe(&node, "program/a", "t").await;
    values(&node, "program/p", json!([publish("t", "1")])).await;
    node.shutdown().await.expect("an orderly end");
    drop(node);
    let start = std::time::Instant::now();
    let store = loop {
        match Fjall::open(folder.path(), &FjallOptions::default()) {
            Ok(store) => break store,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let node = Node::start(options(Arc::new(store))).await.expect("again");
    values(&node, "program/p", json!([publish("t", "2")])).await;
    assert_eq!(heard(&node, "program/a", 2).await, ["1", "2"]);
}
