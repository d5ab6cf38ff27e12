//! Sends what is due: one task that sleeps until the next timer.
//!
//! A timer fires in one batch with the message that it puts into the mailbox, and only when the mailbox has a place for
//! it; until then it stays due and is tried again, with growing pauses. The order of what is due for one receiver stays.

use crate::catalog::Deployment;
use crate::messaging::Links;
use crate::node::{check_payload, mailbox_row};
use crate::resident::{Envelope, Slot};
use crate::shared::{Shared, wall};
use parking_lot::Mutex;
use plexspaces_core::batch::Batch;
use plexspaces_core::message::{self, Delivery, FROM_TIMER, Message};
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_runtime::{Timer, Turn, Which};
use plexspaces_services::records::{MailboxRow, TimerRow, encode};
use plexspaces_services::timers::{self, Due, Look};
use plexspaces_services::{fault, mailbox};
use plexspaces_store::{Error as StoreError, Key};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many entries one batch takes.
const AT_ONCE: usize = 256;

/// The pauses while something is due that nobody has room for: the first, and the longest.
const PAUSE_MS_MIN: u64 = 10;
const PAUSE_MS_MAX: u64 = 1_000;

/// The pause after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Starts the task; it ends with the node.
pub(crate) fn start(shared: &Arc<Shared>) {
    let (weak, alarm) = (Arc::downgrade(shared), shared.timers.clone());
    tokio::spawn(async move {
        let mut task = Task {
            live_from: Millis(0),
            pause_ms: PAUSE_MS_MIN,
        };
        // The node is not kept alive by the wait.
        while let Some(shared) = weak.upgrade() {
            let next = match task.look(&shared).await {
                Ok(next) => next.map(|at| (at, shared.until(at))),
                Err(error) => {
                    tracing::warn!("what is due was not sent: {error}");
                    task.live_from = Millis(0);
                    shared.unpark.store(true, Ordering::SeqCst);
                    Some((Millis(0), AFTER_FAILURE))
                }
            };
            drop(shared);
            alarm.sleep(next).await;
        }
    });
}

/// What the task keeps from one look to the next.
struct Task {
    /// No live entry is before this: what lies there are the store's own traces of deleted ones.
    live_from: Millis,
    pause_ms: u64,
}

/// What came of what was due.
#[derive(Default)]
struct Outcome {
    fired: bool,
    /// When the first of what could not be sent was due.
    stuck: Option<Millis>,
}

/// A timer with a place for its message.
struct Firing {
    due: Due,
    to: ActorId,
    mailbox: Key,
    content: MailboxRow,
    slot: Slot,
}

impl Task {
    /// Sends everything that is due; gives when to look again.
    async fn look(&mut self, shared: &Arc<Shared>) -> Result<Option<Millis>> {
        if shared.closing.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // Before the snapshots, so that what they do not show is told of later.
        if let Some(earliest) = shared.timers.take_earliest() {
            self.live_from = self.live_from.min(earliest);
        }
        if shared.unpark.swap(false, Ordering::SeqCst) {
            self.live_from = self.live_from.min(unpark(shared).await?);
        }
        let now = wall();
        let mut range = timers::from(self.live_from);
        let mut outcome = Outcome::default();
        // Behind one message that a receiver has no room for, no other one passes.
        let mut full = HashSet::new();
        let next = loop {
            let snapshot = shared.store.snapshot();
            let look = timers::look(snapshot.as_ref(), range.clone(), now, AT_ONCE).await?;
            drop(snapshot);
            let (next, on) = (look.next, look.on.clone());
            send(shared, look, now, &mut full, &mut outcome).await?;
            match on {
                Some(on) if next.is_none() => range.start = on,
                _ => break next,
            }
            tokio::task::consume_budget().await;
        };
        let first = match (outcome.stuck, next) {
            (Some(stuck), Some(next)) => Some(stuck.min(next)),
            (stuck, next) => stuck.or(next),
        };
        self.live_from = first.unwrap_or(Millis(u64::MAX));
        if outcome.stuck.is_none() {
            self.pause_ms = PAUSE_MS_MIN;
            return Ok(next);
        }
        self.pause_ms = match outcome.fired {
            true => PAUSE_MS_MIN,
            false => (self.pause_ms * 2).min(PAUSE_MS_MAX),
        };
        let again = Millis(wall().0 + self.pause_ms);
        Ok(Some(next.map_or(again, |next| next.min(again))))
    }
}

