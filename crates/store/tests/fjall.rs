//! What only the store in a folder can get wrong.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_core::batch::{Batch, Version};
use plexspaces_store::{Commit, Embedded, Error, Fjall, FjallOptions, Order, Store};
use std::{path::Path, sync::Arc};
use support::{copy_folder, key, put, put_soon};

fn open(folder: &Path) -> Embedded<Fjall> {
    Fjall::open(folder, &FjallOptions::default()).unwrap()
}

#[tokio::test]
async fn versions_are_never_used_again_even_if_their_rows_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = Commit(0);
    for _ in 0..3 {
        let store = open(folder.path());
        assert!(store.visible() >= last);
        store.commit(put("a", "1")).await.unwrap();
        let mut batch = Batch::new();
        batch.delete(key("a"));
        let commit = store.commit(batch).await.unwrap();
        assert!(commit > last);
        last = commit;
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_in_anothers_place_goes_on_after_its_versions() {
    let folder = tempfile::tempdir().unwrap();
    let after = Version(5_000_000_000);
    let open_after = || Fjall::open_after(folder.path(), &FjallOptions::default(), after);
    let store = open_after().unwrap();
    assert_eq!(store.visible(), Commit(after.0));
    drop(store);
    // It remembers, though it was never written to.
    let commit = open(folder.path()).commit(put("a", "1")).await.unwrap();
    assert!(commit > Commit(after.0));
    // And it does not go back for one that was behind.
    assert!(open_after().unwrap().visible() >= commit);
}

#[tokio::test]
async fn a_crash_keeps_what_was_flushed_and_uses_no_version_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let flushed = store.commit(put("flushed", "1")).await.unwrap();
    store.flushed(flushed).await.unwrap();
    let unflushed = store.commit(put_soon("perhaps", "2")).await.unwrap();

    let left = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), left.path());
    let store = open(left.path());
    assert_eq!(
        store
            .latest(&key("flushed"))
            .await
            .unwrap()
            .unwrap()
            .version,
        flushed.into()
    );
    let next = store.commit(put("next", "3")).await.unwrap();
    assert!(next > unflushed);
}

#[tokio::test]
async fn a_second_store_may_not_open_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let refused = Fjall::open(folder.path(), &FjallOptions::default()).unwrap_err();
    assert_eq!(
        refused,
        Error::InUse {
            folder: folder.path().into()
        }
    );
    assert!(
        refused
            .to_string()
            .ends_with("is in use by another process")
    );
    drop(first);
    open(folder.path());
}

#[tokio::test]
async fn dropping_a_store_keeps_its_commits() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path())
        .commit(put_soon("a", "1"))
        .await
        .unwrap();
    assert_eq!(
        open(folder.path())
            .latest(&key("a"))
            .await
            .unwrap()
            .unwrap()
            .value,
        "1"
    );
}

#[tokio::test]
async fn the_rows_of_the_backend_are_nobodys_business() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(put("a", "1")).await.unwrap();
    let all = store
        .snapshot()
        .scan(
            key("")..key("\u{10FFFF}").max(vec![0xFF; 9].into()),
            9,
            Order::Reverse,
        )
        .await;
    assert_eq!(
        all.unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>(),
        [key("a")]
    );
}

#[tokio::test]
async fn what_another_program_wrote_is_refused() {
    let write = |folder: &Path, key: &[u8], value: &[u8]| {
        let db = fjall::Database::builder(folder).open().unwrap();
        let data = db
            .keyspace("data", fjall::KeyspaceCreateOptions::default)
            .unwrap();
        data.insert(key, value).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), b"a", b"short");
    let store = open(folder.path());
    assert!(matches!(
        store.latest(&key("a")).await,
        Err(Error::Corrupt { .. })
    ));
    let all = store
        .snapshot()
        .scan(key("a")..key("b"), 1, Order::Forward)
        .await;
    assert!(matches!(all, Err(Error::Corrupt { .. })));
    drop(store);

    write(folder.path(), b"\xFFversions", &[2; 9]);
    let refused = Fjall::open(folder.path(), &FjallOptions::default()).unwrap_err();
    assert_eq!(
        refused,
        Error::Format {
            folder: folder.path().into(),
            expected: 1,
            found: 2
        }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_sees_no_half_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 0..2_000u32 {
                let mut batch = Batch::new();
                for n in 0..8u8 {
                    batch.put(vec![b'k', n].into(), round.to_be_bytes().to_vec());
                }
                store.commit(batch).await.unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let snapshot = store.snapshot();
        let visible = store.visible();
        let rows = snapshot
            .scan(key("k")..key("l"), 9, Order::Forward)
            .await
            .unwrap();
        assert!(rows.is_empty() || rows.len() == 8);
        assert!(rows.windows(2).all(|two| two[0].1 == two[1].1), "{rows:?}");
        assert!(
            rows.iter().all(|(_, row)| row.version <= visible.into()),
            "the gate would open too early"
        );
    }
    writer.await.unwrap();
}
