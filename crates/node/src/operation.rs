//! Service operations from outside: a transaction of their own, for programs that are no actors.
//!
//! An operation is one batch like a turn's, with the same reservations and lines of waiters. What it returns is durable.

use crate::Node;
use plexspaces_core::batch::Urgency;
use plexspaces_core::limits::Limits;
use plexspaces_core::message::FROM_HTTP;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result};
use plexspaces_services::blob::Content;
use plexspaces_services::waiters::{Place, Wants};
use plexspaces_services::{Bounds, Transaction, fault};
use plexspaces_store::{Error as StoreError, Key};
use std::time::Duration;

/// How often an operation is tried when other commits come in between.
const RUNS_MAX: u32 = 8;

/// One run of an operation.
pub struct Operation {
    node: Node,
    /// What it reads and changes.
    pub transaction: Transaction,
    /// Its time.
    pub now: Millis,
    run: u32,
}

/// How a run ended.
pub enum Ended<T> {
    /// Its changes, and all that it has seen, are durable.
    Done(T),
    /// Another commit came in between: the next run.
    Again(Box<Operation>),
}

impl Operation {
    pub(crate) fn begin(node: &Node, run: u32) -> Self {
        let limits = Limits::default();
        let bounds = Bounds {
            effects: limits.effects,
            batch_bytes: limits.batch_bytes,
            reads_hold: true,
        };
        Operation {
            transaction: node.shared().transaction(bounds),
            now: node.shared().now(),
            node: node.clone(),
            run,
        }
    }

    /// A new id, for what it makes.
    #[must_use]
    pub fn fresh_id(&self) -> [u8; 16] {
        *uuid::Uuid::now_v7().as_bytes()
    }

    /// Commits what the operation did if `result` is a success; returns when that is durable.
    ///
    /// # Errors
    /// The error in `result`, a fault of the store, or `PS4003` when it lost too often.
    pub async fn end<T>(mut self, result: Result<T>) -> Result<Ended<T>> {
        let shared = self.node.shared().clone();
        let lost = |error: Error, run: u32, node: &Node| {
            if run + 1 == RUNS_MAX {
                return Err(error);
            }
            Ok(Ended::Again(Box::new(Operation::begin(node, run + 1))))
        };
        let value = match result {
            Ok(value) => value,
            Err(error) if error.code == Code::TurnConflict => {
                return lost(error, self.run, &self.node);
            }
            Err(error) => {
                // An error may tell of what is not durable yet.
                drop(self.transaction);
                shared.gate().await?;
                return Err(error);
            }
        };
        if let Err(error) = self.transaction.pass_strict().await {
            return lost(error, self.run, &self.node);
        }
        let (mut batch, held) = self.transaction.finish_as(FROM_HTTP);
        if batch.is_empty() {
            drop(held);
            shared.gate().await?;
            return Ok(Ended::Done(value));
        }
        batch.urgency = Urgency::Now;
        match shared.commit(batch).await {
            Ok(commit) => {
                held.committed();
                shared.gate_of(commit).await?;
                Ok(Ended::Done(value))
            }
            Err(error @ StoreError::Conflict { .. }) => lost(fault(error), self.run, &self.node),
            Err(error) => Err(fault(error)),
        }
    }
}

impl Node {
    /// Begins an operation.
    ///
    /// # Errors
    /// `PS5005` while the node shuts down.
    pub fn begin(&self) -> Result<Operation> {
        self.shared().check_open()?;
        Ok(Operation::begin(self, 0))
    }

    /// Takes a place in the line of those who wait for `topic`.
    #[must_use]
    pub fn line_up(&self, topic: Key, wants: Option<Wants>) -> Place {
        self.shared().coordination.waiters.line_up(topic, wants)
    }

    /// A number greater than all before: the place of a message in a queue.
    #[must_use]
    pub fn ticket(&self) -> u64 {
        self.shared().ticket()
    }

    /// Where the bytes of blobs are.
    #[must_use]
    pub fn blobs(&self) -> &Content {
        &self.shared().content
    }

    /// How long it is until `at`.
    #[must_use]
    pub fn until(&self, at: Millis) -> Duration {
        self.shared().until(at)
    }
}
