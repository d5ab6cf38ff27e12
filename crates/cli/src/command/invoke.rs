//! `plexspaces invoke`: sends a message to an actor and prints its reply.

use crate::client::{Client, NodeOption, encode};
use crate::output;
use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::Method;
use std::io::Read as _;
use std::time::Duration;

/// How much longer than the node this command waits, so that the node's own answer comes first.
const MARGIN: Duration = Duration::from_secs(5);

/// The options of `invoke`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  plexspaces invoke calculator/alice '{\"operation\": \"add\", \"operands\": [2, 3]}'\n  \
    plexspaces invoke calculator @request.json --idempotency-key order-17\n  \
    echo 5 | plexspaces invoke counter - --msg-type add --tell"
)]
pub(crate) struct Invoke {
    /// The actor: TYPE or TYPE/KEY
    #[arg(value_name = "ACTOR")]
    actor: String,
    /// What to send: text, @FILE, or - for stdin
    #[arg(value_name = "PAYLOAD", allow_hyphen_values = true)]
    payload: String,
    #[command(flatten)]
    node: NodeOption,
    /// The message type
    #[arg(long, value_name = "TYPE", default_value = "call")]
    msg_type: String,
    /// Do not wait for the reply, only until the message is durable
    #[arg(long)]
    tell: bool,
    /// How long to wait for the reply, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    timeout_ms: u64,
    /// The actor's tenant
    #[arg(long, default_value = "default")]
    tenant: String,
    /// The actor's namespace
    #[arg(long, default_value = "default")]
    namespace: String,
    /// A repeated key gets the first reply again and has no further effect
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Invoke {
    pub(crate) async fn run(self) -> Result<()> {
        let payload = read(&self.payload)?;
        let client = Client::new(self.node.announced())?;
        let timeout_ms = self.timeout_ms.to_string();
        let mut request = client
            .request(Method::POST, &self.path()?)
            .query(&[
                ("msg_type", self.msg_type.as_str()),
                ("timeout_ms", &timeout_ms),
            ])
            .timeout(Duration::from_millis(self.timeout_ms).saturating_add(MARGIN))
            .body(payload);
        if self.tell {
            request = request.query(&[("mode", "tell")]);
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let reply = client
            .send(request)
            .await?
            .bytes()
            .await
            .context("the node's answer breaks off")?;
        output::reply(&reply)
    }

    fn path(&self) -> Result<String> {
        let (kind, key) = self.actor.split_once('/').unwrap_or((&self.actor, ""));
        let mut path = format!(
            "/api/v1/actors/{}/{}/{}",
            encode("tenant", &self.tenant)?,
            encode("namespace", &self.namespace)?,
            encode("actor type", kind)?
        );
        if !key.is_empty() {
            path.push('/');
            path.push_str(&encode("actor key", key)?);
        }
        Ok(path)
    }
}

fn read(payload: &str) -> Result<Vec<u8>> {
    if payload == "-" {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?;
        return Ok(bytes);
    }
    match payload.strip_prefix('@') {
        Some(file) => std::fs::read(file).with_context(|| format!("cannot read {file}")),
        None => Ok(payload.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        invoke: Invoke,
    }

    fn path(arguments: &[&str]) -> String {
        let arguments = ["invoke"].iter().chain(arguments);
        Alone::try_parse_from(arguments)
            .unwrap()
            .invoke
            .path()
            .unwrap()
    }

    #[test]
    fn the_actor_becomes_a_path() {
        assert_eq!(
            path(&["account", "{}"]),
            "/api/v1/actors/default/default/account"
        );
        assert_eq!(
            path(&["account/a/b c", "-1", "--tenant", "t"]),
            "/api/v1/actors/t/default/account/a%2Fb%20c"
        );
    }

    #[test]
    fn a_payload_is_text_or_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("payload");
        std::fs::write(&file, b"\xff").unwrap();
        assert_eq!(read("{}").unwrap(), b"{}");
        assert_eq!(read(&format!("@{}", file.display())).unwrap(), b"\xff");
        assert!(read("@/absent/file").is_err());
    }
}
