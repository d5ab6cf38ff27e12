//! Blobs as turns see them: rows that name content.
//!
//! Layout: `scope / Blob / id` → `BlobRow`.

use super::chunks::{self, Chunk, Piece, from_record, to_record};
use super::transfer::{self, Stored};
use super::{Content, check_unreserved, invalid};
use crate::records::{BlobRow, Detail, decode, encode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest id, in bytes.
pub const ID_BYTES_MAX: usize = 512;

/// The most pairs of metadata.
pub const METADATA_PAIRS_MAX: usize = 64;

/// The most bytes of metadata, names and values together.
pub const METADATA_BYTES_MAX: usize = 8 << 10;

/// The most blobs that one call lists.
pub const LIST_MAX: u32 = 1_000;

/// How many rows are read at once: one has up to 600 KB.
const PAGE: usize = 16;

/// What a blob is, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// Names the content: see [`chunks::etag`].
    pub etag: String,
    /// When the id was first used.
    pub created: Millis,
    /// When the content was last replaced.
    pub updated: Millis,
    /// Names and values, ordered by name.
    pub metadata: Vec<(String, String)>,
}

/// Some blobs, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The blobs.
    pub blobs: Vec<Info>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

/// Stores bytes under an id; what was there is replaced.
///
/// # Errors
/// `PS1013` for a malformed id or metadata, `PS1030` over a blob's bounds, `PS1031` while the turn holds reservations,
/// `PS3008`, `PS5010`, or a fault of the store.
pub async fn upload(
    transaction: &mut Transaction,
    content: &Content,
    scope: &Scope,
    id: &str,
    data: Bytes,
    metadata: Vec<(String, String)>,
    now: Millis,
) -> Result<()> {
    check_unreserved(transaction, "blob.upload")?;
    row(scope, id)?;
    let metadata = check_metadata(metadata)?;
    let stored = transfer::store(content, data).await?;
    write(transaction, scope, id, stored, metadata, now)
        .await
        .map(drop)
}

/// Gives content that is stored already an id; what was there is replaced.
///
/// # Errors
/// As [`upload`].
pub async fn put(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
    stored: Stored,
    metadata: Vec<(String, String)>,
    now: Millis,
) -> Result<Info> {
    let metadata = check_metadata(metadata)?;
    write(transaction, scope, id, stored, metadata, now).await
}

/// Where the bytes of a read are.
#[derive(Debug)]
pub struct Plan {
    row: Key,
    /// The pieces, in order.
    pub pieces: Vec<Piece>,
}

/// Where the range of `length` bytes from `offset` on is: what lies behind the blob's end is not there. The chunks are
/// kept until the turn has committed.
///
/// # Errors
/// `PS1017` if there is no such blob, `PS1016` for more than `bytes_max` bytes, `PS1013`, or a fault of the store.
pub async fn plan(
    transaction: &mut Transaction,
    content: &Content,
    scope: &Scope,
    id: &str,
    (offset, length): (u64, u64),
    bytes_max: u64,
) -> Result<Plan> {
    let key = row(scope, id)?;
    let found = existing(transaction, &key, id).await?;
    let wanted = length.min(found.size.saturating_sub(offset));
    if wanted > bytes_max {
        return Err(Error::new(
            Code::TooManyResults,
            format!(
                "the read of the blob {id:?} is {wanted} bytes; one call returns at most {bytes_max}. \
                 Read it with download-range, a part at a time"
            ),
        ));
    }
    let pieces = chunks::range(&chunks_of(&found)?, offset, length);
    let hashes = pieces.iter().map(|piece| piece.chunk.hash).collect();
    transaction.hold(content.pin(hashes).await);
    Ok(Plan { row: key, pieces })
}

