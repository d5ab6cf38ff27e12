//! Leased messages: hidden from others until they are acknowledged, given back, or their lease ends.
//!
//! Whoever has the handle has the lease: it names the message and, by a token, this very lease, so that a late
//! acknowledgement does not hit the next receiver's.

use super::head::{self, Message, Next};
use super::queue::{Queue, check_delay, check_lease, check_name, invalid};
use super::{Received, bury, put_hidden, put_ready, take_row};
use crate::records::{LeasedMessage, QueueMessageRow, decode};
use crate::transaction::Transaction;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result, Scope};

/// Leases the next message for `lease_ms`, or as long as the queue says; `token` tells this lease from all others.
///
/// # Errors
/// `PS1013` for a malformed name or lease, `PS3008`, or a fault of the store.
pub async fn receive_leased(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    lease_ms: Option<u64>,
    token: u64,
    now: Millis,
) -> Result<Received<LeasedMessage>> {
    if let Some(lease_ms) = lease_ms {
        check_lease(lease_ms)?;
    }
    let queue = Queue::find(transaction, scope, name).await?;
    let message = match head::next(transaction, &queue, now).await? {
        Next::Message(message) => message,
        Next::Nothing { again } => return Ok(Received::Nothing { again }),
    };
    take_row(transaction, &queue, &message).await?;
    let lease_ms = lease_ms.unwrap_or(queue.row.lease_ms);
    let row = QueueMessageRow {
        deliveries: message.row.deliveries.saturating_add(1),
        // 0 says that nobody has it.
        token: token.max(1),
        hidden_until_ms: now.0.saturating_add(lease_ms),
        ..message.row
    };
    put_hidden(transaction, &queue, message.ticket, &row)?;
    let handle = Handle {
        generation: queue.row.generation,
        ticket: message.ticket,
        token: row.token,
        queue: name,
    };
    Ok(Received::Message(LeasedMessage {
        handle: handle.text(),
        payload: row.payload,
        deliveries: row.deliveries,
        sent_ms: row.sent_ms,
        lease_until_ms: row.hidden_until_ms,
    }))
}

/// Removes a leased message: its work is done.
///
/// # Errors
/// `PS1013` for what is no handle, `PS1020` if the lease has ended, `PS1018`, `PS3008`, or a fault of the store.
pub async fn ack(
    transaction: &mut Transaction,
    scope: &Scope,
    handle: &str,
    now: Millis,
) -> Result<()> {
    let (queue, message) = leased(transaction, scope, handle, now).await?;
    take_row(transaction, &queue, &message).await?;
    queue.change(transaction).take();
    Ok(())
}

/// Gives a leased message back: it is received again after `delay_ms`, or is a dead letter.
///
/// # Errors
/// As [`ack`], and `PS1013` for a malformed delay.
pub async fn nack(
    transaction: &mut Transaction,
    scope: &Scope,
    handle: &str,
    delay_ms: u64,
    now: Millis,
) -> Result<()> {
    check_delay(delay_ms)?;
    let (queue, message) = leased(transaction, scope, handle, now).await?;
    if queue.is_last(message.row.deliveries) {
        return bury(transaction, &queue, message, now).await;
    }
    take_row(transaction, &queue, &message).await?;
    let mut row = message.row;
    if delay_ms == 0 {
        return put_ready(transaction, &queue, message.ticket, row);
    }
    (row.token, row.hidden_until_ms) = (0, now.0.saturating_add(delay_ms));
    put_hidden(transaction, &queue, message.ticket, &row)
}

/// Lets a lease end `lease_ms` from now.
///
/// # Errors
/// As [`ack`], and `PS1013` for a malformed lease.
pub async fn extend(
    transaction: &mut Transaction,
    scope: &Scope,
    handle: &str,
    lease_ms: u64,
    now: Millis,
) -> Result<()> {
    check_lease(lease_ms)?;
    let (queue, message) = leased(transaction, scope, handle, now).await?;
    take_row(transaction, &queue, &message).await?;
    let mut row = message.row;
    row.hidden_until_ms = now.0.saturating_add(lease_ms);
    put_hidden(transaction, &queue, message.ticket, &row)
}

/// The message that a handle leases.
async fn leased(
    transaction: &mut Transaction,
    scope: &Scope,
    handle: &str,
    now: Millis,
) -> Result<(Queue, Message)> {
    let handle = Handle::parse(handle)?;
    let queue = Queue::find(transaction, scope, handle.queue).await?;
    let lost = || {
        let name = handle.queue;
        let text = format!(
            "the lease of a message of the queue {name:?} has ended; the message may have been received again"
        );
        Err(Error::new(Code::LeaseLost, text))
    };
    if queue.row.generation != handle.generation {
        return lost();
    }
    let key = queue.hidden(handle.ticket);
    let Some(value) = transaction.latest(&key).await? else {
        return lost();
    };
    let row: QueueMessageRow = decode(&key, &value)?;
    if row.token != handle.token || row.hidden_until_ms <= now.0 {
        return lost();
    }
    let message = Message {
        ticket: handle.ticket,
        row,
        key,
        hidden: true,
    };
    Ok((queue, message))
}

/// Names one lease of one message, as text for guests.
struct Handle<'h> {
    generation: u64,
    ticket: u64,
    token: u64,
    queue: &'h str,
}

impl<'h> Handle<'h> {
    fn text(&self) -> String {
        let Handle {
            generation,
            ticket,
            token,
            queue,
        } = self;
        format!("{generation:x}-{ticket:x}-{token:x}-{queue}")
    }

    fn parse(text: &'h str) -> Result<Self> {
        let mut parts = text.splitn(4, '-');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let numbers = (number(), number(), number());
        match (numbers, parts.next()) {
            ((Some(generation), Some(ticket), Some(token)), Some(queue)) if token > 0 => {
                check_name(queue)?;
                Ok(Handle {
                    generation,
                    ticket,
                    token,
                    queue,
                })
            }
            _ => Err(invalid(
                "this is no handle of a leased message; pass on what receive-leased gave".into(),
            )),
        }
    }
}
