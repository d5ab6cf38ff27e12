//! A server as a process of its own: a node, or the raw HTTP server that it is compared with.

use super::{Plan, Subject};
use crate::client::Client;
use anyhow::{Context as _, Result, bail};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// The two servers that cases share, each started when the first case needs it.
pub(crate) struct Servers {
    folder: PathBuf,
    subjects: Vec<Subject>,
    deployed: bool,
    node: Option<Server>,
    raw: Option<Server>,
}

impl Servers {
    pub(crate) fn new(plan: &Plan) -> Self {
        Servers {
            folder: plan.folder.join("node"),
            subjects: plan.subjects.clone(),
            deployed: false,
            node: None,
            raw: None,
        }
    }

    /// The raw HTTP server's address.
    pub(crate) async fn raw(&mut self) -> Result<SocketAddr> {
        if self.raw.is_none() {
            self.raw = Some(Server::raw_http().await?);
        }
        Ok(self.raw.as_ref().expect("just started").address)
    }

    /// The node with all subjects deployed.
    pub(crate) async fn node(&mut self) -> Result<&Server> {
        if self.node.is_none() {
            self.node = Some(Server::node(&self.folder).await?);
        }
        let node = self.node.as_ref().expect("just started");
        if !self.deployed {
            for subject in &self.subjects {
                node.deploy(subject).await?;
            }
            self.deployed = true;
        }
        Ok(node)
    }

    /// Stops the node, and gives the folder that it can be started on again.
    pub(crate) async fn stop_node(&mut self) -> Result<PathBuf> {
        self.node().await?;
        if let Some(node) = self.node.take() {
            node.kill().await?;
        }
        Ok(self.folder.clone())
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// When the process was started.
    pub(crate) started: Instant,
}

impl Server {
    /// A node on `folder`.
    pub(crate) async fn node(folder: &Path) -> Result<Self> {
        let mut command = this()?;
        command.args(["start", "--node-id", "bench", "--http-addr", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(folder);
        Server::start(command).await
    }

    /// The raw HTTP server.
    pub(crate) async fn raw_http() -> Result<Self> {
        let mut command = this()?;
        command.arg(super::floor::http::COMMAND);
        Server::start(command).await
    }

    async fn start(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start another plexspaces process")?;
        let stdout = child.stdout.take().context("the process has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(START, lines.next_line())
            .await
            .context("the server does not start")??
            .unwrap_or_default();
        let Some(address) = line.strip_prefix("listening on http://") else {
            bail!("the server did not start, its log is above");
        };
        Ok(Server {
            address: address.parse()?,
            child,
            started,
        })
    }

    /// Deploys a component under test.
    pub(crate) async fn deploy(&self, subject: &Subject) -> Result<()> {
        let client = Client::new(self.address.into())?;
        let form = Form::new()
            .text("application_id", subject.label.clone())
            .text("name", subject.label.clone())
            .text("version", "1")
            .text("config", subject.config())
            .part(
                "wasm_file",
                Part::bytes(subject.wasm.to_vec()).file_name("module.wasm"),
            );
        let request = client.request(Method::POST, "/api/v1/applications/deploy");
        client.send(request.multipart(form)).await?;
        Ok(())
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the server")
    }

    /// Its resident memory in KiB; `None` where the system does not tell.
    pub(crate) fn resident_kib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    }
}

fn this() -> Result<Command> {
    Ok(Command::new(
        std::env::current_exe().context("cannot tell where this program is")?,
    ))
}
