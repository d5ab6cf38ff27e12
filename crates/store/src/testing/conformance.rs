//! What every backend has to do, as a program that checks it.
//!
//! [`steps`] generates what a user of a store might do; [`check`] does it to a store and to a plain model, a
//! `BTreeMap`, and panics where the two differ. A backend is right when no sequence of steps makes them differ.
//!
//! The store is opened by a [`Subject`], which can also close it and open it again on what it kept.

use crate::{Commit, Error, Order, Snapshot, Store, Versioned};
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Key, Op, Urgency, Version};
use proptest::{collection::vec, prelude::*};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// A backend under test.
pub trait Subject {
    /// A store that holds what the last one opened here held, or nothing if this is the first. Every handle to the last
    /// one is gone.
    fn open(&mut self) -> Arc<dyn Store>;

    /// The machine goes down now, under a store in use: the next [`open`](Subject::open) finds what is on the disk at
    /// this moment. All commits have been flushed.
    fn crash(&mut self);

    /// Whether anything is held from one `open` to the next. If not, nothing is opened twice.
    fn persists(&self) -> bool {
        true
    }
}

/// One thing that a user does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Commits a batch: guards that hold on some keys, a guard that does not on another, and changes.
    Commit {
        /// Keys to guard with the version they have.
        right: Vec<Key>,
        /// A key to guard with a version it does not have.
        wrong: Option<Key>,
        /// The changes.
        ops: Vec<(Key, Op)>,
        /// Whether to flush at once.
        urgency: Urgency,
        /// Whether to wait for the flush.
        flushed: bool,
    },
    /// Takes a snapshot and keeps it. At most four are kept; the oldest goes.
    Hold,
    /// Gets a key from every snapshot that is held, and from the newest.
    Get(Key),
    /// Scans a range of every snapshot that is held, and of the newest.
    Scan(Range<Key>, usize, Order),
    /// Waits for the flush of the last commit.
    Flush,
    /// Closes the store, or flushes and crashes it, and opens it again.
    Reopen {
        /// Whether without a close.
        crashed: bool,
    },
}

/// Sequences of up to `length` steps over a few keys, so that steps meet.
pub fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    let commit = (
        vec(key(), 0..3),
        prop::option::weighted(0.2, key()),
        vec((key(), op()), 0..6),
        any::<bool>(),
        any::<bool>(),
    );
    let commit = commit.prop_map(|(right, wrong, ops, now, flushed)| Step::Commit {
        right,
        wrong,
        ops,
        urgency: if now { Urgency::Now } else { Urgency::Soon },
        flushed,
    });
    let scan = (
        key(),
        key(),
        prop_oneof![0..4usize, Just(usize::MAX)],
        any::<bool>(),
    )
        .prop_map(|(start, end, limit, forward)| {
            Step::Scan(
                start..end,
                limit,
                if forward {
                    Order::Forward
                } else {
                    Order::Reverse
                },
            )
        });
    let step = prop_oneof![
        12 => commit,
        2 => Just(Step::Hold),
        4 => key().prop_map(Step::Get),
        6 => scan,
        1 => Just(Step::Flush),
        1 => any::<bool>().prop_map(|crashed| Step::Reopen { crashed }),
    ];
    vec(step, 1..length)
}

/// Short keys out of few bytes, among them the lowest and the highest that a key may start with.
fn key() -> impl Strategy<Value = Key> {
    vec(
        prop::sample::select(vec![0x00, 0x01, b'a', b'b', 0xFE]),
        1..4,
    )
    .prop_map(Key::from)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..20).prop_map(|value| Op::Put(value.into())),
        // Above the size from which engines compress.
        1 => any::<u8>().prop_map(|byte| Op::Put(Bytes::from(vec![byte; 5_000]))),
        2 => Just(Op::Delete),
    ]
}

type Model = BTreeMap<Key, Versioned>;

/// Does `steps` to the store of `subject`, and panics at the first answer that differs from the model's.
pub async fn check(subject: &mut impl Subject, steps: Vec<Step>) {
    let mut run = Run {
        store: Some(subject.open()),
        model: Model::new(),
        held: Vec::new(),
        newest: Commit(0),
    };
    for step in steps {
        match step {
            Step::Commit {
                right,
                wrong,
                ops,
                urgency,
                flushed,
            } => {
                let batch = Batch {
                    urgency,
                    ops: ops.into_iter().collect(),
                    ..Batch::default()
                };
                run.commit(batch, right, wrong, flushed).await
            }
            Step::Hold => run.hold(),
            Step::Get(key) => run.get(&key).await,
            Step::Scan(range, limit, order) => run.scan(range, limit, order).await,
            Step::Flush => run
                .store()
                .flushed(run.newest)
                .await
                .expect("the store works"),
            Step::Reopen { crashed } => run.reopen(subject, crashed).await,
        }
    }
    let everything = Key::from(vec![0x00])..Key::from(vec![0xFF]);
    run.scan(everything, usize::MAX, Order::Forward).await;
    run.store().close().await.expect("the store closes");
    assert_eq!(run.store().commit(Batch::new()).await, Err(Error::Closed));
}

