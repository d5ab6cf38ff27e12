//! Every place for content does the same: memory, a local folder, an S3-compatible server.

#![allow(clippy::unwrap_used)] // a test says enough by failing

mod support;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use plexspaces_core::Code;
use plexspaces_services::applications::Hash;
use plexspaces_services::blob::chunks::CHUNK_BYTES_MAX;
use plexspaces_services::blob::{self, Chunk, Content, Piece, Place, Rules};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};
use support::seaweedfs::{ACCESS_KEY, SECRET_KEY, Server};
use support::{World, noise};

/// What every place has to do. Each step uses content of its own, and the last one removes all of it.
async fn conforms(content: &Content) {
    puts_and_gets(content).await;
    reads_ranges(content).await;
    stores_equal_content_once(content).await;
    says_what_is_missing(content).await;
    deletes(content).await;
    streams(content).await;
    belongs_to_one_store(content).await;
    collects(content).await;
}

fn whole(chunk: Chunk) -> Piece {
    Piece {
        chunk,
        offset: 0,
        length: chunk.size,
    }
}

async fn listed(content: &Content) -> BTreeSet<Hash> {
    let all: Vec<_> = content.list().try_collect().await.unwrap();
    let hashes: BTreeSet<_> = all.iter().map(|found| found.hash).collect();
    assert_eq!(hashes.len(), all.len(), "every chunk once");
    hashes
}

async fn puts_and_gets(content: &Content) {
    for (seed, size) in [(1, 1), (2, 1_000), (3, CHUNK_BYTES_MAX)] {
        let bytes = noise(seed, size);
        let (chunk, _pin) = content.put(bytes.clone().into()).await.unwrap();
        assert_eq!((chunk.hash, chunk.size as usize), (Hash::of(&bytes), size));
        assert!(content.read(whole(chunk)).await.unwrap() == bytes);
        assert!(listed(content).await.contains(&chunk.hash));
    }
}

async fn reads_ranges(content: &Content) {
    let bytes = noise(4, 10_000);
    let (chunk, _pin) = content.put(bytes.clone().into()).await.unwrap();
    for (offset, length) in [(0, 1), (0, 9_999), (1, 9_999), (9_999, 1), (5_000, 17)] {
        let piece = Piece {
            chunk,
            offset,
            length,
        };
        let (from, to) = (offset as usize, (offset + length) as usize);
        assert!(content.read(piece).await.unwrap() == bytes[from..to]);
    }
}

async fn stores_equal_content_once(content: &Content) {
    let bytes = noise(5, 100);
    let (one, _pin) = content.put(bytes.clone().into()).await.unwrap();
    let before = listed(content).await;
    let (other, _pin) = content.put(bytes.into()).await.unwrap();
    assert_eq!(one, other);
    assert_eq!(listed(content).await, before);
}

async fn says_what_is_missing(content: &Content) {
    let chunk = Chunk {
        hash: Hash::of(b"nobody has stored this"),
        size: 10,
    };
    let part = Piece {
        chunk,
        offset: 2,
        length: 3,
    };
    for piece in [whole(chunk), part] {
        assert_eq!(content.read(piece).await.unwrap_err().code, Code::NotThere);
    }
    // A chunk that is shorter than its row says.
    let (short, _pin) = content.put(noise(6, 100).into()).await.unwrap();
    let chunk = Chunk { size: 200, ..short };
    let beyond = Piece {
        chunk,
        offset: 150,
        length: 10,
    };
    let over = Piece {
        chunk,
        offset: 90,
        length: 20,
    };
    for piece in [whole(chunk), beyond, over] {
        let error = content.read(piece).await.unwrap_err();
        assert_eq!(error.code, Code::Corrupt, "{piece:?}: {error}");
    }
}

async fn deletes(content: &Content) {
    let (chunk, _pin) = content.put(noise(7, 100).into()).await.unwrap();
    let gone = Hash::of(b"nor this");
    content.delete(&[chunk.hash, gone]).await.unwrap();
    assert!(!listed(content).await.contains(&chunk.hash));
    assert_eq!(
        content.read(whole(chunk)).await.unwrap_err().code,
        Code::NotThere
    );
}

async fn streams(content: &Content) {
    let bytes = Bytes::from(noise(8, 2 * CHUNK_BYTES_MAX + 77));
    // Frames that fit nothing.
    let frames: Vec<_> = bytes.chunks(300_007).map(Bytes::copy_from_slice).collect();
    let incoming = || futures_util::stream::iter(frames.clone().into_iter().map(Ok));
    let stored = blob::store_stream(content, incoming(), u64::MAX)
        .await
        .unwrap();
    let sizes: Vec<_> = stored.chunks.iter().map(|chunk| chunk.size).collect();
    assert_eq!(sizes, [CHUNK_BYTES_MAX as u32, CHUNK_BYTES_MAX as u32, 77]);
    assert_eq!(
        stored.chunks,
        blob::store(content, bytes.clone()).await.unwrap().chunks
    );
    let pieces = blob::chunks::range(&stored.chunks, 10, bytes.len() as u64);
    let read: Vec<Bytes> = blob::read_stream(content.clone(), pieces, stored.pin)
        .try_collect()
        .await
        .unwrap();
    assert!(read.concat() == bytes[10..]);
    let bound = bytes.len() as u64;
    assert!(blob::store_stream(content, incoming(), bound).await.is_ok());
    let error = blob::store_stream(content, incoming(), bound - 1)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BlobLimit);
}

