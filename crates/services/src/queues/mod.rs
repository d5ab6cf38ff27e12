//! Queues: each message goes to one receiver, and comes back if that one fails.
//!
//! Layout: `scope / Queue / name` → `QueueRow`, once the queue was created or deleted; before, it has the defaults.
//! `scope / QueueMessage / name / generation / part / …`: part 0 `ticket` → `QueueMessageRow`, a message that can be
//! received; part 1 `ticket` → the same, while it is delayed or leased; part 2 `time / ticket` → 8 bytes, when it can be
//! received again, and in its value when it expires; part 3 → empty, the mark of a deleted queue. Tickets grow with time,
//! so the messages lie in the order of sending. A deletion raises the generation: what was in the queue is out of sight
//! at once, and removed in the background.
//!
//! A plain receive takes the message away with the turn's batch, so a turn that fails gives it back. A leased receive
//! hides it until the lease ends, for work that is longer than a turn; whoever has the handle acknowledges it, or gives
//! it back. A message that was leased too often becomes a dead letter, in the batch that gives it back or, when its last
//! lease ends, in the [`sweep`] that also drops what has expired.
//!
//! * this file: create, send, receive, delete; `leases.rs`: what becomes of leased messages
//! * `queue.rs`: settings and keys; `head.rs`: which message is next
//! * `tally.rs`, `low.rs`: lengths and low marks, in memory; `sweep.rs`: what falls due

mod head;
mod leases;
mod low;
mod queue;
mod sweep;
mod tally;
#[cfg(test)]
mod tests;

pub use leases::{ack, extend, nack, receive_leased};
pub use queue::{LEASE_MS, LEASE_MS_MAX, LENGTH, NAME_BYTES_MAX, Options, topic};
pub use sweep::sweep;
pub use tally::{Change, Tallies, Tally};

use crate::expiry;
use crate::keyvalue::expires_at;
use crate::records::{QueueMessageRow, QueueRow, encode};
use crate::transaction::Transaction;
use crate::waiters::Wants;
use bytes::Bytes;
use head::{Message, Next};
use low::Line;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, ErrorKind, Result, Scope};
use queue::{Queue, check_delay, check_name, invalid, settings};

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendOptions {
    /// For how many milliseconds nobody receives it.
    pub delay_ms: u64,
    /// After how many milliseconds it is dropped if nobody has received it; `None`: as the queue says.
    pub ttl_ms: Option<u64>,
}

/// What a receiver got.
#[derive(Clone, Debug, PartialEq)]
pub enum Received<T> {
    /// A message.
    Message(T),
    /// Nothing, perhaps until a delay or a lease ends.
    Nothing {
        /// When that is.
        again: Option<Millis>,
    },
}

/// Makes sure that a queue is there. With `options` it is to be like that.
///
/// # Errors
/// `PS1013` for a malformed name or options, `PS1021` if it was created with other options, `PS3008`, or a fault of the
/// store.
pub async fn create(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    options: Option<Options>,
) -> Result<()> {
    let found = settings(transaction, scope, name).await?;
    if found.created && options.is_none() {
        return Ok(());
    }
    let row = options.unwrap_or_default().row(name, found.generation)?;
    if found.created && found != row {
        return Err(Error::new(
            Code::EntryExists,
            format!("the queue {name:?} is there already, with other options"),
        ));
    }
    transaction.put(topic(scope, name), encode(&row))
}

/// Adds a message. `ticket` is its place: greater than those of all before.
///
/// # Errors
/// `PS1013` for a malformed name, delay or time to live, `PS1019` if the queue is full, `PS1018` if another turn deletes
/// it, `PS3008`, or a fault of the store.
pub async fn send(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    payload: Bytes,
    options: SendOptions,
    ticket: u64,
    now: Millis,
) -> Result<()> {
    check_name(name)?;
    check_delay(options.delay_ms)?;
    let queue = Queue::find(transaction, scope, name).await?;
    let ttl_ms = options
        .ttl_ms
        .or((queue.row.ttl_ms > 0).then_some(queue.row.ttl_ms));
    let expires_ms = match ttl_ms {
        Some(ttl_ms) => expires_at(ttl_ms, now)?.0,
        None => 0,
    };
    let visible_ms = now.0.saturating_add(options.delay_ms);
    if expires_ms > 0 && expires_ms <= visible_ms {
        return Err(invalid(format!(
            "a delay of {} ms leaves nothing of a time to live of {} ms: nobody would receive the message",
            options.delay_ms,
            ttl_ms.unwrap_or_default()
        )));
    }
    queue.change(transaction).send(name, queue.row.max_length)?;
    let mut row = QueueMessageRow {
        payload,
        sent_ms: now.0,
        expires_ms,
        ..QueueMessageRow::default()
    };
    if options.delay_ms == 0 {
        return put_ready(transaction, &queue, ticket, row);
    }
    row.hidden_until_ms = visible_ms;
    put_hidden(transaction, &queue, ticket, &row)
}

/// What one who waits for messages wants: any.
#[must_use]
pub fn wants() -> Wants {
    Box::new(|_| true)
}

