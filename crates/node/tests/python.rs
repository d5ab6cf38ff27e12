//! Services from a Python actor: the SDK's functions reach the host, and what comes back is Python's.

mod support;

use serde_json::{Value as Json, json};
use support::{Machine, ask, deploy, eventually};

async fn asked(node: &Machine, what: &str) -> Json {
    let reply = ask(node, "services_python/a", what, "").await;
    serde_json::from_str(&reply.expect("replied")).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn registry_durability_and_timers_work_from_python() {
    let node = Machine::new().await;
    deploy(&node, "services_python", "").await;
    let expected = json!([
        "actor://calc",
        {"zone": "eu"},
        "healthy",
        null,
        "degraded",
        true,
        [["calc/1", "calc/2"], ["calc/1"], "calc/1"],
        [true, false, null],
        ["NotFound", "BadValue"],
    ]);
    assert_eq!(asked(&node, "registry").await, expected);
    let done = asked(&node, "durability").await;
    assert_eq!(done[0], json!(["a", "c", "d"]));
    assert_eq!(done[1], Json::Null);
    let turns = json!([[0, "", "", null], [1, "$http", "registry", null]]);
    assert_eq!(done[2], turns);
    let reply: Json = serde_json::from_str(done[3].as_str().expect("a text")).expect("JSON");
    assert_eq!(reply, expected);
    let set = asked(&node, "timers").await;
    assert_eq!(set, json!([true, true, false, ["once", "r"]]));
    let ticks = async || {
        let ticks = asked(&node, "ticks").await;
        ticks.as_array().expect("a list").clone()
    };
    eventually("timer and reminder come", async || ticks().await.len() >= 3).await;
    let ticks = ticks().await;
    assert!(ticks.contains(&json!(["services_python/a", "later", "x"])));
    assert!(ticks.contains(&json!(["$timer", "tick", "y"])));
    assert!(!ticks.iter().any(|tick| tick[1] == "never"));
}
