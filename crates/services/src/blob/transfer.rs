//! Moving bytes to and from content, a few chunks at a time, so that the size of a blob costs no memory.

use super::chunks::{BLOB_BYTES_MAX, CHUNK_BYTES_MAX, CHUNKS_MAX, Chunk, Piece};
use super::content::Content;
use super::guard::Pin;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use plexspaces_core::{Code, Error, Result};

/// How many chunks of one transfer are under way at once.
const AT_ONCE: usize = 4;

/// Content that is stored and that no row names yet.
#[derive(Debug, Default)]
pub struct Stored {
    /// The chunks, in order.
    pub chunks: Vec<Chunk>,
    /// Keeps them until the row that names them has committed.
    pub pin: Pin,
}

/// Stores bytes. They are durable when this returns.
///
/// # Errors
/// `PS1030` for more than a blob may have, `PS5010`.
pub async fn store(content: &Content, data: Bytes) -> Result<Stored> {
    if data.len() as u64 > BLOB_BYTES_MAX {
        return Err(too_large());
    }
    let starts = (0..data.len()).step_by(CHUNK_BYTES_MAX);
    let parts = starts.map(|from| data.slice(from..data.len().min(from + CHUNK_BYTES_MAX)));
    collect(
        stream::iter(parts)
            .map(|part| content.put(part))
            .buffered(AT_ONCE),
    )
    .await
}

/// Stores what a stream gives, in chunks of [`CHUNK_BYTES_MAX`], holding about [`AT_ONCE`] of them in memory. Slow
/// streams are safe: what is stored stays pinned.
///
/// # Errors
/// The stream's own, `PS1030` for more than `bytes_max` or more than a blob may have, `PS5010`.
pub async fn store_stream(
    content: &Content,
    incoming: impl Stream<Item = Result<Bytes>> + Unpin,
    bytes_max: u64,
) -> Result<Stored> {
    let parts = chunked(incoming, bytes_max.min(BLOB_BYTES_MAX));
    let puts = parts.map_ok(|part| content.put(part));
    collect(puts.try_buffered(AT_ONCE)).await
}

async fn collect(puts: impl Stream<Item = Result<(Chunk, Pin)>>) -> Result<Stored> {
    puts.try_fold(Stored::default(), async |mut stored, (chunk, pin)| {
        if stored.chunks.len() == CHUNKS_MAX {
            return Err(too_large());
        }
        stored.chunks.push(chunk);
        stored.pin.join(pin);
        Ok(stored)
    })
    .await
}

fn too_large() -> Error {
    Error::new(
        Code::BlobLimit,
        format!(
            "a blob has at most {BLOB_BYTES_MAX} bytes in {CHUNKS_MAX} chunks; split it over several"
        ),
    )
}

/// What comes in, cut into chunks.
fn chunked(
    incoming: impl Stream<Item = Result<Bytes>> + Unpin,
    bytes_max: u64,
) -> impl Stream<Item = Result<Bytes>> {
    struct State<S> {
        incoming: S,
        frame: Bytes,
        part: BytesMut,
        left: u64,
    }
    let start = State {
        incoming,
        frame: Bytes::new(),
        part: BytesMut::new(),
        left: bytes_max,
    };
    stream::try_unfold(start, move |mut state| async move {
        loop {
            let room = CHUNK_BYTES_MAX - state.part.len();
            if room == 0 {
                return Ok(Some((state.part.split().freeze(), state)));
            }
            if !state.frame.is_empty() {
                let taken = state.frame.split_to(room.min(state.frame.len()));
                state.part.extend_from_slice(&taken);
                continue;
            }
            match state.incoming.next().await {
                Some(frame) => {
                    let frame = frame?;
                    let Some(left) = state.left.checked_sub(frame.len() as u64) else {
                        return Err(Error::new(
                            Code::BlobLimit,
                            format!("the upload has more than {bytes_max} bytes"),
                        ));
                    };
                    state.left = left;
                    state.frame = frame;
                }
                None if state.part.is_empty() => return Ok(None),
                None => return Ok(Some((state.part.split().freeze(), state))),
            }
        }
    })
}

/// The bytes of all pieces; the caller bounds how many they are.
///
/// # Errors
/// As [`Content::read`].
pub async fn read(content: &Content, pieces: &[Piece]) -> Result<Vec<u8>> {
    let size: usize = pieces.iter().map(|piece| piece.length as usize).sum();
    let mut reads = stream::iter(pieces.to_vec())
        .map(|piece| content.read(piece))
        .buffered(AT_ONCE);
    let mut bytes = Vec::with_capacity(size);
    while let Some(part) = reads.try_next().await? {
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// The bytes of all pieces as a stream that holds a few chunks in memory. It keeps `pin` until its end.
pub fn read_stream(
    content: Content,
    pieces: Vec<Piece>,
    pin: Pin,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    stream::iter(pieces)
        .map(move |piece| {
            let content = content.clone();
            async move { content.read(piece).await }
        })
        .buffered(AT_ONCE)
        .inspect(move |_| {
            let _kept = &pin;
        })
}