/// Takes the next message away.
///
/// # Errors
/// `PS1013` for a malformed name, `PS3008`, or a fault of the store.
pub async fn receive(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    now: Millis,
) -> Result<Received<Bytes>> {
    let queue = Queue::find(transaction, scope, name).await?;
    let message = match head::next(transaction, &queue, now).await? {
        Next::Message(message) => message,
        Next::Nothing { again } => return Ok(Received::Nothing { again }),
    };
    take_row(transaction, &queue, &message).await?;
    queue.change(transaction).take();
    transaction.wakes_if_undone(queue.topic());
    Ok(Received::Message(message.row.payload))
}

/// How many messages there are, delayed and leased ones included: what is committed now, and what this turn changes.
///
/// # Errors
/// `PS1013` for a malformed name, or a fault of the store.
pub async fn depth(transaction: &mut Transaction, scope: &Scope, name: &str) -> Result<u64> {
    let queue = Queue::find(transaction, scope, name).await?;
    Ok(queue.change(transaction).depth())
}

/// Deletes a queue with its settings; one that has messages only if `with_messages`. Handles of its messages are lost.
///
/// # Errors
/// `PS1013` for a malformed name, and of the kind `failed-precondition` if there are messages; `PS3008`, or a fault of
/// the store.
pub async fn delete(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    with_messages: bool,
    now: Millis,
) -> Result<()> {
    let queue = Queue::find(transaction, scope, name).await?;
    let closed = queue.change(transaction).close(with_messages);
    if let Err(messages) = closed {
        let mut error = invalid(format!(
            "the queue {name:?} has {messages} messages, and was to be deleted only if it is empty"
        ));
        error.kind = ErrorKind::FailedPrecondition;
        return Err(error);
    }
    let row = QueueRow {
        generation: queue.row.generation + 1,
        ..QueueRow::default()
    };
    transaction.put(topic(scope, name), encode(&row))?;
    if with_messages {
        let mark = queue.purge();
        transaction.put(expiry::entry(now, &mark), Bytes::new())?;
        transaction.put(mark, Bytes::new())?;
    }
    Ok(())
}

/// Makes a message receivable.
fn put_ready(
    transaction: &mut Transaction,
    queue: &Queue,
    ticket: u64,
    row: QueueMessageRow,
) -> Result<()> {
    let key = queue.ready(ticket);
    let row = QueueMessageRow {
        token: 0,
        hidden_until_ms: 0,
        ..row
    };
    if row.expires_ms > 0 {
        transaction.put(expiry::entry(Millis(row.expires_ms), &key), Bytes::new())?;
    }
    queue.change(transaction).writes(Line::Ready, ticket);
    transaction.put(key, encode(&row))?;
    transaction.wakes(queue.topic());
    Ok(())
}

/// Hides a message until its delay or lease ends.
fn put_hidden(
    transaction: &mut Transaction,
    queue: &Queue,
    ticket: u64,
    row: &QueueMessageRow,
) -> Result<()> {
    let (key, until) = (queue.hidden(ticket), row.hidden_until_ms);
    let comes_back = row.expires_ms == 0 || row.expires_ms > until;
    let dies = row.token != 0 && queue.is_last(row.deliveries);
    if !comes_back || dies {
        transaction.put(expiry::entry(Millis(until), &key), Bytes::new())?;
    }
    if comes_back && row.expires_ms > 0 {
        transaction.put(expiry::entry(Millis(row.expires_ms), &key), Bytes::new())?;
    }
    if comes_back && !dies {
        queue.change(transaction).writes(Line::Due, until);
        transaction.put(queue.due(until, ticket), head::due_value(row.expires_ms))?;
    }
    transaction.put(key, encode(row))?;
    // Who waits first is to know when to look again.
    transaction.wakes(queue.topic());
    Ok(())
}

/// Takes the row of a reserved message away from where it lies.
async fn take_row(transaction: &mut Transaction, queue: &Queue, message: &Message) -> Result<()> {
    transaction.take(&message.key).await?;
    let until = message.row.hidden_until_ms;
    let change = queue.change(transaction);
    if message.hidden {
        change.removes_due = change.removes_due.min(until);
        transaction.delete(queue.due(until, message.ticket))?;
    } else {
        change.removes_ready = change.removes_ready.min(message.ticket);
    }
    Ok(())
}

/// Moves a reserved message to the dead letters, where it keeps its place by the time of its sending.
async fn bury(
    transaction: &mut Transaction,
    queue: &Queue,
    message: Message,
    now: Millis,
) -> Result<()> {
    let name = queue.dead_letters();
    let dead = Queue::find(transaction, &queue.scope, &name).await?;
    // A dead letter is never refused: its queue may become longer than it should.
    dead.change(transaction).send(&name, u64::MAX)?;
    take_row(transaction, queue, &message).await?;
    queue.change(transaction).take();
    let expires_ms = match dead.row.ttl_ms {
        0 => 0,
        ttl_ms => expires_at(ttl_ms, now)?.0,
    };
    let row = QueueMessageRow {
        payload: message.row.payload,
        sent_ms: message.row.sent_ms,
        expires_ms,
        ..QueueMessageRow::default()
    };
    put_ready(transaction, &dead, message.ticket, row)
}
