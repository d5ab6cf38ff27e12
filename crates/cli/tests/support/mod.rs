//! What the end-to-end tests share: a folder for a node, the node's process, and a client that talks HTTP to it.
//!
//! The process is the real binary. It is killed with SIGKILL unless a test asks for an orderly stop, so nearly every
//! restart is a recovery from a crash.

#![allow(dead_code)] // each test uses a part of it

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take that is not measured: a start, an answer, the quiet after a load.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const READY: &str = "listening on ";

/// A prebuilt guest, by the name of its file in `target/guests`.
pub(crate) fn guest_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/guests")
        .join(format!("{name}.wasm"))
}

/// Its bytes.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let path = guest_path(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make guests`", path.display()))
}

/// The same component with a custom section more: another module for the node, which does the same.
pub(crate) fn variant(component: &[u8], note: &str) -> Vec<u8> {
    let name = b"variant";
    let size = u8::try_from(1 + name.len() + note.len()).expect("a short note");
    assert!(size < 0x80, "a size of one LEB128 byte");
    let mut bytes = component.to_vec();
    bytes.extend([0, size, 7]);
    bytes.extend(name);
    bytes.extend(note.as_bytes());
    bytes
}

/// Where a node keeps its data and its log; the node's processes come and go.
pub(crate) struct Home {
    folder: TempDir,
    /// `--store`, if it is given.
    store: Option<&'static str>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Home {
            folder: tempfile::tempdir().expect("a temporary folder"),
            store: None,
        }
    }

    /// A home for nodes with this store.
    pub(crate) fn of(store: &'static str) -> Self {
        Home {
            store: Some(store),
            ..Home::new()
        }
    }

    /// A home whose compiled code is that of all warm homes, of earlier runs, too: Python compiles for seconds.
    pub(crate) fn warm() -> Self {
        let home = Home::new();
        home.warm_up();
        home
    }

    /// Makes this home a warm one.
    pub(crate) fn warm_up(&self) {
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
        fs::create_dir_all(&shared)
            .and_then(|()| fs::create_dir_all(self.data()))
            .expect("folders can be made");
        std::os::unix::fs::symlink(shared, self.data().join("cache")).expect("a link can be made");
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    /// Starts a node here and waits until it listens.
    pub(crate) fn start(&self) -> Node {
        self.listening(self.command())
    }

    /// Starts this command, a node's, and waits until it listens.
    pub(crate) fn listening(&self, command: Command) -> Node {
        self.try_start(command)
            .unwrap_or_else(|status| panic!("the node does not listen: {status}"))
    }

    /// Starts this command, a node's, and waits until it listens or ends.
    pub(crate) fn try_start(&self, command: Command) -> Result<Node, ExitStatus> {
        let mut node = self.run(command);
        let stdout = BufReader::new(node.child.stdout.take().expect("stdout is piped"));
        let (tell, told) = mpsc::channel();
        // It reads to the end, so that the node never waits for a reader.
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once(READY) {
                    let _ = tell.send(url.trim().trim_end_matches('/').to_owned());
                }
            }
        });
        match told.recv_timeout(PATIENCE) {
            Ok(url) => {
                node.api.url = url;
                Ok(node)
            }
            Err(RecvTimeoutError::Disconnected) => Err(node.wait()),
            Err(RecvTimeoutError::Timeout) => panic!("the node neither listens nor ends"),
        }
    }

    /// Starts a node here and gives it before it listens: to be killed in the middle of its start.
    pub(crate) fn spawn(&self) -> Node {
        self.run(self.command())
    }

    /// Runs this command, a node's, which must refuse to start: it ends with 1 and this code. Gives what it said.
    #[track_caller]
    pub(crate) fn refused(&self, mut command: Command, code: &str) -> String {
        let output = command
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("error {code}: ")), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// How a node is started here: the binary and its arguments.
    pub(crate) fn command(&self) -> Command {
        self.command_at("127.0.0.1:0")
    }

    /// How a node is started here that shall listen at an address.
    pub(crate) fn command_at(&self, address: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plexspaces"));
        command
            .args(["start", "--node-id", "t", "--http-addr", address])
            .arg("--data-dir")
            .arg(self.data())
            // Not what the one who runs the tests prefers.
            .env_remove("PLEXSPACES_STORE");
        if let Some(store) = self.store {
            command.args(["--store", store]);
        }
        command
    }

    fn run(&self, mut command: Command) -> Node {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("the log can be written");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        Node {
            child,
            api: Api::default(),
            log: self.log(),
        }
    }
}

/// A running node. Dropping it kills it; when a test fails, the end of its log is shown.
pub(crate) struct Node {
    child: Child,
    api: Api,
    log: PathBuf,
}

impl Node {
    /// A client for it, which outlives it.
    pub(crate) fn api(&self) -> Api {
        self.api.clone()
    }

    /// SIGKILL, and the process is gone on return.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, and the process is gone on return.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal();
        self.wait()
    }

    /// SIGTERM.
    pub(crate) fn signal(&self) {
        let told = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(told.expect("there is kill").success());
    }

    /// Waits until the process ends by itself.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.wait()
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process is ours") {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the node does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::ops::Deref for Node {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.child.try_wait();
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the node ({state:?}), end of its log ---\n{end}\n---");
        }
        self.end();
    }
}

/// A client of one node.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) url: String,
    client: Client,
}

impl Default for Api {
    fn default() -> Self {
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        Api {
            url: String::new(),
            client,
        }
    }
}

