//! What a turn asks of the store: one batch, applied whole or not at all.
//!
//! A batch names the versions it relied on (guards) and the changes to make (operations). It has at most one
//! operation per key; [`Batch::put`] and its siblings keep the last one.

use bytes::Bytes;
use std::collections::BTreeMap;

/// A key in the store: the order-preserving encoding of a path that starts with tenant, namespace and kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub Bytes);

impl Key {
    /// The bytes that the store orders by.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Key(Bytes::from(bytes))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

/// The store-wide sequence number of the commit that wrote a value. Never reused; 0 = absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

impl Version {
    /// The version of a key that is not there.
    pub const ABSENT: Version = Version(0);
}

/// One change to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Set the value.
    Put(Bytes),
    /// Remove the key. Removing an absent key changes nothing.
    Delete,
}

/// How soon a batch has to reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Urgency {
    /// Somebody waits for the flush: flush as soon as the writer has drained its queue.
    Now,
    /// Nobody waits: flush with the next urgent batch, at the latest after the store's lazy-flush delay.
    #[default]
    Soon,
}

/// All the changes of one turn's segment.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The batch applies only if each key still has this version.
    pub guards: BTreeMap<Key, Version>,
    /// The changes, one per key.
    pub ops: BTreeMap<Key, Op>,
    /// How soon it has to be durable.
    pub urgency: Urgency,
}

impl Batch {
    /// A batch that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires `key` to have `version` when the batch commits.
    pub fn guard(&mut self, key: Key, version: Version) -> &mut Self {
        self.guards.insert(key, version);
        self
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: Key, value: impl Into<Bytes>) -> &mut Self {
        self.ops.insert(key, Op::Put(value.into()));
        self
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: Key) -> &mut Self {
        self.ops.insert(key, Op::Delete);
        self
    }

    /// Whether the batch changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The bytes of its keys and values, for limits.
    #[must_use]
    pub fn size(&self) -> usize {
        self.ops
            .iter()
            .map(|(key, op)| {
                key.0.len()
                    + match op {
                        Op::Put(value) => value.len(),
                        Op::Delete => 0,
                    }
            })
            .sum()
    }
}
