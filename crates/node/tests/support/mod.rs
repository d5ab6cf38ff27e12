//! A node in the test's own process, over any store.

#![allow(unreachable_pub, dead_code, missing_docs)]

use bytes::Bytes;
use plexspaces_core::{ActorId, Result, Scope};
use plexspaces_node::{Deploy, Node, Options, Request};
use plexspaces_store::Store;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A prebuilt component of `tests/guests` or `examples`.
pub fn guest(name: &str) -> Bytes {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/guests")
        .join(format!("{name}.wasm"));
    match std::fs::read(&path) {
        Ok(bytes) => bytes.into(),
        Err(e) => panic!("{}: {e}; run `make guests`", path.display()),
    }
}

/// Compiled code is shared by all tests: compiling is not what they test.
pub fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/test-cache")
}

pub async fn start(store: Arc<dyn Store>) -> Node {
    Node::start(Options {
        node_id: "test".into(),
        store,
        cache: cache(),
    })
    .await
    .expect("the node starts")
}

pub async fn deploy(node: &Node, guest_name: &str, config: &str) {
    let deploy = Deploy {
        application_id: format!("{guest_name}-app"),
        name: guest_name.to_owned(),
        version: "1".into(),
        wasm: guest(guest_name),
        config: (!config.is_empty()).then(|| config.to_owned()),
    };
    node.deploy(deploy).await.expect("deployed");
}

pub fn id(text: &str) -> ActorId {
    ActorId::parse(&Scope::new("default", "default").expect("valid"), text).expect("valid")
}

pub fn request(msg_type: &str, payload: impl Into<Bytes>) -> Request {
    Request {
        msg_type: msg_type.into(),
        payload: payload.into(),
        idempotency_key: None,
        timeout: Duration::from_secs(30),
    }
}

pub async fn ask(node: &Node, to: &str, msg_type: &str, payload: &str) -> Result<String> {
    let reply = node
        .ask(&id(to), request(msg_type, payload.to_owned()))
        .await?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
