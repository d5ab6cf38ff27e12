//! Blobs as turns see them.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::value::{PatternField, Value};
use plexspaces_core::{Code, ErrorKind, Result};
use plexspaces_services::blob::chunks::{CHUNK_BYTES_MAX, CHUNKS_MAX};
use plexspaces_services::blob::{
    self, ID_BYTES_MAX, Info, LIST_MAX, METADATA_BYTES_MAX, METADATA_PAIRS_MAX, UPLOAD_KEPT_MS,
};
use plexspaces_services::{Transaction, tuplespace};
use support::{World, noise};

const NOW: Millis = Millis(1_000);
const ALL: (u64, u64) = (0, u64::MAX);

async fn upload(world: &World, turn: &mut Transaction, id: &str, data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
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

async fn committed(world: &World, id: &str, data: &[u8]) {
    let mut turn = world.begin();
    upload(world, &mut turn, id, data).await;
    world.commit(turn).await;
}

async fn read(world: &World, turn: &mut Transaction, id: &str) -> Result<Vec<u8>> {
    blob::download(turn, &world.content, &world.scope, id, ALL, 64 << 20)
        .await
        .map(|(_, bytes)| bytes)
}

async fn describe(world: &World, turn: &mut Transaction, id: &str) -> Option<Info> {
    blob::describe(turn, &world.scope, id).await.unwrap()
}

fn pairs(n: usize, value: &str) -> Vec<(String, String)> {
    (0..n)
        .map(|n| (format!("{n:03}"), value.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_turn_sees_its_own_blobs_and_others_after_the_commit() {
    let world = World::new();
    let data = noise(1, 2_500_000);
    let mut one = world.begin();
    upload(&world, &mut one, "a", &data).await;
    assert!(read(&world, &mut one, "a").await.unwrap() == data);
    let mut other = world.begin();
    let error = read(&world, &mut other, "a").await.unwrap_err();
    assert_eq!(
        (error.code, error.kind),
        (Code::NotThere, ErrorKind::NotFound)
    );
    assert!(describe(&world, &mut other, "a").await.is_none());
    world.commit(one).await;
    let mut later = world.begin();
    assert!(read(&world, &mut later, "a").await.unwrap() == data);
    let info = describe(&world, &mut later, "a").await.unwrap();
    assert_eq!(
        (info.size, info.created, info.updated),
        (2_500_000, NOW, NOW)
    );
    assert!(info.etag.ends_with("-3"), "{}", info.etag);
    // A turn that fails leaves nothing.
    assert!(blob::delete(&mut later, &world.scope, "a").await.unwrap());
    upload(&world, &mut later, "b", &data).await;
    drop(later);
    let mut last = world.begin();
    assert!(describe(&world, &mut last, "a").await.is_some());
    assert!(describe(&world, &mut last, "b").await.is_none());
}

#[tokio::test]
async fn ranges_are_parts_of_the_whole() {
    let world = World::new();
    let data = noise(2, 2 * CHUNK_BYTES_MAX + 5);
    committed(&world, "a", &data).await;
    committed(&world, "empty", b"").await;
    let mut turn = world.begin();
    let size = data.len() as u64;
    let chunk = CHUNK_BYTES_MAX as u64;
    for (offset, length) in [
        (0, 10),
        (chunk - 1, 2),
        (chunk, chunk),
        (5, 2 * chunk),
        (size - 3, 100),
        (size, 1),
        (u64::MAX, u64::MAX),
        (7, 0),
    ] {
        let range = (offset, length);
        let (content, scope) = (&world.content, &world.scope);
        let (pieces, found) = blob::download(&mut turn, content, scope, "a", range, 4 << 20)
            .await
            .unwrap();
        let from = offset.min(size) as usize;
        let to = offset.saturating_add(length).min(size) as usize;
        assert!(found == data[from..to], "{range:?}");
        let total: u64 = pieces.iter().map(|piece| u64::from(piece.length)).sum();
        assert_eq!(total as usize, to - from);
    }
    assert!(read(&world, &mut turn, "empty").await.unwrap().is_empty());
    let (content, scope) = (&world.content, &world.scope);
    let bound = size - 1;
    let error = blob::download(&mut turn, content, scope, "a", ALL, bound)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.kind),
        (Code::TooManyResults, ErrorKind::ResourceExhausted)
    );
    assert!(error.message.contains("download-range"), "{error}");
    let fits = (1, u64::MAX);
    assert!(
        blob::download(&mut turn, content, scope, "a", fits, bound)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn replacing_keeps_the_time_of_creation() {
    let world = World::new();
    committed(&world, "a", b"one").await;
    let mut turn = world.begin();
    let (content, scope) = (&world.content, &world.scope);
    let metadata = vec![
        ("type".to_owned(), "text".to_owned()),
        ("by".to_owned(), "me".to_owned()),
    ];
    blob::upload(
        &mut turn,
        content,
        scope,
        "a",
        "two".into(),
        metadata,
        Millis(2_000),
    )
    .await
    .unwrap();
    world.commit(turn).await;
    let mut turn = world.begin();
    let info = describe(&world, &mut turn, "a").await.unwrap();
    assert_eq!((info.created, info.updated), (NOW, Millis(2_000)));
    let names: Vec<_> = info
        .metadata
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["by", "type"]);
    assert_eq!(
        info.etag, "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
        "of one chunk it is the SHA-256 of the bytes"
    );
    assert_eq!(read(&world, &mut turn, "a").await.unwrap(), b"two");
}

#[tokio::test]
async fn lists_by_prefix_in_pages() {
    let world = World::new();
    let mut turn = world.begin();
    // More than one page of the scan.
    let ids: Vec<String> = (0..40).map(|n| format!("log/{n:02}")).collect();
    for id in ids.iter().filter(|id| !id.ends_with('3')) {
        upload(&world, &mut turn, id, b"x").await;
    }
    upload(&world, &mut turn, "lof", b"x").await;
    upload(&world, &mut turn, "log0", b"x").await;
    world.commit(turn).await;
    // Half of it in the turn's own buffer.
    let mut turn = world.begin();
    for id in ids.iter().filter(|id| id.ends_with('3')) {
        upload(&world, &mut turn, id, b"x").await;
    }
    blob::delete(&mut turn, &world.scope, "log/17")
        .await
        .unwrap();
    let expected: Vec<_> = ids.iter().filter(|id| *id != "log/17").cloned().collect();
    for limit in [1, 7, 39, 40, LIST_MAX] {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = blob::list(&mut turn, &world.scope, "log/", cursor.as_deref(), limit)
                .await
                .unwrap();
            assert!(page.blobs.len() <= limit as usize);
            found.extend(page.blobs.into_iter().map(|info| info.id));
            cursor = page.cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "with limit {limit}");
    }
    for limit in [0, LIST_MAX + 1] {
        let error = blob::list(&mut turn, &world.scope, "", None, limit).await;
        assert_eq!(error.unwrap_err().code, Code::InvalidArgument);
    }
}

#[tokio::test]
async fn a_copy_is_a_blob_of_its_own() {
    let world = World::new();
    let data = noise(3, 1_200_000);
    committed(&world, "a", &data).await;
    let mut turn = world.begin();
    let (content, scope) = (&world.content, &world.scope);
    blob::copy(&mut turn, content, scope, "a", "b", Millis(5))
        .await
        .unwrap();
    assert!(blob::delete(&mut turn, scope, "a").await.unwrap());
    assert!(!blob::delete(&mut turn, scope, "a").await.unwrap());
    world.commit(turn).await;
    let mut turn = world.begin();
    assert!(read(&world, &mut turn, "b").await.unwrap() == data);
    let error = blob::copy(&mut turn, content, scope, "a", "c", NOW).await;
    assert_eq!(error.unwrap_err().code, Code::NotThere);
}

#[tokio::test]
async fn a_copy_loses_against_the_deletion_of_its_source() {
    let world = World::new();
    committed(&world, "a", b"x").await;
    let (content, scope) = (&world.content, &world.scope);
    let mut copying = world.begin();
    blob::copy(&mut copying, content, scope, "a", "b", NOW)
        .await
        .unwrap();
    let mut deleting = world.begin();
    blob::delete(&mut deleting, scope, "a").await.unwrap();
    world.commit(deleting).await;
    let error = world.try_commit(copying).await.unwrap_err();
    assert!(
        matches!(error, plexspaces_store::Error::Conflict { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_upload_goes_on_in_later_turns() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let data = noise(4, 3_000_000);
    let mut turn = world.begin();
    let id = blob::begin_upload(&mut turn, scope, [7; 16], "a", pairs(1, "v"), NOW).unwrap();
    let mut size = 0;
    for part in data.chunks(900_000) {
        size += part.len() as u64;
        let part = Bytes::copy_from_slice(part);
        let so_far = blob::upload_part(&mut turn, content, scope, &id, part, NOW).await;
        assert_eq!(so_far.unwrap(), size);
        world
            .commit(std::mem::replace(&mut turn, world.begin()))
            .await;
        assert!(describe(&world, &mut turn, "a").await.is_none(), "not yet");
    }
    // A part of a turn that fails was never there.
    blob::upload_part(&mut turn, content, scope, &id, "lost".into(), NOW)
        .await
        .unwrap();
    turn = world.begin();
    let info = blob::complete_upload(&mut turn, scope, &id, Millis(9))
        .await
        .unwrap();
    assert_eq!(
        (info.size, info.created, info.metadata),
        (3_000_000, Millis(9), pairs(1, "v"))
    );
    world.commit(turn).await;
    let mut turn = world.begin();
    assert!(read(&world, &mut turn, "a").await.unwrap() == data);
    let over = blob::upload_part(&mut turn, content, scope, &id, "x".into(), NOW).await;
    let error = over.unwrap_err();
    assert_eq!(error.code, Code::NotThere);
    assert!(error.message.contains(&id), "{error}");
}

#[tokio::test]
async fn of_two_turns_with_a_part_or_the_end_one_loses() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let mut turn = world.begin();
    let id = blob::begin_upload(&mut turn, scope, [7; 16], "a", Vec::new(), NOW).unwrap();
    world.commit(turn).await;
    let (mut one, mut other, mut end) = (world.begin(), world.begin(), world.begin());
    for turn in [&mut one, &mut other] {
        let part = blob::upload_part(turn, content, scope, &id, "x".into(), NOW);
        assert_eq!(part.await.unwrap(), 1);
    }
    blob::complete_upload(&mut end, scope, &id, NOW)
        .await
        .unwrap();
    world.commit(one).await;
    for late in [other, end] {
        let error = world.try_commit(late).await.unwrap_err();
        assert!(
            matches!(error, plexspaces_store::Error::Conflict { .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_upload_ends_by_abort_or_age() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let mut turn = world.begin();
    let aborted = blob::begin_upload(&mut turn, scope, [1; 16], "a", Vec::new(), NOW).unwrap();
    let old = blob::begin_upload(&mut turn, scope, [2; 16], "a", Vec::new(), NOW).unwrap();
    blob::abort_upload(&mut turn, scope, &aborted, NOW)
        .await
        .unwrap();
    let gone = blob::complete_upload(&mut turn, scope, &aborted, NOW).await;
    assert_eq!(gone.unwrap_err().code, Code::NotThere);
    let last = Millis(NOW.0 + UPLOAD_KEPT_MS - 1);
    blob::upload_part(&mut turn, content, scope, &old, "x".into(), last)
        .await
        .unwrap();
    let after = Millis(last.0 + 1);
    let late = blob::upload_part(&mut turn, content, scope, &old, "x".into(), after).await;
    assert_eq!(late.unwrap_err().code, Code::NotThere);
    let never = blob::abort_upload(&mut turn, scope, &"ä".repeat(10_000), NOW).await;
    assert_eq!(never.unwrap_err().code, Code::NotThere);
}

#[tokio::test]
async fn bytes_do_not_move_while_the_turn_holds_reservations() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    committed(&world, "a", b"x").await;
    let mut turn = world.begin();
    tuplespace::write(&mut turn, scope, vec![Value::Int(1)], [0; 16], None).unwrap();
    let upload = blob::begin_upload(&mut turn, scope, [1; 16], "u", Vec::new(), NOW).unwrap();
    world.commit(turn).await;
    let mut turn = world.begin();
    let taken = tuplespace::take(&mut turn, scope, vec![PatternField::Any], NOW).await;
    assert!(taken.unwrap().is_some());
    let put = blob::upload(&mut turn, content, scope, "b", "x".into(), Vec::new(), NOW).await;
    let part = blob::upload_part(&mut turn, content, scope, &upload, "x".into(), NOW).await;
    for refused in [
        put,
        part.map(drop),
        read(&world, &mut turn, "a").await.map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.code, Code::BlobWhileReserving);
        assert_eq!(error.kind, ErrorKind::FailedPrecondition);
    }
    // What moves no bytes works.
    assert!(describe(&world, &mut turn, "a").await.is_some());
    blob::copy(&mut turn, content, scope, "a", "c", NOW)
        .await
        .unwrap();
    assert!(blob::delete(&mut turn, scope, "a").await.unwrap());
}

#[tokio::test]
async fn everything_has_a_bound() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let mut turn = world.begin();
    for (id, metadata, code) in [
        (String::new(), Vec::new(), Code::InvalidArgument),
        (
            "x".repeat(ID_BYTES_MAX + 1),
            Vec::new(),
            Code::InvalidArgument,
        ),
        (
            "x".into(),
            pairs(METADATA_PAIRS_MAX + 1, ""),
            Code::BlobLimit,
        ),
        (
            "x".into(),
            pairs(1, &"v".repeat(METADATA_BYTES_MAX - 2)),
            Code::BlobLimit,
        ),
        (
            "x".into(),
            [pairs(2, ""), pairs(1, "b")].concat(),
            Code::InvalidArgument,
        ),
        (
            "x".into(),
            vec![(String::new(), "v".into())],
            Code::InvalidArgument,
        ),
    ] {
        let begun = blob::begin_upload(&mut turn, scope, [1; 16], &id, metadata.clone(), NOW);
        assert_eq!(begun.unwrap_err().code, code);
        let put = blob::upload(&mut turn, content, scope, &id, "x".into(), metadata, NOW).await;
        assert_eq!(put.unwrap_err().code, code);
    }
    let longest = "x".repeat(ID_BYTES_MAX);
    let metadata = pairs(1, &"v".repeat(METADATA_BYTES_MAX - 3));
    blob::upload(
        &mut turn,
        content,
        scope,
        &longest,
        "x".into(),
        metadata,
        NOW,
    )
    .await
    .unwrap();
    // Small parts come to an end, and what was uploaded before can be completed.
    let upload = blob::begin_upload(&mut turn, scope, [1; 16], "u", Vec::new(), NOW).unwrap();
    world.commit(turn).await;
    let all = noise(5, CHUNKS_MAX);
    let stored: Vec<_> = {
        let mut chunks = Vec::new();
        for byte in &all {
            chunks.push(
                content
                    .put(Bytes::copy_from_slice(&[*byte]))
                    .await
                    .unwrap()
                    .0,
            );
        }
        chunks
    };
    // As if every byte had been a part; 16,384 parts by the front door would take minutes.
    let mut turn = world.begin();
    let row = plexspaces_store::key::Path::scope("t", "n", plexspaces_store::key::Kind::BlobUpload)
        .str(&upload)
        .key();
    let bytes = turn.get(&row).await.unwrap().unwrap();
    let mut record: plexspaces_services::records::UploadRow =
        plexspaces_services::records::decode(&row, &bytes).unwrap();
    record.size = stored.len() as u64;
    record.chunks = Some(plexspaces_services::records::Chunks {
        hashes: stored
            .iter()
            .flat_map(|chunk| chunk.hash.0)
            .collect::<Vec<u8>>()
            .into(),
        sizes: vec![1; stored.len()],
    });
    turn.put(row, plexspaces_services::records::encode(&record))
        .unwrap();
    let error = blob::upload_part(&mut turn, content, scope, &upload, "x".into(), NOW).await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.code, error.kind),
        (Code::BlobLimit, ErrorKind::ResourceExhausted)
    );
    blob::complete_upload(&mut turn, scope, &upload, NOW)
        .await
        .unwrap();
    world.commit(turn).await;
    assert!(read(&world, &mut world.begin(), "u").await.unwrap() == all);
}

#[tokio::test]
async fn many_parts_in_one_turn_count_as_one_row() {
    let world = World::new();
    let (content, scope) = (&world.content, &world.scope);
    let mut turn = world.begin();
    let upload = blob::begin_upload(&mut turn, scope, [1; 16], "u", Vec::new(), NOW).unwrap();
    // The row grows to 36 KB; counted every time it would be over the 16 MiB of a batch.
    for _ in 0..1_000 {
        blob::upload_part(&mut turn, content, scope, &upload, "x".into(), NOW)
            .await
            .unwrap();
    }
    let info = blob::complete_upload(&mut turn, scope, &upload, NOW)
        .await
        .unwrap();
    assert_eq!(info.size, 1_000);
    world.commit(turn).await;
}
