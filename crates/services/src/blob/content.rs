//! Content as chunks, each stored once under the SHA-256 of its bytes.
//!
//! Layout: `chunks/ab/cdef…`, the hash in hexadecimal, cut after two digits so that no folder gets too long. A chunk is
//! durable when [`Content::put`] returns, and is not changed after. Storing the same bytes again writes the same object
//! again: that costs no more than the first time, needs no question whether the old one is whole and durable, mends a
//! damaged one, and makes it young for a collection.

use super::chunks::{CHUNK_BYTES_MAX, Chunk, Piece};
use super::guard::{Guard, Pin};
use super::place::Place;
use crate::applications::Hash;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use plexspaces_core::{Code, Error, Result};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::Notify;

/// What all chunks' names begin with.
const CHUNKS: &str = "chunks";

/// The content of all blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Content {
    objects: Arc<dyn ObjectStore>,
    pub(super) guard: Arc<Guard>,
    /// Taken by a collection, so that there is one at a time.
    pub(super) collecting: Arc<tokio::sync::Mutex<()>>,
    /// The folder, where content lies in one.
    pub(super) folder: Option<PathBuf>,
    pub(super) counters: Arc<Counters>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    stored: AtomicU64,
    stored_bytes: AtomicU64,
    read: AtomicU64,
    read_bytes: AtomicU64,
    pub(super) collections: AtomicU64,
    pub(super) collected: AtomicU64,
}

/// What has been done with content since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Chunks stored.
    pub chunks_stored: u64,
    /// Their bytes.
    pub bytes_stored: u64,
    /// Pieces of chunks read.
    pub pieces_read: u64,
    /// Their bytes.
    pub bytes_read: u64,
    /// Collections that came to their end.
    pub collections: u64,
    /// Chunks that they have deleted.
    pub chunks_collected: u64,
}

/// A chunk as a listing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub hash: Hash,
    /// Its bytes.
    pub size: u64,
    /// When it was last stored, by the clock of the place.
    pub stored: SystemTime,
}

impl Content {
    /// The content at `place`.
    ///
    /// # Errors
    /// `PS5010`.
    pub fn open(place: &Place) -> Result<Self> {
        let folder = match place {
            Place::Folder(folder) => Some(folder.clone()),
            Place::S3 { .. } => None,
        };
        Ok(Content {
            folder,
            ..Content::over(place.open()?)
        })
    }

    /// Content in memory, for tests of what lies above it.
    #[must_use]
    pub fn in_memory() -> Self {
        Content::over(Arc::new(object_store::memory::InMemory::new()))
    }

    fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Content {
            objects,
            guard: Arc::default(),
            collecting: Arc::default(),
            folder: None,
            counters: Arc::default(),
            changed: Arc::default(),
        }
    }

    /// What has been done with it since it was opened.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        Figures {
            chunks_stored: now(&counters.stored),
            bytes_stored: now(&counters.stored_bytes),
            pieces_read: now(&counters.read),
            bytes_read: now(&counters.read_bytes),
            collections: now(&counters.collections),
            chunks_collected: now(&counters.collected),
        }
    }

    /// Something was done after which chunks may be orphans.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// Resolves when [`Self::changed`] was called since the last time. For one task.
    pub async fn until_changed(&self) {
        self.changed.notified().await;
    }

    /// Stores one chunk of 1 to [`CHUNK_BYTES_MAX`] bytes. It is durable when this returns, and is not collected while
    /// the pin is held: hold it until a row that names the chunk has committed.
    ///
    /// # Errors
    /// `PS5010`.
    pub async fn put(&self, bytes: Bytes) -> Result<(Chunk, Pin)> {
        assert!(
            !bytes.is_empty() && bytes.len() <= CHUNK_BYTES_MAX,
            "a chunk of {} bytes",
            bytes.len()
        );
        let chunk = Chunk {
            hash: Hash::of(&bytes),
            size: u32::try_from(bytes.len()).expect("at most a mebibyte"),
        };
        let pin = self.pin(vec![chunk.hash]).await;
        self.objects
            .put(&path(chunk.hash), bytes.into())
            .await
            .map_err(|error| unavailable("stored", chunk.hash, &error))?;
        // The turn may fail.
        self.changed();
        add(&self.counters.stored, 1);
        add(&self.counters.stored_bytes, chunk.size.into());
        Ok((chunk, pin))
    }

    /// The bytes of a piece. A whole chunk is checked against its hash; a part of one only against its size.
    ///
    /// # Errors
    /// `PS1017` if the chunk is not there, `PS5004` if it is damaged, `PS5010`.
    pub async fn read(&self, piece: Piece) -> Result<Bytes> {
        let hash = piece.chunk.hash;
        let damaged = |how: String| {
            Error::new(
                Code::Corrupt,
                format!("the blob chunk {hash} is damaged: {how}"),
            )
        };
        let (from, to) = (
            u64::from(piece.offset),
            u64::from(piece.offset) + u64::from(piece.length),
        );
        let read = if piece.whole() {
            // Without a range, so that a chunk with too many bytes is seen as well.
            match self.objects.get(&path(hash)).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            }
        } else {
            self.objects.get_range(&path(hash), from..to).await
        };
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => return Err(missing(hash)),
            Err(error) => {
                // A range behind the end is an error of its own in every kind of store: ask for the size.
                return Err(match self.objects.head(&path(hash)).await {
                    Ok(found) if found.size < to => damaged(format!(
                        "it has {} bytes instead of {}",
                        found.size, piece.chunk.size
                    )),
                    _ => unavailable("read", hash, &error),
                });
            }
        };
        if bytes.len() as u64 != u64::from(piece.length) {
            return Err(damaged(format!(
                "a read of {} bytes gave {}",
                piece.length,
                bytes.len()
            )));
        }
        if piece.whole() && Hash::of(&bytes) != hash {
            return Err(damaged("its bytes have another SHA-256".to_owned()));
        }
        add(&self.counters.read, 1);
        add(&self.counters.read_bytes, piece.length.into());
        Ok(bytes)
    }

    /// Keeps chunks from being collected until the pin is dropped.
    pub async fn pin(&self, hashes: Vec<Hash>) -> Pin {
        self.guard.pin(hashes).await
    }

    /// Every chunk, in no particular order. Objects that are no chunks are passed over.
    pub fn list(&self) -> BoxStream<'static, Result<Listed>> {
        self.objects
            .list(Some(&Path::from(CHUNKS)))
            .filter_map(async |found| match found {
                Ok(meta) => hash_of(&meta.location).map(|hash| {
                    Ok(Listed {
                        hash,
                        size: meta.size,
                        stored: meta.last_modified.into(),
                    })
                }),
                Err(error) => Some(Err(Error::new(
                    Code::BlobsUnavailable,
                    format!("the blob chunks cannot be listed: {error}"),
                ))),
            })
            .boxed()
    }

    /// Deletes chunks. One that is gone already is no error.
    ///
    /// # Errors
    /// `PS5010`; chunks may be left.
    pub async fn delete(&self, hashes: &[Hash]) -> Result<()> {
        let paths: Vec<_> = hashes.iter().map(|hash| Ok(path(*hash))).collect();
        let mut results = self
            .objects
            .delete_stream(futures_util::stream::iter(paths).boxed());
        let mut failed = None;
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(Error::new(
                Code::BlobsUnavailable,
                format!("orphan blob chunks cannot be deleted: {error}"),
            )),
        }
    }

    /// The small object `name` beside the chunks, which is `bytes` if nobody has made it before.
    pub(super) async fn note(&self, name: &str, bytes: Bytes) -> Result<Bytes> {
        let failed = |error: object_store::Error| {
            Error::new(
                Code::BlobsUnavailable,
                format!("the object {name:?} beside the blobs' content cannot be used: {error}"),
            )
        };
        let path = Path::from(name);
        loop {
            match self.objects.get(&path).await {
                Ok(found) => return found.bytes().await.map_err(failed),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
            let create = PutOptions::from(PutMode::Create);
            let made = self.objects.put_opts(&path, bytes.clone().into(), create);
            match made.await {
                Ok(_) => return Ok(bytes),
                // Somebody else was first.
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

pub(super) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn path(hash: Hash) -> Path {
    let hex = hash.to_string();
    Path::from_iter([CHUNKS, &hex[..2], &hex[2..]])
}

fn hash_of(path: &Path) -> Option<Hash> {
    let mut parts = path.parts().skip(1);
    let (first, rest) = (parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let hex = [first.as_ref(), rest.as_ref()].concat();
    if hex.len() != 64 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut hash = Hash([0; 32]);
    for (n, byte) in hash.0.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(hash)
}

fn missing(hash: Hash) -> Error {
    Error::new(
        Code::NotThere,
        format!("the blob chunk {hash} is not there"),
    )
}

fn unavailable(what: &str, hash: Hash, error: &object_store::Error) -> Error {
    Error::new(
        Code::BlobsUnavailable,
        format!("the blob chunk {hash} cannot be {what}: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_chunks_read_back() {
        let hash = Hash::of(b"x");
        let name = path(hash);
        assert_eq!(
            name.as_ref(),
            "chunks/2d/711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        );
        assert_eq!(hash_of(&name), Some(hash));
        for other in [
            "chunks/2d/71",
            "chunks/2d",
            "chunks/2D/711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "chunks/2d/711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881/x",
        ] {
            assert_eq!(hash_of(&Path::from(other)), None, "{other}");
        }
    }
}
