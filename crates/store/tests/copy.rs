//! Copies between the backends, and what a comparison finds.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_core::batch::{Batch, Version};
use plexspaces_store::{
    Error, Fjall, FjallOptions, Memory, Sqlite, SqliteOptions, Store,
    copy::{Same, Totals, compare, copy},
};
use support::{key, put, put_soon};

/// Small rows and large ones, keys that end in zeros, an empty value.
async fn fill(store: &dyn Store) -> Totals {
    let mut totals = Totals::default();
    let mut batch = Batch::new();
    let mut add = |key: Vec<u8>, value: Vec<u8>| {
        totals.rows += 1;
        totals.bytes += (key.len() + value.len()) as u64;
        batch.put(key.into(), value);
    };
    for n in 0..5_000u32 {
        add(
            [b"small".as_slice(), &n.to_be_bytes()].concat(),
            vec![n as u8; n as usize % 50],
        );
    }
    for n in 0..6u8 {
        add(vec![b'z', n], vec![n; 3 << 20]);
    }
    for zeros in 1..4 {
        add(vec![0; zeros], Vec::new());
        add(
            [b"small".as_slice(), &vec![0; zeros + 4]].concat(),
            b"zeros".to_vec(),
        );
    }
    store.commit_flushed(batch).await.unwrap();
    totals
}

async fn same(one: &dyn Store, other: &dyn Store) -> Result<Same, Error> {
    compare(one, other, |_| {}).await
}

#[tokio::test]
async fn a_copy_holds_the_same_there_and_back() {
    let memory = Memory::open();
    let totals = fill(&memory).await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sqlite = Sqlite::open(first.path(), &SqliteOptions::default()).unwrap();
    let mut told = Totals::default();
    let copied = copy(&memory, &sqlite, |now| {
        assert!(now.rows > told.rows && now.bytes > told.bytes, "it goes on");
        told = now;
    });
    assert_eq!(copied.await.unwrap(), totals);
    assert_eq!(told, totals);
    let fjall = Fjall::open(second.path(), &FjallOptions::default()).unwrap();
    copy(&sqlite, &fjall, |_| {}).await.unwrap();
    // What is compared is what the disk has.
    drop((sqlite, fjall));
    let sqlite = Sqlite::open(first.path(), &SqliteOptions::default()).unwrap();
    let fjall = Fjall::open(second.path(), &FjallOptions::default()).unwrap();
    let there = same(&memory, &sqlite).await.unwrap();
    assert_eq!(there.totals, totals);
    assert_eq!(same(&sqlite, &fjall).await.unwrap(), there);
    assert_eq!(same(&fjall, &memory).await.unwrap(), there);
}

#[tokio::test]
async fn every_difference_is_found() {
    let find = async |change: Batch, original_too: bool| {
        let (one, other) = (Memory::open(), Memory::open());
        for at in ["a", "b", "c"] {
            one.commit(put_soon(at, "1")).await.unwrap();
        }
        copy(&one, &other, |_| {}).await.unwrap();
        if original_too {
            one.commit(change.clone()).await.unwrap();
        }
        other.commit(change).await.unwrap();
        same(&one, &other).await
    };
    let delete = |at: &str| {
        let mut batch = Batch::new();
        batch.delete(key(at));
        batch
    };
    for (change, part) in [
        (put("b", "2"), "another value"),
        (put("b", ""), "another value"),
        (delete("a"), "not in the copy"),
        (delete("c"), "not in the copy"),
        (put("aa", "1"), "in the copy only"),
        (put("d", "1"), "in the copy only"),
    ] {
        let equal = find(change.clone(), true).await.unwrap();
        let error = find(change, false).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_ne!(
            equal,
            find(Batch::new(), true).await.unwrap(),
            "another digest"
        );
    }
}

#[tokio::test]
async fn a_guard_from_before_the_copy_does_not_hold() {
    let memory = Memory::open();
    let mut last = Version::ABSENT;
    for n in 0..9u8 {
        last = memory.commit(put_soon("a", vec![n])).await.unwrap().into();
    }
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open_after(folder.path(), &SqliteOptions::default(), last).unwrap();
    copy(&memory, &sqlite, |_| {}).await.unwrap();
    for version in 1..=last.0 {
        let mut batch = put("a", "lost update");
        batch.guard(key("a"), Version(version));
        let conflict = sqlite.commit(batch).await;
        assert!(matches!(conflict, Err(Error::Conflict { .. })));
    }
}
