//! What a store is: the trait that services and nodes are written against, and its few words.
//!
//! A store is one ordered map from keys to versioned values. It is changed by batches only, read through snapshots,
//! and promises nothing about a crash for a commit that [`Store::flushed`] has not yet confirmed.

use crate::Error;
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Key, Version};
use std::{ops::Range, sync::Arc};

/// The number of a commit: the store-wide sequence, which is also the [`Version`] of the values it wrote.
///
/// Commits are numbered in the order in which they become visible, with gaps, and a number is never used twice, not
/// even across restarts. `Commit(0)` is before everything and always durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Commit(pub u64);

impl From<Commit> for Version {
    fn from(commit: Commit) -> Self {
        Version(commit.0)
    }
}

/// A value, and the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned {
    /// The commit that wrote the value; what a guard compares.
    pub version: Version,
    /// The value as it was put.
    pub value: Bytes,
}

/// Which end of its range a scan starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// From the lowest key up.
    #[default]
    Forward,
    /// From the highest key down.
    Reverse,
}

/// One ordered, transactional key-value store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The store as it is now. Later commits do not change what the snapshot shows.
    ///
    /// Taking one costs less than a microsecond. Do not keep one for long: a store on disk cannot reclaim what an old
    /// snapshot may still read.
    fn snapshot(&self) -> Arc<dyn Snapshot>;

    /// The newest committed value of `key`, or `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Corrupt`] if the value cannot be read.
    async fn latest(&self, key: &Key) -> Result<Option<Versioned>, Error>;

    /// Applies `batch` whole or not at all. What it wrote is visible to every later snapshot when this returns, and
    /// durable when [`flushed`](Store::flushed) says so.
    ///
    /// A batch without operations has only its guards checked; it gives the newest commit there is and no new one.
    ///
    /// Dropping the future does not take the batch back: it may or may not be applied.
    ///
    /// # Errors
    ///
    /// * [`Error::Conflict`] if a key does not have the version that its guard names. Nothing was changed.
    /// * [`Error::Refused`] if an entry is one that no store can keep. Nothing was changed.
    /// * [`Error::Stopped`] or [`Error::Closed`] if the store has ended. A batch that was being applied when the store
    ///   stopped may be found applied after a restart.
    async fn commit(&self, batch: Batch) -> Result<Commit, Error>;

    /// Does what [`commit`](Store::commit) does, and returns only when the commit is durable: one wait for callers who
    /// have nothing to do in between.
    ///
    /// # Errors
    ///
    /// Those of [`commit`](Store::commit). After [`Error::Stopped`] the batch may be found applied after a restart.
    async fn commit_flushed(&self, batch: Batch) -> Result<Commit, Error> {
        let commit = self.commit(batch).await?;
        self.flushed(commit).await?;
        Ok(commit)
    }

    /// Waits until `commit`, and with it every earlier one, is on the disk. Returns at once if it already is.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the store failed first; [`Error::NeverGiven`] for a commit this store did not give.
    async fn flushed(&self, commit: Commit) -> Result<(), Error>;

    /// The newest commit that a snapshot taken before this call can show.
    ///
    /// Read it after taking the snapshot: then it covers all that the snapshot shows, and whatever was derived from
    /// the snapshot may leave the node once [`flushed`](Store::flushed) has returned for it (the output gate). It may
    /// run ahead of the snapshot by the commit that is being applied, never behind.
    fn visible(&self) -> Commit;

    /// Resolves when the store has failed for good, to the reason. Pending for ever otherwise, also after
    /// [`close`](Store::close). The node exits when it resolves.
    async fn stopped(&self) -> Error;

    /// Flushes everything and stops the writer. Later commits get [`Error::Closed`]; reads still work.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the store had failed, or failed now.
    async fn close(&self) -> Result<(), Error>;
}

/// A store at one moment.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The value of `key` at the snapshot's moment, or `None` if it was absent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Corrupt`] if the value cannot be read.
    async fn get(&self, key: &Key) -> Result<Option<Versioned>, Error>;

    /// The entries of `range` (its end is not in it) in `order`, at most `limit` of them. An empty or reversed range
    /// has no entries.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Corrupt`] if an entry cannot be read.
    async fn scan(
        &self,
        range: Range<Key>,
        limit: usize,
        order: Order,
    ) -> Result<Vec<(Key, Versioned)>, Error>;
}

/// A shared store is a store, so that wrappers need not care who else holds it.
#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        (**self).snapshot()
    }

    async fn latest(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        (**self).latest(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit, Error> {
        (**self).commit(batch).await
    }

    async fn commit_flushed(&self, batch: Batch) -> Result<Commit, Error> {
        (**self).commit_flushed(batch).await
    }

    async fn flushed(&self, commit: Commit) -> Result<(), Error> {
        (**self).flushed(commit).await
    }

    fn visible(&self) -> Commit {
        (**self).visible()
    }

    async fn stopped(&self) -> Error {
        (**self).stopped().await
    }

    async fn close(&self) -> Result<(), Error> {
        (**self).close().await
    }
}
