//! How a turn reads and writes: one snapshot, one buffer, one batch at the end.
//!
//! A transaction lives from a turn's start, or its last wait, to its next wait or end. Reads see the snapshot of its
//! first read overlaid with its own changes. Nothing is visible to others before the batch commits, and dropping the
//! transaction leaves no trace.

use crate::fault;
use crate::reservations::{Reservation, Reservations};
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Op, Version};
use plexspaces_core::{Code, Error, Result};
use plexspaces_store::{Key, Order, Snapshot, Store};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// How much one transaction may change.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Changes, counted per call.
    pub effects: u64,
    /// Keys and values, in bytes.
    pub batch_bytes: u64,
}

/// A row as a transaction sees it.
pub type Row = (Key, Bytes);

/// What a turn has read and wants changed.
pub struct Transaction {
    store: Arc<dyn Store>,
    table: Arc<Reservations>,
    snapshot: Option<Arc<dyn Snapshot>>,
    batch: Batch,
    read_versions: BTreeMap<Key, Version>,
    held: Vec<Reservation>,
    bounds: Bounds,
    effects: u64,
    bytes: u64,
}

impl Transaction {
    /// An empty transaction.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, table: Arc<Reservations>, bounds: Bounds) -> Self {
        Transaction {
            store,
            table,
            snapshot: None,
            batch: Batch::new(),
            read_versions: BTreeMap::new(),
            held: Vec::new(),
            bounds,
            effects: 0,
            bytes: 0,
        }
    }

    /// Buffers a write.
    ///
    /// # Errors
    /// `PS3008` over the bounds.
    pub fn put(&mut self, key: Key, value: Bytes) -> Result<()> {
        self.count(key.as_bytes().len() + value.len())?;
        self.batch.put(key, value);
        Ok(())
    }

    /// Buffers a removal.
    ///
    /// # Errors
    /// `PS3008` over the bounds.
    pub fn delete(&mut self, key: Key) -> Result<()> {
        self.count(key.as_bytes().len())?;
        self.batch.delete(key);
        Ok(())
    }

    /// Lets the batch commit only if `key` still has `version`.
    pub fn guard(&mut self, key: Key, version: Version) {
        self.batch.guard(key, version);
    }

    /// Reads one key. What was seen, absence included, is guarded if the transaction changes anything.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn get(&mut self, key: &Key) -> Result<Option<Bytes>> {
        if let Some(op) = self.batch.ops.get(key) {
            return Ok(match op {
                Op::Put(value) => Some(value.clone()),
                Op::Delete => None,
            });
        }
        let found = self.snapshot().get(key).await.map_err(fault)?;
        let version = found.as_ref().map_or(Version::ABSENT, |v| v.version);
        self.read_versions.insert(key.clone(), version);
        Ok(found.map(|v| v.value))
    }

    /// Up to `limit` rows of `range` in the order of their keys, own changes included. Unguarded.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn scan(&mut self, range: Range<Key>, limit: usize) -> Result<Vec<Row>> {
        let snapshot = self.snapshot();
        self.overlay(snapshot.as_ref(), range, limit).await
    }

    /// Like [`Self::scan`], but of the newest committed rows, for operations that reserve what they find.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn scan_latest(&mut self, range: Range<Key>, limit: usize) -> Result<Vec<Row>> {
        let snapshot = self.store.snapshot();
        self.overlay(snapshot.as_ref(), range, limit).await
    }

    /// Reserves a key that a scan found and takes it away: `false` if another turn has it or it is gone.
    ///
    /// # Errors
    /// `PS3008` over the bounds, or a fault of the store.
    pub async fn take(&mut self, key: &Key) -> Result<bool> {
        if matches!(self.batch.ops.get(key), Some(Op::Put(_))) {
            // Written by this transaction and seen by nobody else.
            self.batch.ops.remove(key);
            return Ok(true);
        }
        let Some(reservation) = self.table.try_reserve(key) else {
            return Ok(false);
        };
        let Some(found) = self.store.latest(key).await.map_err(fault)? else {
            return Ok(false);
        };
        self.delete(key.clone())?;
        self.guard(key.clone(), found.version);
        self.held.push(reservation);
        Ok(true)
    }

    /// The buffer itself, for rows that belong to the runtime and count against no bound.
    pub fn batch_mut(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// How many changes are buffered.
    #[must_use]
    pub fn effects(&self) -> u64 {
        self.effects
    }

    /// Ends the transaction: its batch, and the reservations to keep until the batch has committed.
    #[must_use]
    pub fn finish(self) -> (Batch, Vec<Reservation>) {
        let Transaction {
            mut batch,
            read_versions,
            held,
            ..
        } = self;
        if !batch.is_empty() {
            for (key, version) in read_versions {
                batch.guards.entry(key).or_insert(version);
            }
        }
        (batch, held)
    }

    fn snapshot(&mut self) -> Arc<dyn Snapshot> {
        self.snapshot
            .get_or_insert_with(|| self.store.snapshot())
            .clone()
    }

    fn count(&mut self, bytes: usize) -> Result<()> {
        self.effects += 1;
        self.bytes += bytes as u64;
        let (what, limit) = if self.effects > self.bounds.effects {
            ("effects", self.bounds.effects)
        } else if self.bytes > self.bounds.batch_bytes {
            ("batch_bytes", self.bounds.batch_bytes)
        } else {
            return Ok(());
        };
        Err(Error::new(
            Code::EffectLimit,
            format!(
                "the turn is over its limit `{what}` of {limit}; split the work over more messages"
            ),
        ))
    }

    async fn overlay(
        &self,
        snapshot: &dyn Snapshot,
        range: Range<Key>,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let own: Vec<(&Key, &Op)> = self.batch.ops.range(range.clone()).collect();
        // Each own removal may hide one committed row.
        let stored = snapshot
            .scan(range, limit.saturating_add(own.len()), Order::Forward)
            .await
            .map_err(fault)?;
        let exhausted = stored.len() < limit.saturating_add(own.len());
        let last = stored.last().map(|(key, _)| key.clone());
        let mut rows: BTreeMap<Key, Bytes> =
            stored.into_iter().map(|(key, v)| (key, v.value)).collect();
        for (key, op) in own {
            // Beyond the last stored row of a page that is not the last, own rows wait for their page.
            if !exhausted && last.as_ref().is_some_and(|last| key > last) {
                break;
            }
            match op {
                Op::Put(value) => drop(rows.insert(key.clone(), value.clone())),
                Op::Delete => drop(rows.remove(key)),
            }
        }
        Ok(rows.into_iter().take(limit).collect())
    }
}
