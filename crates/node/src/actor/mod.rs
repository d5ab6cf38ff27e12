//! One actor: loaded from its rows, rebuilt by its journal, running its turns.
//!
//! * this file: a message comes in, its outcome goes out; what becomes of failures
//! * [`life`]: what is in memory of an active actor
//! * [`activate`]: loading, turn 0, rebuilding from checkpoint and journal, upgrades
//! * [`turn`]: running a handler and committing what it did
//! * [`checkpoint`]: snapshots, trimming, becoming passive, stopping

mod activate;
mod checkpoint;
mod life;
mod turn;

use crate::resident::{Envelope, Origin, Told};
use crate::shared::Shared;
use bytes::Bytes;
use life::Life;
use plexspaces_core::batch::{Batch, Urgency};
use plexspaces_core::message::Delivery;
use plexspaces_core::retry::{Next, Policy};
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_services::records::{Failed as FailedEnd, Segment, segment};
use plexspaces_services::{dead_letters, dedup, fault, journal, waits};
use plexspaces_store::{Commit, Key};
use std::sync::Arc;
use std::time::Duration;

/// One actor, hot or about to be.
pub(crate) struct Actor {
    shared: Arc<Shared>,
    id: ActorId,
    life: Option<Life>,
    /// Whether messages wait behind the one that it works on.
    others_wait: bool,
}

/// A turn's reply.
struct Reply {
    bytes: Bytes,
    /// The newest commit that it could have seen.
    seen: Commit,
}

/// Why a message had no success.
#[derive(Debug)]
struct Failed {
    error: Error,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The handler ran, or the actor could not be made active.
    Attempted,
    /// It was not tried: the same message would be refused again.
    Refused,
    /// The store or the node cannot go on; a durable message stays where it is.
    Fault,
}

impl Failed {
    fn attempted(error: Error) -> Self {
        Failed {
            error,
            how: How::Attempted,
        }
    }

    fn refused(error: Error) -> Self {
        Failed {
            error,
            how: How::Refused,
        }
    }

    fn fault(error: Error) -> Self {
        Failed {
            error,
            how: How::Fault,
        }
    }
}

impl From<plexspaces_store::Error> for Failed {
    fn from(error: plexspaces_store::Error) -> Self {
        Failed::fault(fault(error))
    }
}

impl Actor {
    pub(crate) fn new(shared: Arc<Shared>, id: ActorId) -> Self {
        Actor {
            shared,
            id,
            life: None,
            others_wait: false,
        }
    }

    /// How long it stays hot without a message.
    pub(crate) fn idle_time(&self) -> Duration {
        self.life
            .as_ref()
            .map_or(Duration::ZERO, |life| life.deployment.idle)
    }

