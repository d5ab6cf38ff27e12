//! The calculators in Python, and what every application is promised: deploy, ask, crash, restart, new version,
//! undeploy.

mod support;

use reqwest::Method;
use serde_json::json;
use support::{Answer, Home, Node, actor_path, guest, variant};
use tokio::sync::Mutex;

/// Deploys a guest in Python; one at a time, so that no two processes compile the same.
async fn deploy_python(node: &Node, name: &str, file: &str) {
    static COMPILING: Mutex<()> = Mutex::const_new(());
    let _alone = COMPILING.lock().await;
    node.deploy(name, &guest(file)).await;
}

#[tokio::test]
async fn the_calculator_computes_and_tells_what_is_wrong() {
    let home = Home::warm();
    let node = home.start();
    node.get("/healthz").await.ok();
    node.get("/readyz").await.ok();
    deploy_python(&node, "calculator", "calculator").await;
    for (operation, operands, result) in [
        ("add", json!([10, 5]), json!(15)),
        ("subtract", json!([10, 5]), json!(5)),
        ("multiply", json!([10, 5]), json!(50)),
        ("divide", json!([10, 4]), json!(2.5)),
        ("power", json!([2, 10]), json!(1024)),
        ("sqrt", json!([16]), json!(4.0)),
    ] {
        let reply = node
            .call(
                "calculator",
                json!({"operation": operation, "operands": operands}),
            )
            .await;
        assert_eq!(reply, json!({"result": result, "operation": operation}));
    }
    for (request, part) in [
        (json!({"operation": "divide", "operands": [1, 0]}), "zero"),
        (json!({"operation": "cube", "operands": [1]}), "cube"),
        (json!({"operands": [1]}), "operation"),
    ] {
        let reply = node.call("calculator/errors", request).await;
        let error = reply["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "{reply}");
    }
}

#[tokio::test]
async fn a_json_reply_is_typed_as_json() {
    let home = Home::warm();
    let node = home.start();
    deploy_python(&node, "calculator", "calculator").await;
    let answer = node
        .ask(
            "calculator",
            "call",
            r#"{"operation":"add","operands":[1]}"#,
        )
        .await
        .ok();
    assert!(
        answer.content_type.starts_with("application/json"),
        "{}",
        answer.content_type
    );
}

#[tokio::test]
async fn count_history_and_tuples_survive_sigkill() {
    let home = Home::warm();
    let node = home.start();
    deploy_python(&node, "durable", "durable_calculator").await;
    deploy_python(&node, "shared", "tuplespace_calculator").await;
    for n in 1..=5 {
        let reply = node
            .call("durable/d", json!({"operation": "add", "operands": [n, 1]}))
            .await;
        assert_eq!(reply["operation_count"], json!(n));
        node.call(
            "shared/writer",
            json!({"operation": "add", "operands": [n, 1]}),
        )
        .await;
    }
    let state = node
        .call("durable/d", json!({"operation": "get_state"}))
        .await;
    assert_eq!(state["history"].as_array().map(Vec::len), Some(5));
    let tuples = node
        .call(
            "shared/reader",
            json!({"operation": "read_results", "of": "add"}),
        )
        .await;

    node.kill();

    for restarts in 1..=2 {
        node_is_the_same(&home, &state, &tuples, restarts).await;
    }
}

/// Starts the killed node again, compares, and kills it.
async fn node_is_the_same(
    home: &Home,
    state: &serde_json::Value,
    tuples: &serde_json::Value,
    restarts: u32,
) {
    let node = home.start();
    let found = node
        .call("durable/d", json!({"operation": "get_state"}))
        .await;
    assert_eq!(&found, state, "after restart {restarts}");
    let found = node
        .call(
            "shared/reader",
            json!({"operation": "read_results", "of": "add"}),
        )
        .await;
    assert_eq!(&found, tuples, "after restart {restarts}");
    assert_eq!(
        found["results"].as_array().map(Vec::len),
        Some(5),
        "{found}"
    );
    node.kill();
}

#[tokio::test]
async fn one_actor_takes_what_another_wrote() {
    let home = Home::warm();
    let node = home.start();
    deploy_python(&node, "shared", "tuplespace_calculator").await;
    node.call(
        "shared/a",
        json!({"operation": "multiply", "operands": [6, 7]}),
    )
    .await;
    let count = json!({"operation": "count_results", "of": "multiply"});
    assert_eq!(
        node.call("shared/b", count.clone()).await,
        json!({"count": 1})
    );
    let taken = node
        .call(
            "shared/b",
            json!({"operation": "take_result", "of": "multiply"}),
        )
        .await;
    assert_eq!(taken["result"], json!(42.0));
    node.kill();
    let node = home.start();
    assert_eq!(node.call("shared/c", count).await, json!({"count": 0}));
}

#[tokio::test]
async fn the_same_module_compiles_once_and_a_restart_compiles_nothing() {
    let home = Home::new();
    let node = home.start();
    let counter = guest("counter");
    assert_eq!(node.modules_compiled().await, 0);
    node.deploy("one", &counter).await;
    assert_eq!(node.modules_compiled().await, 1);
    node.deploy("two", &counter).await;
    node.upload("one", "one", "1.0.1", &counter, None)
        .await
        .ok();
    assert_eq!(node.modules_compiled().await, 1);
    node.deploy("three", &variant(&counter, "three")).await;
    assert_eq!(node.modules_compiled().await, 2);
    for kind in ["one", "two", "three"] {
        node.ask(kind, "add", "1").await.ok();
    }
    node.kill();
    let node = home.start();
    for kind in ["one", "two", "three"] {
        assert_eq!(node.ask(kind, "add", "1").await.reply(), "2");
    }
    node.deploy("four", &counter).await;
    assert_eq!(node.ask("four", "get", "").await.reply(), "0");
    assert_eq!(node.modules_compiled().await, 0);
}

#[tokio::test]
async fn a_get_asks_with_the_query_as_json() {
    let home = Home::warm();
    let node = home.start();
    deploy_python(&node, "durable", "durable_calculator").await;
    node.call("durable/g", json!({"operation": "add", "operands": [1, 2]}))
        .await;
    let path = format!("{}?operation=get_state", actor_path("durable/g"));
    let state = node.get(&path).await.ok().json();
    assert_eq!(
        (&state["operation_count"], &state["last_result"]),
        (&json!(1), &json!(3))
    );
}

#[tokio::test]
async fn the_message_type_may_stand_in_the_query() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    let path = format!("{}?msg_type=add", actor_path("counter/q"));
    let answer = Answer::of(node.request(Method::POST, &path).body("4")).await;
    assert_eq!(answer.reply(), "4");
}

