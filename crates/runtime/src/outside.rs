//! What a guest's messaging needs of the node: the other actors.

use crate::turn::Turn;
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Error, Result};
use plexspaces_services::blob::Content;
use plexspaces_services::waiters::Wants;
use plexspaces_store::Key;
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

/// A message that an actor wants sent later.
#[derive(Clone, Debug)]
pub struct Timer {
    /// A timer for an actor, or a reminder for oneself.
    pub which: Which,
    /// What the author calls the message.
    pub msg_type: String,
    /// What it carries.
    pub payload: Bytes,
    /// When it is sent first, in milliseconds after the turn's commit.
    pub delay_ms: u64,
    /// The time between two of it, in milliseconds; 0 = once.
    pub period_ms: u64,
}

/// What kind of [`Timer`].
#[derive(Clone, Debug)]
pub enum Which {
    /// Sent to the actor with this id, as the guest wrote it.
    To(String),
    /// A reminder of this name.
    Reminder(String),
}

/// Something that a turn waits for until it is there.
pub struct Wait {
    /// The host call's name and the digest of its arguments, for the journal's record of the wait.
    pub operation: &'static str,
    /// See `operation`.
    pub arguments: u64,
    /// How long to wait.
    pub timeout: Duration,
    /// The line to stand in.
    pub topic: Key,
    /// Which rows it takes away from others in the line.
    pub wants: Option<Wants>,
}

/// How to get what a turn waits for.
#[async_trait]
pub trait Attempt: Send {
    /// Tries once, in the turn's transaction. An attempt that gets nothing must leave the transaction as it was.
    ///
    /// # Errors
    /// Values for the guest, and faults of the store; the wait is over.
    async fn attempt(&mut self, turn: &mut Turn) -> Result<Tried>;
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is there, and reserved.
    Done,
    /// Not yet.
    NotYet {
        /// When it may be there although nobody commits anything, as when a lease ends.
        again: Option<Millis>,
        /// Whether the next in line may find something where this one found nothing.
        pass_on: bool,
    },
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
    /// Where the bytes of blobs are.
    ///
    /// # Errors
    /// `PS1013` outside a turn.
    fn content(&self) -> Result<&Content>;

    /// A number greater than all before: the place of a message in a queue.
    fn ticket(&self) -> u64;

    /// The time now, from which leases and delays count. A turn's own time is that of its segment's beginning.
    fn now(&self) -> Millis;

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

    /// Tries at once; if there is nothing yet, commits what is buffered and waits. The inner result says whether it came
    /// in time, or is a value for the guest.
    ///
    /// # Errors
    /// When the turn cannot go on.
    async fn wait(
        &self,
        turn: &mut Turn,
        wait: Wait,
        attempt: &mut dyn Attempt,
    ) -> Result<Result<bool>, Abort>;

    /// Buffers the setting of a timer; gives its number.
    ///
    /// # Errors
    /// Values for the guest, or a fault of the store.
    async fn arm(&self, turn: &mut Turn, timer: Timer) -> Result<u64>;

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
