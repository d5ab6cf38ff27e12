//! What is due: how the node finds it, and what becomes of it.

use super::{corrupt, elements, entry, parse};
use crate::fault;
use crate::records::{TimerRow, decode, encode};
use crate::scopes::just_after;
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Version};
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Error, Result, Scope};
use plexspaces_store::key::{Element, Kind, Path};
use plexspaces_store::{Key, Order, Snapshot};
use std::ops::Range;

/// How many bytes of rows one look takes, so that its batch stays small.
const LOOK_BYTES: usize = 1 << 20;

/// A timer that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its row.
    pub row: Key,
    /// The row's content.
    pub timer: TimerRow,
    version: Version,
    entry: Key,
}

/// What a look at the entries found.
#[derive(Debug, Default)]
pub struct Look {
    /// What is due, in order.
    pub due: Vec<Due>,
    /// Drops the entries of timers that are gone or have another time.
    pub stale: Vec<(Key, Key, Version)>,
    /// What cannot be read, and stays where it is.
    pub broken: Vec<Error>,
    /// Where to look on, if there may be more.
    pub on: Option<Key>,
    /// When the first one after these is due.
    pub next: Option<Millis>,
}

/// All entries that are not parked and not before `at`.
#[must_use]
pub fn from(at: Millis) -> Range<Key> {
    Path::node(Kind::Due).u64(at.0).key()..parked().start
}

/// The parked entries.
#[must_use]
pub fn parked() -> Range<Key> {
    let start = Path::node(Kind::Due).u64(u64::MAX).key();
    start..Path::node(Kind::Due).range().end
}

/// Looks at up to `limit` entries of `range` for what is due.
///
/// # Errors
/// A fault of the store, or `PS5004` for an entry.
pub async fn look(
    snapshot: &dyn Snapshot,
    range: Range<Key>,
    now: Millis,
    limit: usize,
) -> Result<Look> {
    let is_parked = range.start >= parked().start;
    let mut look = Look::default();
    let mut bytes = 0;
    let entries = snapshot.scan(range, limit, Order::Forward).await;
    let entries = entries.map_err(fault)?;
    let full = entries.len() == limit;
    for (entry, _) in entries {
        let (at, row) = parse(&entry)?;
        if at > now && !is_parked {
            look.next = Some(at);
            return Ok(look);
        }
        look.on = Some(just_after(&entry));
        match snapshot.get(&row).await.map_err(fault)? {
            None => look.stale.push((entry, row, Version::ABSENT)),
            Some(found) => {
                let timer: TimerRow = match decode(&row, &found.value) {
                    Ok(timer) => timer,
                    Err(error) => {
                        look.broken.push(error);
                        continue;
                    }
                };
                if timer.at_ms != at.0 && !is_parked {
                    look.stale.push((entry, row, found.version));
                    continue;
                }
                bytes += found.value.len();
                look.due.push(Due {
                    row,
                    timer,
                    version: found.version,
                    entry,
                });
            }
        }
        if bytes > LOOK_BYTES {
            return Ok(look);
        }
    }
    if !full {
        look.on = None;
    }
    Ok(look)
}

impl Due {
    /// Whom the message is for.
    ///
    /// # Errors
    /// `PS5004`.
    pub fn receiver(&self) -> Result<ActorId> {
        ActorId::parse(&self.scope()?, &self.timer.to).map_err(|_| corrupt(&self.row))
    }

    fn scope(&self) -> Result<Scope> {
        match elements(&self.row)?.as_slice() {
            [Element::Str(tenant), Element::Str(namespace), ..] => Scope::new(tenant, namespace),
            _ => Err(corrupt(&self.row)),
        }
    }

    /// Takes it away, or dates it anew if it is periodic: at the first of its times that is after `now`.
    pub fn fire(&self, batch: &mut Batch, now: Millis) {
        batch.guard(self.row.clone(), self.version);
        batch.delete(self.entry.clone());
        match next_after(&self.timer, now) {
            Some(at) => {
                let content = TimerRow {
                    at_ms: at.0,
                    ..self.timer.clone()
                };
                batch.put(entry(at, &self.row), Bytes::new());
                batch.put(self.row.clone(), encode(&content));
            }
            None => {
                batch.delete(self.row.clone());
            }
        }
    }

    /// Parks it until its receiver's type is deployed.
    pub fn park(&self, batch: &mut Batch) {
        batch.guard(self.row.clone(), self.version);
        batch.delete(self.entry.clone());
        batch.put(entry(Millis(u64::MAX), &self.row), Bytes::new());
    }

    /// Puts a parked one back.
    pub fn unpark(&self, batch: &mut Batch) {
        batch.guard(self.row.clone(), self.version);
        batch.delete(self.entry.clone());
        batch.put(entry(Millis(self.timer.at_ms), &self.row), Bytes::new());
    }
}

/// The first of a periodic timer's times after `now`: in phase, whatever was missed.
fn next_after(timer: &TimerRow, now: Millis) -> Option<Millis> {
    if timer.period_ms == 0 {
        return None;
    }
    let missed = now.0.saturating_sub(timer.at_ms) / timer.period_ms;
    let on = timer.period_ms.saturating_mul(missed + 1);
    Some(Millis(timer.at_ms.saturating_add(on)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(at_ms: u64, period_ms: u64, now: u64) -> Option<u64> {
        let timer = TimerRow {
            at_ms,
            period_ms,
            ..TimerRow::default()
        };
        next_after(&timer, Millis(now)).map(|at| at.0)
    }

    #[test]
    fn what_was_missed_comes_once_and_goes_on_in_phase() {
        assert_eq!(next(1_000, 0, 1_000), None);
        assert_eq!(next(1_000, 100, 1_000), Some(1_100));
        assert_eq!(next(1_000, 100, 1_099), Some(1_100));
        assert_eq!(next(1_000, 100, 1_100), Some(1_200));
        assert_eq!(next(1_000, 100, 9_955), Some(10_000));
        // A clock that was set back does not repeat it.
        assert_eq!(next(1_000, 100, 500), Some(1_100));
        assert_eq!(next(u64::MAX - 1, u64::MAX, u64::MAX), Some(u64::MAX));
    }

    #[test]
    fn parked_entries_are_never_due() {
        let row = Key::from(b"row".to_vec());
        let parked_entry = entry(Millis(u64::MAX), &row);
        assert!(parked().contains(&parked_entry));
        assert!(!from(Millis(0)).contains(&parked_entry));
        assert!(from(Millis(5)).contains(&entry(Millis(5), &row)));
        assert!(!from(Millis(6)).contains(&entry(Millis(5), &row)));
    }
}
