//! Actors, their turns and their checkpoints.
//!
//! Layout: `scope / Actor / type / key` → `ActorRow`;
//! `scope / Journal / type / key / sequence / segment` → `Segment`;
//! `scope / Checkpoint / type / key / sequence` → `Checkpoint`;
//! `scope / Restored / type / key / sequence` → `Restored`.
//!
//! A turn is its segments: one, and one more for each wait. An actor's state is its newest checkpoint plus the turns
//! after it. Turns before it are kept for inspection up to a bound, with the checkpoint before the oldest.

use crate::fault;
use crate::records::{
    ActorRow, Checkpoint, JournalEntry, Outcome, Restored, Segment, decode, encode, outcome,
    segment,
};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Version};
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Order, Snapshot};
use prost::Message as _;
use std::ops::Range;

fn path(id: &ActorId, kind: Kind) -> Path {
    Path::scope(id.scope().tenant(), id.scope().namespace(), kind)
        .str(id.kind())
        .str(id.key())
}

/// Where an actor's row is.
#[must_use]
pub fn actor_key(id: &ActorId) -> Key {
    path(id, Kind::Actor).key()
}

/// Where a segment of a turn is.
#[must_use]
pub fn segment_key(id: &ActorId, sequence: u64, segment: u64) -> Key {
    path(id, Kind::Journal).u64(sequence).u64(segment).key()
}

/// Where a checkpoint is.
#[must_use]
pub fn checkpoint_key(id: &ActorId, sequence: u64) -> Key {
    path(id, Kind::Checkpoint).u64(sequence).key()
}

/// Where the answers to a checkpoint's `init(restore(..))` are.
#[must_use]
pub fn restored_key(id: &ActorId, sequence: u64) -> Key {
    path(id, Kind::Restored).u64(sequence).key()
}

/// An actor's row, with its version.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn actor(snapshot: &dyn Snapshot, id: &ActorId) -> Result<Option<(Version, ActorRow)>> {
    let key = actor_key(id);
    match snapshot.get(&key).await.map_err(fault)? {
        Some(found) => Ok(Some((found.version, decode(&key, &found.value)?))),
        None => Ok(None),
    }
}

/// A checkpoint that the actor's row names.
///
/// # Errors
/// A fault of the store, or `PS5004`, also if it is missing.
pub async fn checkpoint(
    snapshot: &dyn Snapshot,
    id: &ActorId,
    sequence: u64,
) -> Result<Checkpoint> {
    let key = checkpoint_key(id, sequence);
    match snapshot.get(&key).await.map_err(fault)? {
        Some(found) => decode(&key, &found.value),
        None => Err(Error::new(
            Code::Corrupt,
            format!("the checkpoint {sequence} of {id} is missing"),
        )),
    }
}

/// What a checkpoint's restore was answered, if it was used before.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn restored(
    snapshot: &dyn Snapshot,
    id: &ActorId,
    sequence: u64,
) -> Result<Option<Restored>> {
    let key = restored_key(id, sequence);
    match snapshot.get(&key).await.map_err(fault)? {
        Some(found) => Ok(Some(decode(&key, &found.value)?)),
        None => Ok(None),
    }
}

/// A turn as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Its number.
    pub sequence: u64,
    /// Its segments, in order; at least one.
    pub segments: Vec<Segment>,
    /// The bytes of its rows.
    pub bytes: u64,
}

/// How many segments one page of a journal has.
const PAGE: usize = 256;

/// Reads an actor's turns in order, from `from` on.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn turns(snapshot: &dyn Snapshot, id: &ActorId, from: u64) -> Result<Vec<Turn>> {
    let mut range = path(id, Kind::Journal).range();
    range.start = segment_key(id, from, 0);
    let mut turns: Vec<Turn> = Vec::new();
    loop {
        let rows = snapshot
            .scan(range.clone(), PAGE, Order::Forward)
            .await
            .map_err(fault)?;
        let full = rows.len() == PAGE;
        let last = rows.last().map(|(key, _)| key.clone());
        for (key, found) in rows {
            let (sequence, _) = numbers(&key)?;
            let segment: Segment = decode(&key, &found.value)?;
            let bytes = found.value.len() as u64;
            match turns.last_mut() {
                Some(turn) if turn.sequence == sequence => {
                    turn.segments.push(segment);
                    turn.bytes += bytes;
                }
                _ => turns.push(Turn {
                    sequence,
                    segments: vec![segment],
                    bytes,
                }),
            }
        }
        match last {
            Some(last) if full => range.start = just_after(&last),
            _ => return Ok(turns),
        }
    }
}

/// Some finished turns of an actor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Excerpt {
    /// The turns, in order.
    pub entries: Vec<JournalEntry>,
    /// The sequence to go on from; `None` when the range is done.
    pub next: Option<u64>,
}

