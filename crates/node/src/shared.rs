//! What all parts of a node share.

use crate::alarm::Alarm;
use crate::catalog::Catalog;
use crate::drive;
use crate::feeds::Pumps;
use crate::lane::{Begun, Lanes};
use crate::passivate::Look;
use crate::resident::{Envelope, Resident, Slot};
use bytes::Bytes;
use dashmap::DashMap;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::{Millis, Timeline};
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_runtime::{Modules, Outgoing, Sealed, Turn};
use plexspaces_services::blob::Content;
use plexspaces_services::clock::Stamp;
use plexspaces_services::feeds::Feed;
use plexspaces_services::records::segment;
use plexspaces_services::{Bounds, Coordination, Transaction, expiry, timers};
use plexspaces_store::{Commit, Key, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;
use tokio::sync::{Notify, oneshot};

/// One node's parts.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) content: Content,
    pub(crate) coordination: Arc<Coordination>,
    pub(crate) modules: Modules,
    pub(crate) catalog: Catalog,
    pub(crate) residents: DashMap<ActorId, Arc<Resident>>,
    /// Askers that wait for a reply, by their wait's row.
    pub(crate) waits: DashMap<Key, oneshot::Sender<Result<Bytes>>>,
    /// Who asks whom, to name the cycle when an ask times out.
    pub(crate) asking: DashMap<ActorId, ActorId>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) stamp: Stamp,
    pub(crate) lanes: Lanes,
    /// Live instances.
    pub(crate) hot: Arc<AtomicUsize>,
    pub(crate) turns: AtomicU64,
    /// When idle actors become passive.
    pub(crate) look: Arc<Look>,
    /// Told when an actor comes to rest while the node shuts down.
    pub(crate) rested: Notify,
    /// What the pumps of feeds know.
    pub(crate) pumps: Pumps,
    /// When the next row expires.
    pub(crate) expiring: Arc<Alarm>,
    /// When the next timer is due.
    pub(crate) timers: Arc<Alarm>,
    /// Types were deployed whose timers may be parked.
    pub(crate) unpark: AtomicBool,
    /// Ends the task that collects content.
    pub(crate) collector_gone: Arc<Notify>,
    pub(crate) closing: AtomicBool,
    /// Nobody has the node any more: actors do not stay.
    pub(crate) gone: AtomicBool,
    pub(crate) deploying: tokio::sync::Mutex<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The tasks that sleep find out that there is no node any more.
        self.look.over();
        self.expiring.over();
        self.timers.over();
        self.coordination.feeds.end();
        self.collector_gone.notify_one();
    }
}

impl Shared {
    /// The time of a turn that starts now.
    pub(crate) fn now(&self) -> Millis {
        self.timeline.now(wall())
    }

    /// A number for a message, greater than those of all messages before.
    pub(crate) fn ticket(&self) -> u64 {
        self.timeline.ticket(wall())
    }

    pub(crate) fn transaction(&self, bounds: Bounds) -> Transaction {
        Transaction::new(self.store.clone(), self.coordination.clone(), bounds)
    }

    /// Ends a turn's segment: gives what to commit now.
    ///
    /// # Errors
    /// `PS5004`.
    pub(crate) fn seal(
        &self,
        turn: &mut Turn,
        bounds: Bounds,
        end: segment::End,
    ) -> Result<Sealed> {
        let armed = std::mem::take(&mut turn.armed);
        if !armed.is_empty() {
            timers::date(turn.transaction.batch_mut(), &armed, self.now())?;
        }
        Ok(turn.seal(self.transaction(bounds), end))
    }

    /// Commits a batch, with the clock's row when it is due.
    pub(crate) async fn commit(&self, mut batch: Batch) -> Result<Commit, plexspaces_store::Error> {
        if batch.is_empty() && batch.guards.is_empty() {
            return Ok(self.store.visible());
        }
        self.stamp(&mut batch);
        let due = Due::of(&batch);
        let commit = self.store.commit(batch).await?;
        self.set_alarms(due);
        Ok(commit)
    }

    /// Commits a batch and waits until it is durable. One without changes has nothing to wait for.
    pub(crate) async fn commit_flushed(
        &self,
        mut batch: Batch,
    ) -> Result<Commit, plexspaces_store::Error> {
        if batch.is_empty() {
            return self.commit(batch).await;
        }
        self.stamp(&mut batch);
        let due = Due::of(&batch);
        let commit = self.store.commit_flushed(batch).await?;
        self.set_alarms(due);
        Ok(commit)
    }

