//! A node in the test's own process, on a store that can lose its power.

#![allow(unreachable_pub, dead_code, missing_docs)]

pub mod history;

use bytes::Bytes;
use plexspaces_core::{ActorId, Result, Scope};
use plexspaces_node::{Deploy, Node, Options, Request};
use plexspaces_services::blob::Content;
use plexspaces_services::records::segment;
use plexspaces_services::{journal, scopes};
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::testing::{Lossy, NoGate};
use plexspaces_store::{Key, Order, Store};
use serde_json::Value as Json;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::{JoinHandle, JoinSet};

/// How many nodes live at once in one process: each reserves 40 TB of the 128 that the address space has.
static PLACES: Semaphore = Semaphore::const_new(2);

/// How long a test waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node with a runtime of its own, so that it ends with everything that it does, and the disk below it.
pub struct Machine {
    pub disk: Arc<Lossy>,
    /// How many commits were lost in the crash before its start.
    pub lost: usize,
    /// The bytes of blobs, which no crash loses.
    pub content: Content,
    gate: Gate,
    node: Option<Node>,
    runtime: Option<Runtime>,
    _place: SemaphorePermit<'static>,
}

/// Whether anything leaves the node only when it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    Kept,
    Removed,
}

impl Machine {
    /// A node on an empty disk that writes at once.
    pub async fn new() -> Machine {
        Machine::boot(Lossy::open(Duration::ZERO), Gate::Kept).await
    }

    /// Starts a node on what is on this disk.
    pub async fn boot(disk: Lossy, gate: Gate) -> Machine {
        Machine::boot_with(disk, gate, Content::in_memory()).await
    }

    /// Starts a node on what is on this disk, and these bytes of blobs.
    pub async fn boot_with(disk: Lossy, gate: Gate, content: Content) -> Machine {
        let place = PLACES.acquire().await.expect("never closed");
        let (lost, disk) = (disk.lost(), Arc::new(disk));
        let store: Arc<dyn Store> = match gate {
            Gate::Kept => disk.clone(),
            Gate::Removed => Arc::new(NoGate(disk.clone())),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let began = Instant::now();
        let node = loop {
            let options = Options {
                node_id: "test".into(),
                store: store.clone(),
                blobs: content.clone(),
                // An hour is long for a test.
                collect_after: Duration::ZERO,
                cache: cache(),
            };
            let starting = runtime.spawn(Node::start(options));
            match starting.await.expect("no panic") {
                Ok(node) => break node,
                // A thread of the node before this one may still hold its address space.
                Err(error) if error.message.contains("mmap") && began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => panic!("the node does not start: {error}"),
            }
        };
        Machine {
            disk,
            lost,
            content,
            gate,
            node: Some(node),
            runtime: Some(runtime),
            _place: place,
        }
    }

    /// Turns the power off and on again: what was not flushed may be lost, as `seed` has it.
    pub async fn crash(self, seed: u64) -> Machine {
        let (left, gate, content) = (self.disk.crash(seed), self.gate, self.content.clone());
        drop(self);
        Machine::boot_with(left, gate, content).await
    }

    /// The keys of all rows of a kind that belong to actors, such as mailbox rows, with their actors.
    pub async fn rows(&self, kind: Kind) -> Vec<(ActorId, Key, Bytes)> {
        let mut rows = Vec::new();
        scopes::each_actor_row(
            self.disk.snapshot().as_ref(),
            &scope(),
            kind,
            |key, id, value| {
                rows.push((id, key, value));
                Ok(())
            },
        )
        .await
        .expect("the rows can be read");
        rows
    }

    /// How many rows of a kind there are in the tests' scope.
    pub async fn rows_of(&self, kind: Kind) -> usize {
        let range = Path::scope("default", "default", kind).range();
        let snapshot = self.disk.snapshot();
        let rows = snapshot.scan(range, usize::MAX, Order::Forward).await;
        rows.expect("the rows can be read").len()
    }

    /// How many tuples there are.
    pub async fn tuples(&self) -> usize {
        self.rows_of(Kind::Tuple).await
    }

    /// What an actor has heard: the message types of its finished turns, of which the first, turn 0, has none.
    pub async fn heard(&self, actor: &str) -> Vec<String> {
        let turns = journal::turns(self.disk.snapshot().as_ref(), &id(actor), 0).await;
        let done = |turn: &&journal::Turn| {
            let last = turn
                .segments
                .last()
                .and_then(|segment| segment.end.as_ref());
            matches!(last, Some(segment::End::Done(_)))
        };
        let turns = turns.expect("readable");
        let messages = turns
            .iter()
            .filter(done)
            .map(|turn| turn.segments[0].message.clone());
        messages
            .map(|message| message.expect("a message").msg_type)
            .collect()
    }

    /// Until no message is on its way and no turn waits.
    pub async fn quiet(&self) {
        eventually("all messages are delivered", || async {
            self.rows(Kind::Mailbox).await.is_empty() && self.rows(Kind::Wait).await.is_empty()
        })
        .await;
    }
}

impl Deref for Machine {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node.as_ref().expect("until it is dropped")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let (node, runtime) = (self.node.take(), self.runtime.take());
        let (Some(node), Some(runtime)) = (node, runtime) else {
            return;
        };
        // Nothing that the node does from here on reaches a disk that anybody reads.
        drop(self.disk.crash(0));
        let free = move || {
            // Actors in a turn are dropped with the runtime, those at rest with the node.
            runtime.shutdown_timeout(Duration::from_secs(5));
            drop(node);
        };
        // A runtime cannot be waited for in another one.
        std::thread::spawn(free).join().expect("freed");
    }
}

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

