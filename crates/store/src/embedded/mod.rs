//! One writer thread makes a [`Store`] of any [`Backend`].
//!
//! Callers put their batches in a line and wait; the thread takes the whole line at once, checks the guards of each
//! batch and applies it, flushes once if anybody needs it, and tells all who waited for the flush. So guards are
//! checked one batch at a time, no async worker ever blocks in a commit or an fsync, and a hundred committers share
//! one fsync.
//!
//! The first failed apply or flush, or a panic of the thread, is the end: everybody who waits, and everybody who comes
//! later, gets [`Error::Stopped`]. An fsync is never tried again, since the kernel may have dropped the pages that it
//! could not write and would report success the second time.
//!
//! Read on in `line.rs` (what waits for the writer), `writer.rs` (the thread).

mod line;
mod waiters;
mod writer;

pub use writer::LAZY_FLUSH;

use crate::{Backend, Commit, Error, Snapshot, Store, Versioned, key::RESERVED_BYTE};
use async_trait::async_trait;
use line::{Line, Pending, When};
use parking_lot::Mutex;
use plexspaces_core::batch::{Batch, Key, Op};
use std::{sync::Arc, thread::JoinHandle};
use tokio::sync::oneshot;

/// The most bytes that a key may have, in every backend, so that what one accepts all accept.
pub const KEY_BYTES_MAX: usize = 65_535;

/// The most bytes that a value may have, in every backend. Far above any limit that an actor has; it keeps the engines'
/// 32-bit lengths from overflowing, and a row below the 1,000,000,000 bytes that SQLite takes.
pub const VALUE_BYTES_MAX: usize = 1 << 29;

/// A [`Store`] over a [`Backend`].
///
/// Dropping it does what [`close`](Store::close) does, on the thread that drops it: it blocks for one flush.
#[derive(Debug)]
pub struct Embedded<B> {
    backend: Arc<B>,
    line: Arc<Line>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl<B: Backend> Embedded<B> {
    /// Starts a writer thread over `backend`, which the store then owns.
    ///
    /// # Panics
    ///
    /// If the system cannot start a thread.
    #[must_use]
    pub fn new(backend: B) -> Self {
        let backend = Arc::new(backend);
        let line = Arc::new(Line::new(Commit(backend.newest().0)));
        let writer = writer::spawn(Arc::clone(&backend), Arc::clone(&line));
        Embedded {
            backend,
            line,
            writer: Mutex::new(Some(writer)),
        }
    }

    /// Puts a batch in the line and waits for the word.
    async fn give(&self, batch: Batch, when: When) -> Result<Commit, Error> {
        check_entries(&batch)?;
        let (tell, told) = oneshot::channel();
        self.line.push(Pending { batch, when, tell }).await?;
        match told.await {
            Ok(result) => result,
            Err(_) => Err(self.line.end().await),
        }
    }

    /// The backend, for what only it can do.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }
}

#[async_trait]
impl<B: Backend> Store for Embedded<B> {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.backend.snapshot()
    }

    async fn latest(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.backend.get(key)
    }

    async fn commit(&self, batch: Batch) -> Result<Commit, Error> {
        self.give(batch, When::Committed).await
    }

    async fn commit_flushed(&self, batch: Batch) -> Result<Commit, Error> {
        self.give(batch, When::Flushed).await
    }

    async fn flushed(&self, commit: Commit) -> Result<(), Error> {
        if self.line.is_durable(commit) {
            return Ok(());
        }
        match self.line.wait_for_flush(commit)? {
            None => Ok(()),
            Some(told) => match told.await {
                Ok(()) => Ok(()),
                Err(_) => {
                    let end = self.line.end().await;
                    // The last flush of a store that closes may cover a waiter that came too late to be woken by it.
                    if self.line.is_durable(commit) {
                        Ok(())
                    } else {
                        Err(end)
                    }
                }
            },
        }
    }

    fn visible(&self) -> Commit {
        self.line.visible()
    }

    async fn stopped(&self) -> Error {
        match self.line.end().await {
            Error::Closed => std::future::pending().await,
            stopped => stopped,
        }
    }

    async fn close(&self) -> Result<(), Error> {
        self.line.close();
        match self.line.end().await {
            Error::Closed => Ok(()),
            stopped => Err(stopped),
        }
    }
}

impl<B> Drop for Embedded<B> {
    fn drop(&mut self) {
        self.line.close();
        if let Some(writer) = self.writer.get_mut().take() {
            // The thread turns its own panics into `Stopped`, and a drop has nobody to tell.
            let _ = writer.join();
        }
    }
}

/// Refuses the entries that some backend cannot keep, before they reach the writer.
fn check_entries(batch: &Batch) -> Result<(), Error> {
    for (key, op) in &batch.ops {
        let why = match key.as_bytes() {
            [] => "a key has at least one byte",
            [RESERVED_BYTE, ..] => "keys that start with 0xFF are the backends' own",
            bytes if bytes.len() > KEY_BYTES_MAX => "a key has at most 65,535 bytes",
            _ => match op {
                Op::Put(value) if value.len() > VALUE_BYTES_MAX => "a value has at most 512 MiB",
                _ => continue,
            },
        };
        return Err(Error::Refused {
            key: key.clone(),
            why,
        });
    }
    Ok(())
}
