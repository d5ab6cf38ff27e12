//! What falls due in queues although nobody receives: expired messages are dropped, messages whose last lease has ended
//! become dead letters, and what a deleted queue has left is removed.

use super::head::Message;
use super::queue::{PURGE_ROWS, Place, Queue};
use super::{bury, take_row};
use crate::records::{QueueMessageRow, decode};
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Result};
use plexspaces_store::Key;

/// Does what is due for these rows, each with its entry in [`crate::expiry`]. Gives whether something is left for the
/// next time.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn sweep(
    transaction: &mut Transaction,
    queued: Vec<(Key, Key)>,
    now: Millis,
) -> Result<bool> {
    let mut left = false;
    for (entry, row) in queued {
        let place = Place::of(&row)?;
        let done = if place.is_purge() {
            purge(transaction, &row).await?
        } else {
            message(transaction, &place, &row, now).await?
        };
        if done {
            transaction.delete(entry)?;
        }
        left |= !done;
    }
    Ok(left)
}

/// `false`: a turn under way has the message.
async fn message(
    transaction: &mut Transaction,
    place: &Place,
    key: &Key,
    now: Millis,
) -> Result<bool> {
    let queue = Queue::find(transaction, &place.scope, &place.queue).await?;
    if queue.row.generation != place.generation {
        // The queue was deleted; its mark sees to this.
        return Ok(true);
    }
    let mut looked = false;
    let due = |value: Option<&Bytes>| {
        looked = true;
        let Some(value) = value else { return Ok(false) };
        let row = decode(key, value)?;
        Ok(is_over(&queue, &row, now))
    };
    let Some(Some(value)) = transaction.latest_if(key, due).await? else {
        return Ok(looked);
    };
    let row: QueueMessageRow = decode(key, &value)?;
    let message = Message {
        ticket: place.first,
        key: key.clone(),
        hidden: place.is_hidden(),
        row,
    };
    if has_expired(&message.row, now) {
        take_row(transaction, &queue, &message).await?;
        queue.change(transaction).take();
    } else {
        match bury(transaction, &queue, message, now).await {
            Ok(()) => {}
            // A turn under way deletes the queue for dead letters.
            Err(error) if error.code == Code::Contended => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn is_over(queue: &Queue, row: &QueueMessageRow, now: Millis) -> bool {
    let dies = row.token != 0 && queue.is_last(row.deliveries);
    // A message whose time is over can still be acknowledged while its lease lasts.
    row.hidden_until_ms <= now.0 && (has_expired(row, now) || dies)
}

fn has_expired(row: &QueueMessageRow, now: Millis) -> bool {
    row.expires_ms > 0 && row.expires_ms <= now.0
}

/// Removes some of what a deleted queue has left. Nobody else changes it any more.
async fn purge(transaction: &mut Transaction, mark: &Key) -> Result<bool> {
    let left = Queue::rows_of_mark(mark)?;
    let rows = transaction.scan_latest(left, PURGE_ROWS).await?;
    let done = rows.len() < PURGE_ROWS;
    for (key, _) in rows {
        if done || key != *mark {
            transaction.delete(key)?;
        }
    }
    Ok(done)
}