    fn set_alarms(&self, due: Due) {
        if let Some(at) = due.expires {
            self.expiring.set(at);
        }
        if let Some(at) = due.timer {
            self.timers.set(at);
        }
    }

    fn stamp(&self, batch: &mut Batch) {
        if !batch.is_empty() {
            self.stamp.add(batch, self.now());
        }
    }

    /// Waits until everything that could have been seen by now is durable: the output gate.
    pub(crate) async fn gate(&self) -> Result<()> {
        self.gate_of(self.store.visible()).await
    }

    /// The output gate of what could have seen nothing after `seen`.
    pub(crate) async fn gate_of(&self, seen: Commit) -> Result<()> {
        self.store
            .flushed(seen)
            .await
            .map_err(plexspaces_services::fault)
    }

    /// Refuses new work while the node shuts down.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closing.load(Ordering::Relaxed) || self.gone.load(Ordering::Relaxed) {
            return Err(Error::new(
                Code::ShuttingDown,
                "the node is shutting down; try again",
            ));
        }
        Ok(())
    }

    /// Queues a message and sees that somebody works on it.
    pub(crate) fn deliver(self: &Arc<Self>, id: &ActorId, envelope: Envelope) {
        drop(self.deliver_here(id, envelope));
    }

    /// Queues a message. Unless somebody works on the actor's messages already, the caller is to begin.
    pub(crate) fn deliver_here(
        self: &Arc<Self>,
        id: &ActorId,
        envelope: Envelope,
    ) -> Option<Begun> {
        // The map's lock is held while the message is queued, so that the resident cannot be forgotten in between.
        let resident = self
            .residents
            .entry(id.clone())
            .or_insert_with(|| Resident::new(id.clone()));
        let actor = resident.push(envelope)?;
        Some(drive::begin(self.clone(), resident.clone(), actor))
    }

    /// Keeps a place in a mailbox.
    pub(crate) fn reserve_slot(self: &Arc<Self>, id: &ActorId, max: u64) -> Result<Slot> {
        let resident = self
            .residents
            .entry(id.clone())
            .or_insert_with(|| Resident::new(id.clone()));
        if resident.reserve(max) {
            return Ok(Slot::new(self.clone(), resident.clone()));
        }
        Err(Error::new(
            Code::MailboxFull,
            format!(
                "the mailbox of {id} is full with {max} messages (its limit `mailbox_messages`)"
            ),
        ))
    }

    /// Keeps a place in a mailbox for something published. `None`: it is full, and `feed` is woken when there is room again.
    pub(crate) fn reserve_slot_of(
        self: &Arc<Self>,
        id: &ActorId,
        max: u64,
        feed: &Feed,
    ) -> Option<Slot> {
        let resident = self
            .residents
            .entry(id.clone())
            .or_insert_with(|| Resident::new(id.clone()));
        let kept = resident.reserve_or_wait(max, feed, &self.coordination.feeds);
        kept.then(|| Slot::new(self.clone(), resident.clone()))
    }

    /// Forgets a resident that has nothing in memory.
    pub(crate) fn forget(&self, id: &ActorId) {
        self.residents
            .remove_if(id, |_, resident| resident.is_empty());
    }

    /// Hands over what a committed turn has sent.
    pub(crate) fn hand_over(self: &Arc<Self>, outgoing: Vec<Outgoing>) {
        for sent in outgoing {
            match Envelope::from_row(sent.row, sent.content) {
                Ok(envelope) => self.deliver(&sent.to, envelope),
                Err(error) => {
                    tracing::error!(to = %sent.to, "a message just sent cannot be read: {error}")
                }
            }
            drop(sent.slot);
        }
    }

    /// Wakes the asker that waits at `row`.
    pub(crate) fn wake(&self, row: &Key, outcome: Result<Bytes>) {
        if let Some((_, waiter)) = self.waits.remove(row) {
            // A waiter that is gone has timed out.
            let _ = waiter.send(outcome);
        }
    }
}

/// When the first of what a batch lets fall due does so.
struct Due {
    expires: Option<Millis>,
    timer: Option<Millis>,
}

impl Due {
    fn of(batch: &Batch) -> Self {
        Due {
            expires: expiry::first_of(batch),
            timer: timers::first_of(batch),
        }
    }
}

/// The machine's clock.
pub(crate) fn wall() -> Millis {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
