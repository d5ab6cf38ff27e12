//! Process groups, from guest code: who is a member when, and who gets what.

mod support;

use plexspaces_node::Node;
use plexspaces_store::key::Kind;
use serde_json::{Value as Json, json};
use support::{Machine, deploy, deploy_as, eventually, guest, refused, run, values};

async fn node() -> Machine {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    values(
        &node,
        "program/p",
        json!([["process_groups.create_group", "g"]]),
    )
    .await;
    node
}

async fn join(node: &Node, actor: &str, topics: Json) {
    let calls = json!([["process_groups.join_group", "g", topics]]);
    values(node, actor, calls).await;
}

fn publish(topic: Option<&str>, payload: &str) -> Json {
    json!(["process_groups.publish_to_group", "g", topic, "", payload])
}

async fn members(node: &Node) -> Vec<String> {
    let calls = json!([["process_groups.get_members", "g"]]);
    let page = values(node, "program/p", calls).await.remove(0);
    serde_json::from_value(page["members"].clone()).expect("a list")
}

/// The payloads that an actor has heard; it forgets them.
async fn heard(node: &Node, actor: &str) -> Vec<String> {
    let inbox = values(node, actor, json!([["inbox"]])).await.remove(0);
    let inbox: Vec<(String, String, String)> = serde_json::from_value(inbox).expect("messages");
    inbox.into_iter().map(|(_, _, payload)| payload).collect()
}

