//! Reads at one moment: the database as it is, less what has changed since.
//!
//! They run on the caller's thread. A read that finds all of the few connections busy waits for the shortest of the
//! reads under way.

use super::{Shared, past::Past, rows};
use crate::{Error, Order, Snapshot, Versioned};
use async_trait::async_trait;
use plexspaces_core::batch::{Key, Version};
use std::{ops::Range, sync::Arc};

/// A moment of the store.
pub(super) struct Moment {
    shared: Arc<Shared>,
    version: Version,
}

impl Moment {
    /// The data as it is now.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let version = shared.past.hold();
        Moment { shared, version }
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        self.shared.past.release(self.version);
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        let now = rows::get(&*self.shared.readers.take()?, key)?;
        // In this order: what changes in between was in neither.
        Ok(self.shared.past.at(self.version, key).unwrap_or(now))
    }

    async fn scan(
        &self,
        range: Range<Key>,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Key, Versioned)>, Error> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let reader = self.shared.readers.take()?;
        rows::scan(&reader, &range, order, |entries| {
            self.merge(entries, &range, limit, order)
        })
    }
}

impl Moment {
    /// The first entries of the range, taken from the database and from the past.
    fn merge(
        &self,
        mut entries: rows::Entries<'_>,
        range: &Range<Key>,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Key, Versioned)>, Error> {
        // The first entry fixes the database's moment; only then is it known what to ask the past.
        let mut now = entries.next()?;
        let past = Past::within(&self.shared.past, self.version, range);
        let mut past: Box<dyn Iterator<Item = _> + Send> = match order {
            Order::Forward => Box::new(past.into_iter()),
            Order::Reverse => Box::new(past.into_iter().rev()),
        };
        let mut before = past.next();
        let mut found = Vec::new();
        while found.len() < limit {
            let first = match (&now, &before) {
                (None, None) => break,
                (Some(_), None) => Side::Now,
                (None, Some(_)) => Side::Past,
                (Some((now, _)), Some((before, _))) => match (now.cmp(before), order) {
                    (std::cmp::Ordering::Equal, _) => Side::Both,
                    (std::cmp::Ordering::Less, Order::Forward)
                    | (std::cmp::Ordering::Greater, Order::Reverse) => Side::Now,
                    _ => Side::Past,
                },
            };
            if first != Side::Past {
                let entry = now.take().expect("it is first");
                if first == Side::Now {
                    found.push(entry);
                }
                // Not more than needed: the next row may be large.
                if found.len() < limit {
                    now = entries.next()?;
                }
            }
            if first != Side::Now {
                let (key, entry) = before.take().expect("it is first");
                found.extend(entry.map(|entry| (key, entry)));
                before = past.next();
            }
        }
        Ok(found)
    }
}

/// Where the next key comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Now,
    Past,
    /// In both, and the past counts.
    Both,
}
