//! Whatever is sent to a node, it answers with a code that names what was wrong, goes on, and keeps nothing half.

mod support;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::time::Duration;
use support::{Answer, Home, Node, PATIENCE, actor_path, guest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A node with one counter at 1: what must be untouched at the end.
async fn node(home: &Home) -> Node {
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    assert_eq!(node.ask("counter", "add", "1").await.reply(), "1");
    node
}

async fn applications(node: &Node) -> Value {
    node.get("/api/v1/applications").await.ok().json()
}

/// The node goes on; after a crash it is the same again.
async fn unharmed(home: &Home, node: Node, before: &Value) {
    assert_eq!(&applications(&node).await, before);
    assert_eq!(node.ask("counter", "get", "").await.reply(), "1");
    node.get("/readyz").await.ok();
    node.kill();
    let node = home.start();
    assert_eq!(&applications(&node).await, before);
    assert_eq!(node.ask("counter", "get", "").await.reply(), "1");
}

#[track_caller]
fn names(detail: &str, part: &str) {
    assert!(
        detail.to_lowercase().contains(&part.to_lowercase()),
        "{detail:?} does not name {part:?}"
    );
}

/// 400 for a malformed id or a malformed request.
#[track_caller]
fn malformed(answer: &Answer) -> String {
    assert!(
        ["PS1001", "PS1005"].contains(&answer.code().as_str()),
        "{}: {}",
        answer.status,
        answer.text()
    );
    answer.refused(400, &answer.code())
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("valid text")
}

#[tokio::test]
async fn an_upload_that_is_no_actor_is_refused_and_not_kept() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let counter = guest("counter");
    let unknown_import = component(
        r#"(component (import "other:world/thing@1.0.0" (instance (export "f" (func)))))"#,
    );
    let mut damaged = counter.clone();
    damaged
        .iter_mut()
        .skip(counter.len() / 2)
        .take(4096)
        .for_each(|byte| *byte ^= 0x5a);
    for (what, upload, code) in [
        ("empty", Vec::new(), "PS2001"),
        ("text", b"def handle_request(): pass".to_vec(), "PS2001"),
        ("magic only", b"\0asm".to_vec(), "PS2004"),
        ("core module", component("(module)"), "PS2002"),
        ("no handler", component("(component)"), "PS2003"),
        ("another world", unknown_import, "PS2003"),
        (
            "truncated to half",
            counter[..counter.len() / 2].to_vec(),
            "PS2004",
        ),
        (
            "truncated by one byte",
            counter[..counter.len() - 1].to_vec(),
            "PS2004",
        ),
        ("damaged", damaged, "PS2004"),
    ] {
        let answer = node.upload("bad", "bad", "1", &upload, None).await;
        println!("{what}: {}", answer.text());
        let detail = answer.refused(400, code);
        assert!(detail.len() > 10, "{what}: {detail}");
        // An application that is there stays as it is.
        node.upload("counter", "counter", "2", &upload, None)
            .await
            .refused(400, code);
    }
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn an_import_that_nobody_has_is_named() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    // An actor of a later contract: an interface with a name of the same length takes the place of a known one.
    let other = replaced(
        &guest("counter"),
        b"actor/tuplespace@",
        b"actor/telepathic@",
    );
    let detail = node
        .upload("bad", "bad", "1", &other, None)
        .await
        .refused(400, "PS2003");
    names(&detail, "plexspaces:actor/telepathic@0.1.0");
    unharmed(&home, node, &before).await;
}

/// Every `old` becomes `new`.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let mut bytes = bytes.to_vec();
    let found: Vec<_> = bytes
        .windows(old.len())
        .enumerate()
        .filter(|(_, window)| *window == old)
        .map(|(at, _)| at)
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

