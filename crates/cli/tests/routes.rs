//! The HTTP interface, route by route: methods, statuses, headers, bodies.

mod support;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use support::{Answer, Home, Node, actor_path, guest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn node(home: &Home) -> Node {
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    node.deploy("echo", &guest("misbehave")).await;
    node
}

async fn status(request: RequestBuilder) -> u16 {
    Answer::of(request).await.status
}

#[tokio::test]
async fn health_and_the_node() {
    let home = Home::new();
    let node = node(&home).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(node.get(path).await.status, 200, "{path}");
        assert_eq!(
            status(node.request(Method::HEAD, path)).await,
            200,
            "{path}"
        );
    }
    let stats = node.get("/api/v1/node").await.ok();
    assert_eq!(stats.content_type, "application/json");
    assert_eq!(stats.json()["node_id"], "t");
    assert_eq!(stats.json()["applications"], 2);
}

#[tokio::test]
async fn applications_are_shown_and_deleted() {
    let home = Home::new();
    let node = node(&home).await;
    let all = node.get("/api/v1/applications").await.ok().json();
    assert_eq!(all["applications"].as_array().map(Vec::len), Some(2));
    let one = node.get("/api/v1/applications/counter").await.ok().json();
    assert_eq!(one, all["applications"][0]);
    assert_eq!(one["application_id"], "counter");
    assert_eq!(one["actor_types"][0]["name"], "counter");

    assert_eq!(node.ask("counter/a", "add", "3").await.number(), 3);
    let deleted = node.delete("/api/v1/applications/counter").await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    node.delete("/api/v1/applications/counter")
        .await
        .refused(404, "PS1003");
    node.get("/api/v1/applications/counter")
        .await
        .refused(404, "PS1003");
    node.ask("counter/a", "get", "")
        .await
        .refused(404, "PS1002");
    node.deploy("counter", &guest("counter")).await;
    assert_eq!(node.ask("counter/a", "get", "").await.number(), 3);
}

