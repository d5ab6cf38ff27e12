//! What waits for the writer, and what the writer has done so far: the one thing that callers and writer share.

use super::waiters::Waiters;
use crate::{Commit, Error};
use parking_lot::{Condvar, Mutex, MutexGuard};
use plexspaces_core::batch::Batch;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};
use tokio::sync::{Semaphore, oneshot, watch};

/// The most batches that may stand in line; more callers wait in front of it. Enough that every actor of a busy node
/// shares one flush, and a bound on the memory that a slow disk can make the line take.
const PLACES: usize = 4_096;

/// When a committer wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// As soon as the batch is applied.
    Committed,
    /// When it is on the disk.
    Flushed,
}

/// A batch on its way to the writer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) batch: Batch,
    pub(super) when: When,
    pub(super) tell: oneshot::Sender<Result<Commit, Error>>,
}

/// Why the writer was woken, and what it has to do.
#[derive(Debug)]
pub(super) struct Work {
    /// The batches to commit, in order.
    pub(super) batches: Vec<Pending>,
    /// Somebody waits for a flush.
    pub(super) flush_wanted: bool,
    /// Nothing comes after this.
    pub(super) last: bool,
}

/// The line of batches, the waiters for a flush, and the progress of both.
#[derive(Debug)]
pub(super) struct Line {
    places: Semaphore,
    queue: Mutex<Queue>,
    /// Signalled when the writer sleeps and there is something to do.
    work: Condvar,
    /// The highest commit that a snapshot can show.
    visible: AtomicU64,
    /// The highest commit that is on the disk.
    durable: AtomicU64,
    /// How the store ended; `None` while it runs.
    end: watch::Sender<Option<Error>>,
}

#[derive(Debug, Default)]
struct Queue {
    batches: Vec<Pending>,
    flushes: Waiters,
    /// The writer sleeps until so many batches stand in line; 0 = it is awake.
    writer_wants: usize,
    closing: bool,
    ended: Option<Error>,
}

impl Queue {
    /// Refuses new work once the store is closing or has ended.
    fn check_open(&self) -> Result<(), Error> {
        match &self.ended {
            Some(end) => Err(end.clone()),
            None if self.closing => Err(Error::Closed),
            None => Ok(()),
        }
    }
}

/// The callers' side.
impl Line {
    /// An empty line behind `newest`, which is on the disk.
    pub(super) fn new(newest: Commit) -> Self {
        Line {
            places: Semaphore::new(PLACES),
            queue: Mutex::default(),
            work: Condvar::new(),
            visible: AtomicU64::new(newest.0),
            durable: AtomicU64::new(newest.0),
            end: watch::Sender::new(None),
        }
    }

    /// Puts a batch in line, waiting for a place.
    pub(super) async fn push(&self, pending: Pending) -> Result<(), Error> {
        match self.places.acquire().await {
            // The writer gives the place back when it takes the batch.
            Ok(place) => place.forget(),
            Err(_) => return Err(self.end().await),
        }
        let mut queue = self.queue.lock();
        queue.check_open()?;
        let at_once = pending.when == When::Committed;
        queue.batches.push(pending);
        if at_once || queue.batches.len() >= queue.writer_wants {
            self.wake_writer(queue);
        }
        Ok(())
    }

    /// Whether `commit` is on the disk already. One atomic load.
    pub(super) fn is_durable(&self, commit: Commit) -> bool {
        commit.0 <= self.durable.load(Ordering::Acquire)
    }

    /// Stands in line for the flush that covers `commit`; `None` if it is over by now.
    pub(super) fn wait_for_flush(
        &self,
        commit: Commit,
    ) -> Result<Option<oneshot::Receiver<()>>, Error> {
        if commit > self.visible() {
            return Err(Error::NeverGiven { commit });
        }
        let mut queue = self.queue.lock();
        // Again, now that the lock keeps the writer from passing us by between the look and the wait.
        if self.is_durable(commit) {
            return Ok(None);
        }
        if let Some(end) = &queue.ended {
            return Err(end.clone());
        }
        let (tell, told) = oneshot::channel();
        queue.flushes.add(commit, tell);
        self.wake_writer(queue);
        Ok(Some(told))
    }

