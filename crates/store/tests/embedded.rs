//! The writer thread: guards, flushes, failures, the end.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_core::batch::{Batch, Key, Op, Version};
use plexspaces_store::{
    Backend, Commit, Embedded, Error, Memory, Snapshot, Store, Versioned,
    embedded::{KEY_BYTES_MAX, LAZY_FLUSH},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Instant,
};
use support::{key, put, put_soon};
use tokio::{sync::mpsc, task::JoinHandle};

/// What the backend under the writer does next.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Works,
    FailsToFlush,
    FailsToApply,
    PanicsInApply,
}

/// A memory backend that fails when told to, and whose flushes wait to be let through, if there is a gate.
struct Moody {
    memory: Memory,
    mood: Mutex<Mood>,
    flushes: AtomicUsize,
    /// Told at the start of each flush.
    flushing: mpsc::UnboundedSender<Instant>,
    /// Each flush takes one word from here, if there is one to wait for.
    gate: Option<Mutex<std::sync::mpsc::Receiver<()>>>,
}

impl Backend for Moody {
    fn newest(&self) -> Version {
        self.memory.newest()
    }
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.memory.snapshot()
    }
    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.memory.get(key)
    }
    fn apply(&self, version: Version, ops: BTreeMap<Key, Op>) -> Result<(), Error> {
        match *self.mood.lock().unwrap() {
            Mood::FailsToApply => Err(Error::Io {
                operation: "write a batch",
                reason: "disk full".into(),
            }),
            Mood::PanicsInApply => panic!("an engine's assertion"),
            _ => self.memory.apply(version, ops),
        }
    }
    fn flush(&self) -> Result<(), Error> {
        self.flushes.fetch_add(1, SeqCst);
        let _ = self.flushing.send(Instant::now());
        if let Some(gate) = &self.gate {
            let _ = gate.lock().unwrap().recv();
        }
        match *self.mood.lock().unwrap() {
            Mood::FailsToFlush => Err(Error::Io {
                operation: "flush",
                reason: "bad sector".into(),
            }),
            _ => self.memory.flush(),
        }
    }
}

type Flushes = mpsc::UnboundedReceiver<Instant>;

fn moody(gate: Option<std::sync::mpsc::Receiver<()>>) -> (Arc<Embedded<Moody>>, Flushes) {
    let (flushing, flushes) = mpsc::unbounded_channel();
    let backend = Moody {
        memory: Memory::default(),
        mood: Mutex::new(Mood::Works),
        flushes: AtomicUsize::new(0),
        flushing,
        gate: gate.map(Mutex::new),
    };
    (Arc::new(Embedded::new(backend)), flushes)
}

fn set(store: &Embedded<Moody>, mood: Mood) {
    *store.backend().mood.lock().unwrap() = mood;
}

