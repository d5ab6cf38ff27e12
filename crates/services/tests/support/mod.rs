//! What the tests of the layers share.

#![allow(dead_code)] // each test file uses a part of it
#![allow(clippy::unwrap_used)] // a test says enough by failing

pub(crate) mod seaweedfs;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use plexspaces_core::Scope;
use plexspaces_core::batch::{Batch, Key};
use plexspaces_services::blob::Content;
use plexspaces_services::{Bounds, Coordination, Transaction};
use plexspaces_store::{Commit, Error, Memory, Snapshot, Store, Versioned};
use std::sync::{Arc, Mutex};

/// A store, and content beside it.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) content: Content,
    pub(crate) scope: Scope,
    table: Arc<Coordination>,
}

impl World {
    pub(crate) fn new() -> Self {
        World::over(Arc::new(Memory::open()), Content::in_memory())
    }

    pub(crate) fn over(store: Arc<dyn Store>, content: Content) -> Self {
        World {
            store,
            content,
            scope: Scope::new("t", "n").unwrap(),
            table: Arc::default(),
        }
    }

    pub(crate) fn begin(&self) -> Transaction {
        let bounds = Bounds {
            effects: 10_000,
            batch_bytes: 16 << 20,
            // As an ephemeral actor: what has to hold, the layer itself sees to.
            reads_hold: false,
        };
        Transaction::new(self.store.clone(), self.table.clone(), bounds)
    }

    pub(crate) async fn commit(&self, transaction: Transaction) {
        self.try_commit(transaction).await.unwrap();
    }

    pub(crate) async fn try_commit(&self, transaction: Transaction) -> Result<Commit, Error> {
        let (batch, held) = transaction.finish();
        let done = self.store.commit(batch).await;
        drop(held);
        done
    }
}

/// Bytes that look like no other `seed`'s, and no chunk of them like another.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// A store that does something when it is asked to flush, once.
pub(crate) struct Hooked {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) at_flush: Mutex<Option<BoxFuture<'static, Result<(), Error>>>>,
}

impl Hooked {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Hooked {
            inner: Arc::new(Memory::open()),
            at_flush: Mutex::new(None),
        })
    }

    pub(crate) fn at_flush(&self, hook: impl Future<Output = Result<(), Error>> + Send + 'static) {
        *self.at_flush.lock().unwrap() = Some(Box::pin(hook));
    }
}

#[async_trait]
impl Store for Hooked {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.inner.snapshot()
    }

    async fn latest(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.inner.latest(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit, Error> {
        self.inner.commit(batch).await
    }

    async fn flushed(&self, commit: Commit) -> Result<(), Error> {
        let hook = self.at_flush.lock().unwrap().take();
        if let Some(hook) = hook {
            hook.await?;
        }
        self.inner.flushed(commit).await
    }

    fn visible(&self) -> Commit {
        self.inner.visible()
    }

    async fn stopped(&self) -> Error {
        self.inner.stopped().await
    }

    async fn close(&self) -> Result<(), Error> {
        self.inner.close().await
    }
}
