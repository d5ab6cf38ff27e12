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

#[tokio::test]
async fn queues() {
    let home = Home::new();
    let node = home.start();
    node.deploy("program", &guest("program")).await;
    let root = "/api/v1/queues/default/default/jobs%2Fmail";
    let to = |what: &str| node.request(Method::POST, &format!("{root}/{what}"));
    let options = json!({"max_length": 2, "max_deliveries": 2});
    let create = |options: &Value| {
        let request = node.request(Method::PUT, root);
        request
            .header("Content-Type", "application/json")
            .body(options.to_string())
    };
    assert_eq!(status(create(&options)).await, 204);
    answer(create(&json!({"max_length": 3})))
        .await
        .refused(409, "PS1021");
    assert_eq!(status(to("receive")).await, 204);
    for n in 0..2 {
        assert_eq!(status(to("messages").body(format!("m{n}"))).await, 204);
    }
    answer(to("messages").body("m2"))
        .await
        .refused(429, "PS1019");
    assert_eq!(node.get(root).await.ok().json(), json!({"depth": 2}));
    // An actor takes one, a program leases the other.
    assert_eq!(
        run(
            &node,
            json!([["channels.receive_from_queue", "jobs/mail", 0]])
        )
        .await,
        ["m0"]
    );
    let leased = to("receive?lease_ms=60000").send().await.expect("answered");
    let handle = leased.headers()["plexspaces-handle"]
        .to_str()
        .expect("text")
        .to_owned();
    assert_eq!(leased.headers()["plexspaces-deliveries"], "1");
    assert_eq!(leased.bytes().await.expect("a body"), "m1");
    assert_eq!(status(to("receive?wait_ms=1")).await, 204);
    // The handle outlives the process.
    node.kill();
    let node = home.start();
    let with = |what: &str, handle: &str| {
        let request = node.request(Method::POST, &format!("{root}/{what}"));
        request.query(&[("handle", handle)])
    };
    assert_eq!(
        status(with("extend", &handle).query(&[("lease_ms", "60000")])).await,
        204
    );
    assert_eq!(status(with("nack", &handle)).await, 204);
    answer(with("ack", &handle)).await.refused(412, "PS1020");
    answer(with("ack", "rubbish")).await.refused(400, "PS1013");
    let again = node
        .request(Method::POST, &format!("{root}/receive"))
        .send()
        .await
        .expect("answered");
    assert_eq!(again.headers()["plexspaces-deliveries"], "2");
    let handle = again.headers()["plexspaces-handle"]
        .to_str()
        .expect("text")
        .to_owned();
    assert_eq!(status(with("ack", &handle)).await, 204);
    assert_eq!(node.get(root).await.ok().json(), json!({"depth": 0}));
    // One that waits gets what an actor sends.
    let waits = tokio::spawn(answer(
        node.request(Method::POST, &format!("{root}/receive?wait_ms=20000")),
    ));
    run(
        &node,
        json!([["channels.send_to_queue", "jobs/mail", "late"]]),
    )
    .await;
    assert_eq!(waits.await.expect("no panic").ok().body, b"late");
    node.delete(root).await.refused(412, "PS1013");
    assert_eq!(
        node.delete(&format!("{root}?with_messages=true"))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn locks() {
    let home = Home::new();
    let node = home.start();
    node.deploy("program", &guest("program")).await;
    let root = "/api/v1/locks/default/default/door";
    let ask = |what: &str, body: Value| answer(post(&node, &format!("{root}/{what}"), &body));
    node.get(root).await.refused(404, "PS1017");
    let first = ask("acquire", json!({"holder": "ops"})).await.ok().json();
    assert_eq!(first["holder"], "$http/ops");
    let renewed = ask("acquire", json!({"holder": "ops", "lease_ms": 60000}))
        .await
        .ok()
        .json();
    assert_eq!(renewed["token"], first["token"]);
    ask("acquire", json!({"holder": "dev"}))
        .await
        .refused(409, "PS1018");
    assert_eq!(
        run(&node, json!([["locks.try_acquire", "door"]])).await,
        [Value::Null]
    );
    let wrong = json!({"holder": "ops", "token": 99});
    ask("release", wrong).await.refused(412, "PS1020");
    let waits = tokio::spawn(ask("acquire", json!({"holder": "dev", "wait_ms": 20000})));
    let release = json!({"holder": "ops", "token": first["token"]});
    assert_eq!(ask("release", release).await.status, 204);
    let second = waits.await.expect("no panic").ok().json();
    assert!(
        second["token"].as_u64() > first["token"].as_u64(),
        "{second} after {first}"
    );
    let renew = json!({"holder": "dev", "token": second["token"], "lease_ms": 0});
    ask("renew", renew).await.refused(400, "PS1013");
    assert_eq!(node.get(root).await.ok().json()["holder"], "$http/dev");
}

#[tokio::test]
async fn registry_groups_and_topics() {
    let home = Home::new();
    let node = home.start();
    node.deploy("program", &guest("program")).await;
    let path = "/api/v1/registry/default/default/mail%2Feu";
    let register = |owner: &str| {
        let body = json!({"owner": owner, "address": "http://a", "metadata": {"region": "eu"}, "ttl_ms": 60000});
        node.request(Method::PUT, path)
            .header("Content-Type", "application/json")
            .body(body.to_string())
    };
    assert_eq!(status(register("ops")).await, 204);
    answer(register("dev")).await.refused(409, "PS1021");
    assert_eq!(
        node.get(path).await.ok().json()["metadata"],
        json!({"region": "eu"})
    );
    let heartbeat = json!({"owner": "ops", "health": "degraded"});
    assert_eq!(
        status(post(&node, &format!("{path}/heartbeat"), &heartbeat)).await,
        204
    );
    let found = node
        .get("/api/v1/registry/default/default?pattern=mail/*&labels=region=eu")
        .await
        .ok()
        .json();
    assert_eq!(found["entries"][0]["health"], "degraded");
    let none = node
        .get("/api/v1/registry/default/default?labels=region=us")
        .await
        .ok()
        .json();
    assert_eq!(none["entries"], json!([]));
    assert_eq!(node.delete(path).await.status, 204);
    node.delete(path).await.refused(404, "PS1017");

    let group = "/api/v1/groups/default/default/room";
    node.get(&format!("{group}/members"))
        .await
        .refused(404, "PS1017");
    assert_eq!(status(put(&node, group, "")).await, 204);
    answer(put(&node, group, "")).await.refused(409, "PS1021");
    run(
        &node,
        json!([
            ["process_groups.join_group", "room"],
            ["channels.subscribe_to_topic", "news", []]
        ]),
    )
    .await;
    let members = node.get(&format!("{group}/members")).await.ok().json();
    assert_eq!(members, json!({"members": ["program/a"], "cursor": null}));
    let publish = |path: String| node.request(Method::POST, &path).body("hello");
    assert_eq!(
        status(publish(format!("{group}/messages?msg_type=greet"))).await,
        204
    );
    assert_eq!(
        status(publish(
            "/api/v1/topics/default/default/news/messages".into()
        ))
        .await,
        204
    );
    let mut heard = Vec::new();
    let start = std::time::Instant::now();
    while heard.len() < 2 {
        assert!(start.elapsed() < support::PATIENCE, "only {heard:?} came");
        let inbox = run(&node, json!([["inbox"]])).await.remove(0);
        heard.extend(inbox.as_array().expect("a list").clone());
    }
    heard.sort_by_key(Value::to_string);
    assert!(
        heard.iter().all(|message| message[2] == "hello"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn blobs() {
    let home = Home::new();
    let node = home.start();
    node.deploy("program", &guest("program")).await;
    let path = "/api/v1/blobs/default/default/films/a%20b";
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n / 7) as u8).collect();
    let upload = node
        .request(Method::PUT, path)
        .header("Plexspaces-Meta-Lang", "en")
        .body(content.clone());
    let info = answer(upload).await.ok().json();
    assert_eq!(
        (&info["size"], &info["metadata"]),
        (&json!(3_000_000), &json!({"lang": "en"}))
    );
    let whole = node
        .request(Method::GET, path)
        .send()
        .await
        .expect("answered");
    assert_eq!(whole.headers()["plexspaces-meta-lang"], "en");
    assert_eq!(whole.headers()["content-length"], "3000000");
    assert!(
        whole.bytes().await.expect("a body") == content,
        "other bytes came back"
    );
    let ranged = |range: &str| node.request(Method::GET, path).header("Range", range);
    let part = ranged("bytes=1048570-1048585")
        .send()
        .await
        .expect("answered");
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (
            206,
            &"bytes 1048570-1048585/3000000".parse().expect("a header")
        )
    );
    assert_eq!(
        part.bytes().await.expect("a body"),
        content[1_048_570..=1_048_585]
    );
    answer(ranged("bytes=3000000-"))
        .await
        .refused(416, "PS1032");
    let head = node
        .request(Method::HEAD, path)
        .send()
        .await
        .expect("answered");
    assert_eq!(head.headers()["content-length"], "3000000");
    // A guest reads the same blob.
    assert_eq!(
        run(&node, json!([["blob.exists", "films/a b"]])).await,
        [true]
    );

    let copy = "/api/v1/blobs/default/default/copy";
    assert_eq!(
        status(
            node.request(Method::POST, copy)
                .query(&[("copy_from", "films/a b")])
        )
        .await,
        204
    );
    answer(
        node.request(Method::POST, copy)
            .query(&[("copy_from", "none")]),
    )
    .await
    .refused(404, "PS1017");
    assert_eq!(node.delete(path).await.status, 204);
    node.delete(path).await.refused(404, "PS1017");
    let listed = node.get("/api/v1/blobs/default/default").await.ok().json();
    assert_eq!(listed["blobs"][0]["id"], "copy");
    node.kill();
    let node = home.start();
    assert!(
        node.get(copy).await.ok().body == content,
        "the copy is damaged"
    );
    answer(
        node.request(
            Method::PUT,
            &format!("/api/v1/blobs/default/default/{}", "x".repeat(513)),
        )
        .body("x"),
    )
    .await
    .refused(400, "PS1013");
}