#[tokio::test]
async fn a_form_that_lacks_something_is_refused() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let wasm = || Part::bytes(guest("counter")).file_name("a.wasm");
    let text = |name: &str| Form::new().text("application_id", name.to_owned());
    for (missing, form) in [
        (
            "application_id",
            Form::new()
                .text("name", "x")
                .text("version", "1")
                .part("wasm_file", wasm()),
        ),
        (
            "name",
            text("x").text("version", "1").part("wasm_file", wasm()),
        ),
        (
            "wasm_file",
            text("x").text("name", "x").text("version", "1"),
        ),
    ] {
        names(
            &node.upload_form(form).await.refused(400, "PS1005"),
            missing,
        );
    }
    let form = text("x")
        .text("name", "x")
        .text("version", "1")
        .part("wasm_file", wasm())
        .text("colour", "red");
    names(
        &node.upload_form(form).await.refused(400, "PS1005"),
        "colour",
    );
    let no_form = node
        .request(Method::POST, "/api/v1/applications/deploy")
        .body("hello");
    Answer::of(no_form).await.refused(400, "PS1005");
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn a_config_with_a_mistake_is_refused() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let counter = guest("counter");
    for (config, part) in [
        ("colour = 1", "colour"),
        ("[actors.bad]\ndurabel = true", "durabel"),
        ("[actors.bad.limits]\nturn_mss = 1", "turn_mss"),
        ("[actors.bad.limits]\nturn_ms = 0", "turn_ms"),
        ("[actors.bad.limits]\nmemory_bytes = 1", "memory_bytes"),
        ("[actors.bad]\ncheckpoint_turns = -1", "checkpoint_turns"),
        ("tenant = ", "line 1"),
    ] {
        let answer = node.upload("bad", "bad", "1", &counter, Some(config)).await;
        names(&answer.refused(400, "PS2006"), part);
    }
    for config in ["tenant = \"a/b\"", "namespace = \"\"", "[actors.\"a b\"]"] {
        node.upload("bad", "bad", "1", &counter, Some(config))
            .await
            .refused(400, "PS1001");
    }
    let form = Form::new()
        .text("application_id", "bad")
        .text("name", "bad")
        .text("version", "1")
        .part("wasm_file", Part::bytes(counter).file_name("a.wasm"))
        .part("config", Part::bytes(b"tenant = \"\xff\xfe\"".to_vec()));
    let answer = node.upload_form(form).await;
    assert!(
        ["PS1005", "PS2006"].contains(&answer.code().as_str()),
        "{}",
        answer.text()
    );
    answer.refused(400, &answer.code());
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn a_malformed_id_is_refused() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let counter = guest("counter");
    for bad in ["a/b", "a b", "", "$timer", "ä", "..\0", &"x".repeat(65)] {
        node.upload(bad, "fine", "1", &counter, None)
            .await
            .refused(400, "PS1001");
        node.upload("fine", bad, "1", &counter, None)
            .await
            .refused(400, "PS1001");
    }
    for (path, part) in [
        ("default/default/coun%2Fter", "actor type"),
        ("default/default/coun%20ter", "actor type"),
        ("default/default/counter/a%2Fb", "actor key"),
        ("default/default/counter/a%0Ab", "actor key"),
        ("default/default/counter/a/b", "5 parts"),
        ("default/default", "actor type"),
        ("a%2Fb/default/counter", "tenant"),
        ("default/a%2Fb/counter", "namespace"),
        ("default/default/$timer", "actor type"),
    ] {
        let request = node
            .request(Method::POST, &format!("/api/v1/actors/{path}"))
            .body("");
        names(&Answer::of(request).await.refused(400, "PS1001"), part);
    }
    let long = format!("counter/{}", "k".repeat(257));
    node.ask(&long, "get", "").await.refused(400, "PS1001");
    // Invalid UTF-8, in paths and in forms.
    for path in [
        "default/default/counter/%ff",
        "default/default/%c3%28",
        "%ff/default/counter",
        "default/%ff/counter",
    ] {
        malformed(
            &Answer::of(
                node.request(Method::POST, &format!("/api/v1/actors/{path}"))
                    .body(""),
            )
            .await,
        );
        malformed(&node.get(&format!("/api/v1/actors/{path}")).await);
    }
    malformed(&node.get("/api/v1/applications/%ff").await);
    malformed(&node.delete("/api/v1/applications/%ff").await);
    let form = Form::new()
        .part("application_id", Part::bytes(b"\xff\xfe".to_vec()))
        .text("name", "fine")
        .text("version", "1")
        .part("wasm_file", Part::bytes(counter).file_name("a.wasm"));
    malformed(&node.upload_form(form).await);
    // The key and the message type of a request.
    let request = node
        .message("counter", "add", "1")
        .header("Idempotency-Key", "k".repeat(257));
    Answer::of(request).await.refused(400, "PS1005");
    let request = node
        .message("counter", "add", "1")
        .header("Idempotency-Key", "");
    Answer::of(request).await.refused(400, "PS1005");
    let request = node
        .message("counter", "add", "1")
        .query(&[("mode", "shout")]);
    names(&Answer::of(request).await.refused(400, "PS1005"), "shout");
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    names(
        &node.ask("nobody", "get", "").await.refused(404, "PS1002"),
        "nobody",
    );
    names(
        &node.tell("nobody", "get", "").await.refused(404, "PS1002"),
        "nobody",
    );
    let elsewhere = node
        .request(Method::POST, "/api/v1/actors/default/elsewhere/counter")
        .body("");
    Answer::of(elsewhere).await.refused(404, "PS1002");
    names(
        &node
            .get("/api/v1/applications/nothing")
            .await
            .refused(404, "PS1003"),
        "nothing",
    );
    names(
        &node
            .delete("/api/v1/applications/nothing")
            .await
            .refused(404, "PS1003"),
        "nothing",
    );
    node.get("/api/v1/nowhere").await.refused(404, "PS1015");
    node.get("/").await.refused(404, "PS1015");
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn an_actor_type_has_one_application() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let answer = node
        .upload("thief", "counter", "1", &guest("counter"), None)
        .await;
    names(&answer.refused(409, "PS2007"), "counter");
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let home = Home::new();
    let node = node(&home).await;
    node.deploy_with(
        "echo",
        &guest("ephemeral_echo"),
        "[actors.echo]\n[actors.echo.limits]\nmessage_bytes = 1000\n",
    )
    .await;
    let before = applications(&node).await;
    assert_eq!(
        node.ask("echo", "call", vec![b'x'; 1000])
            .await
            .ok()
            .body
            .len(),
        1000
    );
    names(
        &node
            .ask("echo", "call", vec![b'x'; 1001])
            .await
            .refused(413, "PS1004"),
        "1000",
    );
    node.tell("echo", "call", vec![b'x'; 1001])
        .await
        .refused(413, "PS1004");
    node.ask("counter", "get", vec![b'1'; (4 << 20) + 1])
        .await
        .refused(413, "PS1004");
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n",
        actor_path("counter"),
        1u64 << 40
    );
    let answer = stream(&node, &head).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("PS1004"),
        "{answer}"
    );
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn an_endless_upload_is_refused() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let answer = stream(&node, &deploy_head(1 << 40)).await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("PS2005"),
        "{answer}"
    );
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    let counter = guest("counter");

    // The connection ends in the middle of the file.
    for sent in [0, 1, counter.len() / 2, counter.len()] {
        let mut connection = TcpStream::connect(node.address())
            .await
            .expect("the node listens");
        connection
            .write_all(deploy_head(counter.len() + 1000).as_bytes())
            .await
            .expect("the head is taken");
        connection
            .write_all(&counter[..sent])
            .await
            .expect("the start is taken");
        connection.shutdown().await.expect("the end is taken");
        // Either an answer or the end, but no success.
        let answer = read_all(&mut connection).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }

    // The request is whole, and the form in it is not.
    let mut connection = TcpStream::connect(node.address())
        .await
        .expect("the node listens");
    let form = form_head();
    let size = form.len() + counter.len();
    let head = format!(
        "{}Content-Length: {size}\r\nConnection: close\r\n\r\n{form}",
        request_head()
    );
    connection
        .write_all(head.as_bytes())
        .await
        .expect("the head is taken");
    connection
        .write_all(&counter)
        .await
        .expect("the file is taken");
    let answer = read_all(&mut connection).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("PS1005"),
        "{answer}"
    );
    unharmed(&home, node, &before).await;
}

