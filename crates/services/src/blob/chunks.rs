//! A blob's content as a list of chunks, and the pieces of chunks that a range of it is.

use crate::applications::Hash;
use crate::records;
use bytes::Bytes;
use plexspaces_core::{Code, Error, Result};
use prost::Message as _;
use sha2::{Digest, Sha256};

/// The most bytes of a chunk. Small enough to be held in memory and checked whole; large enough that a file and its
/// fsync are worth it.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// The most chunks of a blob: its row, which every read of it decodes, stays below 600 KB.
pub const CHUNKS_MAX: usize = 16_384;

/// The most bytes of a blob.
pub const BLOB_BYTES_MAX: u64 = (CHUNKS_MAX * CHUNK_BYTES_MAX) as u64;

/// One chunk of content: its name, which is the SHA-256 of its bytes, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The name.
    pub hash: Hash,
    /// Bytes, 1 to [`CHUNK_BYTES_MAX`].
    pub size: u32,
}

/// Consecutive bytes of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The chunk.
    pub chunk: Chunk,
    /// Where in the chunk they begin.
    pub offset: u32,
    /// How many they are.
    pub length: u32,
}

impl Piece {
    /// Whether it is all of its chunk.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.offset == 0 && self.length == self.chunk.size
    }
}

/// How many bytes the chunks have together.
#[must_use]
pub fn size(chunks: &[Chunk]) -> u64 {
    chunks.iter().map(|chunk| u64::from(chunk.size)).sum()
}

/// Names content, in hexadecimal: the SHA-256 of the bytes if they are one chunk; else that of the chunks' hashes and
/// sizes, a dash and their number. Equal etags mean equal content, but the same bytes uploaded in other parts have
/// another etag.
#[must_use]
pub fn etag(chunks: &[Chunk]) -> String {
    match chunks {
        [] => Hash::of(b"").to_string(),
        [one] => one.hash.to_string(),
        many => {
            let mut all = Sha256::new();
            for chunk in many {
                all.update(chunk.hash.0);
                all.update(chunk.size.to_be_bytes());
            }
            format!("{}-{}", Hash(all.finalize().into()), many.len())
        }
    }
}

/// The pieces that the range of `length` bytes from `offset` on is. What lies behind the end is not there.
#[must_use]
pub fn range(chunks: &[Chunk], offset: u64, length: u64) -> Vec<Piece> {
    let end = offset.saturating_add(length);
    let mut at = 0u64;
    let mut pieces = Vec::new();
    for &chunk in chunks {
        let next = at + u64::from(chunk.size);
        let (from, to) = (offset.max(at), end.min(next));
        if from < to {
            let within = |n: u64| u32::try_from(n).expect("at most the chunk's size");
            pieces.push(Piece {
                chunk,
                offset: within(from - at),
                length: within(to - from),
            });
        }
        if next >= end {
            break;
        }
        at = next;
    }
    pieces
}

pub(super) fn to_record(chunks: &[Chunk]) -> records::Chunks {
    records::Chunks {
        hashes: chunks
            .iter()
            .flat_map(|chunk| chunk.hash.0)
            .collect::<Vec<u8>>()
            .into(),
        sizes: chunks.iter().map(|chunk| chunk.size).collect(),
    }
}

pub(super) fn from_record(record: &records::Chunks) -> Result<Vec<Chunk>> {
    if record.hashes.len() != 32 * record.sizes.len() {
        return Err(Error::new(
            Code::Corrupt,
            format!(
                "a stored list of chunks has {} bytes of hashes for {} chunks",
                record.hashes.len(),
                record.sizes.len()
            ),
        ));
    }
    record
        .hashes
        .chunks_exact(32)
        .zip(&record.sizes)
        .map(|(hash, &size)| chunk(hash, size))
        .collect()
}

fn chunk(hash: &[u8], size: u32) -> Result<Chunk> {
    if size == 0 || size as usize > CHUNK_BYTES_MAX {
        return Err(Error::new(
            Code::Corrupt,
            format!("a stored chunk has the impossible size {size}"),
        ));
    }
    Ok(Chunk {
        hash: Hash::read(hash)?,
        size,
    })
}