struct Run {
    /// There at all times but while it is being opened again.
    store: Option<Arc<dyn Store>>,
    model: Model,
    /// Snapshots, and what each has to show for ever.
    held: Vec<(Arc<dyn Snapshot>, Model)>,
    newest: Commit,
}

impl Run {
    async fn commit(
        &mut self,
        mut batch: Batch,
        right: Vec<Key>,
        wrong: Option<Key>,
        flushed: bool,
    ) {
        for key in right {
            let version = self.version(&key);
            batch.guard(key, version);
        }
        let expected = match &wrong {
            None => None,
            Some(key) => {
                let (found, expected) = (self.version(key), Version(self.version(key).0 + 1));
                batch.guard(key.clone(), expected);
                Some(Error::Conflict {
                    key: key.clone(),
                    expected,
                    found,
                })
            }
        };
        let ops = batch.ops.clone();
        let store = self.store();
        let result = match flushed {
            true => store.commit_flushed(batch).await,
            false => store.commit(batch).await,
        };
        if let Some(conflict) = expected {
            assert_eq!(result, Err(conflict));
            return;
        }
        let commit = result.expect("all guards hold");
        if ops.is_empty() {
            assert_eq!(
                commit,
                self.store().visible(),
                "a batch without changes is no commit"
            );
            return;
        }
        assert!(commit > self.newest, "{commit:?} after {:?}", self.newest);
        assert_eq!(self.store().visible(), commit);
        self.newest = commit;
        for (key, op) in ops {
            match op {
                Op::Put(value) => self.model.insert(
                    key,
                    Versioned {
                        version: commit.into(),
                        value,
                    },
                ),
                Op::Delete => self.model.remove(&key),
            };
        }
    }

    fn version(&self, key: &Key) -> Version {
        self.model
            .get(key)
            .map_or(Version::ABSENT, |entry| entry.version)
    }

    fn hold(&mut self) {
        if self.held.len() == 4 {
            self.held.remove(0);
        }
        self.held
            .push((self.store().snapshot(), self.model.clone()));
    }

    async fn get(&mut self, key: &Key) {
        assert_eq!(
            self.store().latest(key).await.expect("readable"),
            self.model.get(key).cloned()
        );
        for (snapshot, model) in self.moments() {
            assert_eq!(
                snapshot.get(key).await.expect("readable"),
                model.get(key).cloned()
            );
        }
    }

    async fn scan(&mut self, range: Range<Key>, limit: usize, order: Order) {
        for (snapshot, model) in self.moments() {
            let found = snapshot
                .scan(range.clone(), limit, order)
                .await
                .expect("readable");
            // Not `BTreeMap::range`, which panics on a reversed range.
            let within = model.into_iter().filter(|(key, _)| range.contains(key));
            let expected: Vec<_> = match order {
                Order::Forward => within.take(limit).collect(),
                Order::Reverse => within.rev().take(limit).collect(),
            };
            assert_eq!(
                found, expected,
                "{order:?} scan of {range:?}, at most {limit}"
            );
        }
    }

    /// The snapshots held and one taken now, each with what it has to show.
    fn moments(&self) -> Vec<(Arc<dyn Snapshot>, Model)> {
        let mut moments = self.held.clone();
        moments.push((self.store().snapshot(), self.model.clone()));
        moments
    }

    async fn reopen(&mut self, subject: &mut impl Subject, crashed: bool) {
        if !subject.persists() {
            return;
        }
        if crashed {
            self.store()
                .flushed(self.newest)
                .await
                .expect("the store works");
            subject.crash();
        } else {
            self.store().close().await.expect("the store closes");
        }
        self.held.clear();
        self.store = None;
        self.store = Some(subject.open());
        assert!(
            self.store().visible() >= self.newest,
            "versions go on where they were"
        );
    }

    fn store(&self) -> &dyn Store {
        self.store
            .as_deref()
            .expect("nothing is asked of a store that is being opened")
    }
}