impl Api {
    /// The same client for a node that is elsewhere now.
    pub(crate) fn at(&self, url: &str) -> Self {
        Api {
            url: url.to_owned(),
            client: self.client.clone(),
        }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A request to a path such as `/healthz`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Asks `type` or `type/key` in the default tenant and namespace.
    pub(crate) async fn ask(
        &self,
        actor: &str,
        msg_type: &str,
        payload: impl Into<Vec<u8>>,
    ) -> Answer {
        Answer::of(self.message(actor, msg_type, payload)).await
    }

    /// Asks a calculator: JSON in, JSON out.
    pub(crate) async fn call(&self, actor: &str, request: Value) -> Value {
        self.ask(actor, "call", request.to_string())
            .await
            .ok()
            .json()
    }

    /// Asks with an idempotency key.
    pub(crate) async fn ask_once(
        &self,
        key: &str,
        actor: &str,
        msg_type: &str,
        payload: &str,
    ) -> Answer {
        Answer::of(
            self.message(actor, msg_type, payload)
                .header("Idempotency-Key", key),
        )
        .await
    }

    /// Sends without waiting for the turn.
    pub(crate) async fn tell(
        &self,
        actor: &str,
        msg_type: &str,
        payload: impl Into<Vec<u8>>,
    ) -> Answer {
        Answer::of(
            self.message(actor, msg_type, payload)
                .query(&[("mode", "tell")]),
        )
        .await
    }

    /// The request of [`Api::ask`].
    pub(crate) fn message(
        &self,
        actor: &str,
        msg_type: &str,
        payload: impl Into<Vec<u8>>,
    ) -> RequestBuilder {
        self.request(Method::POST, &actor_path(actor))
            .header("Plexspaces-Message-Type", msg_type)
            .body(payload.into())
    }

    /// Deploys a guest as the application and actor type `name`.
    pub(crate) async fn deploy(&self, name: &str, component: &[u8]) {
        self.upload(name, name, "1.0.0", component, None).await.ok();
    }

    /// Deploys with a config.
    pub(crate) async fn deploy_with(&self, name: &str, component: &[u8], config: &str) {
        self.upload(name, name, "1.0.0", component, Some(config))
            .await
            .ok();
    }

    /// Uploads an application.
    pub(crate) async fn upload(
        &self,
        id: &str,
        name: &str,
        version: &str,
        component: &[u8],
        config: Option<&str>,
    ) -> Answer {
        let wasm = Part::bytes(component.to_vec()).file_name("actor.wasm");
        let mut form = Form::new()
            .text("application_id", id.to_owned())
            .text("name", name.to_owned())
            .text("version", version.to_owned())
            .part("wasm_file", wasm);
        if let Some(config) = config {
            form = form.text("config", config.to_owned());
        }
        self.upload_form(form).await
    }

    /// Uploads any form.
    pub(crate) async fn upload_form(&self, form: Form) -> Answer {
        Answer::of(
            self.request(Method::POST, "/api/v1/applications/deploy")
                .multipart(form),
        )
        .await
    }

    /// How many modules the node's process has compiled.
    pub(crate) async fn modules_compiled(&self) -> u64 {
        self.figure("modules_compiled").await
    }

    /// How many turns the node's process has begun.
    pub(crate) async fn turns(&self) -> u64 {
        self.figure("turns").await
    }

    async fn figure(&self, name: &str) -> u64 {
        let node = self.get("/api/v1/node").await.ok().json();
        node[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no {name} in {node}"))
    }
}

/// The path of `type` or `type/key` in the default tenant and namespace.
pub(crate) fn actor_path(actor: &str) -> String {
    format!("/api/v1/actors/default/default/{actor}")
}

/// What the node answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Sends the request; a node that does not answer is a failed test.
    pub(crate) async fn of(request: RequestBuilder) -> Answer {
        Answer::try_of(request)
            .await
            .unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// Sends the request to a node that may be killed meanwhile.
    pub(crate) async fn try_of(request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type");
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok(Answer {
            status,
            content_type,
            body: response.bytes().await?.to_vec(),
        })
    }

    /// Any success.
    #[track_caller]
    pub(crate) fn ok(self) -> Answer {
        assert!(
            (200..300).contains(&self.status),
            "{}: {}",
            self.status,
            self.text()
        );
        self
    }

    /// The text of a success.
    #[track_caller]
    pub(crate) fn reply(self) -> String {
        self.ok().text()
    }

    /// The number in a success.
    #[track_caller]
    pub(crate) fn number(self) -> i64 {
        let text = self.reply();
        text.parse()
            .unwrap_or_else(|_| panic!("{text:?} is no number"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of an error, or "".
    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// An error with this status and this code, told as problem+json; gives the sentence for people.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{}",
            self.text()
        );
        self.problem()
    }

    /// An error with this code, whatever the status.
    #[track_caller]
    pub(crate) fn failed(&self, code: &str) -> String {
        assert_eq!(self.code(), code, "{}: {}", self.status, self.text());
        self.problem()
    }

    #[track_caller]
    fn problem(&self) -> String {
        assert!(self.status >= 400, "{}: {}", self.status, self.text());
        assert!(
            self.content_type.starts_with("application/problem+json"),
            "{}",
            self.content_type
        );
        let body = self.json();
        assert_eq!(body["status"], self.status, "{body}");
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "no detail in {body}");
        detail.to_owned()
    }
}

/// Asks `look` until it gives something; `what` is missing when patience ends.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The processor time that a process has used.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name, in parentheses, may have anything in it.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number of ticks"))
        .sum();
    // Linux tells user space 100 ticks a second on every machine.
    Duration::from_millis(ticks * 10)
}

/// The memory that a process holds, in KiB.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    let status = File::open(format!("/proc/{pid}/status")).expect("the process runs");
    let lines = BufReader::new(status).lines().map_while(Result::ok);
    let line = lines
        .into_iter()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a resident size");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number of KiB")
}
