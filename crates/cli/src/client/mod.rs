//! A node's HTTP interface, from the other side.
//!
//! * [`address`]: which node
//! * [`encode`](mod@encode): names in its paths
//! * [`problem`]: its failures, back as errors

mod address;
mod encode;
mod problem;

pub(crate) use address::{Address, NodeOption};
pub(crate) use encode::encode;

use anyhow::{Context as _, Result};
use reqwest::{Method, RequestBuilder, Response};
use std::time::Duration;

/// How long a node may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A node's client.
pub(crate) struct Client {
    http: reqwest::Client,
    address: Address,
}

impl Client {
    /// A client of the node at `address`. Nothing is sent yet.
    pub(crate) fn new(address: Address) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .no_proxy()
            // Addresses are http only; reading the machine's certificates would double the command's start.
            .tls_certs_only([])
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Client { http, address })
    }

    /// A request for a path, which starts with `/`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address))
    }

    /// Sends a request; a failure that the node reports is an error with its code.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreached(error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response
            .bytes()
            .await
            .context("the node's answer breaks off")?;
        Err(problem::read(status, &body))
    }

    fn unreached(&self, error: reqwest::Error) -> anyhow::Error {
        let what = if error.is_connect() {
            format!(
                "cannot reach a node at {}: is it running? `plexspaces start` starts one",
                self.address
            )
        } else if error.is_timeout() {
            format!("the node at {} does not answer in time", self.address)
        } else {
            format!("the exchange with the node at {} failed", self.address)
        };
        // Without its address, which the sentence has.
        anyhow::Error::from(error.without_url()).context(what)
    }
}