/// Commits what a look found and there is room for, and hands it over.
async fn send(
    shared: &Arc<Shared>,
    look: Look,
    now: Millis,
    full: &mut HashSet<ActorId>,
    outcome: &mut Outcome,
) -> Result<()> {
    let mut parking = Vec::new();
    let mut firing = Vec::new();
    tell_broken(&look.broken);
    for due in look.due {
        let (to, message) = match readable(&due) {
            Ok(readable) => readable,
            Err(error) => {
                tell_broken(&[error]);
                continue;
            }
        };
        let Ok(deployment) = shared.catalog.of(&to) else {
            parking.push(due);
            continue;
        };
        match place(shared, &due, &to, &deployment, full) {
            Some(slot) => {
                firing.push(Firing {
                    mailbox: mailbox::key(&to, shared.ticket()),
                    content: mailbox_row(&message),
                    due,
                    to,
                    slot,
                });
            }
            None => {
                let at = Millis(due.timer.at_ms);
                outcome.stuck = Some(outcome.stuck.map_or(at, |stuck| stuck.min(at)));
            }
        }
    }
    let mut stale = look.stale;
    loop {
        let mut batch = Batch::new();
        for (entry, row, version) in &stale {
            // The row may be written again with this very time.
            batch.guard(row.clone(), *version);
            batch.delete(entry.clone());
        }
        for due in &parking {
            due.park(&mut batch);
        }
        for fire in &firing {
            fire.due.fire(&mut batch, now);
            batch.put(fire.mailbox.clone(), encode(&fire.content));
        }
        if batch.is_empty() {
            return Ok(());
        }
        match shared.commit(batch).await {
            Ok(_) => break,
            // Somebody has cancelled it or set it anew: the next look sees what has become of it.
            Err(StoreError::Conflict { key, .. }) => {
                stale.retain(|(_, row, _)| *row != key);
                parking.retain(|due: &Due| due.row != key);
                firing.retain(|fire: &Firing| fire.due.row != key);
                shared.timers.set(Millis(0));
            }
            Err(error) => return Err(fault(error)),
        }
    }
    outcome.fired |= !firing.is_empty();
    for fire in firing {
        let envelope = Envelope::from_row(fire.mailbox, fire.content)?;
        shared.deliver(&fire.to, envelope);
        drop(fire.slot);
    }
    Ok(())
}

/// Whom the message is for, and the message.
fn readable(due: &Due) -> Result<(ActorId, Message)> {
    let Some(message) = due.timer.message.clone() else {
        let text = format!("the timer {:?} has no message", due.row);
        return Err(Error::new(Code::Corrupt, text));
    };
    Ok((due.receiver()?, message.try_into()?))
}

/// One that cannot be read stops no other.
fn tell_broken(errors: &[Error]) {
    for error in errors {
        tracing::error!(code = "PS5004", "a timer stays where it is: {error}");
    }
}

/// A place in the receiver's mailbox, if nothing is before this one that has none.
fn place(
    shared: &Arc<Shared>,
    due: &Due,
    to: &ActorId,
    deployment: &Deployment,
    full: &mut HashSet<ActorId>,
) -> Option<Slot> {
    // A turn that has lost too often against others has this one to itself.
    let strict = shared.coordination.reservations.is_strict(&due.row);
    if strict || full.contains(to) {
        return None;
    }
    match shared.reserve_slot(to, deployment.limits.mailbox_messages) {
        Ok(slot) => Some(slot),
        Err(_) => {
            full.insert(to.clone());
            None
        }
    }
}

