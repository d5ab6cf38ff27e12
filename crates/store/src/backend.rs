//! What an embedded backend has to do: apply, flush, read. Everything else is [`Embedded`](crate::Embedded).

use crate::{Error, Snapshot, Versioned};
use plexspaces_core::batch::{Key, Op, Version};
use std::{collections::BTreeMap, sync::Arc};

/// A storage engine inside this process, to be made a [`Store`](crate::Store) by [`Embedded`](crate::Embedded).
///
/// [`apply`](Backend::apply) and [`flush`](Backend::flush) are called by one thread, one call at a time; the reads
/// come from any thread at any time. A backend needs no guards, no queue and no idea of who waits.
pub trait Backend: Send + Sync + 'static {
    /// The highest version that this backend may ever have been given, also before a restart or crash. Asked once, at
    /// the start.
    fn newest(&self) -> Version;

    /// The engine as it is now.
    fn snapshot(&self) -> Arc<dyn Snapshot>;

    /// The newest value of `key`, `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Corrupt`]; the store goes on.
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error>;

    /// Makes all of `ops` visible in one step, with `version` on every value put. `version` is higher than in every
    /// call before, and `ops` is not empty.
    ///
    /// After a crash a version counts only if all before it do: what is lost is a suffix.
    ///
    /// # Errors
    ///
    /// Any error stops the store for good.
    fn apply(&self, version: Version, ops: BTreeMap<Key, Op>) -> Result<(), Error>;

    /// Returns when everything applied so far will survive the loss of power.
    ///
    /// # Errors
    ///
    /// Any error stops the store for good; it is not called again.
    fn flush(&self) -> Result<(), Error>;
}
