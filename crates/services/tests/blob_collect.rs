//! Orphans are collected, and nothing else is, whatever happens at the same time.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Result};
use plexspaces_services::applications::Hash;
use plexspaces_services::blob::{self, Chunk, Collected, Content, Place, Rules, chunks};
use plexspaces_services::records::{HostCall, Restored, Segment, encode, host_call};
use plexspaces_services::{Transaction, expiry, journal};
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Error, Store as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use support::{Hooked, World, noise};

const NOW: Millis = Millis(1_000);
const ALL: (u64, u64) = (0, u64::MAX);

/// Everything that is there is old, and few candidates are compared at once.
fn later() -> Rules {
    Rules {
        now: SystemTime::now() + Duration::from_secs(7_200),
        min_age: blob::MIN_AGE,
        candidates: 3,
    }
}

async fn collect(world: &World) -> Collected {
    blob::collect(&world.content, world.store.as_ref(), later())
        .await
        .unwrap()
}

async fn orphan(content: &Content, seed: u64) -> Chunk {
    content.put(noise(seed, 1_000).into()).await.unwrap().0
}

async fn upload(world: &World, turn: &mut Transaction, id: &str, seed: u64) {
    let data = noise(seed, 1_000).into();
    blob::upload(
        turn,
        &world.content,
        &world.scope,
        id,
        data,
        Vec::new(),
        NOW,
    )
    .await
    .unwrap();
}

async fn reads(world: &World, id: &str) -> Result<Vec<u8>> {
    let mut turn = world.begin();
    blob::download(&mut turn, &world.content, &world.scope, id, ALL, 1 << 20)
        .await
        .map(|(_, bytes)| bytes)
}

async fn left(content: &Content) -> Vec<Hash> {
    let mut left: Vec<_> = content
        .list()
        .map_ok(|found| found.hash)
        .try_collect()
        .await
        .unwrap();
    left.sort();
    left
}

#[tokio::test]
async fn what_nothing_names_goes_and_the_rest_stays() {
    let world = World::new();
    for n in 0..10 {
        // Two scopes; a turn that failed; a turn that committed.
        let scope = plexspaces_core::Scope::new(["t", "u"][n as usize % 2], "n").unwrap();
        let mut turn = world.begin();
        let data = noise(n, 1_000).into();
        let id = format!("b{n}");
        blob::upload(
            &mut turn,
            &world.content,
            &scope,
            &id,
            data,
            Vec::new(),
            NOW,
        )
        .await
        .unwrap();
        match n % 3 {
            0 => drop(turn),
            _ => world.commit(turn).await,
        }
    }
    assert_eq!(
        collect(&world).await,
        Collected {
            seen: 10,
            deleted: 4,
            deleted_bytes: 4_000
        }
    );
    for n in [1, 2, 4, 5, 7, 8] {
        let hash = Hash::of(&noise(n, 1_000));
        assert!(left(&world.content).await.contains(&hash), "{n}");
    }
    assert_eq!(collect(&world).await.deleted, 0);
    // Equal content is there as long as one of its blobs.
    let mut turn = world.begin();
    upload(&world, &mut turn, "twin", 2).await;
    blob::delete(&mut turn, &world.scope, "b2").await.unwrap();
    world.commit(turn).await;
    assert_eq!(collect(&world).await.deleted, 0);
    let mut turn = world.begin();
    blob::delete(&mut turn, &world.scope, "twin").await.unwrap();
    world.commit(turn).await;
    assert_eq!(collect(&world).await.deleted, 1);
}

#[tokio::test]
async fn the_young_stay() {
    let world = World::new();
    orphan(&world.content, 1).await;
    let rules = |age| Rules {
        now: SystemTime::now() + Duration::from_secs(age),
        ..later()
    };
    let store = world.store.as_ref();
    let collect = async |age| {
        blob::collect(&world.content, store, rules(age))
            .await
            .unwrap()
    };
    assert_eq!(collect(0).await.deleted, 0);
    assert_eq!(collect(3_500).await.deleted, 0);
    assert_eq!(collect(3_700).await.deleted, 1);
}

