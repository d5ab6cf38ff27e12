//! What only the store in an SQLite database can get wrong.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use plexspaces_core::batch::{Batch, Version};
use plexspaces_store::{Commit, Embedded, Error, Order, Snapshot, Sqlite, SqliteOptions, Store};
use rusqlite::Connection;
use std::{fs, path::Path, sync::Arc};
use support::{copy_folder, key, put, put_soon};

const DATABASE: &str = "store.db";
const LOG: &str = "store.db-wal";

fn open(folder: &Path) -> Embedded<Sqlite> {
    try_open(folder).unwrap()
}

fn try_open(folder: &Path) -> Result<Embedded<Sqlite>, Error> {
    Sqlite::open(folder, &SqliteOptions::default())
}

/// A store whose log never grows beyond a few pages.
fn open_small(folder: &Path) -> Embedded<Sqlite> {
    let options = SqliteOptions {
        checkpoint_bytes: 64 << 10,
        ..SqliteOptions::default()
    };
    Sqlite::open(folder, &options).unwrap()
}

/// The first bytes of the values below `k`, in the order of the keys.
async fn values(snapshot: &dyn Snapshot) -> Vec<u8> {
    let rows = snapshot
        .scan(key("k")..key("l"), usize::MAX, Order::Forward)
        .await
        .unwrap();
    rows.into_iter().map(|(_, row)| row.value[0]).collect()
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
    let open_after = || Sqlite::open_after(folder.path(), &SqliteOptions::default(), after);
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
    let found = store.latest(&key("flushed")).await.unwrap().unwrap();
    assert_eq!(found.version, flushed.into());
    assert!(store.commit(put("next", "3")).await.unwrap() > unflushed);
}

#[tokio::test]
async fn whatever_end_of_the_log_is_lost_the_rest_is_a_prefix_of_the_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit_flushed(put("k00", vec![0])).await.unwrap();
    let log = folder.path().join(LOG);
    let flushed = fs::metadata(&log).unwrap().len();
    let mut last = Commit(0);
    for n in 1..12u8 {
        // Each of a different length, so that commits end at any place of a page.
        let value = vec![n; 1 + usize::from(n) * 700];
        last = store
            .commit(put_soon(&format!("k{n:02}"), value))
            .await
            .unwrap();
    }
    store.flushed(last).await.unwrap();

    let mut lengths = Vec::new();
    for length in (flushed..=fs::metadata(&log).unwrap().len()).step_by(1_000) {
        let left = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), left.path());
        let log = fs::File::options()
            .write(true)
            .open(left.path().join(LOG))
            .unwrap();
        log.set_len(length).unwrap();
        // As it is, it is a disk that lost what was flushed.
        match try_open(left.path()) {
            Ok(store) => assert_eq!(values(&*store.snapshot()).await.len(), 12),
            Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
        }
        // With an old mark, it is a crash before the flush.
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        fs::File::options()
            .write(true)
            .open(copy.path().join(LOG))
            .unwrap()
            .set_len(length)
            .unwrap();
        fs::remove_file(copy.path().join("flushed")).unwrap();
        let left = values(&*open(copy.path()).snapshot()).await;
        assert_eq!(left, (0..left.len() as u8).collect::<Vec<_>>());
        lengths.push(left.len());
    }
    assert_eq!(lengths[0], 1, "what was flushed first is there");
    assert!(lengths.is_sorted());
    let different = lengths.iter().collect::<std::collections::BTreeSet<_>>();
    assert!(different.len() > 8, "{lengths:?}");
}

#[tokio::test]
async fn a_log_that_lost_what_was_flushed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..5u8 {
        store
            .commit_flushed(put(&format!("k{n}"), vec![n]))
            .await
            .unwrap();
    }
    let left = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), left.path());
    let log = left.path().join(LOG);
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let refused = try_open(left.path()).unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    // Nothing was tidied away: whoever mends the bit has all of it.
    let mut bytes = fs::read(&log).unwrap();
    bytes[middle] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let mended = open(left.path());
    assert_eq!(values(&*mended.snapshot()).await, [0, 1, 2, 3, 4]);
    drop(mended);

    let left = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), left.path());
    fs::remove_file(left.path().join(LOG)).unwrap();
    assert!(matches!(
        try_open(left.path()).unwrap_err(),
        Error::Damaged { .. }
    ));
}

