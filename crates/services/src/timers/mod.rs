//! Messages that are sent later: timers, which fire once, and reminders, which have a name and may come again and again.
//!
//! Layout: `scope / Timer / owner's type / owner's key / name / id` → `TimerRow`, a timer with an empty name and a number
//! of its own, a reminder with its name and 0; and on the node `Due / at / row's key` → empty, so that what is due is found
//! without looking at the rest. The row says itself when it is due: an entry of another time is stale and dropped. What
//! cannot be sent because the receiver's type is not deployed is parked: its entry stands at the end of time, until a
//! deployment puts it back.
//!
//! A timer fires with the batch that takes its row away, or dates it anew, and puts the message into the mailbox: in effect
//! exactly once, whatever crashes. The batch guards the row, as does whoever cancels it, so one of the two is first.

mod due;

pub use due::{Due, Look, from, look, parked};

use crate::records::{TimerRow, decode, encode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Op};
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest delay and the longest period: 10 years.
pub const DELAY_MS_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;

/// The shortest period.
pub const PERIOD_MS_MIN: u64 = 10;

/// How many timers and reminders an actor may have.
pub const PER_ACTOR_MAX: usize = 10_000;

/// The longest name of a reminder, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// The most reminders that one call lists.
pub const LIST_MAX: u32 = 1_000;

/// Where an actor's timer with this number is.
#[must_use]
pub fn timer(owner: &ActorId, id: u64) -> Key {
    path(owner).str("").u64(id).key()
}

/// Where an actor's reminder of this name is.
///
/// # Errors
/// `PS1013` for a name that is empty or too long.
pub fn reminder(owner: &ActorId, name: &str) -> Result<Key> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid(format!(
            "the reminder's name has {} bytes; it must have 1 to {NAME_BYTES_MAX}",
            name.len()
        )));
    }
    Ok(path(owner).str(name).u64(0).key())
}

/// Checks the times of a timer or a reminder.
///
/// # Errors
/// `PS1013` for a time out of range.
pub fn check_times(delay_ms: u64, period_ms: u64) -> Result<()> {
    if delay_ms > DELAY_MS_MAX {
        return Err(invalid(format!(
            "the delay is {delay_ms} ms; it must be 0 to {DELAY_MS_MAX}"
        )));
    }
    if period_ms != 0 && !(PERIOD_MS_MIN..=DELAY_MS_MAX).contains(&period_ms) {
        return Err(invalid(format!(
            "the period is {period_ms} ms; it must be {PERIOD_MS_MIN} to {DELAY_MS_MAX}, or 0 for once"
        )));
    }
    Ok(())
}

/// A timer that a turn has set and that counts from the turn's commit.
#[derive(Clone, Debug)]
pub struct Armed {
    row: Key,
    at: Millis,
    delay_ms: u64,
}

/// Sets a timer or a reminder; `content` says nothing of the time yet, and the time that it gets here is good until the
/// turn commits. One that is there is replaced.
///
/// # Errors
/// `PS3008` over the turn's bounds, or a fault of the store.
pub async fn set(
    transaction: &mut Transaction,
    row: Key,
    content: TimerRow,
    delay_ms: u64,
    now: Millis,
) -> Result<Armed> {
    if let Some(value) = transaction.get(&row).await? {
        let before: TimerRow = decode(&row, &value)?;
        transaction.delete(entry(Millis(before.at_ms), &row))?;
    }
    let at = Millis(now.0.saturating_add(delay_ms));
    let content = TimerRow {
        at_ms: at.0,
        ..content
    };
    transaction.put(entry(at, &row), Bytes::new())?;
    transaction.put(row.clone(), encode(&content))?;
    Ok(Armed { row, at, delay_ms })
}

/// Dates what a turn has set by the time of its commit.
///
/// # Errors
/// `PS5004`.
pub fn date(batch: &mut Batch, armed: &[Armed], now: Millis) -> Result<()> {
    for timer in armed {
        let at = Millis(now.0.saturating_add(timer.delay_ms));
        let Some(Op::Put(value)) = batch.ops.get(&timer.row) else {
            continue; // cancelled by the turn itself
        };
        let mut row: TimerRow = decode(&timer.row, value)?;
        if row.at_ms != timer.at.0 || at <= timer.at {
            continue;
        }
        row.at_ms = at.0;
        batch.ops.remove(&entry(timer.at, &timer.row));
        batch.put(entry(at, &timer.row), Bytes::new());
        batch.put(timer.row.clone(), encode(&row));
    }
    Ok(())
}

