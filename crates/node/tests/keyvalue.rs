//! The key-value service, from guest code.

mod support;

use plexspaces_store::Store as _;
use plexspaces_store::key::Kind;
use serde_json::{Value as Json, json};
use support::{eventually, program_node, refused, run, values};

#[tokio::test(flavor = "multi_thread")]
async fn values_are_set_read_swapped_and_counted() {
    let node = program_node().await;
    let calls = json!([
        ["keyvalue.put", "k", "v"],
        ["keyvalue.get", "k"],
        ["keyvalue.exists", "k"],
        ["keyvalue.compare_and_swap", "k", "wrong", "w"],
        ["keyvalue.compare_and_swap", "k", "v", "w"],
        ["keyvalue.compare_and_swap", "k", null, "x"],
        ["keyvalue.get", "k"],
        ["keyvalue.delete", "k"],
        ["keyvalue.get", "k"],
        ["keyvalue.compare_and_swap", "k", null, "x"],
        ["keyvalue.increment", "n", 5],
        ["keyvalue.increment", "n", -7],
        ["keyvalue.get", "n"],
    ]);
    let expected = json!([
        null, "v", true, false, true, false, "w", null, null, true, 5, -2, "-2"
    ]);
    assert_eq!(
        Json::Array(values(&node, "program/a", calls).await),
        expected
    );
    // Another actor sees what was committed, also after a crash.
    let node = node.crash(1).await;
    let read = json!([["keyvalue.get", "k"], ["keyvalue.get", "n"]]);
    assert_eq!(values(&node, "program/b", read).await, ["x", "-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_where_a_page_ended() {
    let node = program_node().await;
    let calls = json!([
        ["repeat", 25, ["keyvalue.put", "list/%", "x"]],
        ["keyvalue.put", "other", "x"],
        ["keyvalue.delete", "list/7"],
    ]);
    values(&node, "program/a", calls).await;
    let mut keys = Vec::new();
    let mut cursor = Json::Null;
    loop {
        let call = json!([["keyvalue.list_keys", "list/", cursor, 10]]);
        let page = values(&node, "program/a", call).await.remove(0);
        keys.extend(page["keys"].as_array().expect("a list").clone());
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let mut expected: Vec<String> = (0..25)
        .filter(|n| *n != 7)
        .map(|n| format!("list/{n}"))
        .collect();
    expected.sort();
    assert_eq!(keys, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_value_is_invisible_and_swept() {
    let node = program_node().await;
    let calls = json!([
        ["keyvalue.put_with_ttl", "short", "1", 50],
        ["keyvalue.put_with_ttl", "long", "1", 3_600_000],
        ["keyvalue.put_with_ttl", "again", "1", 50],
        ["keyvalue.get", "short"],
    ]);
    assert_eq!(values(&node, "program/a", calls).await[3], "1");
    // Written again without a time to live: it stays.
    values(&node, "program/a", json!([["keyvalue.put", "again", "2"]])).await;
    eventually("the expired row is removed", async || {
        node.rows_of(Kind::KeyValue).await == 2
    })
    .await;
    let read = json!([
        ["keyvalue.get", "short"],
        ["keyvalue.get", "long"],
        ["keyvalue.get", "again"],
        ["keyvalue.list_keys", "", null, 10],
        // It counts as absent.
        ["keyvalue.compare_and_swap", "short", null, "new"],
    ]);
    let page = json!({"keys": ["again", "long"], "cursor": null});
    assert_eq!(
        Json::Array(values(&node, "program/a", read).await),
        json!([null, "1", "2", page, true])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_leaves_no_value() {
    let node = program_node().await;
    for end in [json!(["fail", "as asked"]), json!(["trap"])] {
        let calls = json!([
            ["keyvalue.put", "k", "v"],
            ["keyvalue.increment", "n", 1],
            end
        ]);
        run(&node, "program/a", calls)
            .await
            .expect_err("the turn fails");
        // Its reservations are given back as well: this would wait for a second.
        let read = json!([["keyvalue.get", "k"], ["keyvalue.get", "n"]]);
        assert_eq!(
            values(&node, "program/b", read).await,
            [Json::Null, Json::Null]
        );
    }
    assert_eq!(
        values(&node, "program/b", json!([["keyvalue.increment", "n", 1]])).await,
        [1]
    );
}

/// Counting from many actors at once loses nothing: each waits in line for the key.
#[tokio::test(flavor = "multi_thread")]
async fn increments_of_many_actors_add_up() {
    let node = program_node().await;
    let mut counting = tokio::task::JoinSet::new();
    for actor in 0..8 {
        let node = plexspaces_node::Node::clone(&node);
        counting.spawn(async move {
            for _ in 0..25 {
                values(
                    &node,
                    &format!("program/{actor}"),
                    json!([["keyvalue.increment", "n", 1]]),
                )
                .await;
            }
        });
    }
    counting.join_all().await;
    assert_eq!(
        values(&node, "program/a", json!([["keyvalue.get", "n"]])).await,
        ["200"]
    );
}

/// A turn that reads and then writes what many others change runs again until it fits, at last with the key reserved.
#[tokio::test(flavor = "multi_thread")]
async fn reading_and_writing_at_once_ends_well_for_all() {
    let node = program_node().await;
    let mut changing = tokio::task::JoinSet::new();
    for actor in 0..8 {
        let node = plexspaces_node::Node::clone(&node);
        changing.spawn(async move {
            for _ in 0..20 {
                let calls = json!([
                    ["keyvalue.get", "hot"],
                    ["keyvalue.put", "hot", "x"],
                    ["keyvalue.increment", "done", 1]
                ]);
                values(&node, &format!("program/{actor}"), calls).await;
            }
        });
    }
    changing.join_all().await;
    assert_eq!(
        values(&node, "program/a", json!([["keyvalue.get", "done"]])).await,
        ["160"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let huge = "x".repeat(1_025);
    for call in [
        json!(["keyvalue.put", "", "v"]),
        json!(["keyvalue.put", huge, "v"]),
        json!(["keyvalue.get", huge]),
        json!(["keyvalue.delete", ""]),
        json!(["keyvalue.put_with_ttl", "k", "v", 0]),
        json!(["keyvalue.put_with_ttl", "k", "v", u64::MAX]),
        json!(["keyvalue.list_keys", "", null, 0]),
        json!(["keyvalue.list_keys", "", null, 1_001]),
        json!(["keyvalue.list_keys", huge, null, 10]),
        json!(["keyvalue.list_keys", "", huge, 10]),
        json!(["keyvalue.increment", "", 1]),
        json!(["keyvalue.compare_and_swap", "", null, "v"]),
    ] {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
    values(
        &node,
        "program/a",
        json!([
            ["keyvalue.put", "text", "no number"],
            ["keyvalue.increment", "n", i64::MAX]
        ]),
    )
    .await;
    for call in [
        json!(["keyvalue.increment", "text", 1]),
        json!(["keyvalue.increment", "n", 1]),
        json!(["keyvalue.increment", "n", -1]),
    ] {
        let down = call[2] == -1;
        if down {
            assert_eq!(
                values(&node, "program/a", json!([call])).await,
                [i64::MAX - 1]
            );
        } else {
            assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
        }
    }
    let foreign = json!(["keyvalue.get_of", "other", "default", "k"]);
    assert_eq!(
        refused(&node, "program/a", foreign).await,
        "PermissionDenied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_changes_in_one_turn_are_one_commit() {
    let node = program_node().await;
    values(&node, "program/a", json!([["keyvalue.get", "k"]])).await;
    let before = node.disk.visible();
    values(
        &node,
        "program/a",
        json!([["repeat", 100, ["keyvalue.put", "%", "v"]]]),
    )
    .await;
    assert_eq!(node.disk.visible().0, before.0 + 1);
    assert_eq!(node.rows_of(Kind::KeyValue).await, 100);
}