/// A range of a blob's bytes, and where they were. See [`plan`].
///
/// # Errors
/// As [`plan`]; `PS1031` while the turn holds reservations; `PS4003` if the blob was replaced or deleted, and its bytes
/// collected, since the turn began; `PS5004` for damaged content; `PS5010`.
pub async fn download(
    transaction: &mut Transaction,
    content: &Content,
    scope: &Scope,
    id: &str,
    range: (u64, u64),
    bytes_max: u64,
) -> Result<(Vec<Piece>, Vec<u8>)> {
    check_unreserved(transaction, "blob.download")?;
    let plan = plan(transaction, content, scope, id, range, bytes_max).await?;
    match transfer::read(content, &plan.pieces).await {
        Ok(bytes) => Ok((plan.pieces, bytes)),
        Err(error) if error.code == Code::NotThere => {
            Err(gone(transaction, &plan.row, id, &error).await?)
        }
        Err(error) => Err(error),
    }
}

/// Why a chunk of a row that the turn has read is not there.
async fn gone(transaction: &Transaction, row: &Key, id: &str, error: &Error) -> Result<Error> {
    let unchanged = transaction.unchanged(row).await?;
    Ok(if unchanged {
        Error::new(
            Code::Corrupt,
            format!("the content of the blob {id:?} is damaged: {error}"),
        )
    } else {
        Error::new(
            Code::TurnConflict,
            format!("the blob {id:?} was replaced or deleted while this turn read it"),
        )
    })
}

/// What is known of a blob, or `None` if there is none.
///
/// # Errors
/// `PS1013`, or a fault of the store.
pub async fn describe(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
) -> Result<Option<Info>> {
    let key = row(scope, id)?;
    match transaction.get(&key).await? {
        Some(bytes) => Ok(Some(info(id, decode(&key, &bytes)?))),
        None => Ok(None),
    }
}

/// Deletes a blob, and says whether there was one.
///
/// # Errors
/// `PS1013`, `PS3008`, or a fault of the store.
pub async fn delete(transaction: &mut Transaction, scope: &Scope, id: &str) -> Result<bool> {
    let key = row(scope, id)?;
    if transaction.get(&key).await?.is_none() {
        return Ok(false);
    }
    transaction.delete(key)?;
    Ok(true)
}

/// The blobs whose ids start with `prefix`, in order, after `cursor`.
///
/// # Errors
/// `PS1013` for a malformed prefix or a limit that is not 1 to [`LIST_MAX`], or a fault of the store.
pub async fn list(
    transaction: &mut Transaction,
    scope: &Scope,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(invalid(format!(
            "the limit is {limit}; it must be 1 to {LIST_MAX}"
        )));
    }
    if prefix.len() > ID_BYTES_MAX {
        return Err(invalid(format!(
            "the prefix has {} bytes; a blob's id has at most {ID_BYTES_MAX}",
            prefix.len()
        )));
    }
    let mut range = root(scope).prefix_string(prefix).range();
    if let Some(cursor) = cursor {
        range.start = range.start.max(just_after(&row(scope, cursor)?));
    }
    let mut page = Page::default();
    loop {
        let rows = transaction.scan(range.clone(), PAGE).await?;
        let full = rows.len() == PAGE;
        for (key, value) in rows {
            if page.blobs.len() == limit as usize {
                page.cursor = page.blobs.last().map(|last| last.id.clone());
                return Ok(page);
            }
            page.blobs.push(info(&name(&key)?, decode(&key, &value)?));
            range.start = just_after(&key);
        }
        if !full {
            return Ok(page);
        }
    }
}

/// Makes `dest` the same content and metadata as `source`; what was there is replaced. No bytes move.
///
/// # Errors
/// `PS1017` if there is no such blob, `PS1013`, `PS3008`, or a fault of the store.
pub async fn copy(
    transaction: &mut Transaction,
    content: &Content,
    scope: &Scope,
    source: &str,
    dest: &str,
    now: Millis,
) -> Result<()> {
    let from = row(scope, source)?;
    row(scope, dest)?;
    let found = existing(transaction, &from, source).await?;
    let chunks = chunks_of(&found)?;
    // Up to the commit the source's row names the chunks, and after it the copy's does. The pin is for a source that this
    // turn itself has uploaded, and deletes again.
    transaction.rely_on(&from);
    let pin = content.pin(chunks.iter().map(|chunk| chunk.hash).collect());
    let stored = Stored {
        pin: pin.await,
        chunks,
    };
    write(transaction, scope, dest, stored, found.metadata, now)
        .await
        .map(drop)
}