/// Cancels what is at `row`; whether there was something.
///
/// # Errors
/// `PS1018` and `PS4003` as [`Transaction::latest`], `PS3008`, or a fault of the store.
pub async fn cancel(transaction: &mut Transaction, row: Key) -> Result<bool> {
    let Some(value) = transaction.latest(&row).await? else {
        return Ok(false);
    };
    let content: TimerRow = decode(&row, &value)?;
    transaction.delete(entry(Millis(content.at_ms), &row))?;
    transaction.delete(row)?;
    Ok(true)
}

/// How many timers and reminders an actor has, counted up to one more than the bound.
///
/// # Errors
/// A fault of the store.
pub async fn count(transaction: &mut Transaction, owner: &ActorId) -> Result<usize> {
    let rows = transaction.scan(path(owner).range(), PER_ACTOR_MAX + 1);
    Ok(rows.await?.len())
}

/// Some reminders, by name.
#[derive(Debug, Default)]
pub struct Page {
    /// Names and contents.
    pub reminders: Vec<(String, TimerRow)>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

/// An actor's reminders after `cursor`.
///
/// # Errors
/// `PS1013` for a malformed cursor or a limit that is not 1 to [`LIST_MAX`], or a fault of the store.
pub async fn list(
    transaction: &mut Transaction,
    owner: &ActorId,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(invalid(format!(
            "the limit is {limit}; it must be 1 to {LIST_MAX}"
        )));
    }
    let after = match cursor {
        Some(cursor) => reminder(owner, cursor)?,
        // After all timers, whose name is empty.
        None => timer(owner, u64::MAX),
    };
    let range = just_after(&after)..path(owner).range().end;
    let rows = transaction.scan(range, limit as usize).await?;
    let mut page = Page::default();
    for (key, value) in rows {
        let content = decode(&key, &value)?;
        page.reminders.push((name(&key)?, content));
    }
    if page.reminders.len() == limit as usize {
        page.cursor = page.reminders.last().map(|(name, _)| name.clone());
    }
    Ok(page)
}

/// When the first timer that a batch sets is due.
#[must_use]
pub fn first_of(batch: &Batch) -> Option<Millis> {
    let mut entries = batch.ops.range(from(Millis(0)));
    let (first, _) = entries.find(|(_, op)| matches!(op, Op::Put(_)))?;
    Some(parse(first).ok()?.0)
}

fn entry(at: Millis, row: &Key) -> Key {
    Path::node(Kind::Due).u64(at.0).bytes(row.as_bytes()).key()
}

fn path(owner: &ActorId) -> Path {
    let scope = owner.scope();
    Path::scope(scope.tenant(), scope.namespace(), Kind::Timer)
        .str(owner.kind())
        .str(owner.key())
}

fn name(row: &Key) -> Result<String> {
    match elements(row)?.as_slice() {
        [.., Element::Str(name), _] => Ok(name.clone()),
        _ => Err(corrupt(row)),
    }
}

fn parse(entry: &Key) -> Result<(Millis, Key)> {
    match elements(entry)?.as_slice() {
        [.., at, Element::Bytes(row)] => {
            let at = at.as_u64().ok_or_else(|| corrupt(entry))?;
            Ok((Millis(at), Key::from(row.clone())))
        }
        _ => Err(corrupt(entry)),
    }
}

fn elements(key: &Key) -> Result<Vec<Element>> {
    key::decode(key).map_err(|_| corrupt(key))
}

fn corrupt(key: &Key) -> Error {
    Error::new(
        Code::Corrupt,
        format!("the timer key {key:?} cannot be read"),
    )
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plexspaces_core::Scope;

    fn at(at_ms: u64) -> TimerRow {
        TimerRow {
            at_ms,
            ..TimerRow::default()
        }
    }

    #[test]
    fn a_turns_timers_count_from_its_commit() {
        let scope = Scope::new("t", "n").expect("valid");
        let owner = ActorId::new(&scope, "a", "1").expect("valid");
        let row = timer(&owner, 7);
        let armed = Armed {
            row: row.clone(),
            at: Millis(110),
            delay_ms: 10,
        };
        let mut batch = Batch::new();
        batch.put(row.clone(), encode(&at(110)));
        batch.put(entry(Millis(110), &row), Bytes::new());
        date(&mut batch, std::slice::from_ref(&armed), Millis(150)).expect("readable");
        assert_eq!(first_of(&batch), Some(Millis(160)));
        assert_eq!(batch.ops.len(), 2);
        // One that the turn has cancelled stays so.
        batch.delete(row.clone());
        batch.delete(entry(Millis(160), &row));
        date(&mut batch, &[armed], Millis(170)).expect("readable");
        assert_eq!(first_of(&batch), None);
    }
}
