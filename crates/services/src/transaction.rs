//! How a turn reads and writes: one snapshot, one buffer, one batch at the end.
//!
//! A transaction lives from a turn's start, or its last wait, to its next wait or end. Reads see the snapshot of its
//! first read overlaid with its own changes. Nothing is visible to others before the batch commits, and dropping the
//! transaction leaves no trace. What it reserves and whom it wakes is in `sharing.rs`, what outlives it in `held.rs`.

mod held;
mod sharing;

pub use held::Held;

use crate::blob::Pin;
use crate::coordination::Coordination;
use crate::fault;
use crate::feeds::table::Wanted;
use crate::feeds::{Feed, Feeds, Filter, Subscription};
use crate::queues::{Change, Tally};
use crate::records::FeedRow;
use crate::reservations::Owner;
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
    /// Whether what it reads key by key must still hold when it commits a change. An ephemeral actor's reads need not:
    /// its memory could not be taken back for another run (semantics 6).
    pub reads_hold: bool,
}

/// A row as a transaction sees it.
pub type Row = (Key, Bytes);

/// What a turn has read and wants changed.
pub struct Transaction {
    store: Arc<dyn Store>,
    coordination: Arc<Coordination>,
    owner: Owner,
    snapshot: Option<Arc<dyn Snapshot>>,
    batch: Batch,
    read_versions: BTreeMap<Key, Version>,
    /// What reserving operations have read, which may be newer than the snapshot.
    fresh: BTreeMap<Key, Option<Bytes>>,
    held: Held,
    /// The place in a line that this transaction tries for.
    place: Option<u64>,
    /// The key that made it lose against another commit.
    lost: Option<Key>,
    feeds: Wanted,
    bounds: Bounds,
    effects: u64,
    bytes: u64,
}

impl Transaction {
    /// An empty transaction.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, coordination: Arc<Coordination>, bounds: Bounds) -> Self {
        Transaction {
            store,
            owner: coordination.reservations.owner(),
            coordination,
            snapshot: None,
            batch: Batch::new(),
            read_versions: BTreeMap::new(),
            fresh: BTreeMap::new(),
            held: Held::default(),
            place: None,
            lost: None,
            feeds: Wanted::default(),
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
        // A value that this one replaces in the buffer will not be in the batch.
        if let Some(Op::Put(replaced)) = self.batch.ops.get(&key) {
            let before = (key.as_bytes().len() + replaced.len()) as u64;
            self.bytes = self.bytes.saturating_sub(before);
        }
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

    /// Lets the batch commit only if `key` still is as this transaction has read it, whatever [`Bounds::reads_hold`] says.
    pub fn rely_on(&mut self, key: &Key) {
        if let Some(version) = self.read_versions.get(key) {
            self.batch.guards.entry(key.clone()).or_insert(*version);
        }
    }

    /// Reads one key. What was seen, absence included, must still hold at the commit of a change, see
    /// [`Bounds::reads_hold`].
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
        if let Some(found) = self.fresh.get(key) {
            return Ok(found.clone());
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

    /// The store below.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What this transaction makes of a queue, whose messages lie below `path`.
    pub(crate) fn queue(&mut self, path: &Key, tally: &Arc<Tally>) -> &mut Change {
        let changes = self.held.queues.entry(path.clone());
        changes.or_insert_with(|| Change::of(tally))
    }

    /// What the turns of this node share.
    pub(crate) fn coordination(&self) -> &Arc<Coordination> {
        &self.coordination
    }

    /// The node's feeds.
    #[must_use]
    pub fn feeds(&self) -> Arc<Feeds> {
        self.coordination.feeds.clone()
    }

    /// Buffers a message to a feed's subscribers.
    pub(crate) fn publish(&mut self, feed: Feed, row: FeedRow) -> Result<()> {
        self.count(prost::Message::encoded_len(&row))?;
        self.feeds.publications.push((feed, row));
        Ok(())
    }

    /// Says that the row of a subscription is in the buffer.
    pub(crate) fn starts(&mut self, subscription: Subscription, filter: Filter) {
        self.feeds.starts.push((subscription, filter));
    }

    /// Says that the end of a subscription is in the buffer.
    pub(crate) fn ends(&mut self, subscription: Subscription) {
        self.feeds.ends.push(subscription);
    }

    /// The buffer itself, for rows that belong to the runtime and count against no bound.
    pub fn batch_mut(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// Keeps blob content from being collected until the batch has committed.
    pub fn hold(&mut self, pin: Pin) {
        self.held.pin.join(pin);
    }

    /// Whether a key that this transaction has read is still as it was read, or was written by it.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn unchanged(&self, key: &Key) -> Result<bool> {
        if self.batch.ops.contains_key(key) {
            return Ok(true);
        }
        let now = self.store.latest(key).await.map_err(fault)?;
        let now = now.map_or(Version::ABSENT, |found| found.version);
        Ok(self.read_versions.get(key) == Some(&now))
    }

    /// How many changes are buffered.
    #[must_use]
    pub fn effects(&self) -> u64 {
        self.effects
    }

    /// Ends the transaction: its batch, and what to hold until the batch has committed.
    #[must_use]
    pub fn finish(self) -> (Batch, Held) {
        self.finish_as("")
    }

    /// As [`Self::finish`]; `from` is whose changes subscribers are told of.
    #[must_use]
    pub fn finish_as(self, from: &str) -> (Batch, Held) {
        let Transaction {
            coordination,
            mut batch,
            read_versions,
            mut held,
            bounds,
            feeds,
            ..
        } = self;
        held.feeds = coordination.feeds.prepare(&mut batch, from, feeds);
        if !batch.is_empty() && bounds.reads_hold {
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