#[tokio::test]
async fn a_tell_is_accepted_once_durable() {
    let home = Home::new();
    let node = node(&home).await;
    let tell = |payload: &str| {
        node.message("counter/a", "add", payload)
            .query(&[("mode", "tell")])
    };
    let accepted = Answer::of(tell("5")).await;
    assert_eq!(
        (accepted.status, accepted.json()),
        (202, json!({"accepted": true}))
    );
    for _ in 0..2 {
        let once = tell("7").header("Idempotency-Key", "k");
        assert_eq!(status(once).await, 202);
    }
    let other = tell("8").header("Idempotency-Key", "k");
    Answer::of(other).await.refused(422, "PS1006");
    node.kill();
    let node = home.start();
    support::eventually("both have arrived", || async {
        (node.ask("counter/a", "get", "").await.number() == 12).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_get_asks_with_its_query_as_json() {
    let home = Home::new();
    let node = node(&home).await;
    let ask = async |query: &str| {
        let path = format!("{}?{query}", actor_path("echo/e"));
        node.get(&path).await
    };
    for (query, payload) in [
        ("msg_type=echo", json!({})),
        (
            "msg_type=echo&b=2&a=x+y%2B%C3%A9&c",
            json!({"a": "x y+é", "b": "2", "c": ""}),
        ),
        (
            "timeout_ms=5000&mode=ask&msg_type=echo&a=%7B%22",
            json!({"a": "{\""}),
        ),
    ] {
        let answer = ask(query).await.ok();
        assert_eq!(answer.content_type, "application/json");
        assert_eq!(answer.json(), payload, "{query}");
    }
    ask("msg_type=echo&a=1&a=2").await.refused(400, "PS1005");
    ask("msg_type=echo&a=%ff").await.refused(400, "PS1005");
    ask("msg_type=echo&timeout_ms=0")
        .await
        .refused(400, "PS1005");
    // With `mode=tell` it is accepted and not answered.
    let path = format!("{}?msg_type=get&mode=tell", actor_path("counter/g"));
    assert_eq!(node.get(&path).await.status, 202);
}

#[tokio::test]
async fn the_message_type_comes_from_the_query_or_the_header() {
    let home = Home::new();
    let node = node(&home).await;
    let path = actor_path("counter/t");
    let post = |query: &str| {
        node.request(Method::POST, &format!("{path}{query}"))
            .body("2")
    };
    let header =
        |request: RequestBuilder, value: &[u8]| request.header("plexspaces-message-type", value);
    assert_eq!(Answer::of(post("?msg_type=add")).await.number(), 2);
    assert_eq!(Answer::of(header(post(""), b"add")).await.number(), 4);
    // The query goes first. Without both it is a `call`, which this guest does not know.
    assert_eq!(
        Answer::of(header(post("?msg_type=add"), b"get"))
            .await
            .number(),
        6
    );
    let detail = Answer::of(post("")).await.refused(400, "PS3001");
    assert!(detail.contains("\"call\""), "{detail}");
    for bad in [&b""[..], b"$timer", b"\xff\xfe", "x".repeat(129).as_bytes()] {
        Answer::of(header(post(""), bad))
            .await
            .refused(400, "PS1005");
    }
    Answer::of(post("?msg_type=add&colour=red"))
        .await
        .refused(400, "PS1005");
    assert_eq!(node.ask("counter/t", "get", "").await.number(), 6);
}

#[tokio::test]
async fn replies_are_typed_by_what_they_are() {
    let home = Home::new();
    let node = node(&home).await;
    for (payload, content_type) in [
        (&b"{\"a\": 1}"[..], "application/json"),
        (b"17", "application/json"),
        (b"{\"a\": 1", "text/plain; charset=utf-8"),
        (b"\xff\x00", "application/octet-stream"),
    ] {
        let answer = node.ask("echo", "echo", payload).await.ok();
        assert_eq!(
            (answer.content_type.as_str(), &answer.body[..]),
            (content_type, payload)
        );
    }
}

#[tokio::test]
async fn a_guests_error_is_a_problem_with_its_kind() {
    let home = Home::new();
    let node = node(&home).await;
    for (kind, status) in [
        ("invalid-argument", 400),
        ("permission-denied", 403),
        ("not-found", 404),
        ("conflict", 409),
        ("failed-precondition", 412),
        ("resource-exhausted", 429),
        ("internal", 500),
        ("unavailable", 503),
        ("timeout", 504),
    ] {
        let answer = node.ask("echo", "error", kind).await;
        answer.refused(status, "PS3001");
        let problem: Value = answer.json();
        assert_eq!(problem["kind"], kind);
        assert_eq!(problem["type"], "urn:plexspaces:PS3001");
        assert_eq!(problem["details"], json!({"guest": "misbehave"}));
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_told_which_there_are() {
    let home = Home::new();
    let node = node(&home).await;
    let actor = actor_path("counter/m");
    for (path, allowed) in [
        ("/healthz", &["GET", "HEAD"][..]),
        ("/readyz", &["GET", "HEAD"]),
        ("/api/v1/node", &["GET", "HEAD"]),
        ("/api/v1/applications", &["GET", "HEAD"]),
        ("/api/v1/applications/counter", &["GET", "HEAD", "DELETE"]),
        ("/api/v1/applications/deploy", &["POST"]),
        (&actor, &["GET", "POST"]),
    ] {
        for method in [
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW",
        ] {
            if allowed.contains(&method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let response = node
                .request(method.clone(), path)
                .send()
                .await
                .expect("an answer");
            assert_eq!(response.status(), 405, "{method} {path}");
            let allow = response.headers()["allow"]
                .to_str()
                .expect("ASCII")
                .to_owned();
            let named: Vec<_> = allow.split(',').map(str::trim).collect();
            assert_eq!(named, allowed, "{method} {path}");
        }
    }
    let problem = Answer::of(node.request(Method::PUT, &actor)).await;
    problem.refused(405, "PS1015");
    for nowhere in [
        "/",
        "/api",
        "/api/v1/actors",
        "/api/v1/applications/",
        "//healthz",
        "/healthz/x",
    ] {
        node.get(nowhere).await.refused(404, "PS1015");
    }
}

/// Sends bytes as they are and reads the answer's first line.
async fn raw(node: &Node, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(node.address())
        .await
        .expect("it listens");
    // A server that refuses a head may do so before it has read all of it.
    let _ = connection.write_all(request).await;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn heads_that_are_too_large_or_broken_are_refused() {
    let home = Home::new();
    let node = node(&home).await;
    let get =
        |head: &str| format!("GET /healthz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{head}\r\n");
    let large = "x".repeat(1 << 20);
    for (what, request, status) in [
        ("a plain one", get(""), "200"),
        (
            "a large header",
            get(&format!("X-Large: {large}\r\n")),
            "431",
        ),
        ("many headers", get(&"X-Many: x\r\n".repeat(1000)), "431"),
        (
            "a long path",
            get("").replace("/healthz", &format!("/{large}")),
            "4",
        ),
        (
            "a length that is no number",
            get("Content-Length: abc\r\n"),
            "400",
        ),
        (
            "two lengths",
            get("Content-Length: 1\r\nContent-Length: 2\r\n"),
            "400",
        ),
        ("a header without a name", get(": x\r\n"), "400"),
        (
            "a space in the path",
            get("").replace("/healthz", "/a b"),
            "400",
        ),
    ] {
        let line = raw(&node, request.as_bytes()).await;
        assert!(
            line.starts_with(&format!("HTTP/1.1 {status}")),
            "{what}: {line:?}"
        );
    }
    assert_eq!(node.get("/healthz").await.status, 200);
    assert_eq!(node.ask("counter", "get", "").await.number(), 0);
}