/// Puts back what was parked and can be sent again; gives when the first of it is due.
async fn unpark(shared: &Arc<Shared>) -> Result<Millis> {
    let mut first = Millis(u64::MAX);
    let mut range = timers::parked();
    loop {
        let snapshot = shared.store.snapshot();
        let look = timers::look(snapshot.as_ref(), range.clone(), wall(), AT_ONCE).await?;
        drop(snapshot);
        let mut stale = look.stale;
        let mut back = Vec::new();
        for due in look.due {
            if due
                .receiver()
                .is_ok_and(|to| shared.catalog.of(&to).is_ok())
            {
                first = first.min(Millis(due.timer.at_ms));
                back.push(due);
            }
        }
        loop {
            let mut batch = Batch::new();
            for (entry, row, version) in &stale {
                batch.guard(row.clone(), *version);
                batch.delete(entry.clone());
            }
            for due in &back {
                due.unpark(&mut batch);
            }
            match shared.commit(batch).await {
                Ok(_) => break,
                // Cancelled or set anew: its parked entry goes with the next deployment.
                Err(StoreError::Conflict { key, .. }) => {
                    stale.retain(|(_, row, _)| *row != key);
                    back.retain(|due: &Due| due.row != key);
                }
                Err(error) => return Err(fault(error)),
            }
        }
        match look.on {
            Some(on) => range.start = on,
            None => return Ok(first),
        }
    }
}

impl Shared {
    /// Types are deployed that were not: what is parked may be for them.
    pub(crate) fn unpark_timers(&self) {
        self.unpark.store(true, Ordering::SeqCst);
        self.timers.set(Millis(0));
    }
}

/// How many timers an actor has at most: those that fire are not told of, and counted off when the bound seems reached.
#[derive(Default)]
pub(crate) struct Count(Mutex<Option<usize>>);

impl Links {
    /// Buffers the setting of a timer; gives its number.
    pub(crate) async fn arm_timer(&self, turn: &mut Turn, timer: Timer) -> Result<u64> {
        message::check_msg_type(&timer.msg_type)
            .map_err(|problem| Error::new(Code::InvalidArgument, problem))?;
        timers::check_times(timer.delay_ms, timer.period_ms)?;
        let owner = turn.actor.clone();
        let (to, from, id, row) = match &timer.which {
            Which::To(to) => {
                let to = ActorId::parse(owner.scope(), to)?;
                let id = self.0.ticket();
                (to, owner.local(), id, timers::timer(&owner, id))
            }
            Which::Reminder(name) => {
                let row = timers::reminder(&owner, name)?;
                (owner.clone(), FROM_TIMER.to_owned(), 0, row)
            }
        };
        let deployment = self.0.catalog.of(&to)?;
        deployment.module.contract.route(Delivery::Send)?;
        check_payload(timer.payload.len(), deployment.limits.message_bytes)?;
        self.check_count(turn, &row).await?;
        let message = Message {
            from,
            msg_type: timer.msg_type,
            payload: timer.payload,
            delivery: Delivery::Send,
        };
        let content = TimerRow {
            to: to.local(),
            message: Some((&message).into()),
            at_ms: 0,
            period_ms: timer.period_ms,
        };
        let now = self.0.now();
        let armed = timers::set(&mut turn.transaction, row, content, timer.delay_ms, now).await?;
        turn.armed.push(armed);
        Ok(id)
    }

    /// Refuses a new timer when the actor has as many as it may.
    async fn check_count(&self, turn: &mut Turn, row: &Key) -> Result<()> {
        if turn.transaction.get(row).await?.is_some() {
            return Ok(());
        }
        let resident = self.0.residents.get(&turn.actor);
        let resident = resident.map(|entry| entry.value().clone());
        let known = resident
            .as_ref()
            .and_then(|resident| *resident.timers.0.lock());
        let count = match known {
            Some(known) if known < timers::PER_ACTOR_MAX => known,
            _ => {
                let owner = turn.actor.clone();
                timers::count(&mut turn.transaction, &owner).await?
            }
        };
        let full = count >= timers::PER_ACTOR_MAX;
        if let Some(resident) = resident {
            *resident.timers.0.lock() = Some(if full { count } else { count + 1 });
        }
        if !full {
            return Ok(());
        }
        Err(Error::new(
            Code::TooManyTimers,
            format!(
                "{} has {count} timers and reminders, as many as it may; cancel some, or let other actors have them",
                turn.actor.local()
            ),
        ))
    }
}