#[tokio::test]
async fn a_conflict_names_the_key_and_changes_nothing() {
    let store = Memory::open();
    let first = store.commit(put("a", "1")).await.unwrap();
    let mut batch = put("a", "2");
    batch
        .guard(key("a"), first.into())
        .guard(key("b"), Version(7));
    assert_eq!(
        store.commit(batch).await,
        Err(Error::Conflict {
            key: key("b"),
            expected: Version(7),
            found: Version::ABSENT
        })
    );
    assert_eq!(store.latest(&key("a")).await.unwrap().unwrap().value, "1");
    assert_eq!(store.visible(), first, "a refused batch takes no version");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compare_and_commit_from_many_tasks_adds_up() {
    const TASKS: u32 = 16;
    const TIMES: u32 = 50;
    let store = Arc::new(Memory::open());
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..TIMES {
                    while let Err(error) = increment(&*store).await {
                        assert!(matches!(error, Error::Conflict { .. }), "{error}");
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        store.latest(&key("n")).await.unwrap().unwrap().value,
        (TASKS * TIMES).to_string()
    );
}

async fn increment(store: &dyn Store) -> Result<Commit, Error> {
    let entry = store.latest(&key("n")).await?;
    let version = entry
        .as_ref()
        .map_or(Version::ABSENT, |entry| entry.version);
    let n: u32 = entry.map_or(0, |entry| {
        std::str::from_utf8(&entry.value).unwrap().parse().unwrap()
    });
    let mut batch = put("n", (n + 1).to_string());
    batch.guard(key("n"), version);
    store.commit(batch).await
}

#[tokio::test]
async fn an_urgent_commit_is_flushed_at_once_and_takes_the_others_along() {
    let (store, mut flushes) = moody(None);
    let soon = store.commit(put_soon("a", "1")).await.unwrap();
    let now = store.commit(put("b", "2")).await.unwrap();
    store.flushed(now).await.unwrap();
    flushes.recv().await.unwrap();
    store.flushed(soon).await.unwrap();
    store.close().await.unwrap();
    assert!(
        store.backend().flushes.load(SeqCst) <= 2,
        "two commits, and no third flush to close"
    );
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_is_flushed_a_little_later() {
    let (store, mut flushes) = moody(None);
    let before = Instant::now();
    store.commit(put_soon("a", "1")).await.unwrap();
    let flushed = flushes.recv().await.unwrap();
    assert!(flushed.duration_since(before) >= LAZY_FLUSH);
}

#[tokio::test]
async fn waiting_for_a_lazy_commit_flushes_it() {
    let (store, _flushes) = moody(None);
    let commit = store.commit(put_soon("a", "1")).await.unwrap();
    store.flushed(commit).await.unwrap();
    store.flushed(commit).await.unwrap();
    assert_eq!(store.backend().flushes.load(SeqCst), 1);
}

#[tokio::test]
async fn all_who_come_during_a_flush_share_the_next() {
    let (open, gate) = std::sync::mpsc::channel();
    let (store, mut flushes) = moody(Some(gate));
    store.commit(put("first", "")).await.unwrap();
    flushes.recv().await.unwrap();

    // The writer is in its flush now, and stays there until the gate opens.
    let commits = commit_many(&store, 100).await;
    open.send(()).unwrap();
    open.send(()).unwrap();
    for commit in commits {
        let commit = commit.await.unwrap().unwrap();
        store.flushed(commit).await.unwrap();
    }
    assert_eq!(store.backend().flushes.load(SeqCst), 2);
}

#[tokio::test]
async fn a_commit_that_is_to_be_durable_returns_after_its_flush() {
    let (open, gate) = std::sync::mpsc::channel();
    let (store, mut flushes) = moody(Some(gate));
    let committing = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit_flushed(put_soon("a", "1")).await }
    });
    flushes.recv().await.unwrap();
    let visible = store.visible();
    assert!(store.latest(&key("a")).await.unwrap().is_some());
    assert!(!committing.is_finished(), "the flush is still under way");
    open.send(()).unwrap();
    assert_eq!(committing.await.unwrap(), Ok(visible));

    // A conflict has nothing to wait for.
    let mut late = put("a", "2");
    late.guard(key("a"), Version::ABSENT);
    let refused = store.commit_flushed(late).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(store.backend().flushes.load(SeqCst), 1);

    set(&store, Mood::FailsToFlush);
    open.send(()).unwrap();
    let failed = store.commit_flushed(put("a", "3")).await;
    assert!(matches!(failed, Err(Error::Stopped { .. })), "{failed:?}");
}

/// Commits from as many tasks, and returns when all of them stand in line.
async fn commit_many(
    store: &Arc<Embedded<Moody>>,
    count: usize,
) -> Vec<JoinHandle<Result<Commit, Error>>> {
    let in_line = Arc::new(AtomicUsize::new(0));
    let commits = (0..count)
        .map(|n| {
            let (store, in_line) = (Arc::clone(store), Arc::clone(&in_line));
            tokio::spawn(async move {
                // On the test's one thread, nobody sees this before the commit stands in line.
                in_line.fetch_add(1, SeqCst);
                store.commit(put(&n.to_string(), "")).await
            })
        })
        .collect();
    while in_line.load(SeqCst) < count {
        tokio::task::yield_now().await;
    }
    commits
}