pub(super) async fn write(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
    stored: Stored,
    metadata: Vec<Detail>,
    now: Millis,
) -> Result<Info> {
    let key = row(scope, id)?;
    let created_ms = match transaction.get(&key).await? {
        Some(bytes) => decode::<BlobRow>(&key, &bytes)?.created_ms,
        None => now.0,
    };
    let content = BlobRow {
        size: chunks::size(&stored.chunks),
        etag: chunks::etag(&stored.chunks),
        chunks: Some(to_record(&stored.chunks)),
        metadata,
        created_ms,
        updated_ms: now.0,
    };
    transaction.put(key, encode(&content))?;
    transaction.hold(stored.pin);
    Ok(info(id, content))
}

/// Metadata as it is stored: ordered by name.
pub(super) fn check_metadata(mut metadata: Vec<(String, String)>) -> Result<Vec<Detail>> {
    let bytes: usize = metadata.iter().map(|(n, v)| n.len() + v.len()).sum();
    if metadata.len() > METADATA_PAIRS_MAX || bytes > METADATA_BYTES_MAX {
        return Err(Error::new(
            Code::BlobLimit,
            format!(
                "the metadata has {} pairs with {bytes} bytes; a blob has at most {METADATA_PAIRS_MAX} with \
                 {METADATA_BYTES_MAX} bytes",
                metadata.len()
            ),
        ));
    }
    metadata.sort();
    if let Some(twice) = metadata.windows(2).find(|two| two[0].0 == two[1].0) {
        return Err(invalid(format!(
            "the metadata names {:?} twice",
            twice[0].0
        )));
    }
    if metadata.first().is_some_and(|(name, _)| name.is_empty()) {
        return Err(invalid("a pair of the metadata has an empty name"));
    }
    let pairs = metadata.into_iter();
    Ok(pairs.map(|(name, value)| Detail { name, value }).collect())
}

async fn existing(transaction: &mut Transaction, key: &Key, id: &str) -> Result<BlobRow> {
    match transaction.get(key).await? {
        Some(bytes) => decode(key, &bytes),
        None => Err(Error::new(
            Code::NotThere,
            format!("there is no blob {id:?}"),
        )),
    }
}

fn chunks_of(row: &BlobRow) -> Result<Vec<Chunk>> {
    from_record(&row.chunks.clone().unwrap_or_default())
}

fn info(id: &str, row: BlobRow) -> Info {
    let pairs = row.metadata.into_iter();
    Info {
        id: id.to_owned(),
        size: row.size,
        etag: row.etag,
        created: Millis(row.created_ms),
        updated: Millis(row.updated_ms),
        metadata: pairs.map(|pair| (pair.name, pair.value)).collect(),
    }
}

fn root(scope: &Scope) -> Path {
    Path::scope(scope.tenant(), scope.namespace(), Kind::Blob)
}

/// Where a blob's row is.
pub(super) fn row(scope: &Scope, id: &str) -> Result<Key> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(invalid(format!(
            "the blob's id has {} bytes; it must have 1 to {ID_BYTES_MAX}",
            id.len()
        )));
    }
    Ok(root(scope).str(id).key())
}

fn name(key: &Key) -> Result<String> {
    let elements = key::decode(key).ok();
    match elements.as_ref().and_then(|elements| elements.last()) {
        Some(Element::Str(name)) => Ok(name.clone()),
        _ => Err(Error::new(
            Code::Corrupt,
            format!("the key {key:?} cannot be read"),
        )),
    }
}
