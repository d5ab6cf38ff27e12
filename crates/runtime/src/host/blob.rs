//! `blob`: large values by name.
//!
//! The journal keeps where the bytes of a read are, not the bytes: a replay reads them again, and they are there as long
//! as the journal names them. An upload moves its bytes in the call, since they have to be durable before the turn
//! commits; a replay moves none. What moves bytes takes the disk's or the network's time, not the guest's.

use super::recorded::{Recorded, corrupt};
use super::{Call, HostState, abort, answered, journaled, record, scope, to_wit, untimed};
use crate::bindings::plexspaces::actor::blob::{BlobInfo, BlobPage, Host};
use crate::bindings::wit::Context;
use crate::turn::{Arguments, Rights, Turn};
use bytes::Bytes;
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_services::blob::{self, Piece, chunks};
use plexspaces_services::records;
use prost::Message;

type Metadata = Vec<(String, String)>;

impl Host for HostState {
    async fn upload(
        &mut self,
        context: Context,
        id: String,
        data: Vec<u8>,
        metadata: Metadata,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = pairs(
            Arguments::new().scope(&scope).text(&id).bytes(&data),
            &metadata,
        );
        let outside = self.outside.clone();
        untimed!(
            self,
            journaled!(self, "blob.upload", All, arguments, |turn| {
                let (content, now) = (outside.content(), turn.time());
                match (content, check_size(turn, "upload", data.len())) {
                    (Ok(content), Ok(())) => {
                        let transaction = &mut turn.transaction;
                        let data = data.into();
                        blob::upload(transaction, content, &scope, &id, data, metadata, now).await
                    }
                    (Err(error), _) | (_, Err(error)) => Err(error),
                }
            })
        )
    }

    async fn download(&mut self, context: Context, id: String) -> Call<Vec<u8>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&id).digest();
        let all = (0, u64::MAX);
        untimed!(
            self,
            read(self, "blob.download", arguments, &scope, &id, all).await
        )
    }

    async fn download_range(
        &mut self,
        context: Context,
        id: String,
        offset: u64,
        length: u64,
    ) -> Call<Vec<u8>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&id)
            .number(offset)
            .number(length)
            .digest();
        let range = (offset, length);
        untimed!(
            self,
            read(self, "blob.download-range", arguments, &scope, &id, range).await
        )
    }

    async fn delete(&mut self, context: Context, id: String) -> Call<bool> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&id).digest();
        self.leaves_content();
        journaled!(self, "blob.delete", All, arguments, |turn| {
            blob::delete(&mut turn.transaction, &scope, &id).await
        })
    }

    async fn exists(&mut self, context: Context, id: String) -> Call<bool> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&id).digest();
        journaled!(self, "blob.exists", Read, arguments, |turn| {
            blob::describe(&mut turn.transaction, &scope, &id)
                .await
                .map(|found| found.is_some())
        })
    }

    async fn metadata(&mut self, context: Context, id: String) -> Call<Option<BlobInfo>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&id).digest();
        journaled!(self, "blob.metadata", Read, arguments, |turn| {
            blob::describe(&mut turn.transaction, &scope, &id)
                .await
                .map(|found| found.map(to_wit_info))
        })
    }

    async fn list_blobs(
        &mut self,
        context: Context,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Call<BlobPage> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&prefix)
            .optional(cursor.as_deref().map(str::as_bytes))
            .number(limit.into())
            .digest();
        journaled!(self, "blob.list-blobs", Read, arguments, |turn| {
            let cursor = cursor.as_deref();
            blob::list(&mut turn.transaction, &scope, &prefix, cursor, limit)
                .await
                .map(|page| BlobPage {
                    blobs: page.blobs.into_iter().map(to_wit_info).collect(),
                    cursor: page.cursor,
                })
        })
    }

    async fn copy(&mut self, context: Context, source: String, dest: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&source)
            .text(&dest)
            .digest();
        self.leaves_content();
        let outside = self.outside.clone();
        journaled!(self, "blob.copy", All, arguments, |turn| {
            let now = turn.time();
            match outside.content() {
                Ok(content) => {
                    let transaction = &mut turn.transaction;
                    blob::copy(transaction, content, &scope, &source, &dest, now).await
                }
                Err(error) => Err(error),
            }
        })
    }

    fn begin_upload(&mut self, context: Context, id: String, metadata: Metadata) -> Call<String> {
        let scope = scope!(self, context);
        let arguments = pairs(Arguments::new().scope(&scope).text(&id), &metadata);
        journaled!(self, "blob.begin-upload", All, arguments, |turn| {
            let (upload, now) = (turn.fresh_id(), turn.time());
            blob::begin_upload(&mut turn.transaction, &scope, upload, &id, metadata, now)
        })
    }

    async fn upload_part(&mut self, context: Context, upload: String, data: Vec<u8>) -> Call<u64> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&upload)
            .bytes(&data)
            .digest();
        let outside = self.outside.clone();
        untimed!(
            self,
            journaled!(self, "blob.upload-part", All, arguments, |turn| {
                let (content, now) = (outside.content(), turn.time());
                match (content, check_size(turn, "upload-part", data.len())) {
                    (Ok(content), Ok(())) => {
                        let transaction = &mut turn.transaction;
                        let data = data.into();
                        blob::upload_part(transaction, content, &scope, &upload, data, now).await
                    }
                    (Err(error), _) | (_, Err(error)) => Err(error),
                }
            })
        )
    }

    async fn complete_upload(&mut self, context: Context, upload: String) -> Call<BlobInfo> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&upload).digest();
        self.leaves_content();
        journaled!(self, "blob.complete-upload", All, arguments, |turn| {
            let now = turn.time();
            blob::complete_upload(&mut turn.transaction, &scope, &upload, now)
                .await
                .map(to_wit_info)
        })
    }

    async fn abort_upload(&mut self, context: Context, upload: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&upload).digest();
        self.leaves_content();
        journaled!(self, "blob.abort-upload", All, arguments, |turn| {
            let now = turn.time();
            blob::abort_upload(&mut turn.transaction, &scope, &upload, now).await
        })
    }
}

