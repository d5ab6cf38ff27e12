//! The services for programs that are no actors: the same layers as the guests', one transaction per request.
//!
//! What a request changes is durable when it is answered. A request that waits (`wait_ms`) stands in the same line as
//! waiting actors.

pub(crate) mod blobs;
pub(crate) mod groups;
mod json;
pub(crate) mod kv;
pub(crate) mod locks;
pub(crate) mod queues;
pub(crate) mod registry;
mod scoped;
pub(crate) mod tuples;

use plexspaces_core::{Code, Error};
use serde::Deserialize;

/// The longest wait of a request, in milliseconds.
const WAIT_MS_MAX: u64 = 60_000;

/// Runs `$body` in a transaction, again when other commits come in between, and gives its value once that is durable.
macro_rules! operation {
    ($node:expr, |$operation:ident| $body:expr) => {{
        let mut operation = $node.begin()?;
        loop {
            let result = {
                let $operation = &mut operation;
                $body
            };
            match operation.end(result).await? {
                plexspaces_node::Ended::Done(value) => break value,
                plexspaces_node::Ended::Again(next) => operation = *next,
            }
        }
    }};
}
use operation;

/// How long a request waits for what is not there yet.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct WaitMs(u64);

impl WaitMs {
    fn checked(self) -> Result<std::time::Duration, Error> {
        if self.0 <= WAIT_MS_MAX {
            return Ok(std::time::Duration::from_millis(self.0));
        }
        Err(malformed(format!(
            "wait_ms is {}; it is at most {WAIT_MS_MAX}",
            self.0
        )))
    }
}

fn malformed(message: impl Into<String>) -> Error {
    Error::new(Code::MalformedRequest, message)
}
