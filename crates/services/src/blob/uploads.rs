//! Uploads over several turns: a row that collects content until it becomes a blob.
//!
//! Layout: `scope / BlobUpload / upload id` → `UploadRow`, with an entry in [`expiry`]. An upload goes on in any later turn, of
//! any actor of its namespace, also after a restart, until it is completed or aborted, or is [`UPLOAD_KEPT_MS`] old.

use super::chunks::{self, BLOB_BYTES_MAX, CHUNKS_MAX, from_record, to_record};
use super::rows::{self, Info};
use super::transfer::{self, Stored};
use super::{Content, check_unreserved};
use crate::expiry;
use crate::records::{UploadRow, decode, encode};
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{Kind, Path};

/// How long an upload lives, from its beginning.
pub const UPLOAD_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// Names an upload: derived from the turn that began it, so that a turn that runs again begins the same.
pub type UploadId = [u8; 16];

/// Begins an upload of the blob `id`; gives the text that names the upload. The blob itself changes when the upload is
/// completed.
///
/// # Errors
/// `PS1013` for a malformed id or metadata, `PS1030`, `PS3008`.
pub fn begin_upload(
    transaction: &mut Transaction,
    scope: &Scope,
    upload: UploadId,
    id: &str,
    metadata: Vec<(String, String)>,
    now: Millis,
) -> Result<String> {
    rows::row(scope, id)?;
    let metadata = rows::check_metadata(metadata)?;
    let upload = format!("{:032x}", u128::from_be_bytes(upload));
    let key = row(scope, &upload);
    let content = UploadRow {
        blob: id.to_owned(),
        size: 0,
        chunks: None,
        metadata,
        created_ms: now.0,
        expires_ms: now.0 + UPLOAD_KEPT_MS,
    };
    transaction.put(
        expiry::entry(Millis(content.expires_ms), &key),
        Bytes::new(),
    )?;
    transaction.put(key, encode(&content))?;
    Ok(upload)
}

/// Adds bytes at the end of an upload; gives its size.
///
/// # Errors
/// `PS1017` if there is no such upload, `PS1030` if the blob would be too large, `PS1031` while the turn holds
/// reservations, `PS3008`, `PS5010`, or a fault of the store.
pub async fn upload_part(
    transaction: &mut Transaction,
    content: &Content,
    scope: &Scope,
    upload: &str,
    data: Bytes,
    now: Millis,
) -> Result<u64> {
    check_unreserved(transaction, "blob.upload-part")?;
    let (key, mut found) = existing(transaction, scope, upload, now).await?;
    let mut chunks = from_record(&found.chunks.take().unwrap_or_default())?;
    let size = found.size + data.len() as u64;
    let more = data.len().div_ceil(chunks::CHUNK_BYTES_MAX);
    if size > BLOB_BYTES_MAX || chunks.len() + more > CHUNKS_MAX {
        return Err(Error::new(
            Code::BlobLimit,
            format!(
                "with this part the blob {:?} would have {size} bytes in {} chunks; a blob has at most \
                 {BLOB_BYTES_MAX} in {CHUNKS_MAX}. Upload larger parts, or split it over several blobs",
                found.blob,
                chunks.len() + more
            ),
        ));
    }
    let stored = transfer::store(content, data).await?;
    chunks.extend(stored.chunks);
    found.size = size;
    found.chunks = Some(to_record(&chunks));
    transaction.put(key, encode(&found))?;
    transaction.hold(stored.pin);
    Ok(size)
}

/// Makes what was uploaded the blob; what was there is replaced. The upload is over.
///
/// # Errors
/// `PS1017` if there is no such upload, `PS3008`, or a fault of the store.
pub async fn complete_upload(
    transaction: &mut Transaction,
    scope: &Scope,
    upload: &str,
    now: Millis,
) -> Result<Info> {
    let (key, mut found) = existing(transaction, scope, upload, now).await?;
    // The upload's row names the chunks up to the commit, which is guarded by it; the blob's names them after.
    let stored = Stored {
        chunks: from_record(&found.chunks.take().unwrap_or_default())?,
        ..Stored::default()
    };
    transaction.delete(expiry::entry(Millis(found.expires_ms), &key))?;
    transaction.delete(key)?;
    rows::write(transaction, scope, &found.blob, stored, found.metadata, now).await
}

/// Gives an upload up. What it had is collected later.
///
/// # Errors
/// `PS1017` if there is no such upload, `PS3008`, or a fault of the store.
pub async fn abort_upload(
    transaction: &mut Transaction,
    scope: &Scope,
    upload: &str,
    now: Millis,
) -> Result<()> {
    let (key, found) = existing(transaction, scope, upload, now).await?;
    transaction.delete(expiry::entry(Millis(found.expires_ms), &key))?;
    transaction.delete(key)
}

async fn existing(
    transaction: &mut Transaction,
    scope: &Scope,
    upload: &str,
    now: Millis,
) -> Result<(Key, UploadRow)> {
    let key = row(scope, upload);
    if let Some(bytes) = transaction.get(&key).await? {
        let found: UploadRow = decode(&key, &bytes)?;
        if now.0 < found.expires_ms {
            // No part may be lost, and the content is named by this row until the commit.
            transaction.rely_on(&key);
            return Ok((key, found));
        }
    }
    Err(Error::new(
        Code::NotThere,
        format!(
            "there is no upload {upload:?}: it was completed or aborted, is older than 24 hours, or the turn that \
             began it failed"
        ),
    ))
}

fn row(scope: &Scope, upload: &str) -> Key {
    // Ids are 32 digits. A longer text names no upload and need not become a long key.
    let end = upload.floor_char_boundary(upload.len().min(64));
    Path::scope(scope.tenant(), scope.namespace(), Kind::BlobUpload)
        .str(&upload[..end])
        .key()
}