#[tokio::test]
async fn garbage_instead_of_http_harms_nobody() {
    let home = Home::new();
    let node = node(&home).await;
    let before = applications(&node).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(node.address())
            .await
            .expect("the node listens");
        connection.write_all(garbage).await.expect("it is taken");
        connection.shutdown().await.expect("the end is taken");
        let answer = read_all(&mut connection).await;
        assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
    unharmed(&home, node, &before).await;
}

fn request_head() -> &'static str {
    "POST /api/v1/applications/deploy HTTP/1.1\r\nHost: t\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
}

/// A form up to the start of the file's bytes.
fn form_head() -> String {
    let mut form = String::new();
    for (name, value) in [
        ("application_id", "half"),
        ("name", "half"),
        ("version", "1"),
    ] {
        form += &format!(
            "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    form + "--edge\r\nContent-Disposition: form-data; name=\"wasm_file\"; filename=\"a.wasm\"\r\n\r\n"
}

/// A deployment whose file has `size` bytes, up to the start of these.
fn deploy_head(size: usize) -> String {
    let form = form_head();
    format!(
        "{}Content-Length: {}\r\n\r\n{form}",
        request_head(),
        form.len() + size
    )
}

/// Sends the head and then bytes until the node answers; it must not take them for ever.
async fn stream(node: &Node, head: &str) -> String {
    const ENOUGH: usize = 2 << 30;
    let connection = TcpStream::connect(node.address())
        .await
        .expect("the node listens");
    let (mut from, mut to) = connection.into_split();
    to.write_all(head.as_bytes())
        .await
        .expect("the head is taken");
    let feed = tokio::spawn(async move {
        let block = vec![b'x'; 1 << 20];
        let mut sent = 0;
        while sent < ENOUGH && to.write_all(&block).await.is_ok() {
            sent += block.len();
        }
        (to, sent)
    });
    let answer = read_answer(&mut from).await;
    feed.abort();
    answer
}

/// Reads one answer with a short body, and does not wait for the connection's end.
async fn read_answer(from: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = Vec::new();
    let read = async {
        let mut block = [0; 4096];
        while !String::from_utf8_lossy(&text).contains("}") {
            match from.read(&mut block).await {
                Ok(0) | Err(_) => break,
                Ok(size) => text.extend_from_slice(&block[..size]),
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, read).await;
    String::from_utf8_lossy(&text).into_owned()
}

async fn read_all(connection: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), connection.read_to_end(&mut text))
        .await
        .expect("it ends");
    String::from_utf8_lossy(&text).into_owned()
}