#[tokio::test]
async fn a_tell_is_durable_when_it_is_answered() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    for _ in 0..10 {
        assert_eq!(node.tell("counter/t", "add", "2").await.ok().status, 202);
    }
    node.kill();
    let node = home.start();
    // The mailbox is a queue, so this ask comes after them.
    assert_eq!(node.ask("counter/t", "get", "").await.reply(), "20");
}

#[tokio::test]
async fn an_idempotency_key_has_one_effect_and_one_reply() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    assert_eq!(
        node.ask_once("k1", "counter/i", "add", "5").await.reply(),
        "5"
    );
    assert_eq!(
        node.ask_once("k2", "counter/i", "add", "1").await.reply(),
        "6"
    );
    assert_eq!(
        node.ask_once("k1", "counter/i", "add", "5").await.reply(),
        "5"
    );
    node.ask_once("k1", "counter/i", "add", "6")
        .await
        .refused(422, "PS1006");
    node.ask_once("k1", "counter/i", "get", "5")
        .await
        .refused(422, "PS1006");
    // Another actor's keys are others.
    assert_eq!(
        node.ask_once("k1", "counter/j", "add", "7").await.reply(),
        "7"
    );
    // An error is a reply, too.
    let failed = node
        .ask_once("k3", "counter/i", "fail_after_add", "9")
        .await;
    failed.failed("PS3001");
    node.kill();

    let node = home.start();
    assert_eq!(
        node.ask_once("k1", "counter/i", "add", "5").await.reply(),
        "5"
    );
    node.ask_once("k1", "counter/i", "add", "6")
        .await
        .refused(422, "PS1006");
    let again = node
        .ask_once("k3", "counter/i", "fail_after_add", "9")
        .await;
    assert_eq!((again.status, again.code()), (failed.status, failed.code()));
    assert_eq!(node.ask("counter/i", "get", "").await.reply(), "6");
}

#[tokio::test]
async fn concurrent_requests_with_one_key_are_one() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    let mut asks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let api = node.api();
        asks.spawn(async move { api.ask_once("same", "counter/c", "add", "3").await.reply() });
    }
    assert!(asks.join_all().await.iter().all(|reply| reply == "3"));
    assert_eq!(node.ask("counter/c", "get", "").await.reply(), "3");
}

