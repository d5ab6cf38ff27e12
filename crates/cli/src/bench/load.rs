//! Callers in a closed loop: each asks again as soon as it has its answer.

use super::stats::Times;
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Somebody who asks one question after the other.
pub(crate) trait Caller: Send + 'static {
    /// Asks the actor with this number and waits for its answer.
    fn call(&mut self, key: usize) -> impl Future<Output = Result<()>> + Send;
}

/// What callers achieved together.
pub(crate) struct Load {
    /// Answers in a second.
    pub(crate) rate: f64,
    pub(crate) times: Times,
}

/// Lets all callers ask for a while, each one of `keys` actors at random.
pub(crate) async fn run<C: Caller>(
    callers: &mut Vec<C>,
    keys: usize,
    span: Duration,
) -> Result<Load> {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for (number, mut caller) in callers.drain(..).enumerate() {
        running.spawn(async move {
            let mut times = Times::default();
            let mut random = Random(number as u64 + 1);
            while start.elapsed() < span {
                let asked = Instant::now();
                caller.call(random.below(keys)).await?;
                times.push(asked.elapsed());
            }
            anyhow::Ok((caller, times))
        });
    }
    let mut times = Times::default();
    while let Some(ended) = running.join_next().await {
        let (caller, its) = ended.context("a caller panicked")??;
        callers.push(caller);
        times.append(its);
    }
    Ok(Load {
        rate: times.len() as f64 / start.elapsed().as_secs_f64(),
        times,
    })
}

/// Has every actor asked once, so that all are active.
pub(crate) async fn activate<C: Caller>(callers: &mut [C], keys: usize) -> Result<()> {
    if let Some(caller) = callers.first_mut() {
        for key in 0..keys {
            caller.call(key).await?;
        }
    }
    Ok(())
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same keys in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % bound.max(1) as u64) as usize
    }
}

/// A connection that posts to the path `prefix` + key.
pub(crate) struct HttpCaller {
    connection: SendRequest<Full<Bytes>>,
    target: Arc<Target>,
}

/// Where and what to post.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) prefix: String,
    pub(crate) msg_type: String,
    pub(crate) payload: Bytes,
}

impl HttpCaller {
    /// Opens so many connections.
    pub(crate) async fn connect(target: Target, connections: usize) -> Result<Vec<Self>> {
        let target = Arc::new(target);
        let mut callers = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = TcpStream::connect(target.address)
                .await
                .with_context(|| format!("cannot connect to {}", target.address))?;
            stream.set_nodelay(true)?;
            let (connection, driver) = handshake(TokioIo::new(stream)).await?;
            // Its failure is that of the request under way.
            tokio::spawn(driver);
            callers.push(HttpCaller {
                connection,
                target: target.clone(),
            });
        }
        Ok(callers)
    }
}

impl Caller for HttpCaller {
    async fn call(&mut self, key: usize) -> Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}{key}", self.target.prefix))
            .header(header::HOST, "localhost")
            .header("plexspaces-message-type", &self.target.msg_type)
            .body(Full::new(self.target.payload.clone()))?;
        self.connection.ready().await?;
        let response = self.connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(())
    }
}
