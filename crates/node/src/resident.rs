//! An actor's place in memory: the messages that wait for it, and the actor itself while it is hot.
//!
//! A resident exists while there is anything to hold: a waiting message, a kept place, a running turn, a live
//! instance. A passive actor has none.

use crate::actor::Actor;
use crate::keys::Keys;
use crate::shared::Shared;
use crate::timers::Count;
use bytes::Bytes;
use parking_lot::Mutex;
use plexspaces_core::message::{Delivery, Message};
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Error, Result};
use plexspaces_services::dedup::CallerId;
use plexspaces_services::feeds::{Feed, Feeds, Wake};
use plexspaces_services::records::MailboxRow;
use plexspaces_store::{Commit, Key};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Notify, oneshot};

/// A message on its way, with who wants to know what became of it.
pub(crate) struct Envelope {
    pub(crate) message: Message,
    pub(crate) origin: Origin,
    /// The id that the caller gave.
    pub(crate) caller: Option<CallerId>,
    /// An ask that has not started by then is dropped.
    pub(crate) deadline: Option<Millis>,
}

/// Where a message came from.
pub(crate) enum Origin {
    /// From inside this node; lost with its process.
    Here(oneshot::Sender<Result<Bytes>>),
    /// From a caller outside, whose reply leaves the node.
    Outside(oneshot::Sender<Told>),
    /// From a mailbox row; `reply_to` is the asker's wait row.
    Row { row: Key, reply_to: Option<Key> },
    /// Nobody: a turn that goes on after a restart, whose caller is gone.
    Nobody,
    /// The node: an interrupted turn is to go on; the message says nothing.
    WakeUp,
}

/// What a caller outside is told, once it may leave the node.
pub(crate) struct Told {
    pub(crate) outcome: Result<Bytes>,
    /// The newest commit that the outcome could have seen.
    pub(crate) seen: Commit,
}

impl Envelope {
    /// A message from its mailbox row.
    pub(crate) fn from_row(row: Key, content: MailboxRow) -> Result<Self> {
        let message = content.message.ok_or_else(|| {
            Error::new(
                plexspaces_core::Code::Corrupt,
                format!("the mailbox row {row:?} has no message"),
            )
        })?;
        Ok(Envelope {
            message: message.try_into()?,
            origin: Origin::Row {
                row,
                reply_to: (!content.reply_to.is_empty()).then(|| Key(content.reply_to)),
            },
            caller: None,
            deadline: (content.deadline_ms > 0).then_some(Millis(content.deadline_ms)),
        })
    }
}

/// An actor's place in memory.
pub(crate) struct Resident {
    pub(crate) id: ActorId,
    state: Mutex<State>,
    /// Told when the actor is to stop: ends a wait.
    pub(crate) interrupt: Notify,
    /// How many ids of callers it remembers.
    pub(crate) keys: Keys,
    /// How many timers it has, at most.
    pub(crate) timers: Count,
}

#[derive(Default)]
struct State {
    mailbox: VecDeque<Envelope>,
    reserved: u64,
    running: bool,
    actor: Option<Box<Actor>>,
    used: Option<Instant>,
    /// Feeds that found no room, and how many messages may be left when they are to look again.
    waiting: Vec<Wake>,
    room_at: u64,
}

impl State {
    /// Whom to wake because there is room; drop it without the lock.
    fn room(&mut self) -> Vec<Wake> {
        if self.mailbox.len() as u64 + self.reserved > self.room_at {
            return Vec::new();
        }
        std::mem::take(&mut self.waiting)
    }
}

/// What to do after a turn.
pub(crate) enum Next {
    Message {
        envelope: Box<Envelope>,
        others_wait: bool,
    },
    Rest,
}

impl Resident {
    pub(crate) fn new(id: ActorId) -> Arc<Self> {
        Arc::new(Resident {
            id,
            state: Mutex::default(),
            interrupt: Notify::new(),
            keys: Keys::default(),
            timers: Count::default(),
        })
    }