    /// Works on one message until its outcome is told or it is given up.
    pub(crate) async fn perform(&mut self, envelope: Envelope, others_wait: bool) {
        self.others_wait = others_wait;
        // First, because it may be this very message that has led to the unfinished turn.
        if let Err(failed) = self.finish_unfinished().await {
            return self.give_up(envelope, failed, 0).await;
        }
        match self.is_due(&envelope).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(failed) => return self.tell(envelope, Err(failed.error)),
        }
        if !matches!(envelope.origin, Origin::WakeUp) {
            self.work(envelope).await;
        }
    }

    async fn work(&mut self, envelope: Envelope) {
        let policy = Policy::default();
        let mut tries = 0;
        loop {
            let failed = match self.attempt(&envelope).await {
                Ok(reply) => return self.tell(envelope, Ok(reply)),
                Err(failed) => failed,
            };
            tries += 1;
            // Also while the node shuts down: the message keeps its place and all its tries, and whatever has not become
            // of it when the node ends is tried anew after the restart.
            let again =
                failed.how == How::Attempted && !matches!(envelope.message.delivery, Delivery::Ask);
            match policy.after(tries) {
                Next::RetryAfter(pause) if again => {
                    tracing::warn!(actor = %self.id, tries, "a message failed and is tried again: {}", failed.error);
                    tokio::time::sleep(pause).await;
                }
                _ => return self.give_up(envelope, failed, tries).await,
            }
        }
    }

    /// Whether the message is still to be worked on: not done before a restart, and not too late.
    async fn is_due(&mut self, envelope: &Envelope) -> Result<bool, Failed> {
        let Origin::Row { row, .. } = &envelope.origin else {
            return Ok(true);
        };
        if self.shared.store.latest(row).await?.is_none() {
            return Ok(false);
        }
        if envelope
            .deadline
            .is_some_and(|deadline| self.shared.now() > deadline)
        {
            let mut batch = Batch::new();
            batch.delete(row.clone());
            self.shared.commit(batch).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// A turn that a restart or a failure has interrupted after a wait goes on first.
    async fn finish_unfinished(&mut self) -> Result<(), Failed> {
        if self.life.is_none() {
            self.load().await?;
        }
        if let Some(unfinished) = self.life.as_ref().and_then(|life| life.unfinished.as_ref()) {
            let envelope = unfinished_envelope(&unfinished.segments[0])?;
            self.work(envelope).await;
        }
        Ok(())
    }

    async fn attempt(&mut self, envelope: &Envelope) -> Result<Reply, Failed> {
        let shared = self.shared.clone();
        if let Some(caller) = &envelope.caller
            && let Some(outcome) = dedup::find(shared.store.as_ref(), &self.id, caller)
                .await
                .map_err(Failed::refused)?
        {
            return match outcome {
                Ok(bytes) => Ok(Reply {
                    bytes,
                    seen: shared.store.visible(),
                }),
                Err(error) => Err(Failed::refused(error)),
            };
        }
        match envelope.message.delivery {
            Delivery::Stop => self.stop(envelope).await,
            Delivery::Create => self.create(envelope).await,
            Delivery::Ask | Delivery::Send | Delivery::Info => self.turn(envelope).await,
        }
    }

    /// The message failed for good: records that, and tells whoever waits.
    async fn give_up(&mut self, envelope: Envelope, failed: Failed, tries: u32) {
        if failed.how == How::Fault {
            // A mailbox row stays for the next start.
            return self.tell(envelope, Err(failed.error));
        }
        match self.record_failure(&envelope, &failed, tries).await {
            Ok(()) => self.tell(envelope, Err(failed.error)),
            Err(error) => self.tell(envelope, Err(error)),
        }
    }

    async fn record_failure(
        &mut self,
        envelope: &Envelope,
        failed: &Failed,
        tries: u32,
    ) -> Result<()> {
        let mut batch = Batch::new();
        let now = self.shared.now();
        let outcome = Err(failed.error.clone());
        if failed.how == How::Attempted {
            if let Some(caller) = &envelope.caller {
                dedup::remember(&mut batch, &self.id, caller, &outcome, now);
            }
            self.record_given_up_turn(&mut batch, &failed.error).await?;
        }
        let mut reply_row = None;
        if let Origin::Row { row, reply_to } = &envelope.origin {
            batch.delete(row.clone());
            if let Some(wait) = reply_to {
                waits::complete(self.shared.store.as_ref(), &mut batch, wait, &outcome).await?;
                reply_row = Some(wait);
            } else if !matches!(envelope.message.delivery, Delivery::Stop) {
                let ticket = self.shared.ticket();
                let message = (&envelope.message).into();
                let (key, letter) =
                    dead_letters::row(&self.id, ticket, message, &failed.error, tries, now);
                batch.put(key, letter);
                tracing::warn!(actor = %self.id, tries, "a message became a dead letter: {}", failed.error);
            }
        }
        if envelope.caller.is_some() {
            batch.urgency = Urgency::Now;
        }
        self.commit_outcome(batch, reply_row).await?;
        if failed.how == How::Attempted && envelope.caller.is_some() {
            self.shared.key_remembered(&self.id);
        }
        Ok(())
    }

    /// Marks a turn that has committed segments as given up: their effects stay, and replays skip it.
    async fn record_given_up_turn(&mut self, batch: &mut Batch, error: &Error) -> Result<()> {
        if self.life.is_none() {
            self.load().await.map_err(|failed| failed.error)?;
        }
        let Some(life) = self.life.as_mut() else {
            return Ok(());
        };
        let Some(unfinished) = life.unfinished.take() else {
            return Ok(());
        };
        if let Some(segment::End::Wait(wait)) =
            unfinished.segments.last().and_then(|s| s.end.as_ref())
        {
            batch.delete(Key(wait.row.clone()));
        }
        let row = Segment {
            time_ms: self.shared.now().0,
            end: Some(segment::End::Failed(FailedEnd {
                error: Some(error.into()),
            })),
            ..Segment::default()
        };
        journal::put_segment(
            batch,
            &self.id,
            unfinished.sequence,
            unfinished.segments.len() as u64,
            &row,
        );
        life.next = unfinished.sequence + 1;
        Ok(())
    }

    /// Commits a batch that may complete a wait; a wait that has timed out meanwhile is left alone.
    async fn commit_outcome(&mut self, mut batch: Batch, reply_row: Option<&Key>) -> Result<()> {
        loop {
            match self.shared.commit(batch.clone()).await {
                Ok(_) => return Ok(()),
                Err(plexspaces_store::Error::Conflict { key, .. }) if Some(&key) == reply_row => {
                    batch.guards.remove(&key);
                    batch.ops.remove(&key);
                }
                Err(error) => return Err(fault(error)),
            }
        }
    }

    fn tell(&self, envelope: Envelope, outcome: Result<Reply>) {
        let (outcome, seen) = match outcome {
            Ok(reply) => (Ok(reply.bytes), reply.seen),
            Err(error) => (Err(error), self.shared.store.visible()),
        };
        match envelope.origin {
            // A caller that has gone away does not want to know.
            Origin::Here(caller) => drop(caller.send(outcome)),
            Origin::Outside(caller) => drop(caller.send(Told { outcome, seen })),
            Origin::Row {
                reply_to: Some(wait),
                ..
            } => self.shared.wake(&wait, outcome),
            Origin::Row { reply_to: None, .. } | Origin::Nobody | Origin::WakeUp => {}
        }
    }
}

/// The message of a turn that goes on, from its first segment.
fn unfinished_envelope(first: &Segment) -> Result<Envelope, Failed> {
    let corrupt = || {
        Failed::fault(Error::new(
            Code::Corrupt,
            "a turn's first segment has no message",
        ))
    };
    let message = first.message.clone().ok_or_else(corrupt)?;
    let origin = if first.origin.is_empty() {
        Origin::Nobody
    } else {
        Origin::Row {
            row: Key(first.origin.clone()),
            reply_to: (!first.reply_to.is_empty()).then(|| Key(first.reply_to.clone())),
        }
    };
    let caller = first.dedup.as_ref().and_then(|dedup| {
        Some(dedup::CallerId {
            tenant: dedup.tenant.clone(),
            id: dedup.id.clone(),
            digest: dedup.digest.as_ref().try_into().ok()?,
        })
    });
    Ok(Envelope {
        message: message.try_into().map_err(Failed::fault)?,
        origin,
        caller,
        deadline: None,
    })
}