/// The same component with other bytes, as another build would have: a custom section is added that says `version`.
pub fn rebuilt(wasm: &Bytes, version: u8) -> Bytes {
    let name = b"version";
    let mut bytes = wasm.to_vec();
    bytes.extend([0, name.len() as u8 + 2, name.len() as u8]);
    bytes.extend(name);
    bytes.push(version);
    bytes.into()
}

/// Compiled code is shared by all tests: compiling is not what they test.
pub fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/test-cache")
}

pub async fn deploy(node: &Node, guest_name: &str, config: &str) {
    deploy_as(node, guest_name, guest(guest_name), config).await;
}

/// Deploys `wasm` as the application of this name, which has one actor type of this name.
pub async fn deploy_as(node: &Node, name: &str, wasm: Bytes, config: &str) {
    let deploy = Deploy {
        application_id: format!("{name}-app"),
        name: name.to_owned(),
        version: "1".into(),
        wasm,
        config: (!config.is_empty()).then(|| config.to_owned()),
    };
    node.deploy(deploy).await.expect("deployed");
}

pub fn scope() -> Scope {
    Scope::new("default", "default").expect("valid")
}

pub fn id(text: &str) -> ActorId {
    ActorId::parse(&scope(), text).expect("valid")
}

pub fn request(msg_type: &str, payload: impl Into<Bytes>) -> Request {
    Request {
        msg_type: msg_type.into(),
        payload: payload.into(),
        idempotency_key: None,
        timeout: Duration::from_secs(30),
    }
}

/// A request with an id of the caller's.
pub fn keyed(key: &str, msg_type: &str, payload: impl Into<Bytes>) -> Request {
    Request {
        idempotency_key: Some(key.to_owned()),
        ..request(msg_type, payload)
    }
}

pub async fn ask(node: &Node, to: &str, msg_type: &str, payload: &str) -> Result<String> {
    ask_with(node, to, request(msg_type, payload.to_owned())).await
}

pub async fn ask_with(node: &Node, to: &str, request: Request) -> Result<String> {
    let reply = node.ask(&id(to), request).await?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

pub async fn tell(node: &Node, to: &str, msg_type: &str, payload: &str) {
    node.tell(&id(to), request(msg_type, payload.to_owned()))
        .await
        .expect("accepted");
}

/// The count of a `counter`.
pub async fn count(node: &Node, actor: &str) -> i64 {
    let count = ask(node, actor, "get", "").await.expect("counted");
    count.parse().expect("a number")
}

/// Brings it about that counter/callee will not come to its messages for some hundred milliseconds. The caller's ask
/// ends with what is given.
pub async fn callee_is_busy(node: &Machine) -> JoinSet<()> {
    deploy(
        node,
        "misbehave",
        "[actors.misbehave.limits]\nturn_ms = 400\n",
    )
    .await;
    let mut asks = JoinSet::new();
    let caller = Node::clone(node);
    // Whether a reply comes depends on the power.
    asks.spawn(
        async move { drop(ask(&caller, "counter/callee", "ask", "misbehave/busy loop").await) },
    );
    stands_in_a_wait(node, "counter/callee").await;
    asks
}

/// Waits until a turn of the actor waits for another actor, durably.
pub async fn stands_in_a_wait(node: &Machine, actor: &str) {
    eventually("the ask is made", || async {
        let waits = node.rows(Kind::Wait).await;
        waits.iter().any(|(waiting, ..)| *waiting == id(actor))
    })
    .await;
    let durable = node.disk.flushed(node.disk.visible()).await;
    durable.expect("the power is on");
}

/// As [`callee_is_busy`], and counter/asker has added 5 and asked it to add 1.
pub async fn asker_waits(node: &Machine) -> JoinSet<()> {
    let mut asks = callee_is_busy(node).await;
    let caller = Node::clone(node);
    let payload = "5 counter/callee add 1";
    asks.spawn(async move { drop(ask(&caller, "counter/asker", "add_ask", payload).await) });
    stands_in_a_wait(node, "counter/asker").await;
    asks
}

/// Waits until something is so.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Runs calls in one turn of an actor of the guest `program` and gives their results, as its file says.
pub async fn run(node: &Node, actor: &str, calls: Json) -> Result<Vec<Json>> {
    let reply = ask(node, actor, "run", &calls.to_string()).await?;
    Ok(serde_json::from_str(&reply).expect("the program replies with a list"))
}

/// As [`run`], for calls that all succeed: their values.
pub async fn values(node: &Node, actor: &str, calls: Json) -> Vec<Json> {
    let results = run(node, actor, calls.clone())
        .await
        .expect("the turn ends");
    let value = |(result, call): (&Json, &Json)| match result.get("ok") {
        Some(value) => value.clone(),
        None => panic!("{call} gave {result}"),
    };
    let calls = calls.as_array().expect("a list");
    results.iter().zip(calls).map(value).collect()
}

/// As [`run`], for one call that fails: the error's kind.
pub async fn refused(node: &Node, actor: &str, call: Json) -> String {
    let results = run(node, actor, Json::Array(vec![call.clone()])).await;
    let result = &results.expect("the turn ends")[0];
    match result["error"]["code"].as_str() {
        Some(code) => code.trim_start_matches("ErrorCode::").to_owned(),
        None => panic!("{call} gave {result}"),
    }
}

/// A node with the guest `program`.
pub async fn program_node() -> Machine {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    node
}

/// As [`values`], while the test goes on.
pub fn values_later(node: &Machine, actor: &str, calls: Json) -> JoinHandle<Vec<Json>> {
    let (node, actor) = (Node::clone(node), actor.to_owned());
    tokio::spawn(async move { values(&node, &actor, calls).await })
}

/// As [`values`], for one call.
pub async fn value(node: &Node, actor: &str, call: Json) -> Json {
    values(node, actor, Json::Array(vec![call])).await.remove(0)
}
