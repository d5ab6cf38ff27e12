//! The writer thread: the only place where guards are checked, batches applied and flushes made.

use super::line::{Line, Pending, When};
use crate::{Backend, Commit, Error};
use plexspaces_core::batch::{Batch, Key, Urgency, Version};
use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// How long a commit that nobody waits for may stay off the disk. Short enough that a crash loses little, long enough
/// that a stream of such commits costs a hundred flushes a second at most.
pub const LAZY_FLUSH: Duration = Duration::from_millis(10);

/// How many batches may be committed while a flush is owed. It bounds how long the first of them waits for the others,
/// to a few milliseconds.
const GROUP_MAX: usize = 1_024;

/// The longest that a flush waits for others to share it. A slow disk makes every flush dear, but a caller's patience
/// does not grow with it.
const LINGER_MAX: Duration = Duration::from_millis(1);

/// Starts the thread.
pub(super) fn spawn<B: Backend>(backend: Arc<B>, line: Arc<Line>) -> JoinHandle<()> {
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || {
            let newest = line.visible();
            let mut writer = Writer {
                backend: &*backend,
                line: &line,
                newest,
                durable: newest,
                flush_by: None,
                group: Group::default(),
                linger: Duration::ZERO,
                expected: 0,
            };
            // What the panic left half done is not used again: the store stops.
            let end = match catch_unwind(AssertUnwindSafe(|| writer.run())) {
                Ok(Ok(())) => Error::Closed,
                Ok(Err(failure)) => Error::Stopped {
                    reason: failure.to_string(),
                },
                Err(panic) => Error::Stopped {
                    reason: format!("the writer thread panicked: {}", message(&*panic)),
                },
            };
            if let Error::Stopped { reason } = &end {
                tracing::error!(reason, "the store has stopped");
            }
            line.finish(end);
        })
        .expect("the system can start a thread")
}

struct Writer<'a, B> {
    backend: &'a B,
    line: &'a Line,
    /// The last commit applied.
    newest: Commit,
    /// The last commit on the disk.
    durable: Commit,
    /// When commits that nobody waits for have to be flushed; `None` if there are none.
    flush_by: Option<Instant>,
    /// What the next flush is for.
    group: Group,
    /// How long a flush waits for others to share it: half of what the last one took.
    linger: Duration,
    /// How many waited for the last flush. In a steady load so many come back, and half of them are worth waiting for:
    /// while they share a flush, the turns of the others run.
    expected: usize,
}

/// The commits that share the next flush.
#[derive(Default)]
struct Group {
    /// When the first came that somebody wants on the disk; `None` while nobody does.
    since: Option<Instant>,
    batches: usize,
    /// Committers to be told when their commit is on the disk.
    told_after: Vec<(Commit, oneshot::Sender<Result<Commit, Error>>)>,
}

impl Group {
    fn owed(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }
}

impl<B: Backend> Writer<'_, B> {
    /// Until the store is closed (`Ok`) or something fails that it cannot go on after.
    fn run(&mut self) -> Result<(), Error> {
        loop {
            // When a flush is owed, look once more who has come meanwhile: the more share it, the better. Those whom
            // the last flush woke come back one by one, and would else need two flushes, a small one and a large one.
            let work = match self.group.since {
                Some(since) => {
                    let missing = (self.expected / 2).saturating_sub(self.group.batches);
                    self.line.take_more(missing, since + self.linger)
                }
                None => self.line.take(self.flush_by),
            };
            let nobody_came = work.batches.is_empty();
            self.group.batches += work.batches.len();
            if work.flush_wanted
                || work.last
                || self.flush_by.is_some_and(|by| by <= Instant::now())
            {
                self.group.owed();
            }
            for pending in work.batches {
                self.commit(pending)?;
            }
            let enough = nobody_came || work.last || self.group.batches >= GROUP_MAX;
            if enough && self.group.since.is_some() {
                self.flush()?;
            }
            if work.last {
                return Ok(());
            }
        }
    }

    /// Commits one batch and tells its committer, now or after the flush.
    fn commit(&mut self, pending: Pending) -> Result<(), Error> {
        let Pending {
            batch:
                Batch {
                    guards,
                    ops,
                    urgency,
                },
            when,
            tell,
        } = pending;
        // A committer who has gone away changes nothing, here and below: the batch was given, so it is applied.
        if let Err(refused) = self.check(&guards) {
            let _ = tell.send(Err(refused));
            return Ok(());
        }
        if !ops.is_empty() {
            let commit = Commit(self.newest.0 + 1);
            self.line.announce(commit);
            // On failure `tell` is dropped unsaid, and the committer hears of the store's end instead.
            self.backend.apply(Version(commit.0), ops)?;
            self.newest = commit;
            if urgency == Urgency::Soon && self.flush_by.is_none() {
                self.flush_by = Some(Instant::now() + LAZY_FLUSH);
            }
        }
        match when {
            When::Committed => {
                if urgency == Urgency::Now {
                    self.group.owed();
                }
                let _ = tell.send(Ok(self.newest));
            }
            When::Flushed => {
                self.group.owed();
                self.group.told_after.push((self.newest, tell));
            }
        }
        Ok(())
    }

    /// Whether every key has the version that its guard names.
    fn check(&self, guards: &BTreeMap<Key, Version>) -> Result<(), Error> {
        for (key, &expected) in guards {
            let found = self
                .backend
                .get(key)?
                .map_or(Version::ABSENT, |entry| entry.version);
            if found != expected {
                return Err(Error::Conflict {
                    key: key.clone(),
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Flushes what is not on the disk yet, and tells all who waited for it.
    fn flush(&mut self) -> Result<(), Error> {
        let group = std::mem::take(&mut self.group);
        if self.durable != self.newest {
            let start = Instant::now();
            self.backend.flush()?;
            self.linger = (start.elapsed() / 2).min(LINGER_MAX);
            self.durable = self.newest;
            self.flush_by = None;
        }
        self.expected = group.told_after.len() + self.line.flushed(self.durable);
        for (commit, tell) in group.told_after {
            let _ = tell.send(Ok(commit));
        }
        Ok(())
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
