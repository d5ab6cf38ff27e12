//! Watched keys and tuples, from guest code.

mod support;

use plexspaces_node::Node;
use plexspaces_store::key::Kind;
use serde_json::{Value as Json, json};
use support::{Machine, eventually, program_node, refused, run, values};

/// What an actor has been told: sender, type, payload; it forgets that.
async fn told(node: &Node, actor: &str) -> Json {
    values(node, actor, json!([["inbox"]])).await.remove(0)
}

async fn delivered(node: &Machine) {
    eventually("no row is left", async || {
        node.rows_of(Kind::Feed).await == 0 && node.rows_of(Kind::Mailbox).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_change_a_key_is_told() {
    let node = program_node().await;
    values(&node, "program/w", json!([["keyvalue.watch", "a/"]])).await;
    values(&node, "program/all", json!([["keyvalue.watch", ""]])).await;
    for call in [
        json!(["keyvalue.put", "a/1", "v"]),
        json!(["keyvalue.put_with_ttl", "a/2", "v", 3_600_000]),
        json!(["keyvalue.compare_and_swap", "a/1", "v", "w"]),
        json!(["keyvalue.compare_and_swap", "a/1", "wrong", "x"]),
        json!(["keyvalue.increment", "a/n\nm", 5]),
        json!(["keyvalue.put", "b", "v"]),
        json!(["keyvalue.delete", "a/1"]),
    ] {
        values(&node, "program/p", json!([call])).await;
    }
    delivered(&node).await;
    let of_a = [
        json!(["program/p", "$watch:put\na/1", "v"]),
        json!(["program/p", "$watch:put\na/2", "v"]),
        json!(["program/p", "$watch:put\na/1", "w"]),
        json!(["program/p", "$watch:put\na/n\nm", "5"]),
        json!(["program/p", "$watch:delete\na/1", ""]),
    ];
    assert_eq!(told(&node, "program/w").await, json!(of_a));
    let all = told(&node, "program/all").await;
    assert_eq!(all.as_array().expect("a list").len(), 6, "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_value_is_told() {
    let node = program_node().await;
    values(&node, "program/w", json!([["keyvalue.watch", "k"]])).await;
    let calls = json!([["keyvalue.put_with_ttl", "k", "v", 20]]);
    values(&node, "program/p", calls).await;
    eventually("it is told", async || {
        values(&node, "program/w", json!([["heard"]])).await == [2]
    })
    .await;
    let expected = json!([
        ["program/p", "$watch:put\nk", "v"],
        ["$expiry", "$watch:expire\nk", ""]
    ]);
    assert_eq!(told(&node, "program/w").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_told_of_as_it_committed() {
    let node = program_node().await;
    let calls = json!([
        ["keyvalue.watch", ""],
        ["keyvalue.put", "own turn", "x"],
        ["tuplespace.subscribe", ["*"]]
    ]);
    values(&node, "program/w", calls).await;
    let calls = json!([
        ["keyvalue.put", "k", "failed"],
        ["tuplespace.write", ["failed"]],
        ["fail", "asked"]
    ]);
    run(&node, "program/p", calls).await.expect_err("fails");
    let calls = json!([
        ["keyvalue.put", "k", "1"],
        ["keyvalue.put", "k", "2"],
        ["tuplespace.write", ["taken"]],
        ["tuplespace.take", ["taken"]]
    ]);
    values(&node, "program/p", calls).await;
    delivered(&node).await;
    let expected = json!([["program/p", "$watch:put\nk", "2"]]);
    assert_eq!(told(&node, "program/w").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_and_subscriptions_end() {
    let node = program_node().await;
    let calls = json!([
        ["keyvalue.watch", "a"],
        ["keyvalue.watch", "a"],
        ["keyvalue.watch", "ab"],
        ["tuplespace.subscribe", ["x", "*"]],
        ["tuplespace.subscribe", ["x", "*"]]
    ]);
    let got = values(&node, "program/w", calls).await;
    assert_ne!(got[3], got[4]);
    let calls = json!([["keyvalue.put", "abc", "v"], ["tuplespace.write", ["x", 1]]]);
    values(&node, "program/p", calls.clone()).await;
    delivered(&node).await;
    // Once for each watch and each subscription.
    assert_eq!(
        told(&node, "program/w").await.as_array().map(Vec::len),
        Some(4)
    );
    let ends = json!([
        ["keyvalue.unwatch", "a"],
        ["keyvalue.unwatch", "never watched"],
        ["tuplespace.unsubscribe", got[3]]
    ]);
    values(&node, "program/w", ends).await;
    // Another actor's is left alone.
    let foreign = json!([["tuplespace.unsubscribe", got[4]]]);
    values(&node, "program/x", foreign).await;
    let node = node.crash(4).await;
    values(&node, "program/p", calls.clone()).await;
    delivered(&node).await;
    assert_eq!(
        told(&node, "program/w").await.as_array().map(Vec::len),
        Some(2)
    );
    let ends = json!([
        ["keyvalue.unwatch", "ab"],
        ["tuplespace.unsubscribe", got[4]]
    ]);
    values(&node, "program/w", ends).await;
    values(&node, "program/p", calls).await;
    assert_eq!(
        node.rows_of(Kind::Feed).await,
        0,
        "nobody watches: nothing is written"
    );
    assert_eq!(node.rows_of(Kind::Subscription).await, 0);
    delivered(&node).await;
    assert_eq!(told(&node, "program/w").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn matching_tuples_are_told_and_stay() {
    let node = program_node().await;
    let got = values(
        &node,
        "program/w",
        json!([["tuplespace.subscribe", ["job", "a*"]]]),
    )
    .await;
    let calls = json!([
        ["tuplespace.write", ["job", "abc"]],
        ["tuplespace.write", ["job", "b"]],
        ["tuplespace.write", ["job"]],
        ["tuplespace.write_with_ttl", ["job", "ad"], 3_600_000]
    ]);
    values(&node, "program/p", calls).await;
    delivered(&node).await;
    let msg_type = format!("$tuple:{}", got[0].as_str().expect("an id"));
    let expected = json!([
        ["program/p", msg_type, "[\"job\",\"abc\"]"],
        ["program/p", msg_type, "[\"job\",\"ad\"]"]
    ]);
    assert_eq!(told(&node, "program/w").await, expected);
    assert_eq!(node.tuples().await, 4);
}

/// The power goes off while changes are on their way to their watchers.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_once_and_in_order_across_crashes() {
    let mut node = program_node().await;
    values(&node, "program/w", json!([["keyvalue.watch", "n"]])).await;
    let mut count = 0;
    for round in 0..6 {
        for _ in 0..20 {
            values(&node, "program/p", json!([["keyvalue.increment", "n", 1]])).await;
            count += 1;
        }
        node = node.crash(round).await;
    }
    delivered(&node).await;
    let told = told(&node, "program/w").await;
    let told: Vec<(String, String, String)> = serde_json::from_value(told).expect("messages");
    let values: Vec<u32> = told
        .iter()
        .map(|(_, _, value)| value.parse().expect("a number"))
        .collect();
    assert_eq!(values, (1..=count).collect::<Vec<u32>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let huge = "x".repeat(1_025);
    let wide: Vec<u8> = vec![0; 65];
    for call in [
        json!(["keyvalue.watch", huge]),
        json!(["keyvalue.unwatch", huge]),
        json!(["tuplespace.subscribe", []]),
        json!(["tuplespace.subscribe", wide]),
        json!(["tuplespace.unsubscribe", ""]),
        json!(["tuplespace.unsubscribe", "0123456789abcdef0123456789abcdeg"]),
        json!(["tuplespace.received", ""]),
        json!(["tuplespace.received", "no tuple"]),
    ] {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
}
