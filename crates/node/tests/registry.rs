//! The registry, from guest code.

mod support;

use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Order, Store as _};
use serde_json::{Value as Json, json};
use support::{Machine, eventually, program_node, refused, run, values};

async fn discover(node: &Machine, pattern: &str, labels: Json) -> Vec<String> {
    let call = json!([["registry.discover", pattern, labels, null, 1_000]]);
    let page = values(node, "program/reader", call).await.remove(0);
    serde_json::from_value(page["names"].clone()).expect("names")
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_registered_found_and_taken_away() {
    let node = program_node().await;
    let labels = json!({"zone": "eu", "version": "1"});
    let calls = json!([
        ["registry.register", "billing/1", "http://a", labels],
        ["registry.lookup", "billing/1"],
        ["registry.lookup", "billing/2"],
        ["registry.unregister", "billing/2"],
    ]);
    let results = values(&node, "program/a", calls).await;
    let entry = &results[1];
    assert_eq!(entry["address"], "http://a");
    assert_eq!(entry["metadata"], labels);
    assert_eq!(entry["owner"], "program/a");
    assert_eq!(entry["health"], "healthy");
    assert_eq!(entry["expires_ms"], Json::Null);
    assert_eq!(entry["registered_ms"], entry["heartbeat_ms"]);
    assert_eq!(results[2..], [Json::Null, json!(false)]);
    let node = node.crash(1).await;
    // Another actor finds it, and its owner may change it.
    let found = values(
        &node,
        "program/b",
        json!([["registry.lookup", "billing/1"]]),
    )
    .await;
    assert_eq!(found[0], *entry);
    let calls = json!([
        ["registry.report_health", "billing/1", "degraded"],
        ["registry.lookup", "billing/1"],
        ["registry.heartbeat", "billing/1"],
        ["registry.lookup", "billing/1"],
        ["registry.register", "billing/1", "http://b", {}],
        ["registry.lookup", "billing/1"],
        ["registry.unregister", "billing/1"],
        ["registry.lookup", "billing/1"],
    ]);
    let results = values(&node, "program/a", calls).await;
    assert_eq!(results[1]["health"], "degraded");
    assert_eq!(results[3]["health"], "degraded");
    assert_eq!(results[5]["health"], "healthy");
    assert_eq!(results[5]["address"], "http://b");
    assert_eq!(results[5]["metadata"], json!({}));
    assert_eq!(results[5]["registered_ms"], entry["registered_ms"]);
    assert_eq!(results[6..], [json!(true), Json::Null]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_belongs_to_whoever_registered_it() {
    let node = program_node().await;
    let register = json!(["registry.register", "n", "x", {}]);
    values(&node, "program/a", json!([register])).await;
    assert_eq!(
        refused(&node, "program/b", register.clone()).await,
        "AlreadyExists"
    );
    for call in [
        json!(["registry.heartbeat", "n"]),
        json!(["registry.report_health", "n", "unhealthy"]),
    ] {
        assert_eq!(
            refused(&node, "program/b", call.clone()).await,
            "PermissionDenied"
        );
        values(&node, "program/a", json!([call])).await;
    }
    let missing = json!(["registry.heartbeat", "other"]);
    assert_eq!(refused(&node, "program/a", missing).await, "NotFound");
    // Whoever clears it away makes room for others.
    let calls = json!([["registry.unregister", "n"], register]);
    assert_eq!(values(&node, "program/b", calls).await[0], true);
    assert_eq!(refused(&node, "program/a", register).await, "AlreadyExists");
}

/// Many ask for one name at once: one gets it.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_a_name_one_gets_it() {
    let node = program_node().await;
    let mut asking = tokio::task::JoinSet::new();
    for actor in 0..12 {
        let node = plexspaces_node::Node::clone(&node);
        asking.spawn(async move {
            let calls = json!([["registry.register", "n", "x", {}]]);
            let results = run(&node, &format!("program/{actor}"), calls).await;
            results.expect("the turn ends").remove(0)
        });
    }
    let results = asking.join_all().await;
    let won = results.iter().filter(|result| result.get("ok").is_some());
    assert_eq!(won.count(), 1);
    let refused = |result: &&Json| result["error"]["code"] == "ErrorCode::AlreadyExists";
    assert_eq!(results.iter().filter(refused).count(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_without_heartbeats_goes_away() {
    let node = program_node().await;
    let calls = json!([
        ["registry.register_with_ttl", "short", "x", {}, 60],
        ["registry.register_with_ttl", "long", "x", {}, 3_600_000],
        ["registry.register", "ever", "x", {}],
        ["registry.lookup", "long"],
    ]);
    let entry = values(&node, "program/a", calls).await.remove(3);
    let expires = entry["expires_ms"].as_u64().expect("a time");
    assert_eq!(
        Some(expires),
        entry["heartbeat_ms"].as_u64().map(|at| at + 3_600_000)
    );
    eventually("the row is removed", async || {
        node.rows_of(Kind::Registration).await == 2
    })
    .await;
    let gone = json!(["registry.heartbeat", "short"]);
    assert_eq!(refused(&node, "program/a", gone).await, "NotFound");
    assert_eq!(discover(&node, "*", json!({})).await, ["ever", "long"]);
    // Its name is free for others.
    let calls = json!([["registry.register", "short", "x", {}]]);
    values(&node, "program/b", calls).await;
    // A heartbeat moves the end, and leaves nothing behind.
    let calls = json!([["repeat", 100, ["registry.heartbeat", "long"]]]);
    values(&node, "program/a", calls).await;
    let calls = json!([["registry.heartbeat", "long"], ["registry.lookup", "long"]]);
    let entry = values(&node, "program/a", calls).await.remove(1);
    assert!(entry["expires_ms"].as_u64() > Some(expires));
    let range = Path::node(Kind::Expiry).range();
    let entries = node.disk.snapshot().scan(range, 100, Order::Forward).await;
    assert_eq!(entries.expect("readable").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_discovered_by_pattern_and_labels() {
    let node = program_node().await;
    let calls = json!([
        ["registry.register", "web/1", "x", {"zone": "eu", "tier": "a"}],
        ["registry.register", "web/2", "x", {"zone": "us", "tier": "a"}],
        ["registry.register", "web/10/admin", "x", {"zone": "eu"}],
        ["registry.register", "db/1", "x", {"zone": "eu"}],
    ]);
    values(&node, "program/a", calls).await;
    for (pattern, labels, expected) in [
        (
            "*",
            json!({}),
            vec!["db/1", "web/1", "web/10/admin", "web/2"],
        ),
        ("web/*", json!({}), vec!["web/1", "web/10/admin", "web/2"]),
        ("web/1", json!({}), vec!["web/1"]),
        ("web", json!({}), vec![]),
        ("*/1", json!({}), vec!["db/1", "web/1"]),
        ("w*b/*admin", json!({}), vec!["web/10/admin"]),
        (
            "*",
            json!({"zone": "eu"}),
            vec!["db/1", "web/1", "web/10/admin"],
        ),
        ("web/*", json!({"zone": "eu", "tier": "a"}), vec!["web/1"]),
        ("*", json!({"zone": "e"}), vec![]),
        ("*", json!({"planet": "earth"}), vec![]),
    ] {
        assert_eq!(
            discover(&node, pattern, labels.clone()).await,
            expected,
            "{pattern} {labels}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_where_the_last_one_ended() {
    let node = program_node().await;
    let add = json!(["repeat", 3_000, ["registry.register", "s/%", "x", {}]]);
    values(&node, "program/a", json!([add])).await;
    let label = json!([["registry.register", "s/999x", "x", {"rare": "yes"}]]);
    values(&node, "program/a", label).await;
    // What it does not look at costs nothing: no page is needed for it.
    assert_eq!(
        discover(&node, "s/999*", json!({"rare": "yes"})).await,
        ["s/999x"]
    );
    let (mut names, mut cursor) = (Vec::new(), Json::Null);
    loop {
        let call = json!([["registry.discover", "s/*", {}, cursor, 700]]);
        let page = values(&node, "program/reader", call).await.remove(0);
        names.extend(page["names"].as_array().expect("a list").clone());
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(names.len(), 3_001);
    names.dedup();
    assert_eq!(names.len(), 3_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_registers_nothing() {
    let node = program_node().await;
    let calls = json!([
        ["registry.register_with_ttl", "n", "x", {}, 1_000],
        ["trap"]
    ]);
    let failed = run(&node, "program/a", calls).await;
    failed.expect_err("the turn fails");
    assert_eq!(node.rows_of(Kind::Registration).await, 0);
    // The name is not reserved any more: this would wait for a second, and be refused.
    values(
        &node,
        "program/b",
        json!([["registry.register", "n", "x", {}]]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let (huge, address) = ("x".repeat(513), "x".repeat(2_049));
    let many: Json = (0..65)
        .map(|n| (n.to_string(), json!("x")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let (name, value) = ("x".repeat(257), "x".repeat(4_097));
    for call in [
        json!(["registry.register", "", "x", {}]),
        json!(["registry.register", huge, "x", {}]),
        json!(["registry.register", "a*", "x", {}]),
        json!(["registry.register", "n", "", {}]),
        json!(["registry.register", "n", address, {}]),
        json!(["registry.register", "n", "x", many]),
        json!(["registry.register", "n", "x", {name: "x"}]),
        json!(["registry.register", "n", "x", {"": "x"}]),
        json!(["registry.register", "n", "x", {"a": value}]),
        json!(["registry.register_twice_named", "n"]),
        json!(["registry.register_with_ttl", "n", "x", {}, 0]),
        json!(["registry.register_with_ttl", "n", "x", {}, u64::MAX]),
        json!(["registry.lookup", ""]),
        json!(["registry.lookup", "*"]),
        json!(["registry.unregister", huge]),
        json!(["registry.heartbeat", ""]),
        json!(["registry.discover", "", {}, null, 10]),
        json!(["registry.discover", huge, {}, null, 10]),
        json!(["registry.discover", "*", {}, null, 0]),
        json!(["registry.discover", "*", {}, null, 1_001]),
        json!(["registry.discover", "*", {}, "*", 1]),
    ] {
        let shown: String = call.to_string().chars().take(80).collect();
        assert_eq!(
            refused(&node, "program/a", call).await,
            "InvalidArgument",
            "{shown}"
        );
    }
    assert_eq!(node.rows_of(Kind::Registration).await, 0);
    let foreign = json!(["registry.lookup_of", "other", "default", "n"]);
    assert_eq!(
        refused(&node, "program/a", foreign).await,
        "PermissionDenied"
    );
}
