//! The services over HTTP, beside actors that use the same data.

mod support;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use support::{Answer, Home, Node, guest};

/// A request with a JSON body.
fn post(node: &Node, path: &str, body: &Value) -> RequestBuilder {
    node.request(Method::POST, path)
        .header("Content-Type", "application/json")
        .body(body.to_string())
}

fn put(node: &Node, path: &str, body: &str) -> RequestBuilder {
    node.request(Method::PUT, path).body(body.to_owned())
}

async fn answer(request: RequestBuilder) -> Answer {
    Answer::of(request).await
}

async fn status(request: RequestBuilder) -> u16 {
    Answer::of(request).await.status
}

/// Runs calls in one turn of the guest `program`, which all succeed; gives their values.
async fn run(node: &Node, calls: Value) -> Vec<Value> {
    let reply = node
        .ask("program/a", "run", calls.to_string())
        .await
        .ok()
        .json();
    let results = reply.as_array().expect("a list").iter();
    results.map(|result| result["ok"].clone()).collect()
}

#[tokio::test]
async fn values_by_key() {
    let home = Home::new();
    let node = home.start();
    node.deploy("program", &guest("program")).await;
    let path = "/api/v1/kv/default/default/users/1%2F2";
    node.get(path).await.refused(404, "PS1017");
    assert_eq!(status(put(&node, path, "alice")).await, 204);
    let found = node.get(path).await.ok();
    assert_eq!(found.body, b"alice");
    // The guest sees the same value, and the other way round.
    assert_eq!(
        run(
            &node,
            json!([
                ["keyvalue.get", "users/1/2"],
                ["keyvalue.put", "users/3", "bob"]
            ])
        )
        .await[0],
        "alice"
    );
    let keys = node
        .get("/api/v1/kv/default/default?prefix=users/&limit=1")
        .await
        .ok()
        .json();
    assert_eq!(keys, json!({"keys": ["users/1/2"], "cursor": "users/1/2"}));
    let keys = node
        .get("/api/v1/kv/default/default?prefix=users/&cursor=users/1/2")
        .await
        .ok()
        .json();
    assert_eq!(keys, json!({"keys": ["users/3"], "cursor": null}));

    let etag = node
        .request(Method::GET, path)
        .send()
        .await
        .expect("answered")
        .headers()["etag"]
        .clone();
    let conditional = |name: &str, value: &str| put(&node, path, "carol").header(name, value);
    answer(conditional("If-None-Match", "*"))
        .await
        .refused(412, "PS1005");
    answer(conditional("If-Match", "\"other\""))
        .await
        .refused(412, "PS1005");
    assert_eq!(
        status(conditional("If-Match", etag.to_str().expect("text"))).await,
        204
    );
    answer(conditional("If-Match", etag.to_str().expect("text")))
        .await
        .refused(412, "PS1005");

    let counter = "/api/v1/kv/default/default/n";
    let add = |by: &str| node.request(Method::POST, &format!("{counter}?increment={by}"));
    assert_eq!(answer(add("5")).await.ok().json(), json!({"value": 5}));
    assert_eq!(answer(add("-7")).await.ok().json(), json!({"value": -2}));
    answer(add("1.5")).await.refused(400, "PS1005");
    answer(put(&node, &format!("{counter}?ttl_ms=0"), "x"))
        .await
        .refused(400, "PS1013");
    answer(put(&node, &format!("{counter}?tll=1"), "x"))
        .await
        .refused(400, "PS1005");

    assert_eq!(node.delete(path).await.status, 204);
    assert_eq!(node.delete(path).await.status, 204);
    // What was answered is durable.
    let node = {
        node.kill();
        home.start()
    };
    node.get(path).await.refused(404, "PS1017");
    assert_eq!(node.get(counter).await.ok().body, b"-2");
    // Another namespace has keys of its own.
    node.get("/api/v1/kv/default/other/n")
        .await
        .refused(404, "PS1017");
    node.get("/api/v1/kv/def%00ault/other/n")
        .await
        .refused(400, "PS1001");
}

#[tokio::test]
async fn tuples() {
    let home = Home::new();
    let node = home.start();
    node.deploy("program", &guest("program")).await;
    let root = "/api/v1/tuples/default/default";
    let ask = |what: &str, body: Value| answer(post(&node, &format!("{root}/{what}"), &body));
    for n in 0..3 {
        let tuple = json!({"tuple": ["job", n, {"bytes": "AP8="}]});
        assert_eq!(status(post(&node, root, &tuple)).await, 204);
    }
    assert_eq!(
        run(&node, json!([["tuplespace.count", ["job", "*", "*"]]])).await,
        [3]
    );
    let any = json!({"any": true});
    let range = json!({"pattern": ["job", {"range": {"min": 1}}, any]});
    assert_eq!(
        ask("count", range.clone()).await.ok().json(),
        json!({"count": 2})
    );
    let all = ask("read-all", range.clone()).await.ok().json();
    assert_eq!(all["tuples"][1], json!(["job", 2, {"bytes": "AP8="}]));
    assert_eq!(ask("take", range.clone()).await.ok().json()["tuple"][1], 1);
    assert_eq!(ask("read", range.clone()).await.ok().json()["tuple"][1], 2);
    let none = json!({"pattern": ["none"]});
    assert_eq!(ask("take", none).await.ok().json(), json!({"tuple": null}));
    ask("take", json!({"pattern": []}))
        .await
        .refused(400, "PS1013");
    ask("take", json!({"pattern": [[1]]}))
        .await
        .refused(400, "PS1005");
    ask("take", json!({"patern": [1]}))
        .await
        .refused(400, "PS1005");
    ask("take", json!({"pattern": [1], "wait_ms": 60_001}))
        .await
        .refused(400, "PS1005");

    // One that waits gets what an actor writes.
    let waits = tokio::spawn(answer(post(
        &node,
        &format!("{root}/take"),
        &json!({"pattern": ["go"], "wait_ms": 20_000}),
    )));
    run(&node, json!([["tuplespace.write", ["go"]]])).await;
    assert_eq!(
        waits.await.expect("no panic").ok().json(),
        json!({"tuple": ["go"]})
    );
}

/// Every route that the description names is there, with its methods, and every failure is described.
#[tokio::test]
async fn the_description_names_what_is_there() {
    let home = Home::new();
    let node = home.start();
    let api = node.get("/api/v1/openapi.json").await.ok().json();
    assert!(
        api["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.")
    );
    let paths = api["paths"].as_object().expect("paths");
    let mut routes = 0;
    for (path, item) in paths {
        let named = path.matches('{').count();
        let real = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x" } else { part });
        let real = real.collect::<Vec<_>>().join("/");
        for (method, operation) in item.as_object().expect("methods") {
            let parameters = operation["parameters"].as_array().expect("a list").iter();
            let in_path = parameters
                .filter(|parameter| parameter["in"] == "path")
                .count();
            assert_eq!(in_path, named, "{method} {path}");
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path}"
            );
            assert!(
                operation["description"]
                    .as_str()
                    .or(operation["summary"].as_str())
                    .is_some_and(|text| text.len() > 10),
                "{method} {path}"
            );
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let got = answer(node.request(method.clone(), &real)).await;
            assert_ne!(got.status, 405, "{method} {real}");
            if got.status == 404 {
                assert_ne!(got.json()["code"], "PS1015", "{method} {real}");
            }
            routes += 1;
        }
    }
    assert!(routes > 20, "{routes} routes");
}
