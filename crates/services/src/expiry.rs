//! Rows that go away by themselves.
//!
//! Layout: `Expiry / at / row's key` → empty, so that old rows are found without looking at the young ones. The row says
//! itself when it expires, and readers of a layer do not see it after that. A sweep removes it some time later, unless
//! it has been written again; an entry whose row is gone or lives longer is dropped.

use crate::records::{DedupRow, KeyValueRow, RegistrationRow, Tuple, UploadRow, decode};
use crate::{dedup, fault};
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Op, Version};
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Order, Snapshot};

/// The entry for a row that expires at `at`.
#[must_use]
pub fn entry(at: Millis, row: &Key) -> Key {
    Path::node(Kind::Expiry)
        .u64(at.0)
        .bytes(row.as_bytes())
        .key()
}

/// When the first row that a batch lets expire does so.
#[must_use]
pub fn first_of(batch: &Batch) -> Option<Millis> {
    let mut entries = batch.ops.range(Path::node(Kind::Expiry).range());
    let (first, _) = entries.find(|(_, op)| matches!(op, Op::Put(_)))?;
    Some(parse(first).ok()?.0)
}

/// What a sweep found: the deletions of what has expired, and when the next row is due.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Deletes the expired rows and their entries.
    pub batch: Batch,
    /// Messages in queues that have something due, with their entries: for [`crate::queues::sweep`].
    pub queued: Vec<(Key, Key)>,
    /// When the next entry is due, if there is one.
    pub next: Option<Millis>,
    /// Whether uploads of blobs are among the rows: nothing names their content any more.
    pub uploads: bool,
}

/// Collects up to `limit` expired rows.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn sweep(snapshot: &dyn Snapshot, now: Millis, limit: usize) -> Result<Sweep> {
    let range = Path::node(Kind::Expiry).range();
    let mut sweep = Sweep::default();
    let entries = snapshot.scan(range, limit + 1, Order::Forward).await;
    for (n, (entry, _)) in entries.map_err(fault)?.into_iter().enumerate() {
        let (at, row) = parse(&entry)?;
        if at > now || n == limit {
            sweep.next = Some(at);
            break;
        }
        if kind(&row)? == Kind::QueueMessage {
            sweep.queued.push((entry, row));
            continue;
        }
        if let Some(found) = snapshot.get(&row).await.map_err(fault)?
            && expires(&row, &found.value)?.is_some_and(|at| at <= now)
        {
            sweep.uploads |= kind(&row)? == Kind::BlobUpload;
            guarded_delete(&mut sweep.batch, row, found.version);
        }
        sweep.batch.delete(entry);
    }
    Ok(sweep)
}

/// The row may be written again before the sweep commits.
fn guarded_delete(batch: &mut Batch, row: Key, version: Version) {
    batch.guard(row.clone(), version);
    batch.delete(row);
}

/// When a row expires, in the words of its layer.
fn expires(key: &Key, value: &Bytes) -> Result<Option<Millis>> {
    let at = match kind(key)? {
        Kind::Dedup => decode::<DedupRow>(key, value)?.at_ms + dedup::KEPT_MS,
        Kind::Tuple => decode::<Tuple>(key, value)?.expires_ms,
        Kind::KeyValue => decode::<KeyValueRow>(key, value)?.expires_ms,
        Kind::Registration => decode::<RegistrationRow>(key, value)?.expires_ms,
        Kind::BlobUpload => decode::<UploadRow>(key, value)?.expires_ms,
        other => {
            return Err(Error::new(
                Code::Corrupt,
                format!("the row {key:?} of kind {other:?} cannot expire, but has an expiry entry"),
            ));
        }
    };
    Ok((at > 0).then_some(Millis(at)))
}

fn kind(row: &Key) -> Result<Kind> {
    let elements = key::decode(row).map_err(|_| corrupt(row))?;
    elements
        .get(2)
        .and_then(Element::as_u64)
        .and_then(|number| Kind::from_number(u8::try_from(number).ok()?))
        .ok_or_else(|| corrupt(row))
}

fn parse(entry: &Key) -> Result<(Millis, Key)> {
    let elements = key::decode(entry).map_err(|_| corrupt(entry))?;
    let [.., at, Element::Bytes(row)] = elements.as_slice() else {
        return Err(corrupt(entry));
    };
    let at = at.as_u64().ok_or_else(|| corrupt(entry))?;
    Ok((Millis(at), Key::from(row.clone())))
}

fn corrupt(key: &Key) -> Error {
    Error::new(
        Code::Corrupt,
        format!("the expiry entry {key:?} cannot be read"),
    )
}
