//! Every actor of `examples/services`, on a node.

mod support;

use serde_json::{Value, json};
use support::{Home, Node, guest};
use tokio::sync::Mutex;

/// Deploys an example as the type of its name; one at a time, so that no two processes compile the same.
async fn deploy(node: &Node, name: &str) {
    static COMPILING: Mutex<()> = Mutex::const_new(());
    let _alone = COMPILING.lock().await;
    node.deploy(name, &guest(&format!("service_{name}"))).await;
}

async fn ask(node: &Node, actor: &str, what: &str, request: Value) -> Value {
    node.ask(actor, what, request.to_string()).await.ok().json()
}

/// Asks again until the answer is this one.
async fn becomes(node: &Node, actor: &str, what: &str, expected: Value) {
    until(node, actor, what, |found| *found == expected).await;
}

/// Asks again until the answer is as wanted; gives it.
async fn until(node: &Node, actor: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let start = std::time::Instant::now();
    loop {
        let found = ask(node, actor, what, json!({})).await;
        if wanted(&found) {
            return found;
        }
        assert!(
            start.elapsed() < support::PATIENCE,
            "{actor} {what}: still {found}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn behaviours() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "counter").await;
    assert_eq!(
        ask(&node, "counter/a", "add", json!(5)).await,
        json!({"count": 5})
    );
    node.tell("counter/a", "increment", "").await.ok();
    becomes(&node, "counter/a", "get_count", json!({"count": 6})).await;

    deploy(&node, "event").await;
    for text in ["one", "two"] {
        node.tell("event/a", "notify", text).await.ok();
    }
    let events =
        json!({"events": [{"from": "$http", "event": "one"}, {"from": "$http", "event": "two"}]});
    becomes(&node, "event/a", "get_events", events).await;
    node.tell("event/a", "clear", "").await.ok();
    becomes(&node, "event/a", "get_events", json!({"events": []})).await;

    deploy(&node, "fsm").await;
    for (event, state) in [
        ("start", "processing"),
        ("complete", "done"),
        ("reset", "idle"),
        ("get_state", "idle"),
    ] {
        assert_eq!(
            ask(&node, "fsm/a", event, json!({})).await["state"],
            state,
            "{event}"
        );
    }
    let refused = ask(&node, "fsm/a", "complete", json!({})).await;
    assert_eq!(refused["error"], "complete is not possible in idle");

    // All of it outlives the process.
    node.kill();
    let node = home.start();
    assert_eq!(
        ask(&node, "counter/a", "get_count", json!({})).await,
        json!({"count": 6})
    );
    assert_eq!(
        ask(&node, "fsm/a", "start", json!({})).await["state"],
        "processing"
    );
}

#[tokio::test]
async fn many_services_in_one_turn() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "service_demo").await;
    deploy(&node, "counter").await;
    let demo = async |what: &str, request: Value| ask(&node, "service_demo/a", what, request).await;
    let spawned = demo(
        "spawn_actor",
        json!({"behavior": "counter", "key": "child", "state": 41}),
    )
    .await;
    assert_eq!(spawned, json!({"id": "counter/child"}));
    demo(
        "send_message",
        json!({"to": "counter/child", "type": "increment"}),
    )
    .await;
    becomes(&node, "counter/child", "get_count", json!({"count": 42})).await;
    demo("tuplespace_write", json!({"tuple": ["point", 1, 2]})).await;
    let found = demo("tuplespace_read", json!({"pattern": ["point", null, null]})).await;
    assert_eq!(found, json!({"tuple": ["point", 1, 2]}));

    demo("subscribe", json!({})).await;
    assert_eq!(
        demo("enqueue", json!({"queue": "jobs", "job": "good"})).await,
        json!({"depth": 1})
    );
    assert_eq!(
        demo("enqueue", json!({"queue": "jobs", "job": "bad"})).await,
        json!({"depth": 2})
    );
    assert_eq!(
        demo("work", json!({"queue": "jobs"})).await,
        json!({"done": "good"})
    );
    // The turn fails, and the job is there again.
    node.ask("service_demo/a", "work", r#"{"queue": "jobs"}"#)
        .await
        .failed("PS3001");
    let depth = node
        .get("/api/v1/queues/default/default/jobs")
        .await
        .ok()
        .json();
    assert_eq!(depth, json!({"depth": 1}));
    assert_eq!(
        node.get("/api/v1/kv/default/default/jobs-done")
            .await
            .ok()
            .body,
        b"1"
    );
    becomes(
        &node,
        "service_demo/a",
        "heard",
        json!({"heard": [["$topic:done", "good"]]}),
    )
    .await;
    demo("remind", json!({"note": "now", "delay_ms": 20})).await;
    becomes(
        &node,
        "service_demo/a",
        "heard",
        json!({"heard": [["$topic:done", "good"], ["tick", "now"]]}),
    )
    .await;
}

#[tokio::test]
async fn keyvalue() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "keyvalue").await;
    let kv = async |what: &str, request: Value| ask(&node, "keyvalue/a", what, request).await;
    kv("store", json!({"key": "a/1", "value": "one"})).await;
    kv(
        "store",
        json!({"key": "a/2", "value": "two", "ttl_ms": 60000}),
    )
    .await;
    assert_eq!(
        kv("retrieve", json!({"key": "a/1"})).await,
        json!({"value": "one"})
    );
    assert_eq!(
        kv("list", json!({"prefix": "a/"})).await,
        json!({"keys": ["a/1", "a/2"]})
    );
    assert_eq!(
        kv(
            "swap",
            json!({"key": "a/1", "expected": "one", "new": "eins"})
        )
        .await,
        json!({"swapped": true})
    );
    assert_eq!(
        kv(
            "swap",
            json!({"key": "a/1", "expected": "one", "new": "uno"})
        )
        .await,
        json!({"swapped": false})
    );
    assert_eq!(
        kv(
            "swap",
            json!({"key": "a/3", "expected": null, "new": "three"})
        )
        .await,
        json!({"swapped": true})
    );
    assert_eq!(
        kv("increment", json!({"key": "n", "by": 7})).await,
        json!({"value": 7})
    );
    assert_eq!(
        kv("delete", json!({"key": "a/1"})).await,
        json!({"deleted": true})
    );
    assert_eq!(
        kv("retrieve", json!({"key": "a/1"})).await,
        json!({"value": null})
    );
}

