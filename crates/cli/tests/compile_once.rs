//! A module is compiled once: not at a restart, not when it is deployed again, not for two who deploy it at once.

mod support;

use serde_json::json;
use std::fs;
use std::time::Instant;
use support::{Home, guest, variant};

#[tokio::test]
async fn deploying_the_same_module_twice_compiles_once() {
    let home = Home::new();
    let node = home.start();
    let counter = variant(&guest("counter"), "once");
    let first = node.upload("one", "one", "1", &counter, None).await.ok();
    assert_eq!(first.json()["compiled"], true);
    // The same again, another version of the same application, another application with the same module.
    for (id, name, version) in [
        ("one", "one", "1"),
        ("one", "one", "2"),
        ("two", "two", "1"),
    ] {
        let again = node.upload(id, name, version, &counter, None).await.ok();
        assert_eq!(again.json()["compiled"], false);
        assert_eq!(again.json()["module"], first.json()["module"]);
    }
    assert_eq!(node.modules_compiled().await, 1);
    // Also after it was undeployed, and by many at once.
    node.delete("/api/v1/applications/one").await.ok();
    node.delete("/api/v1/applications/two").await.ok();
    node.upload("one", "one", "3", &counter, None).await.ok();
    assert_eq!(node.modules_compiled().await, 1);
    let mut deploys = tokio::task::JoinSet::new();
    let other = variant(&guest("counter"), "others");
    for n in 0..6 {
        let (api, other) = (node.api(), other.clone());
        deploys.spawn(async move {
            let name = format!("many{n}");
            api.upload(&name, &name, "1", &other, None).await.ok();
        });
    }
    deploys.join_all().await;
    assert_eq!(node.modules_compiled().await, 2);
    let log = fs::read_to_string(home.log()).expect("there is a log");
    assert_eq!(log.matches(": compiled ").count(), 2, "{log}");
}

#[tokio::test]
async fn a_restart_compiles_nothing_and_python_answers_soon() {
    let home = Home::warm();
    let node = home.start();
    let add = |n| json!({"operation": "add", "operands": [n, 1]});
    node.deploy("calculator", &guest("calculator")).await;
    node.deploy("durable", &guest("durable_calculator")).await;
    node.deploy("counter", &guest("counter")).await;
    for n in 0..3 {
        assert_eq!(node.call("durable", add(n)).await["result"], n + 1);
    }
    node.kill();

    let start = Instant::now();
    let node = home.start();
    let listening = start.elapsed();
    assert_eq!(node.call("durable", add(3)).await["operation_count"], 4);
    println!(
        "listens after {listening:?}, a Python actor has answered after {:?}",
        start.elapsed()
    );
    assert_eq!(node.modules_compiled().await, 0);
    node.deploy("durable", &guest("durable_calculator")).await;
    assert_eq!(node.modules_compiled().await, 0);
    assert!(node.terminate().success());
    assert_eq!(home.start().modules_compiled().await, 0);
}