#[tokio::test]
async fn a_failed_flush_stops_the_store_and_is_not_tried_again() {
    let (store, _flushes) = moody(None);
    let durable = store.commit(put("a", "1")).await.unwrap();
    store.flushed(durable).await.unwrap();
    set(&store, Mood::FailsToFlush);

    let stopped = Error::Stopped {
        reason: "cannot flush: bad sector".into(),
    };
    let commit = store.commit(put("a", "2")).await.unwrap();
    assert_eq!(store.flushed(commit).await, Err(stopped.clone()));
    assert_eq!(store.stopped().await, stopped);
    set(&store, Mood::Works);
    assert_eq!(store.commit(put("a", "3")).await, Err(stopped.clone()));
    assert_eq!(store.flushed(commit).await, Err(stopped.clone()));
    assert_eq!(
        store.flushed(durable).await,
        Ok(()),
        "what was durable stays so"
    );
    assert_eq!(store.close().await, Err(stopped));
    assert_eq!(store.backend().flushes.load(SeqCst), 2);
}

#[tokio::test]
async fn a_failed_apply_stops_the_store() {
    let (store, _flushes) = moody(None);
    set(&store, Mood::FailsToApply);
    let stopped = Error::Stopped {
        reason: "cannot write a batch: disk full".into(),
    };
    assert_eq!(store.commit(put("a", "1")).await, Err(stopped.clone()));
    assert_eq!(store.stopped().await, stopped);
    assert_eq!(store.backend().flushes.load(SeqCst), 0);
}

#[tokio::test]
async fn a_panic_of_the_writer_stops_the_store_for_everybody() {
    let (open, gate) = std::sync::mpsc::channel();
    let (store, mut flushes) = moody(Some(gate));
    let first = store.commit(put("first", "")).await.unwrap();
    flushes.recv().await.unwrap();

    set(&store, Mood::PanicsInApply);
    let waiting = commit_many(&store, 10).await;
    open.send(()).unwrap();

    store.flushed(first).await.unwrap();
    let stopped = Error::Stopped {
        reason: "the writer thread panicked: an engine's assertion".into(),
    };
    for commit in waiting {
        assert_eq!(commit.await.unwrap(), Err(stopped.clone()));
    }
    assert_eq!(store.stopped().await, stopped);
}

#[tokio::test]
async fn close_flushes_what_was_committed_and_refuses_the_rest() {
    let (store, mut flushes) = moody(None);
    let commit = store.commit(put_soon("a", "1")).await.unwrap();
    store.close().await.unwrap();
    flushes.recv().await.unwrap();
    store.close().await.unwrap();
    store.flushed(commit).await.unwrap();
    assert_eq!(store.commit(put("a", "2")).await, Err(Error::Closed));
    assert_eq!(
        store
            .snapshot()
            .get(&key("a"))
            .await
            .unwrap()
            .unwrap()
            .value,
        "1"
    );
}

#[tokio::test]
async fn only_commits_that_were_given_can_be_waited_for() {
    let store = Memory::open();
    store.flushed(Commit(0)).await.unwrap();
    assert_eq!(
        store.flushed(Commit(1)).await,
        Err(Error::NeverGiven { commit: Commit(1) })
    );
}

#[tokio::test]
async fn an_entry_that_no_store_can_keep_is_refused() {
    let store = Memory::open();
    for bad in [vec![], vec![0xFF, b'a'], vec![b'a'; KEY_BYTES_MAX + 1]] {
        let mut batch = put("good", "");
        batch.put(bad.clone().into(), "");
        assert!(
            matches!(store.commit(batch).await, Err(Error::Refused { key, .. }) if key.as_bytes() == bad)
        );
    }
    let mut batch = Batch::new();
    batch.put(vec![b'a'; KEY_BYTES_MAX].into(), "");
    store.commit(batch).await.unwrap();
    assert_eq!(store.latest(&key("good")).await.unwrap(), None);
}
