//! A store that cheats: it calls every commit flushed at once.

use crate::{Commit, Error, Snapshot, Store, Versioned};
use async_trait::async_trait;
use plexspaces_core::batch::{Batch, Key};
use std::sync::Arc;

/// Any store, with the output gate left open. A test of what survives a crash has to fail over it; if it passes, the
/// test does not look hard enough.
#[derive(Clone, Debug)]
pub struct NoGate<S>(pub S);

#[async_trait]
impl<S: Store> Store for NoGate<S> {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.0.snapshot()
    }

    async fn latest(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.0.latest(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit, Error> {
        self.0.commit(batch).await
    }

    async fn flushed(&self, _: Commit) -> Result<(), Error> {
        Ok(())
    }

    fn visible(&self) -> Commit {
        self.0.visible()
    }

    async fn stopped(&self) -> Error {
        self.0.stopped().await
    }

    async fn close(&self) -> Result<(), Error> {
        self.0.close().await
    }
}