#[tokio::test]
async fn a_new_version_keeps_the_state_and_needs_no_restart() {
    let home = Home::new();
    let node = home.start();
    let old = guest("counter");
    node.upload("app", "counter", "1.0.0", &old, None)
        .await
        .ok();
    assert_eq!(node.ask("counter/v", "add", "3").await.reply(), "3");
    node.upload("app", "counter", "2.0.0", &variant(&old, "2"), None)
        .await
        .ok();
    let application = node.get("/api/v1/applications/app").await.ok().text();
    assert!(application.contains("2.0.0"), "{application}");
    assert_eq!(node.ask("counter/v", "add", "4").await.reply(), "7");
    node.kill();

    let node = home.start();
    assert_eq!(node.ask("counter/v", "get", "").await.reply(), "7");
    assert_eq!(node.modules_compiled().await, 0);
}

#[tokio::test]
async fn a_new_version_under_load_loses_nothing() {
    let home = Home::new();
    let node = home.start();
    let counter = guest("counter");
    node.deploy("counter", &counter).await;
    let api = node.api();
    let load = tokio::spawn(async move {
        for n in 1..=200 {
            assert_eq!(api.ask("counter/l", "add", "1").await.number(), n);
        }
    });
    for version in ["2", "3", "4"] {
        node.upload(
            "counter",
            "counter",
            version,
            &variant(&counter, version),
            None,
        )
        .await
        .ok();
    }
    load.await.expect("every ask counts");
}

#[tokio::test]
async fn an_undeployed_application_is_gone_until_it_comes_back() {
    let home = Home::new();
    let node = home.start();
    let counter = guest("counter");
    node.deploy("counter", &counter).await;
    node.deploy("other", &counter).await;
    node.ask("counter/u", "add", "8").await.ok();
    assert!(
        node.get("/api/v1/applications")
            .await
            .ok()
            .text()
            .contains("\"counter\"")
    );
    node.delete("/api/v1/applications/counter").await.ok();
    node.get("/api/v1/applications/counter")
        .await
        .refused(404, "PS1003");
    node.delete("/api/v1/applications/counter")
        .await
        .refused(404, "PS1003");
    assert!(
        !node
            .get("/api/v1/applications")
            .await
            .ok()
            .text()
            .contains("\"counter\"")
    );
    let detail = node
        .ask("counter/u", "get", "")
        .await
        .refused(404, "PS1002");
    assert!(detail.contains("counter"), "{detail}");
    node.kill();

    let node = home.start();
    node.ask("counter/u", "get", "")
        .await
        .refused(404, "PS1002");
    assert_eq!(node.ask("other", "get", "").await.reply(), "0");
    node.deploy("counter", &counter).await;
    assert_eq!(
        node.ask("counter/u", "get", "").await.reply(),
        "8",
        "an undeployment keeps the rows"
    );
}

#[tokio::test]
async fn the_seeds_run_as_printed() {
    let home = Home::warm();
    let node = home.start();
    let sum = json!({"operation": "add", "operands": [10, 5]});
    let product = json!({"operation": "multiply", "operands": [10, 5]});

    deploy_python(&node, "basic", "seed_basic_actor").await;
    let reply = node
        .ask("basic", "calculate", r#"{"a":2,"b":3}"#)
        .await
        .ok()
        .json();
    assert_eq!(reply, json!({"result": 5}));
    let reply = node.ask("basic", "other", "{}").await.ok().json();
    assert_eq!(reply, json!({"error": "unknown message type"}));

    for seed in ["gen_server", "complete_example"] {
        deploy_python(&node, seed, &format!("seed_{seed}")).await;
        assert_eq!(
            node.call(seed, sum.clone()).await,
            json!({"result": 15, "operation": "add"})
        );
        assert_eq!(
            node.call(seed, product.clone()).await,
            json!({"result": 50, "operation": "multiply"})
        );
    }

    deploy_python(&node, "durable", "seed_durable_calculator_actor").await;
    assert_eq!(
        node.call("durable", sum.clone()).await,
        json!({"result": 15, "durable": true})
    );
    deploy_python(&node, "tuples", "seed_tuplespace_calculator_actor").await;
    assert_eq!(
        node.call("tuples", sum.clone()).await,
        json!({"result": 15, "tuplespace_used": true})
    );
    node.kill();

    let node = home.start();
    assert_eq!(
        node.call("durable", sum).await,
        json!({"result": 15, "durable": true})
    );
}
