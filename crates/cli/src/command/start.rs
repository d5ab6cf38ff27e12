//! `plexspaces start`: runs a node until it is told to stop.

use crate::data::{self, Kind};
use crate::output;
use anyhow::{Context as _, Result};
use clap::Args;
use plexspaces_core::{Code, Error};
use plexspaces_node::{COLLECT_AFTER, Node, Options};
use plexspaces_services::blob::{Content, Place};
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// What is logged unless RUST_LOG says otherwise. The store's engine is of interest only when it warns.
const LOG_DEFAULT: &str = "info,fjall=warn,lsm_tree=warn";

/// How long a node whose store has failed still takes requests: whoever asks now is told, and does not find a closed
/// connection.
const FAREWELL: Duration = Duration::from_millis(200);

/// How long the HTTP server then has to pass on the errors.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// The options of `start`.
#[derive(Args)]
#[command(
    after_help = "Logs go to stderr; the environment variable RUST_LOG sets how much (default info).\n\n\
    Example:\n  plexspaces start --node-id node-1 --data-dir ./plexspaces-data --http-addr 127.0.0.1:8001"
)]
pub(crate) struct Start {
    /// The node's name
    #[arg(long, value_name = "NAME", default_value = "node-1")]
    node_id: String,
    /// Reserved for gRPC; nothing listens there yet
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen_addr: SocketAddr,
    /// Where to serve HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    http_addr: String,
    /// The folder with everything the node keeps
    #[arg(long, value_name = "FOLDER", default_value = "./plexspaces-data")]
    data_dir: PathBuf,
    /// What keeps the rows in it; a folder stays with what it was made with
    #[arg(
        long,
        value_name = "STORE",
        env = "PLEXSPACES_STORE",
        default_value_t = Kind::Fjall,
        value_enum
    )]
    store: Kind,
    /// Where the bytes of blobs are: file:FOLDER, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME with credentials from
    /// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY [default: the folder blobs in the data folder]
    #[arg(long, value_name = "PLACE")]
    blobs: Option<Place>,
}

impl Start {
    pub(crate) async fn run(self) -> Result<()> {
        log();
        let mut stop = Stop::listen()?;
        // Bound first, since it is soon told whether that works; requests wait until the node is ready.
        let listener = bind(&self.http_addr).await?;
        let address = listener
            .local_addr()
            .context("cannot tell the address that was bound")?;
        let blobs = self
            .blobs
            .unwrap_or_else(|| Place::Folder(self.data_dir.join("blobs")));
        let node = Node::start(Options {
            node_id: self.node_id,
            store: data::open(&self.data_dir, self.store)?,
            blobs: Content::open(&blobs)?,
            collect_after: COLLECT_AFTER,
            cache: self.data_dir.join("cache"),
        })
        .await?;
        tracing::info!(node = node.id(), %address, reserved = %self.listen_addr, "the node is ready");

        let (end, ended) = oneshot::channel::<()>();
        // Both a word and a sender that is gone mean the end.
        let shutdown = async move { drop(ended.await) };
        let mut server = tokio::spawn(plexspaces_api::serve(node.clone(), listener, shutdown));
        output::line(&format!("listening on http://{address}"))?;

        tokio::select! {
            () = stop.signal() => {}
            error = node.failed() => {
                tokio::time::sleep(FAREWELL).await;
                drop(end);
                // The node is lost either way; this is for those who wait for an answer.
                let _ = tokio::time::timeout(LAST_ANSWERS, server).await;
                return Err(error.into());
            }
            served = &mut server => {
                served.context("the HTTP server panicked")?.context("the HTTP server stopped")?;
                return Ok(node.shutdown().await?);
            }
        }
        tracing::info!("stopping; a second signal stops at once");
        drop(end);
        let orderly = async {
            server
                .await
                .context("the HTTP server panicked")?
                .context("the HTTP server stopped")?;
            anyhow::Ok(node.shutdown().await?)
        };
        tokio::select! {
            ended = orderly => ended?,
            () = stop.signal() => {
                // Nothing is lost by that: what was acknowledged is on the disk, the rest goes on after the next start.
                tracing::warn!("stopping without waiting for requests and turns under way");
                return Ok(());
            }
        }
        tracing::info!("stopped");
        Ok(())
    }
}

fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

async fn bind(address: &str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::new(
            Code::AddressInUse,
            format!("cannot serve HTTP on {address}: {error}"),
        )
        .with("address", address)
    })
}

/// The signals that mean "stop".
struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    #[cfg(unix)]
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Stop {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn signal(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Self> {
        Ok(Stop {})
    }

    #[cfg(not(unix))]
    async fn signal(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_in_use_is_told() {
        let first = bind("127.0.0.1:0").await.unwrap();
        let address = first.local_addr().unwrap().to_string();
        assert_eq!(bind(&address).await.unwrap_err().code, Code::AddressInUse);
    }
}