/// The finished turns with a sequence in `range`: up to `limit`, and no more bytes than `bytes_max`, but at least one.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn excerpt(
    transaction: &mut Transaction,
    id: &ActorId,
    range: Range<u64>,
    limit: usize,
    bytes_max: u64,
) -> Result<Excerpt> {
    let mut excerpt = Excerpt::default();
    let (mut bytes, mut begun) = (0, None::<JournalEntry>);
    let mut rows = segment_key(id, range.start, 0)..segment_key(id, range.end, 0);
    while rows.start < rows.end {
        let found = transaction.scan(rows.clone(), EXCERPT_PAGE).await?;
        if found.len() < EXCERPT_PAGE {
            rows.start = rows.end.clone();
        }
        for (key, value) in found {
            if rows.start < rows.end {
                rows.start = just_after(&key);
            }
            let (sequence, _) = numbers(&key)?;
            let segment: Segment = decode(&key, &value)?;
            let mut entry = match (segment.message, begun.take()) {
                (Some(message), _) => JournalEntry {
                    sequence,
                    from: message.from,
                    msg_type: message.msg_type,
                    payload: message.payload,
                    ..JournalEntry::default()
                },
                (None, Some(begun)) => begun,
                // The turn began before history was trimmed.
                (None, None) => continue,
            };
            entry.at_ms = segment.time_ms;
            entry.outcome = match segment.end {
                Some(segment::End::Done(done)) => Some((&Ok(done.reply)).into()),
                Some(segment::End::Failed(failed)) => Some(Outcome {
                    result: failed.error.map(outcome::Result::Error),
                }),
                Some(segment::End::Wait(_)) | None => {
                    begun = Some(entry);
                    continue;
                }
            };
            bytes += entry.encoded_len() as u64;
            let full = bytes > bytes_max && !excerpt.entries.is_empty();
            if full || excerpt.entries.len() == limit {
                excerpt.next = Some(sequence);
                return Ok(excerpt);
            }
            excerpt.entries.push(entry);
        }
    }
    Ok(excerpt)
}

/// How many rows one page of an excerpt has: each may be large.
const EXCERPT_PAGE: usize = 32;

/// Adds a checkpoint to `batch`.
pub fn put_checkpoint(batch: &mut Batch, id: &ActorId, checkpoint: &Checkpoint) {
    batch.put(checkpoint_key(id, checkpoint.sequence), encode(checkpoint));
}

/// Adds an actor's row to `batch`.
pub fn put_actor(batch: &mut Batch, id: &ActorId, row: &ActorRow) {
    batch.put(actor_key(id), encode(row));
}

/// Adds a segment to `batch`; gives its size in bytes.
pub fn put_segment(
    batch: &mut Batch,
    id: &ActorId,
    sequence: u64,
    n: u64,
    segment: &Segment,
) -> u64 {
    let bytes: Bytes = encode(segment);
    let size = bytes.len() as u64;
    batch.put(segment_key(id, sequence, n), bytes);
    size
}

/// How many rows one trim looks at, so that a checkpoint's batch stays small.
const TRIM_ROWS: usize = 512;

/// Adds the deletion of turns that are more than `history` turns before `checkpoint` to `batch`, and of the checkpoints
/// that no kept turn needs. `oldest` is where the last trim ended; gives where this one did.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn trim(
    snapshot: &dyn Snapshot,
    batch: &mut Batch,
    id: &ActorId,
    oldest: u64,
    checkpoint: u64,
    history: u64,
) -> Result<u64> {
    let keep_from = (checkpoint + 1).saturating_sub(history);
    // The newest checkpoint before the oldest kept turn is where that turn can be replayed from.
    let before = path(id, Kind::Checkpoint).range().start..checkpoint_key(id, keep_from);
    let found = snapshot
        .scan(before, 1, Order::Reverse)
        .await
        .map_err(fault)?;
    let Some((base_key, _)) = found.first() else {
        return Ok(oldest);
    };
    let base = last_number(base_key)?;
    let old_checkpoints = path(id, Kind::Checkpoint).range().start..base_key.clone();
    for (key, _) in snapshot
        .scan(old_checkpoints, TRIM_ROWS, Order::Forward)
        .await
        .map_err(fault)?
    {
        batch.delete(restored_key(id, last_number(&key)?));
        batch.delete(key);
    }
    let old_turns = segment_key(id, oldest, 0)..segment_key(id, base + 1, 0);
    let rows = snapshot
        .scan(old_turns, TRIM_ROWS, Order::Forward)
        .await
        .map_err(fault)?;
    let mut trimmed_to = if rows.len() == TRIM_ROWS {
        oldest
    } else {
        base + 1
    };
    for (key, _) in rows {
        if trimmed_to <= base {
            trimmed_to = numbers(&key)?.0;
        }
        batch.delete(key);
    }
    Ok(trimmed_to)
}

/// Sequence and segment of a journal key.
fn numbers(key: &Key) -> Result<(u64, u64)> {
    let corrupt = || {
        Error::new(
            Code::Corrupt,
            format!("the journal key {key:?} cannot be read"),
        )
    };
    let elements = key::decode(key).map_err(|_| corrupt())?;
    match elements.as_slice() {
        [.., sequence, segment] => Ok((
            sequence.as_u64().ok_or_else(corrupt)?,
            segment.as_u64().ok_or_else(corrupt)?,
        )),
        _ => Err(corrupt()),
    }
}

fn last_number(key: &Key) -> Result<u64> {
    let corrupt = || Error::new(Code::Corrupt, format!("the key {key:?} cannot be read"));
    let elements = key::decode(key).map_err(|_| corrupt())?;
    elements
        .last()
        .and_then(Element::as_u64)
        .ok_or_else(corrupt)
}