/// The host calls whose records are [`record`]s.
pub const READS: [&str; 2] = ["blob.download", "blob.download-range"];

/// What the journal keeps of a read: where the bytes are, not the bytes.
#[must_use]
pub fn record(pieces: &[Piece]) -> Bytes {
    let pieces = pieces.iter().map(|piece| records::BlobPiece {
        hash: Bytes::copy_from_slice(&piece.chunk.hash.0),
        chunk_size: piece.chunk.size,
        offset: piece.offset,
        length: piece.length,
    });
    records::encode(&records::BlobRead {
        pieces: pieces.collect(),
    })
}

/// The pieces that the journal has kept of a read.
///
/// # Errors
/// `PS5004` for what cannot be a record of one.
pub fn recorded(bytes: Bytes) -> Result<Vec<Piece>> {
    let corrupt =
        |why: String| Error::new(Code::Corrupt, format!("a recorded read of a blob {why}"));
    let read = records::BlobRead::decode(bytes)
        .map_err(|error| corrupt(format!("cannot be read: {error}")))?;
    let pieces = read.pieces.into_iter().map(|piece| {
        let chunk = chunk(&piece.hash, piece.chunk_size)?;
        let end = u64::from(piece.offset) + u64::from(piece.length);
        if piece.length == 0 || end > u64::from(chunk.size) {
            return Err(corrupt(format!(
                "ends at {end} in a chunk of {}",
                chunk.size
            )));
        }
        Ok(Piece {
            chunk,
            offset: piece.offset,
            length: piece.length,
        })
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(sizes: &[u32]) -> Vec<Chunk> {
        sizes
            .iter()
            .map(|&size| Chunk {
                hash: Hash::of(&size.to_be_bytes()),
                size,
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_range_is_the_bytes_that_it_says(
            sizes in proptest::collection::vec(1u32..6, 0..6), offset in 0u64..30, length in 0u64..30
        ) {
            let chunks = list(&sizes);
            // Every byte of the content, as (chunk, place in it).
            let all: Vec<(usize, u32)> = sizes.iter().enumerate()
                .flat_map(|(n, &size)| (0..size).map(move |at| (n, at))).collect();
            let expected: Vec<_> = all.iter().copied().skip(offset as usize).take(length as usize)
                .map(|(n, at)| (chunks[n].hash, at)).collect();
            let pieces = range(&chunks, offset, length);
            let found: Vec<_> = pieces.iter()
                .flat_map(|p| (p.offset..p.offset + p.length).map(|at| (p.chunk.hash, at))).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(recorded(record(&pieces)).expect("valid"), pieces);
            prop_assert_eq!(from_record(&to_record(&chunks)).expect("valid"), chunks);
        }
    }

    #[test]
    fn a_range_to_the_end_of_numbers_ends_at_the_end() {
        assert_eq!(range(&list(&[3, 4]), 5, u64::MAX).len(), 1);
        assert_eq!(range(&list(&[3, 4]), u64::MAX, u64::MAX), []);
    }

    #[test]
    fn etags_name_content() {
        let one = list(&[5]);
        assert_eq!(etag(&one), one[0].hash.to_string());
        assert_eq!(
            etag(&[]),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let two = etag(&list(&[5, 6]));
        assert!(two.ends_with("-2"), "{two}");
        assert_ne!(two, etag(&list(&[6, 5])));
    }

    #[test]
    fn damaged_lists_are_told() {
        let mut list_of = to_record(&list(&[5, 6]));
        list_of.sizes.pop();
        assert_eq!(from_record(&list_of).expect_err("odd").code, Code::Corrupt);
        let list_of = to_record(&list(&[(CHUNK_BYTES_MAX + 1) as u32]));
        assert_eq!(from_record(&list_of).expect_err("big").code, Code::Corrupt);
        let mut piece = range(&list(&[5]), 1, 4);
        piece[0].length = 5;
        assert_eq!(
            recorded(record(&piece)).expect_err("too far").code,
            Code::Corrupt
        );
    }
}