#[tokio::test]
async fn uploads_under_way_keep_what_they_have() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let mut turn = world.begin();
    let begin = |turn: &mut Transaction, n| {
        blob::begin_upload(turn, scope, [n; 16], "a", Vec::new(), NOW).unwrap()
    };
    let (kept, aborted) = (begin(&mut turn, 1), begin(&mut turn, 2));
    for (upload, seed) in [(&kept, 1), (&kept, 2), (&aborted, 3)] {
        let part = noise(seed, 1_000).into();
        blob::upload_part(&mut turn, content, scope, upload, part, NOW)
            .await
            .unwrap();
    }
    world.commit(turn).await;
    assert_eq!(collect(&world).await.deleted, 0);
    let mut turn = world.begin();
    blob::abort_upload(&mut turn, scope, &aborted, NOW)
        .await
        .unwrap();
    world.commit(turn).await;
    assert_eq!(collect(&world).await.deleted, 1);
    // An upload that was forgotten expires with its row.
    let due = Millis(NOW.0 + blob::UPLOAD_KEPT_MS);
    let sweep = expiry::sweep(world.store.snapshot().as_ref(), due, 10)
        .await
        .unwrap();
    assert!(sweep.next.is_none());
    world.store.commit(sweep.batch).await.unwrap();
    assert_eq!(collect(&world).await.deleted, 2);
}

#[tokio::test]
async fn turns_in_the_journal_keep_what_they_have_read() {
    let world = World::new();
    let actor = ActorId::new(&world.scope, "reader", "1").unwrap();
    let mut calls = Vec::new();
    for (seed, operation) in [
        (1, "blob.download"),
        (2, "blob.download-range"),
        (3, "other"),
    ] {
        let pieces = chunks::range(&[orphan(&world.content, seed).await], 10, 100);
        calls.push(HostCall {
            operation: operation.to_owned(),
            arguments: 0,
            result: Some(host_call::Result::Ok(chunks::record(&pieces))),
        });
    }
    let restored = calls.split_off(1);
    let mut batch = Batch::new();
    let segment = Segment {
        calls,
        ..Segment::default()
    };
    journal::put_segment(&mut batch, &actor, 5, 0, &segment);
    let restored = Restored {
        calls: restored,
        ..Restored::default()
    };
    batch.put(journal::restored_key(&actor, 4), encode(&restored));
    world.store.commit(batch).await.unwrap();
    assert_eq!(collect(&world).await.deleted, 1);
    let mut kept = [1, 2].map(|seed| Hash::of(&noise(seed, 1_000)));
    kept.sort();
    assert_eq!(left(&world.content).await, kept);
    let mut batch = Batch::new();
    batch.delete(journal::segment_key(&actor, 5, 0));
    world.store.commit(batch).await.unwrap();
    assert_eq!(collect(&world).await.deleted, 1);
}

/// A world whose collections do `during` after their moment was taken, before they delete anything.
fn interrupted<F: Future<Output = ()> + Send + 'static>(
    during: impl FnOnce(Arc<World>) -> F,
) -> Arc<World> {
    let store = Hooked::new();
    let world = Arc::new(World::over(store.clone(), Content::in_memory()));
    let hook = during(world.clone());
    store.at_flush(async move {
        hook.await;
        Ok(())
    });
    world
}

#[tokio::test]
async fn an_orphan_that_is_stored_again_meanwhile_stays() {
    let world = interrupted(|world| async move {
        let mut turn = world.begin();
        upload(&world, &mut turn, "a", 1).await;
        world.commit(turn).await;
    });
    orphan(&world.content, 1).await;
    orphan(&world.content, 2).await;
    assert_eq!(collect(&world).await.deleted, 1);
    assert_eq!(reads(&world, "a").await.unwrap(), noise(1, 1_000));
}

#[tokio::test]
async fn what_a_turn_has_stored_stays_until_it_ends() {
    let world = World::new();
    let mut turn = world.begin();
    upload(&world, &mut turn, "a", 1).await;
    assert_eq!(collect(&world).await.deleted, 0, "the turn may commit");
    drop(turn);
    assert_eq!(collect(&world).await.deleted, 1);
}

