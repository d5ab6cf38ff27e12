//! A store in memory, for tests and for nodes that keep nothing. A flush costs nothing and keeps nothing.
//!
//! The map is persistent in the functional sense: a snapshot is a copy that shares its nodes, made in constant time.

use crate::{Backend, Embedded, Error, Order, Snapshot, Versioned};
use async_trait::async_trait;
use imbl::OrdMap;
use parking_lot::RwLock;
use plexspaces_core::batch::{Key, Op, Version};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// The keys and values of one moment.
pub(crate) type Map = OrdMap<Key, Versioned>;

/// A backend that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct Memory {
    map: RwLock<Map>,
    newest: Version,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn open() -> Embedded<Memory> {
        Embedded::new(Memory::default())
    }

    /// A backend that holds `map` and continues after `newest`.
    #[cfg(feature = "testing")]
    pub(crate) fn resume(map: Map, newest: Version) -> Memory {
        Memory {
            map: RwLock::new(map),
            newest,
        }
    }

    /// The keys and values as they are now.
    #[cfg(feature = "testing")]
    pub(crate) fn map(&self) -> Map {
        self.map.read().clone()
    }
}

impl Backend for Memory {
    fn newest(&self) -> Version {
        self.newest
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(Moment(self.map.read().clone()))
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        Ok(self.map.read().get(key).cloned())
    }

    fn apply(&self, version: Version, ops: BTreeMap<Key, Op>) -> Result<(), Error> {
        // Readers wait until the whole batch is in: a snapshot never sees half of it.
        let mut map = self.map.write();
        for (key, op) in ops {
            match op {
                Op::Put(value) => map.insert(key, Versioned { version, value }),
                Op::Delete => map.remove(&key),
            };
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        Ok(())
    }
}

struct Moment(Map);

#[async_trait]
impl Snapshot for Moment {
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        Ok(self.0.get(key).cloned())
    }

    async fn scan(
        &self,
        range: Range<Key>,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Key, Versioned)>, Error> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let entries = self
            .0
            .range(range)
            .map(|(key, entry)| (key.clone(), entry.clone()));
        Ok(match order {
            Order::Forward => entries.take(limit).collect(),
            Order::Reverse => entries.rev().take(limit).collect(),
        })
    }
}
