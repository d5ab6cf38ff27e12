//! Every backend, driven by the same generated steps, against the same model.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_store::{
    Fjall, FjallOptions, Memory, Sqlite, SqliteOptions, Store,
    testing::{
        Lossy,
        conformance::{Subject, check, steps},
    },
};
use proptest::{prelude::*, test_runner::TestRunner};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;

struct InMemory;

impl Subject for InMemory {
    fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(Memory::open())
    }
    fn crash(&mut self) {
        unreachable!("nothing persists")
    }
    fn persists(&self) -> bool {
        false
    }
}

struct InFolder {
    folder: TempDir,
}

impl Subject for InFolder {
    fn open(&mut self) -> Arc<dyn Store> {
        // The smallest write buffer, so that some of what is read comes from files.
        let options = FjallOptions {
            write_buffer_bytes: 64 << 10,
            ..FjallOptions::default()
        };
        Arc::new(Fjall::open(self.folder.path(), &options).unwrap())
    }
    fn crash(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        support::copy_folder(self.folder.path(), copy.path());
        self.folder = copy;
    }
}

struct InDatabase {
    folder: TempDir,
}

impl Subject for InDatabase {
    fn open(&mut self) -> Arc<dyn Store> {
        // The smallest log, so that some of what is read was moved into the database meanwhile.
        let options = SqliteOptions {
            checkpoint_bytes: 64 << 10,
            ..SqliteOptions::default()
        };
        Arc::new(Sqlite::open(self.folder.path(), &options).unwrap())
    }
    fn crash(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        support::copy_folder(self.folder.path(), copy.path());
        self.folder = copy;
    }
}

#[derive(Default)]
struct OnLossyDisk {
    open: Option<Arc<Lossy>>,
    left: Option<Lossy>,
}

impl Subject for OnLossyDisk {
    fn open(&mut self) -> Arc<dyn Store> {
        let store = match (self.left.take(), self.open.take()) {
            (Some(left), _) => left,
            // A closed store has flushed everything: a crash loses nothing.
            (None, Some(closed)) => closed.crash(0),
            (None, None) => Lossy::open(Duration::from_micros(50)),
        };
        let store = Arc::new(store);
        self.open = Some(Arc::clone(&store));
        store
    }
    fn crash(&mut self) {
        self.left = self.open.as_ref().map(|store| store.crash(0));
    }
}

/// Fewer cases than proptest's 256 for what opens files; enough for every pair of steps to meet many times.
fn conforms<S: Subject>(cases: u32, length: usize, subject: impl Fn() -> S) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&steps(length), |steps| {
            runtime.block_on(check(&mut subject(), steps));
            Ok(())
        })
        .unwrap();
}

#[test]
fn memory_conforms() {
    conforms(256, 80, || InMemory);
}

#[test]
fn lossy_conforms() {
    conforms(128, 80, OnLossyDisk::default);
}

#[test]
fn fjall_conforms() {
    conforms(48, 80, || InFolder {
        folder: tempfile::tempdir().unwrap(),
    });
}

#[test]
fn sqlite_conforms() {
    conforms(48, 80, || InDatabase {
        folder: tempfile::tempdir().unwrap(),
    });
}