impl HostState {
    /// The call under way may leave content that nothing names.
    fn leaves_content(&self) {
        if let Ok(content) = self.outside.content() {
            content.changed();
        }
    }
}

/// Reads, or reads again what the journal says was read.
async fn read(
    state: &mut HostState,
    operation: &'static str,
    arguments: u64,
    scope: &Scope,
    id: &str,
    range: (u64, u64),
) -> Call<Vec<u8>> {
    let outside = state.outside.clone();
    let turn = match state.permitted(operation, Rights::Read) {
        Ok(turn) => turn,
        Err(refused) => return Ok(Err(to_wit(refused))),
    };
    let content = outside.content().map_err(abort)?;
    match answered::<Pieces>(turn, operation, arguments)? {
        Some(Ok(Pieces(pieces))) => {
            let again = blob::read(content, &pieces).await;
            return again.map(Ok).map_err(|error| abort(unread(id, error)));
        }
        Some(Err(error)) => return Ok(Err(error)),
        None => {}
    }
    let bytes_max = turn.bytes_max;
    let transaction = &mut turn.transaction;
    let (result, bytes) =
        match blob::download(transaction, content, scope, id, range, bytes_max).await {
            Ok((pieces, bytes)) => (Ok(Pieces(pieces)), bytes),
            Err(error) => (Err(error), Vec::new()),
        };
    Ok(record(turn, operation, arguments, result)?.map(|_| bytes))
}

/// Why a replay cannot read what the first run has read.
fn unread(id: &str, error: Error) -> Error {
    match error.code {
        Code::NotThere => Error::new(
            Code::Corrupt,
            format!("a turn in the journal has read the blob {id:?}, but {error}"),
        ),
        _ => error,
    }
}

/// One call moves no more than a message may have.
fn check_size(turn: &Turn, function: &str, bytes: usize) -> Result<()> {
    if bytes as u64 <= turn.bytes_max {
        return Ok(());
    }
    Err(Error::new(
        Code::BlobLimit,
        format!(
            "blob.{function} was given {bytes} bytes; the actor's limit `message_bytes` is {}. Upload it in parts",
            turn.bytes_max
        ),
    ))
}

fn pairs(arguments: Arguments, pairs: &Metadata) -> u64 {
    let start = arguments.number(pairs.len() as u64);
    pairs
        .iter()
        .fold(start, |arguments, (name, value)| {
            arguments.text(name).text(value)
        })
        .digest()
}

/// A read, as the journal has it.
struct Pieces(Vec<Piece>);

impl Recorded for Pieces {
    fn to_record(&self) -> Bytes {
        chunks::record(&self.0)
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        chunks::recorded(bytes).map(Pieces)
    }
}

fn to_wit_info(info: blob::Info) -> BlobInfo {
    BlobInfo {
        id: info.id,
        size: info.size,
        etag: info.etag,
        created_ms: info.created.0,
        updated_ms: info.updated.0,
        metadata: info.metadata,
    }
}

fn info_record(info: &BlobInfo) -> records::BlobInfo {
    let pairs = info.metadata.iter().cloned();
    records::BlobInfo {
        id: info.id.clone(),
        size: info.size,
        etag: info.etag.clone(),
        created_ms: info.created_ms,
        updated_ms: info.updated_ms,
        metadata: pairs
            .map(|(name, value)| records::Detail { name, value })
            .collect(),
    }
}

fn info_from_record(record: records::BlobInfo) -> BlobInfo {
    let pairs = record.metadata.into_iter();
    BlobInfo {
        id: record.id,
        size: record.size,
        etag: record.etag,
        created_ms: record.created_ms,
        updated_ms: record.updated_ms,
        metadata: pairs.map(|pair| (pair.name, pair.value)).collect(),
    }
}

impl Recorded for BlobInfo {
    fn to_record(&self) -> Bytes {
        info_record(self).encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let record = records::BlobInfo::decode(bytes).map_err(|_| corrupt("blob's description"))?;
        Ok(info_from_record(record))
    }
}

/// A list of none or one.
impl Recorded for Option<BlobInfo> {
    fn to_record(&self) -> Bytes {
        BlobPage {
            blobs: self.iter().cloned().collect(),
            cursor: None,
        }
        .to_record()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        Ok(BlobPage::from_record(bytes)?.blobs.pop())
    }
}

impl Recorded for BlobPage {
    fn to_record(&self) -> Bytes {
        let page = records::BlobInfos {
            blobs: self.blobs.iter().map(info_record).collect(),
            cursor: self.cursor.clone(),
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page = records::BlobInfos::decode(bytes).map_err(|_| corrupt("page of blobs"))?;
        Ok(BlobPage {
            blobs: page.blobs.into_iter().map(info_from_record).collect(),
            cursor: page.cursor,
        })
    }
}
