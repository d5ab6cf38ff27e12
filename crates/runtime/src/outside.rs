//! What a guest's messaging needs of the node: the other actors.

use crate::turn::Turn;
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::{ActorId, Error, Result};
use std::time::Duration;

/// A question to another actor.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The receiver's id, as the guest wrote it.
    pub to: String,
    /// What the sender calls the message.
    pub msg_type: String,
    /// What it carries.
    pub payload: Bytes,
    /// How long to wait.
    pub timeout: Duration,
    /// The host call's name and the digest of its arguments, for the journal's record of the wait.
    pub operation: &'static str,
    /// See `operation`.
    pub arguments: u64,
}

/// Why a turn cannot go on: nothing that the guest did or could mend.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Abort {
    /// A segment lost against another commit: discard the instance and run it again.
    #[error("the segment conflicts: {0}")]
    Conflict(Error),
    /// The replay differs from the first run: the actor stops.
    #[error("{0}")]
    Mismatch(Error),
    /// The store or the node cannot go on, or the turn is over a limit.
    #[error("{0}")]
    Error(Error),
}

/// The node, as a guest's host calls see it. Effects are buffered in the turn.
#[async_trait]
pub trait Outside: Send + Sync {
    /// Buffers a message to `to`.
    ///
    /// # Errors
    /// Values for the guest.
    fn send(&self, turn: &mut Turn, to: &str, msg_type: &str, payload: Bytes) -> Result<()>;

    /// Commits what is buffered, asks, and waits. The inner result is the reply or a value for the guest.
    ///
    /// # Errors
    /// When the turn cannot go on.
    async fn ask(&self, turn: &mut Turn, ask: Ask) -> Result<Result<Bytes>, Abort>;

    /// Buffers the making of an actor.
    ///
    /// # Errors
    /// Values for the guest, or a fault of the store.
    async fn spawn(
        &self,
        turn: &mut Turn,
        kind: &str,
        key: Option<&str>,
        args: Bytes,
    ) -> Result<ActorId>;

    /// Buffers an orderly stop.
    ///
    /// # Errors
    /// Values for the guest.
    fn stop(&self, turn: &mut Turn, id: &str, reason: &str) -> Result<()>;
}