#[tokio::test]
async fn a_second_store_may_not_open_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let in_use = Error::InUse {
        folder: folder.path().into(),
    };
    let first = open(folder.path());
    assert_eq!(try_open(folder.path()).unwrap_err(), in_use);
    // What a snapshot reads is in use, too.
    let snapshot = first.snapshot();
    drop(first);
    assert_eq!(try_open(folder.path()).unwrap_err(), in_use);
    drop(snapshot);
    open(folder.path());
}

#[test]
fn a_database_that_another_program_has_for_itself_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let other = Connection::open(folder.path().join(DATABASE)).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .unwrap();
    assert_eq!(
        try_open(folder.path()).unwrap_err(),
        Error::InUse {
            folder: folder.path().into()
        }
    );
    drop(other);
    open(folder.path());
}

#[tokio::test]
async fn dropping_a_store_keeps_its_commits_and_leaves_one_file_of_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(put_soon("k", "1")).await.unwrap();
    assert_eq!(values(&*store.snapshot()).await, b"1");
    drop(store);
    assert!(!folder.path().join(LOG).exists(), "all is in the database");
    assert_eq!(values(&*open(folder.path()).snapshot()).await, b"1");
}

#[tokio::test]
async fn a_snapshot_outlives_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(put("k", "1")).await.unwrap();
    let snapshot = store.snapshot();
    store.commit(put("k", "2")).await.unwrap();
    drop(store);
    assert_eq!(values(&*snapshot).await, b"1");
    assert_eq!(
        snapshot.get(&key("k")).await.unwrap().unwrap().value,
        &b"1"[..]
    );
}

#[tokio::test]
async fn common_tools_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.commit(put("a", "1")).await.unwrap();
    let other = Connection::open(folder.path().join(DATABASE)).unwrap();
    let schema: String = other
        .query_row(
            "SELECT group_concat(sql, ';\n') FROM (SELECT sql FROM sqlite_schema ORDER BY name)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    // The bytes on the disk outlive every version of this program: this never changes.
    assert_eq!(
        schema,
        "CREATE TABLE entries (key BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;\n\
         CREATE TABLE numbers (name TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID"
    );
    let number = |sql| {
        other
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(
        number("PRAGMA application_id"),
        i64::from(u32::from_be_bytes(*b"PlxS"))
    );
    assert_eq!(number("PRAGMA user_version"), 1);
    assert_eq!(
        number("SELECT number FROM numbers WHERE name = 'versions'"),
        1 << 20
    );
    let row = other
        .query_row("SELECT * FROM entries", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    assert_eq!(
        row,
        (b"a".to_vec(), 1, b"1".to_vec(), -918_784_928_655_673_175i64)
    );
}

#[tokio::test]
async fn what_is_no_store_of_ours_is_told_apart() {
    let refused = |prepare: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let error = try_open(folder.path()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(folder.path().to_str().unwrap()),
            "{text} names no folder"
        );
        error
    };
    let sql = |folder: &Path, sql: &str| {
        let other = Connection::open(folder.join(DATABASE)).unwrap();
        other.execute_batch(sql).unwrap();
    };
    let text = refused(&|folder| fs::write(folder.join(DATABASE), [b'x'; 5_000]).unwrap());
    assert!(matches!(text, Error::Damaged { .. }), "{text}");
    let other = refused(&|folder| sql(folder, "CREATE TABLE songs (name TEXT)"));
    assert!(matches!(other, Error::Io { .. }), "{other}");
    let folder_instead = refused(&|folder| fs::create_dir(folder.join(DATABASE)).unwrap());
    assert!(
        matches!(folder_instead, Error::Io { .. }),
        "{folder_instead}"
    );
    let newer = refused(&|folder| {
        drop(open(folder));
        sql(folder, "PRAGMA user_version = 2");
    });
    assert!(
        matches!(
            newer,
            Error::Format {
                expected: 1,
                found: 2,
                ..
            }
        ),
        "{newer}"
    );
    let tables_gone = refused(&|folder| {
        drop(open(folder));
        sql(folder, "DROP TABLE numbers");
    });
    assert!(
        matches!(tables_gone, Error::Damaged { .. }),
        "{tables_gone}"
    );
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_not_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..200u8 {
        let at = format!("k{n:03}");
        store.commit(put_soon(&at, vec![n; 300])).await.unwrap();
    }
    drop(store);
    let database = folder.path().join(DATABASE);
    let mut bytes = fs::read(&database).unwrap();
    // The headers of all pages but the first, which has the schema.
    for page in (4_096..bytes.len()).step_by(4_096) {
        bytes[page..page + 8].fill(0x55);
    }
    fs::write(&database, bytes).unwrap();
    match try_open(folder.path()) {
        Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{error}"),
        Ok(store) => {
            let read = store.latest(&key("k007")).await;
            assert!(matches!(read, Err(Error::Damaged { .. })), "{read:?}");
        }
    }
}

#[tokio::test]
async fn a_bit_that_the_disk_changed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..9u8 {
        let (at, value) = (format!("key-{n}"), format!("value-{n}"));
        store.commit(put_soon(&at, value)).await.unwrap();
    }
    drop(store);
    let database = folder.path().join(DATABASE);
    let sound = fs::read(&database).unwrap();
    for (damaged, key_then) in [("value-4", "key-4"), ("key-4", "key-5")] {
        let at = sound
            .windows(damaged.len())
            .position(|bytes| bytes == damaged.as_bytes())
            .unwrap();
        let mut bytes = sound.clone();
        // The last letter: 4 becomes 5.
        bytes[at + damaged.len() - 1] ^= 1;
        fs::write(&database, bytes).unwrap();
        let store = open(folder.path());
        let all = store
            .snapshot()
            .scan(key("key-")..key("key."), 9, Order::Forward)
            .await;
        assert_eq!(
            all,
            Err(Error::Corrupt {
                key: key(key_then),
                what: "its checksum does not fit".into()
            })
        );
    }
}

