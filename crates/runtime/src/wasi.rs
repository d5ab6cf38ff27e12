//! WASI for guests that are built with it (Python, JavaScript): time, randomness and output, and nothing else.
//!
//! No environment variables, arguments, files or network. What a guest prints becomes lines in the node's log with the
//! actor's id; while a turn is replayed it is dropped.

use crate::environment::{Environment, Randomness};
use bytes::Bytes;
use plexspaces_core::ActorId;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder};

/// The WASI side of one instance.
pub(crate) struct Wasi {
    pub(crate) context: WasiCtx,
    pub(crate) table: ResourceTable,
}

impl Wasi {
    pub(crate) fn new(actor: &ActorId, environment: &Arc<Environment>) -> Box<Self> {
        let output = |name| Output {
            actor: actor.clone(),
            name,
            environment: environment.clone(),
        };
        let context = WasiCtxBuilder::new()
            .wall_clock(Clock(environment.clone()))
            .monotonic_clock(Clock(environment.clone()))
            .secure_random(Randomness(environment.clone()))
            .insecure_random(Randomness(environment.clone()))
            .insecure_random_seed(0)
            .stdout(output("stdout"))
            .stderr(output("stderr"))
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Box::new(Wasi {
            context,
            table: ResourceTable::new(),
        })
    }
}

struct Clock(Arc<Environment>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.now_ms().saturating_mul(1_000_000)
    }
}

/// One of the two output streams.
#[derive(Clone)]
struct Output {
    actor: ActorId,
    name: &'static str,
    environment: Arc<Environment>,
}

impl Output {
    fn print(&self, bytes: &[u8]) {
        if self.environment.replaying() {
            return;
        }
        for line in String::from_utf8_lossy(bytes)
            .lines()
            .filter(|line| !line.is_empty())
        {
            tracing::info!(target: "guest", actor = %self.actor, stream = self.name, "{line}");
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The most that is taken of one write.
const WRITE_BYTES_MAX: usize = 64 << 10;

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}
