//! One generated history, done to memory, fjall and SQLite side by side: every answer of all three has to be the same.
//!
//! The conformance suite holds each backend against a model; this one needs none, so an error that the model shares with
//! a backend is found, too. Versions have gaps that differ, so answers name a version by the step that wrote it.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_core::batch::{Batch, Key, Version};
use plexspaces_store::{
    Error, Fjall, FjallOptions, Memory, Order, Snapshot, Sqlite, SqliteOptions, Store, Versioned,
    testing::conformance::{Step, steps},
};
use proptest::{prelude::*, test_runner::TestRunner};
use std::{collections::HashMap, ops::Range, path::Path, sync::Arc};
use tempfile::TempDir;

/// Opens a store in a folder.
type Open = fn(&Path) -> Arc<dyn Store>;

/// A store, and what a user of it holds.
struct Side {
    folder: TempDir,
    /// `None` for the one that is never opened again.
    open: Option<Open>,
    store: Option<Arc<dyn Store>>,
    held: Vec<Arc<dyn Snapshot>>,
    /// The step that gave each version.
    steps: HashMap<Version, usize>,
    newest: Version,
}

/// A row, with the step that wrote it.
type Row = (Key, usize, Vec<u8>);

/// What one step gives, the same from every store.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Committed { changed: bool },
    Conflict { key: Key, found: Option<usize> },
    Rows(Vec<Vec<Row>>),
    Done,
}

impl Side {
    fn new(open: Option<Open>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = match open {
            Some(open) => open(folder.path()),
            None => Arc::new(Memory::open()),
        };
        Side {
            folder,
            open,
            store: Some(store),
            held: Vec::new(),
            steps: HashMap::new(),
            newest: Version::ABSENT,
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.clone().unwrap()
    }

    async fn answer(&mut self, n: usize, step: Step) -> Answer {
        match step {
            Step::Commit {
                right,
                wrong,
                ops,
                urgency,
                flushed,
            } => {
                let mut batch = Batch {
                    urgency,
                    ops: ops.into_iter().collect(),
                    ..Batch::default()
                };
                for key in right {
                    let version = self.version(&key).await;
                    batch.guard(key, version);
                }
                if let Some(key) = wrong {
                    let version = Version(self.version(&key).await.0 + 1);
                    batch.guard(key, version);
                }
                self.commit(n, batch, flushed).await
            }
            Step::Hold => {
                if self.held.len() == 4 {
                    self.held.remove(0);
                }
                self.held.push(self.store().snapshot());
                Answer::Done
            }
            Step::Get(key) => {
                let mut found = vec![self.row(&key, self.store().latest(&key).await.unwrap())];
                for snapshot in self.moments() {
                    found.push(self.row(&key, snapshot.get(&key).await.unwrap()));
                }
                Answer::Rows(found)
            }
            Step::Scan(range, limit, order) => self.scan(range, limit, order).await,
            Step::Flush => {
                let newest = self.store().visible();
                self.store().flushed(newest).await.unwrap();
                Answer::Done
            }
            Step::Reopen { crashed } => {
                self.reopen(crashed).await;
                Answer::Done
            }
        }
    }

    async fn version(&self, key: &Key) -> Version {
        let found = self.store().latest(key).await.unwrap();
        found.map_or(Version::ABSENT, |entry| entry.version)
    }

    async fn commit(&mut self, n: usize, batch: Batch, flushed: bool) -> Answer {
        let changed = !batch.is_empty();
        let store = self.store();
        let result = match flushed {
            true => store.commit_flushed(batch).await,
            false => store.commit(batch).await,
        };
        match result {
            Ok(commit) => {
                if changed {
                    assert!(Version::from(commit) > self.newest, "no version twice");
                    self.newest = commit.into();
                    self.steps.insert(commit.into(), n);
                }
                Answer::Committed { changed }
            }
            Err(Error::Conflict { key, found, .. }) => Answer::Conflict {
                key,
                found: self.steps.get(&found).copied(),
            },
            Err(error) => panic!("{error}"),
        }
    }

    fn row(&self, key: &Key, found: Option<Versioned>) -> Vec<Row> {
        found
            .map(|entry| {
                (
                    key.clone(),
                    self.steps[&entry.version],
                    entry.value.to_vec(),
                )
            })
            .into_iter()
            .collect()
    }

    async fn scan(&self, range: Range<Key>, limit: usize, order: Order) -> Answer {
        let mut answers = Vec::new();
        for snapshot in self.moments() {
            let rows = snapshot.scan(range.clone(), limit, order).await.unwrap();
            let rows = rows
                .into_iter()
                .flat_map(|(key, entry)| self.row(&key, Some(entry)));
            answers.push(rows.collect());
        }
        Answer::Rows(answers)
    }

    /// The snapshots held and one taken now.
    fn moments(&self) -> Vec<Arc<dyn Snapshot>> {
        let now = self.store().snapshot();
        self.held.iter().cloned().chain([now]).collect()
    }

    async fn reopen(&mut self, crashed: bool) {
        self.held.clear();
        let Some(open) = self.open else { return };
        if crashed {
            let newest = self.store().visible();
            self.store().flushed(newest).await.unwrap();
            let copy = tempfile::tempdir().unwrap();
            support::copy_folder(self.folder.path(), copy.path());
            self.store = None;
            self.folder = copy;
        } else {
            self.store().close().await.unwrap();
            self.store = None;
        }
        self.store = Some(open(self.folder.path()));
    }
}

fn fjall(folder: &Path) -> Arc<dyn Store> {
    let options = FjallOptions {
        write_buffer_bytes: 64 << 10,
        ..FjallOptions::default()
    };
    Arc::new(Fjall::open(folder, &options).unwrap())
}

fn sqlite(folder: &Path) -> Arc<dyn Store> {
    let options = SqliteOptions {
        checkpoint_bytes: 64 << 10,
        ..SqliteOptions::default()
    };
    Arc::new(Sqlite::open(folder, &options).unwrap())
}

async fn compare(history: Vec<Step>) {
    let mut memory = Side::new(None);
    let mut others = [
        ("fjall", Side::new(Some(fjall))),
        ("sqlite", Side::new(Some(sqlite))),
    ];
    let everything = Key::from(vec![0x00])..Key::from(vec![0xFF]);
    let last = [Order::Forward, Order::Reverse]
        .map(|order| Step::Scan(everything.clone(), usize::MAX, order));
    for (n, step) in history.into_iter().chain(last).enumerate() {
        let expected = memory.answer(n, step.clone()).await;
        for (name, side) in &mut others {
            let answer = side.answer(n, step.clone()).await;
            assert_eq!(answer, expected, "{name} and memory, step {n}: {step:?}");
        }
    }
}

#[test]
fn memory_fjall_and_sqlite_give_the_same_answers() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&steps(150), |history| {
            runtime.block_on(compare(history));
            Ok(())
        })
        .unwrap();
}