#[tokio::test]
async fn what_a_turn_has_read_stays_until_it_ends() {
    let world = World::new();
    let mut turn = world.begin();
    upload(&world, &mut turn, "a", 1).await;
    world.commit(turn).await;
    let mut reader = world.begin();
    let (content, scope) = (&world.content, &world.scope);
    let plan = blob::plan(&mut reader, content, scope, "a", ALL, 1 << 20)
        .await
        .unwrap();
    let mut turn = world.begin();
    blob::delete(&mut turn, scope, "a").await.unwrap();
    world.commit(turn).await;
    assert_eq!(collect(&world).await.deleted, 0);
    assert_eq!(
        blob::read(content, &plan.pieces).await.unwrap(),
        noise(1, 1_000)
    );
    drop(reader);
    assert_eq!(collect(&world).await.deleted, 1);
}

#[tokio::test]
async fn a_blob_whose_content_was_collected_since_the_turn_began_is_a_conflict() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let mut turn = world.begin();
    upload(&world, &mut turn, "a", 1).await;
    world.commit(turn).await;
    let mut late = world.begin();
    assert!(
        blob::describe(&mut late, scope, "a")
            .await
            .unwrap()
            .is_some()
    );
    let mut turn = world.begin();
    blob::delete(&mut turn, scope, "a").await.unwrap();
    world.commit(turn).await;
    assert_eq!(collect(&world).await.deleted, 1);
    let read = blob::download(&mut late, content, scope, "a", ALL, 1 << 20).await;
    assert_eq!(read.unwrap_err().code, Code::TurnConflict);
    // Content that is missing although the row stands is damage.
    let mut turn = world.begin();
    upload(&world, &mut turn, "b", 2).await;
    world.commit(turn).await;
    content.delete(&[Hash::of(&noise(2, 1_000))]).await.unwrap();
    assert_eq!(reads(&world, "b").await.unwrap_err().code, Code::Corrupt);
}

#[tokio::test]
async fn nothing_is_deleted_before_its_reason_is_durable() {
    let store = Hooked::new();
    let world = World::over(store.clone(), Content::in_memory());
    orphan(&world.content, 1).await;
    store.at_flush(async { Err(Error::Closed) });
    let failed = blob::collect(&world.content, store.as_ref(), later()).await;
    assert_eq!(failed.unwrap_err().code, Code::ShuttingDown);
    assert_eq!(left(&world.content).await.len(), 1);
    assert_eq!(collect(&world).await.deleted, 1, "the next one can");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_keeps_everything() {
    let world = World::new();
    orphan(&world.content, 1).await;
    let mut batch = Batch::new();
    let key = Path::scope("t", "n", Kind::Blob).str("broken").key();
    batch.put(key, Bytes::from_static(b"\xFF\xFF"));
    world.store.commit(batch).await.unwrap();
    let failed = blob::collect(&world.content, world.store.as_ref(), later()).await;
    assert_eq!(failed.unwrap_err().code, Code::Corrupt);
    assert_eq!(left(&world.content).await.len(), 1);
}

#[tokio::test]
async fn files_whose_writing_was_cut_off_go() {
    let temp = tempfile::tempdir().unwrap();
    let content = Content::open(&Place::Folder(temp.path().into())).unwrap();
    let chunk = orphan(&content, 1).await;
    let hex = chunk.hash.to_string();
    let folder = temp.path().join("chunks").join(&hex[..2]);
    let staged = folder.join(format!("{}#1", &hex[2..]));
    let foreign = folder.join("notes.txt");
    std::fs::write(&staged, b"half").unwrap();
    std::fs::write(&foreign, b"not ours").unwrap();
    let world = World::over(World::new().store, content);
    let young = Rules {
        now: SystemTime::now(),
        ..later()
    };
    blob::collect(&world.content, world.store.as_ref(), young)
        .await
        .unwrap();
    assert!(staged.exists());
    assert_eq!(collect(&world).await.deleted, 1);
    assert!(!staged.exists());
    assert!(foreign.exists());
}