    /// The highest commit that a snapshot can show.
    pub(super) fn visible(&self) -> Commit {
        Commit(self.visible.load(Ordering::Acquire))
    }

    /// Asks the writer to do what is in line, to flush and to end. Asking twice changes nothing.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closing = true;
        self.wake_writer(queue);
    }

    /// Waits for the store's end, and tells it: `Closed` or `Stopped`.
    pub(super) async fn end(&self) -> Error {
        let mut end = self.end.subscribe();
        let end = end
            .wait_for(Option::is_some)
            .await
            .expect("the sender lives in self, which is borrowed");
        end.clone().expect("waited for until it was there")
    }

    /// Wakes the writer if it sleeps: a system call that a busy line saves.
    fn wake_writer(&self, mut queue: MutexGuard<'_, Queue>) {
        if std::mem::take(&mut queue.writer_wants) > 0 {
            // Unlock first, or the writer wakes up only to wait for the lock.
            drop(queue);
            self.work.notify_one();
        }
    }
}

/// The writer's side.
impl Line {
    /// Sleeps until there is something to do, or until `deadline`, and takes all of it. Without a deadline it sleeps
    /// without a timeout: an idle store uses no CPU.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Work {
        let mut queue = self.queue.lock();
        while queue.batches.is_empty() && queue.flushes.is_empty() && !queue.closing {
            queue.writer_wants = 1;
            match deadline {
                None => self.work.wait(&mut queue),
                Some(deadline) => {
                    if self.work.wait_until(&mut queue, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        queue.writer_wants = 0;
        self.take_all(queue)
    }

    /// Takes what there is, if anything. If that is fewer than `more` batches, it first waits for them until
    /// `deadline`, or until somebody comes who wants to be told before a flush.
    pub(super) fn take_more(&self, more: usize, deadline: Instant) -> Work {
        let mut queue = self.queue.lock();
        if queue.batches.len() < more && !queue.closing {
            queue.writer_wants = more;
            // Woken early or late, it takes what there is.
            let _ = self.work.wait_until(&mut queue, deadline);
            queue.writer_wants = 0;
        }
        self.take_all(queue)
    }

    fn take_all(&self, mut queue: MutexGuard<'_, Queue>) -> Work {
        let batches = std::mem::take(&mut queue.batches);
        let (flush_wanted, last) = (!queue.flushes.is_empty(), queue.closing);
        drop(queue);
        self.places.add_permits(batches.len());
        Work {
            batches,
            flush_wanted,
            last,
        }
    }

    /// Says that snapshots may show `commit` from now on.
    ///
    /// Called before it is applied, not after: a caller who reads the visible commit after taking a snapshot must
    /// never get less than the snapshot shows, or the output gate would open too early.
    pub(super) fn announce(&self, commit: Commit) {
        self.visible.store(commit.0, Ordering::Release);
    }

    /// Says that everything up to `commit` is on the disk, and wakes all who waited for that. Says how many.
    pub(super) fn flushed(&self, commit: Commit) -> usize {
        self.durable.store(commit.0, Ordering::Release);
        let covered = self.queue.lock().flushes.take_covered(commit);
        let count = covered.len();
        for (_, waiter) in covered {
            // One who has gone away needs no word.
            let _ = waiter.send(());
        }
        count
    }

    /// Ends the line: all who wait, and all who come, are told `end`.
    pub(super) fn finish(&self, end: Error) {
        let mut queue = self.queue.lock();
        queue.ended = Some(end.clone());
        let (batches, flushes) = (
            std::mem::take(&mut queue.batches),
            std::mem::take(&mut queue.flushes),
        );
        drop(queue);
        self.end.send_replace(Some(end));
        self.places.close();
        // Each finds its channel closed, and asks for the end itself.
        drop((batches, flushes));
    }
}