async fn belongs_to_one_store(content: &Content) {
    let (one, other) = (World::new(), World::new());
    blob::claim(content, one.store.as_ref()).await.unwrap();
    blob::claim(content, one.store.as_ref()).await.unwrap();
    let error = blob::claim(content, other.store.as_ref())
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BlobsUnavailable);
    assert!(error.message.contains("belongs to the store"), "{error}");
}

async fn collects(content: &Content) {
    let world = World::over(World::new().store, content.clone());
    let kept = noise(9, 3_000_000);
    let mut turn = world.begin();
    blob::upload(
        &mut turn,
        content,
        &world.scope,
        "kept",
        kept.clone().into(),
        Vec::new(),
        plexspaces_core::time::Millis(1),
    )
    .await
    .unwrap();
    world.commit(turn).await;
    let before = listed(content).await.len();
    assert!(before > 3);
    let young = Rules {
        // The clock of a server may be a little off.
        now: SystemTime::now(),
        min_age: Duration::from_secs(3_600),
        candidates: 100,
    };
    let store = world.store.as_ref();
    assert_eq!(
        blob::collect(content, store, young).await.unwrap().deleted,
        0
    );
    let later = Rules {
        now: SystemTime::now() + Duration::from_secs(7_200),
        ..young
    };
    let collected = blob::collect(content, store, later).await.unwrap();
    assert_eq!(collected.seen as usize, before);
    assert_eq!(collected.deleted as usize, before - 3);
    assert_eq!(listed(content).await.len(), 3);
    let mut turn = world.begin();
    let range = (0, u64::MAX);
    let (_, read) = blob::download(&mut turn, content, &world.scope, "kept", range, u64::MAX)
        .await
        .unwrap();
    assert!(read == kept);
}

#[tokio::test]
async fn memory() {
    conforms(&Content::in_memory()).await;
}

#[tokio::test]
async fn a_local_folder() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("some/where");
    let content = Content::open(&Place::Folder(folder.clone())).unwrap();
    conforms(&content).await;
    // What is there is found again.
    let again = Content::open(&Place::Folder(folder)).unwrap();
    assert_eq!(listed(&again).await.len(), 3);
}

#[tokio::test]
async fn an_s3_compatible_server() {
    if std::env::var(ACCESS_KEY.0).as_deref() != Ok(ACCESS_KEY.1) {
        // Credentials come from the environment, and a process must not change its own while it has threads.
        again_with_credentials("an_s3_compatible_server");
        return;
    }
    let server = Server::start();
    conforms(&Content::open(&server.place("")).unwrap()).await;
    conforms(&Content::open(&server.place("under/a/prefix")).unwrap()).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    if std::env::var(ACCESS_KEY.0).as_deref() != Ok(ACCESS_KEY.1) {
        again_with_credentials("a_server_that_is_not_there_is_told");
        return;
    }
    // Nobody listens on the port once its listener is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let place = format!("s3://blobs?endpoint=http://127.0.0.1:{port}&region=us-east-1");
    let content = Content::open(&place.parse().unwrap()).unwrap();
    let error = content.put(noise(1, 10).into()).await.unwrap_err();
    assert_eq!(error.code, Code::BlobsUnavailable);
    assert!(error.message.contains("cannot be stored"), "{error}");
}

fn again_with_credentials(test: &str) {
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ACCESS_KEY.0, ACCESS_KEY.1)
        .env(SECRET_KEY.0, SECRET_KEY.1)
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
async fn a_damaged_chunk_is_never_read() {
    let temp = tempfile::tempdir().unwrap();
    let content = Content::open(&Place::Folder(temp.path().into())).unwrap();
    let bytes = noise(1, 5_000);
    let (chunk, _pin) = content.put(bytes.clone().into()).await.unwrap();
    let hex = chunk.hash.to_string();
    let file = temp.path().join("chunks").join(&hex[..2]).join(&hex[2..]);
    let mut flipped = bytes.clone();
    flipped[4_000] ^= 1;
    let (cut, longer) = (&bytes[..4_999], [&bytes[..], b"x"].concat());
    for damage in [&flipped[..], cut, &longer, b""] {
        std::fs::write(&file, damage).unwrap();
        let error = content.read(whole(chunk)).await.unwrap_err();
        assert_eq!(error.code, Code::Corrupt);
        assert!(error.message.contains(&hex), "{error}");
    }
    // Storing the bytes again mends it.
    content.put(bytes.clone().into()).await.unwrap();
    assert!(content.read(whole(chunk)).await.unwrap() == bytes);
}