#[tokio::test]
async fn process_groups() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "process_groups").await;
    let chat = async |who: &str, what: &str, request: Value| {
        ask(&node, &format!("process_groups/{who}"), what, request).await
    };
    for who in ["ann", "ben"] {
        chat(who, "join_group", json!({"group": "room"})).await;
    }
    let members = chat("ann", "members", json!({"group": "room"})).await;
    assert_eq!(
        members,
        json!({"members": ["process_groups/ann", "process_groups/ben"]})
    );
    chat("ann", "publish", json!({"group": "room", "text": "hello"})).await;
    for who in ["ann", "ben"] {
        let of = format!("process_groups/{who}");
        let has_come = |found: &Value| found["heard"][0]["text"] == "hello";
        let found = until(&node, &of, "heard", has_come).await;
        assert_eq!(found["heard"][0]["from"], "process_groups/ann");
    }
    chat("ben", "leave_group", json!({"group": "room"})).await;
    let members = chat("ann", "members", json!({"group": "room"})).await;
    assert_eq!(members, json!({"members": ["process_groups/ann"]}));
}

#[tokio::test]
async fn locks_and_a_leader() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "locks").await;
    let lock = async |who: &str, what: &str, request: Value| {
        ask(&node, &format!("locks/{who}"), what, request).await
    };
    let first = lock("ann", "acquire", json!({"lock": "door"})).await;
    assert_eq!(first["acquired"], true);
    assert_eq!(
        lock("ben", "try_acquire", json!({"lock": "door"})).await["acquired"],
        false
    );
    lock("ann", "release", json!({"lock": "door"})).await;
    let second = lock("ben", "acquire", json!({"lock": "door"})).await;
    assert!(
        second["token"].as_u64() > first["token"].as_u64(),
        "{second} after {first}"
    );

    let leads = lock("ann", "lead", json!({})).await;
    assert_eq!(leads["leader"], true);
    assert_eq!(
        lock("ben", "lead", json!({})).await,
        json!({"leader": false})
    );
    lock("ann", "stop", json!({})).await;
    let next = until(&node, "locks/ben", "lead", |found| found["leader"] == true).await;
    assert!(
        next["token"].as_u64() > leads["token"].as_u64(),
        "{next} after {leads}"
    );
    let held = node
        .get("/api/v1/locks/default/default/leader")
        .await
        .ok()
        .json();
    assert_eq!(
        (&held["holder"], &held["token"]),
        (&json!("locks/ben"), &next["token"])
    );
}