    /// Queues a message. Gives the actor to start on, if nobody works on the queue; it may be passive.
    pub(crate) fn push(&self, envelope: Envelope) -> Option<Option<Box<Actor>>> {
        let mut state = self.state.lock();
        if envelope.message.delivery == Delivery::Stop {
            // A stop passes the waiting messages and ends a wait.
            state.mailbox.push_front(envelope);
            self.interrupt.notify_waiters();
        } else {
            state.mailbox.push_back(envelope);
        }
        if state.running {
            return None;
        }
        state.running = true;
        Some(state.actor.take())
    }

    /// The next message, or the actor goes to rest.
    pub(crate) fn next(&self, actor: &mut Option<Box<Actor>>) -> Next {
        let mut state = self.state.lock();
        if let Some(envelope) = state.mailbox.pop_front() {
            let others_wait = !state.mailbox.is_empty();
            let woken = state.room();
            drop(state);
            drop(woken);
            return Next::Message {
                envelope: Box::new(envelope),
                others_wait,
            };
        }
        state.running = false;
        state.actor = actor.take();
        state.used = Some(Instant::now());
        Next::Rest
    }

    /// After a crash of whoever worked on the queue: `true` if messages wait.
    pub(crate) fn crashed(&self) -> bool {
        let mut state = self.state.lock();
        state.running = !state.mailbox.is_empty();
        state.running
    }

    /// Takes a resting actor that was not used since `before`, to make it passive.
    pub(crate) fn take_idle(&self, before: Instant) -> Option<Box<Actor>> {
        let mut state = self.state.lock();
        if state.running || state.used.is_some_and(|used| used > before) {
            return None;
        }
        let actor = state.actor.take()?;
        state.running = true;
        Some(actor)
    }

    /// When the resting actor was last used.
    pub(crate) fn resting_since(&self) -> Option<(Instant, std::time::Duration)> {
        let state = self.state.lock();
        let actor = state.actor.as_ref()?;
        Some((state.used?, actor.idle_time()))
    }

    /// Keeps a place for a message, if the mailbox has fewer than `max`.
    pub(crate) fn reserve(&self, max: u64) -> bool {
        let mut state = self.state.lock();
        if state.mailbox.len() as u64 + state.reserved >= max {
            return false;
        }
        state.reserved += 1;
        true
    }

    /// As [`Self::reserve`]; without a place, `feed` is woken when half of the places are free again.
    pub(crate) fn reserve_or_wait(&self, max: u64, feed: &Feed, feeds: &Arc<Feeds>) -> bool {
        let mut state = self.state.lock();
        if state.mailbox.len() as u64 + state.reserved >= max {
            state.room_at = max / 2;
            if !state.waiting.iter().any(|wake| wake.feed() == feed) {
                state.waiting.push(feeds.wake_later(feed));
            }
            return false;
        }
        state.reserved += 1;
        true
    }

    /// Whether the next message tells the actor to stop.
    pub(crate) fn is_to_stop(&self) -> bool {
        let state = self.state.lock();
        let next = state.mailbox.front();
        next.is_some_and(|next| next.message.delivery == Delivery::Stop)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state.lock().running
    }

    /// Whether there is nothing to hold.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock();
        !state.running && state.reserved == 0 && state.mailbox.is_empty() && state.actor.is_none()
    }
}

/// A kept place in a mailbox; dropping it gives the place back.
pub(crate) struct Slot {
    shared: Arc<Shared>,
    resident: Arc<Resident>,
}

impl Slot {
    pub(crate) fn new(shared: Arc<Shared>, resident: Arc<Resident>) -> Self {
        Slot { shared, resident }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.resident.state.lock();
        state.reserved -= 1;
        let idle = !state.running
            && state.reserved == 0
            && state.mailbox.is_empty()
            && state.actor.is_none();
        let woken = state.room();
        drop(state);
        drop(woken);
        if idle {
            self.shared.forget(&self.resident.id);
        }
    }
}
