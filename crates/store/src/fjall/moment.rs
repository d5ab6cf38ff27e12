//! Reads at one moment.
//!
//! They run on the caller's thread. Most are answered from memory in about a microsecond; one that has to go to the
//! disk blocks the thread for that long, which is less than handing every read to another thread would cost.

use super::{io, layout};
use crate::{Error, Order, Snapshot, Versioned};
use ::fjall::{Database, Guard, Keyspace, Readable};
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::batch::Key;
use std::ops::Range;

/// A fjall snapshot of the data.
pub(super) struct Moment {
    snapshot: ::fjall::Snapshot,
    data: Keyspace,
}

impl Moment {
    /// The data as it is now.
    pub(super) fn new(db: &Database, data: &Keyspace) -> Self {
        Moment {
            snapshot: db.snapshot(),
            data: data.clone(),
        }
    }

    /// What [`Snapshot::get`] gives.
    pub(super) fn read(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        // fjall panics on an empty key, which no batch can have written.
        if key.as_bytes().is_empty() {
            return Ok(None);
        }
        self.get_raw(key)?
            .map(|bytes| layout::decode_value(key, bytes))
            .transpose()
    }

    /// The bytes under `key`, not copied.
    pub(super) fn get_raw(&self, key: &Key) -> Result<Option<Bytes>, Error> {
        let found = self
            .snapshot
            .get(&self.data, key.as_bytes())
            .map_err(io("read an entry"))?;
        Ok(found.map(Bytes::from))
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.read(key)
    }

    async fn scan(
        &self,
        range: Range<Key>,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Key, Versioned)>, Error> {
        let range = range.start..range.end.min(layout::end_of_data());
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self
            .snapshot
            .range(&self.data, range.start.as_bytes()..range.end.as_bytes());
        match order {
            Order::Forward => entries.take(limit).map(read_entry).collect(),
            Order::Reverse => entries.rev().take(limit).map(read_entry).collect(),
        }
    }
}

fn read_entry(entry: Guard) -> Result<(Key, Versioned), Error> {
    let (key, bytes) = entry.into_inner().map_err(io("scan a range"))?;
    let key = Key(key.into());
    let entry = layout::decode_value(&key, bytes.into())?;
    Ok((key, entry))
}