#[tokio::test]
async fn a_making_that_was_killed_is_made_anew() {
    // What is there when the first start is killed: the lock, an empty file, a database without tables.
    for made in ["", "PRAGMA journal_mode = WAL"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lock"), "").unwrap();
        Connection::open(folder.path().join(DATABASE))
            .unwrap()
            .execute_batch(made)
            .unwrap();
        open(folder.path()).commit(put("a", "1")).await.unwrap();
    }
}

#[tokio::test]
async fn the_log_stays_small_while_snapshots_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_small(folder.path());
    let mut last: Arc<dyn Snapshot> = store.snapshot();
    for n in 0..400u32 {
        let at = format!("k{:02}", n % 50);
        store
            .commit_flushed(put(&at, vec![n as u8; 2_000]))
            .await
            .unwrap();
        // There is a snapshot at every moment.
        let next = store.snapshot();
        next.get(&key(&at)).await.unwrap().unwrap();
        last.get(&key(&at)).await.unwrap();
        last = next;
    }
    let log = fs::metadata(folder.path().join(LOG)).unwrap().len();
    assert!(log < 1 << 20, "{log} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_sees_no_half_batch() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open_small(folder.path()));
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
    let mut moments = 0;
    while !writer.is_finished() {
        let snapshot = store.snapshot();
        let visible = store.visible();
        // More looks at one moment, with commits in between.
        let mut first = None;
        for order in [Order::Forward, Order::Reverse, Order::Forward] {
            let mut rows = snapshot.scan(key("k")..key("l"), 9, order).await.unwrap();
            if order == Order::Reverse {
                rows.reverse();
            }
            assert!(rows.is_empty() || rows.len() == 8);
            assert!(rows.windows(2).all(|two| two[0].1 == two[1].1), "{rows:?}");
            assert!(
                rows.iter().all(|(_, row)| row.version <= visible.into()),
                "the gate would open too early"
            );
            if let Some((at, row)) = rows.get(3) {
                assert_eq!(snapshot.get(at).await.unwrap().as_ref(), Some(row));
            }
            assert_eq!(first.get_or_insert_with(|| rows.clone()), &rows);
        }
        moments += 1;
    }
    writer.await.unwrap();
    assert!(moments > 10, "{moments} snapshots beside 2,000 commits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_snapshots_than_connections_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut held = Vec::new();
    for n in 0..200u8 {
        store.commit(put_soon("k", vec![n])).await.unwrap();
        held.push((n, store.snapshot()));
    }
    let reads: Vec<_> = held
        .into_iter()
        .map(|(n, snapshot)| tokio::spawn(async move { assert_eq!(values(&*snapshot).await, [n]) }))
        .collect();
    for read in reads {
        read.await.unwrap();
    }
}