async fn delivered(node: &Machine) {
    eventually("no row is left", async || {
        node.rows_of(Kind::Feed).await == 0 && node.rows_of(Kind::Mailbox).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_get_what_their_topics_say_and_each_message_once() {
    let node = node().await;
    join(&node, "program/all", json!([])).await;
    for topics in [json!(["a"]), json!(["a"]), json!(["a", "b"])] {
        join(&node, "program/ab", topics).await;
    }
    join(&node, "program/c", json!(["c"])).await;
    let calls = json!([
        publish(None, "1"),
        publish(Some("a"), "2"),
        publish(Some("b"), "3"),
        publish(Some("c"), "4"),
        ["process_groups.publish_to_group", "g", "d", "made", "5"]
    ]);
    values(&node, "program/p", calls).await;
    delivered(&node).await;
    assert_eq!(heard(&node, "program/ab").await, ["1", "2", "3"]);
    assert_eq!(heard(&node, "program/c").await, ["1", "4"]);
    let all = values(&node, "program/all", json!([["inbox"]]))
        .await
        .remove(0);
    let told = json!([
        ["program/p", "$group:g", "1"],
        ["program/p", "$group:g\na", "2"],
        ["program/p", "$group:g\nb", "3"],
        ["program/p", "$group:g\nc", "4"],
        ["program/p", "$group:g\nd\nmade", "5"]
    ]);
    assert_eq!(all, told);
}

/// Joining again with more topics neither loses nor repeats what was published before and is not delivered yet.
#[tokio::test(flavor = "multi_thread")]
async fn joining_again_goes_on_where_it_was() {
    let mut node = node().await;
    for round in 0..6 {
        let (actor, seed) = (format!("program/{round}"), round);
        join(&node, &actor, json!(["a"])).await;
        for n in 0..10 {
            let calls = json!([publish(Some("a"), &n.to_string())]);
            values(&node, "program/p", calls).await;
            join(&node, &actor, json!([format!("t{n}")])).await;
        }
        node = node.crash(seed).await;
        delivered(&node).await;
        let expected: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(heard(&node, &actor).await, expected, "round {round}");
        let calls = json!([["process_groups.leave_group", "g"]]);
        values(&node, &actor, calls).await;
    }
    eventually("what has ended is gone", async || {
        node.rows_of(Kind::Subscription).await == 0
    })
    .await;
    assert_eq!(node.rows_of(Kind::Member).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_gets_what_was_published_before() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    let config = "[actors.slow.limits]\nmailbox_messages = 2\n";
    deploy_as(&node, "slow", guest("program"), config).await;
    values(
        &node,
        "program/p",
        json!([["process_groups.create_group", "g"]]),
    )
    .await;
    join(&node, "slow/a", json!([])).await;
    // It publishes more than its own mailbox holds and leaves, in two turns: it is busy with them.
    let calls = json!([
        ["repeat", 50, publish(None, "%")],
        ["tuplespace.take_blocking", ["go"], 600_000],
        ["process_groups.leave_group", "g"]
    ]);
    let leaving = tokio::spawn({
        let node = Node::clone(&node);
        async move { values(&node, "slow/a", calls).await }
    });
    support::stands_in_a_wait(&node, "slow/a").await;
    values(&node, "program/p", json!([publish(None, "last")])).await;
    values(&node, "program/p", json!([["tuplespace.write", ["go"]]])).await;
    leaving.await.expect("no panic");
    values(&node, "program/p", json!([publish(None, "too late")])).await;
    delivered(&node).await;
    let mut expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    expected.push("last".to_owned());
    assert_eq!(heard(&node, "slow/a").await, expected);
    assert!(members(&node).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_stops_leaves() {
    let node = node().await;
    deploy_as(
        &node,
        "short",
        guest("program"),
        "[actors.short]\ndurable = false\n",
    )
    .await;
    for actor in ["program/a", "program/b", "short/a", "short/b"] {
        join(&node, actor, json!([])).await;
    }
    let all = ["program/a", "program/b", "short/a", "short/b"];
    assert_eq!(members(&node).await, all);
    for (stops, left) in [
        ("program/a", &["program/b", "short/a", "short/b"][..]),
        ("short/a", &["program/b", "short/b"]),
    ] {
        let calls = json!([["stop_actor", stops, "enough"]]);
        values(&node, "program/p", calls).await;
        eventually("it has left", async || members(&node).await == left).await;
    }
    values(&node, "program/p", json!([publish(None, "1")])).await;
    delivered(&node).await;
    assert_eq!(heard(&node, "program/b").await, ["1"]);
    assert!(heard(&node, "program/a").await.is_empty());
    assert!(heard(&node, "short/a").await.is_empty());
    // Its instance is lost.
    run(&node, "short/b", json!([["trap"]]))
        .await
        .expect_err("traps");
    eventually("it has left", async || {
        members(&node).await == ["program/b"]
    })
    .await;
    // It ends with its node; a durable one does not.
    join(&node, "short/b", json!([])).await;
    join(&node, "program/a", json!([])).await;
    values(
        &node,
        "program/p",
        json!([["note", "everything before is durable"]]),
    )
    .await;
    let node = node.crash(2).await;
    assert_eq!(members(&node).await, ["program/a", "program/b"]);
    values(&node, "program/p", json!([publish(None, "2")])).await;
    delivered(&node).await;
    assert_eq!(heard(&node, "program/a").await, ["2"]);
    assert!(heard(&node, "short/b").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_member_leaves_when_it_becomes_passive() {
    let node = node().await;
    let config = "[actors.short]\ndurable = false\nidle_ms = 1\n";
    deploy_as(&node, "short", guest("program"), config).await;
    join(&node, "short/a", json!([])).await;
    eventually("it has left", async || members(&node).await.is_empty()).await;
    eventually("nothing is left of it", async || {
        node.rows_of(Kind::Subscription).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_listed_in_pages() {
    let node = node().await;
    for n in 0..25 {
        let topics = if n % 2 == 0 {
            json!(["even"])
        } else {
            json!(["odd"])
        };
        join(&node, &format!("program/{n:02}"), topics).await;
    }
    join(&node, "program", json!([])).await;
    let mut found = Vec::new();
    let mut cursor = Json::Null;
    loop {
        let call = json!([["process_groups.get_members", "g", "even", cursor, 4]]);
        let page = values(&node, "program/p", call).await.remove(0);
        found.extend(page["members"].as_array().expect("a list").clone());
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let mut expected = vec!["program".to_owned()];
    expected.extend((0..25).step_by(2).map(|n| format!("program/{n:02}")));
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_neither_joins_nor_leaves() {
    let node = node().await;
    join(&node, "program/a", json!([])).await;
    let calls = json!([
        ["process_groups.leave_group", "g"],
        publish(None, "x"),
        ["fail", "asked"]
    ]);
    run(&node, "program/a", calls).await.expect_err("fails");
    let calls = json!([["process_groups.join_group", "g", []], ["fail", "asked"]]);
    run(&node, "program/b", calls).await.expect_err("fails");
    let calls = json!([["process_groups.create_group", "h"], ["fail", "asked"]]);
    run(&node, "program/b", calls).await.expect_err("fails");
    assert_eq!(members(&node).await, ["program/a"]);
    values(&node, "program/p", json!([publish(None, "1")])).await;
    delivered(&node).await;
    assert_eq!(heard(&node, "program/a").await, ["1"]);
    values(
        &node,
        "program/b",
        json!([["process_groups.create_group", "h"]]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = node().await;
    let huge = "x".repeat(513);
    let many: Vec<String> = (0..65).map(|n| n.to_string()).collect();
    for call in [
        json!(["process_groups.create_group", ""]),
        json!(["process_groups.create_group", huge]),
        json!(["process_groups.create_group", "a\u{0}b"]),
        json!(["process_groups.join_group", huge, []]),
        json!(["process_groups.join_group", "g", [""]]),
        json!(["process_groups.join_group", "g", [huge]]),
        json!(["process_groups.join_group", "g", ["$lost"]]),
        json!(["process_groups.join_group", "g", many]),
        json!(["process_groups.leave_group", ""]),
        json!(["process_groups.get_members", "g", null, null, 0]),
        json!(["process_groups.get_members", "g", null, null, 1_001]),
        json!(["process_groups.get_members", "g", "", null, 10]),
        json!(["process_groups.get_members", "g", null, "a b/c", 10]),
        json!(["process_groups.publish_to_group", "", null, "", ""]),
        json!(["process_groups.publish_to_group", "g", "", "", ""]),
        json!(["process_groups.publish_to_group", "g", null, "$x", ""]),
    ] {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
    for call in [
        json!(["process_groups.join_group", "no", []]),
        json!(["process_groups.leave_group", "no"]),
        json!(["process_groups.get_members", "no"]),
        json!(["process_groups.publish_to_group", "no", null, "", ""]),
    ] {
        assert_eq!(refused(&node, "program/a", call).await, "NotFound");
    }
    let again = json!(["process_groups.create_group", "g"]);
    assert_eq!(refused(&node, "program/a", again).await, "AlreadyExists");
    // Topics of several joins count together.
    let topics = |from: u32| -> Vec<String> { (from..from + 40).map(|n| n.to_string()).collect() };
    join(&node, "program/a", json!(topics(0))).await;
    let call = json!(["process_groups.join_group", "g", topics(40)]);
    assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
}