#[tokio::test]
async fn registry() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "registry").await;
    let registry = async |what: &str, request: Value| ask(&node, "registry/a", what, request).await;
    for (name, region) in [("mail/eu", "eu"), ("mail/us", "us"), ("web/eu", "eu")] {
        let request = json!({"name": name, "address": format!("http://{region}.example"), "metadata": {"region": region}, "ttl_ms": 60000});
        registry("register", request).await;
    }
    let found = registry("lookup", json!({"name": "mail/eu"})).await;
    assert_eq!(
        found,
        json!({"address": "http://eu.example", "metadata": {"region": "eu"}})
    );
    assert_eq!(
        registry("discover", json!({"pattern": "mail/*"})).await,
        json!({"names": ["mail/eu", "mail/us"]})
    );
    let in_europe = json!({"pattern": "*", "labels": {"region": "eu"}});
    assert_eq!(
        registry("discover", in_europe).await,
        json!({"names": ["mail/eu", "web/eu"]})
    );
    registry("heartbeat", json!({"name": "mail/eu"})).await;
    registry("unregister", json!({"name": "mail/eu"})).await;
    assert_eq!(
        registry("lookup", json!({"name": "mail/eu"})).await["address"],
        Value::Null
    );
}

#[tokio::test]
async fn durability() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "durability").await;
    let ask_on = async |node: &Node, what: &str, request: Value| {
        ask(node, "durability/a", what, request).await
    };
    assert_eq!(
        ask_on(&node, "increment", json!({"by": 2})).await,
        json!({"count": 2, "sequence": 1})
    );
    assert_eq!(
        ask_on(&node, "increment", json!({})).await,
        json!({"count": 3, "sequence": 2})
    );
    ask_on(
        &node,
        "persist_batch",
        json!({"entries": {"x": 1, "y": [2]}}),
    )
    .await;
    ask_on(&node, "checkpoint", json!({})).await;
    assert_eq!(
        ask_on(&node, "get_sequence", json!({})).await,
        json!({"sequence": 5})
    );
    node.kill();
    let node = home.start();
    assert_eq!(
        ask_on(&node, "increment", json!({})).await,
        json!({"count": 4, "sequence": 6})
    );
    assert_eq!(
        ask_on(&node, "read_persisted", json!({"key": "y"})).await,
        json!({"value": [2]})
    );
    assert_eq!(
        ask_on(&node, "read_persisted", json!({"key": "event/1"})).await,
        json!({"value": {"count": 2}})
    );
    let turns = ask_on(&node, "read_journal", json!({"from": 1, "to": 3})).await;
    assert_eq!(
        turns,
        json!({"turns": [[1, "increment"], [2, "increment"], [3, "persist_batch"]]})
    );
}

#[tokio::test]
async fn blobs() {
    let home = Home::warm();
    let node = home.start();
    deploy(&node, "blob").await;
    let blob = async |what: &str, request: Value| ask(&node, "blob/a", what, request).await;
    blob(
        "upload",
        json!({"id": "notes/a", "text": "hello", "metadata": {"lang": "en"}}),
    )
    .await;
    assert_eq!(
        blob("download", json!({"id": "notes/a"})).await,
        json!({"text": "hello"})
    );
    assert_eq!(
        blob(
            "download",
            json!({"id": "notes/a", "offset": 1, "length": 3})
        )
        .await,
        json!({"text": "ell"})
    );
    assert_eq!(
        blob("metadata", json!({"id": "notes/a"})).await,
        json!({"size": 5, "metadata": {"lang": "en"}})
    );
    blob("copy", json!({"source": "notes/a", "dest": "notes/b"})).await;
    assert_eq!(
        blob("delete", json!({"id": "notes/a"})).await,
        json!({"deleted": true})
    );
    assert_eq!(
        blob("list", json!({"prefix": "notes/"})).await,
        json!({"ids": ["notes/b"]})
    );
    let large = json!({"id": "large", "parts": 8, "part_bytes": 1 << 20});
    assert_eq!(blob("upload_parts", large).await, json!({"size": 8 << 20}));
    let range = blob(
        "download",
        json!({"id": "large", "offset": (1 << 20) - 2, "length": 4}),
    )
    .await;
    assert_eq!(range, json!({"text": "AABB"}));
}
