//! Blobs: `/api/v1/blobs/{tenant}/{namespace}/{id}`, up and down as streams of any length.

use super::operation;
use super::scoped::{Asked, InScope, Named};
use crate::problem::Problem;
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt as _, TryStreamExt as _};
use plexspaces_core::{Code, Error, Result};
use plexspaces_node::Node;
use plexspaces_services::blob::{self, Info, Pin, Stored};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Metadata travels in headers that begin with this.
const METADATA: &str = "plexspaces-meta-";

/// Which blobs to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct List {
    /// Only ids that start with this.
    #[serde(default)]
    prefix: String,
    /// Where the page before ended.
    cursor: Option<String>,
    /// How many, 1 to 1,000.
    #[serde(default = "all")]
    limit: u32,
}

fn all() -> u32 {
    blob::LIST_MAX
}

/// What to copy.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Copy {
    /// The id of the blob to copy; no bytes are moved.
    copy_from: String,
}

/// A blob, without its bytes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Blob {
    id: String,
    /// Bytes.
    size: u64,
    etag: String,
    /// Milliseconds since the Unix epoch.
    created_ms: u64,
    /// Milliseconds since the Unix epoch.
    updated_ms: u64,
    metadata: BTreeMap<String, String>,
}

/// Some blobs, in the order of their ids.
#[derive(Serialize, ToSchema)]
pub(crate) struct Blobs {
    blobs: Vec<Blob>,
    /// Where the next page begins; null after the last one.
    cursor: Option<String>,
}

/// Lists blobs.
#[utoipa::path(get, path = "/api/v1/blobs/{tenant}/{namespace}", tag = "blobs", params(List),
    responses((status = 200, body = Blobs)))]
pub(crate) async fn list(
    State(node): State<Node>,
    InScope(scope): InScope,
    Asked(asked): Asked<List>,
) -> Result<Json<Blobs>, Problem> {
    let cursor = asked.cursor.as_deref();
    let page = operation!(node, |o| {
        blob::list(
            &mut o.transaction,
            &scope,
            &asked.prefix,
            cursor,
            asked.limit,
        )
        .await
    });
    Ok(Json(Blobs {
        blobs: page.blobs.into_iter().map(described).collect(),
        cursor: page.cursor,
    }))
}

/// Uploads a blob of any length; what was there is replaced. Headers `Plexspaces-Meta-NAME` are its metadata.
#[utoipa::path(put, path = "/api/v1/blobs/{tenant}/{namespace}/{*id}", tag = "blobs",
    request_body(content = [u8], content_type = "application/octet-stream"), responses((status = 200, body = Blob)))]
pub(crate) async fn upload(
    State(node): State<Node>,
    Named(scope, id): Named,
    request: Request,
) -> Result<Json<Blob>, Problem> {
    let (parts, content) = request.into_parts();
    let metadata = metadata(&parts.headers)?;
    // Before the bytes come: an id that is malformed costs nothing.
    operation!(node, |o| blob::describe(&mut o.transaction, &scope, &id)
        .await);
    let breaks_off = |e| Error::new(Code::MalformedRequest, format!("the body breaks off: {e}"));
    let incoming = content.into_data_stream().map_err(breaks_off);
    let stored = blob::store_stream(node.blobs(), incoming.boxed(), u64::MAX).await?;
    let info = operation!(node, |o| {
        // What keeps the chunks until the row has committed stays here, for another run.
        let chunks = Stored {
            chunks: stored.chunks.clone(),
            pin: Pin::default(),
        };
        let (transaction, metadata) = (&mut o.transaction, metadata.clone());
        blob::put(transaction, &scope, &id, chunks, metadata, o.now).await
    });
    Ok(Json(described(info)))
}

/// Downloads a blob, or a range of it (`Range: bytes=0-99`). A HEAD tells size and metadata.
#[utoipa::path(get, path = "/api/v1/blobs/{tenant}/{namespace}/{*id}", tag = "blobs",
    responses((status = 200, body = [u8], content_type = "application/octet-stream"), (status = 206), (status = 404),
        (status = 416)))]
pub(crate) async fn download(
    State(node): State<Node>,
    Named(scope, id): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let content = node.blobs().clone();
    let (info, range, pieces, pin) = operation!(node, |o| {
        let transaction = &mut o.transaction;
        match blob::describe(transaction, &scope, &id).await {
            Ok(Some(info)) => match range(&headers, info.size) {
                Ok(range) => {
                    let span =
                        range.map_or((0, info.size), |(first, last)| (first, last - first + 1));
                    match blob::plan(transaction, &content, &scope, &id, span, u64::MAX).await {
                        Ok(plan) => {
                            let hashes = plan.pieces.iter().map(|piece| piece.chunk.hash);
                            // The transaction's own pin ends with it, the download goes on.
                            let pin = content.pin(hashes.collect()).await;
                            Ok((info, range, plan.pieces, pin))
                        }
                        Err(error) => Err(error),
                    }
                }
                Err(error) => Err(error),
            },
            Ok(None) => Err(Error::new(
                Code::NotThere,
                format!("there is no blob {id:?}"),
            )),
            Err(error) => Err(error),
        }
    });
    let length = range.map_or(info.size, |(first, last)| last - first + 1);
    let mut response = Response::new(Body::from_stream(blob::read_stream(content, pieces, pin)));
    let out = response.headers_mut();
    out.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    out.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    out.insert(header::CONTENT_LENGTH, length.into());
    if let Ok(etag) = HeaderValue::try_from(format!("\"{}\"", info.etag)) {
        out.insert(header::ETAG, etag);
    }
    for (name, value) in &info.metadata {
        // An actor's metadata may have names and values that no header can have.
        let name = HeaderName::try_from(format!("{METADATA}{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            out.insert(name, value);
        }
    }
    if let Some((first, last)) = range {
        let text = format!("bytes {first}-{last}/{}", info.size);
        out.insert(
            header::CONTENT_RANGE,
            HeaderValue::try_from(text).expect("digits"),
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Copies a blob to this id. No bytes are moved.
#[utoipa::path(post, path = "/api/v1/blobs/{tenant}/{namespace}/{*id}", tag = "blobs", params(Copy),
    responses((status = 204), (status = 404)))]
pub(crate) async fn copy(
    State(node): State<Node>,
    Named(scope, id): Named,
    Asked(asked): Asked<Copy>,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| {
        let transaction = &mut o.transaction;
        blob::copy(
            transaction,
            node.blobs(),
            &scope,
            &asked.copy_from,
            &id,
            o.now,
        )
        .await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a blob.
#[utoipa::path(delete, path = "/api/v1/blobs/{tenant}/{namespace}/{*id}", tag = "blobs",
    responses((status = 204), (status = 404)))]
pub(crate) async fn delete(
    State(node): State<Node>,
    Named(scope, id): Named,
) -> Result<StatusCode, Problem> {
    let was_there = operation!(node, |o| blob::delete(&mut o.transaction, &scope, &id)
        .await);
    if was_there {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::new(Code::NotThere, format!("there is no blob {id:?}")).into())
}

fn described(info: Info) -> Blob {
    Blob {
        id: info.id,
        size: info.size,
        etag: info.etag,
        created_ms: info.created.0,
        updated_ms: info.updated.0,
        metadata: info.metadata.into_iter().collect(),
    }
}

fn metadata(headers: &HeaderMap) -> Result<Vec<(String, String)>> {
    let named = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix(METADATA)?, value)));
    named
        .map(
            |(name, value)| match std::str::from_utf8(value.as_bytes()) {
                Ok(value) => Ok((name.to_owned(), value.to_owned())),
                Err(_) => Err(super::malformed(format!(
                    "the metadata {name:?} is not UTF-8"
                ))),
            },
        )
        .collect()
}

/// The first and the last byte that a `Range` header asks for.
fn range(headers: &HeaderMap, size: u64) -> Result<Option<(u64, u64)>> {
    let Some(value) = headers.get(header::RANGE) else {
        return Ok(None);
    };
    let asked = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("bytes="));
    let parsed = asked.and_then(|asked| {
        let (first, last) = asked.split_once('-')?;
        let last_byte = size.checked_sub(1)?;
        match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
            (Some(first), Some(last)) if first <= last => Some((first, last.min(last_byte))),
            (Some(first), None) if last.is_empty() => Some((first, last_byte)),
            (None, Some(tail)) if first.is_empty() && tail > 0 => {
                Some((size.saturating_sub(tail), last_byte))
            }
            _ => None,
        }
    });
    match parsed {
        Some((first, last)) if first <= last => Ok(Some((first, last))),
        _ => Err(Error::new(
            Code::RangeUnsatisfiable,
            format!(
                "the range {value:?} is not in the blob, which has {size} bytes; one range such as bytes=0-99 is understood"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_end() {
        let of = |text: &'static str, size| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static(text));
            range(&headers, size)
        };
        assert_eq!(of("bytes=0-9", 100).unwrap(), Some((0, 9)));
        assert_eq!(of("bytes=90-200", 100).unwrap(), Some((90, 99)));
        assert_eq!(of("bytes=90-", 100).unwrap(), Some((90, 99)));
        assert_eq!(of("bytes=-10", 100).unwrap(), Some((90, 99)));
        assert_eq!(of("bytes=-1000", 100).unwrap(), Some((0, 99)));
        for bad in [
            "bytes=100-",
            "bytes=9-5",
            "bytes=-0",
            "bytes=-",
            "rows=0-1",
            "bytes=0-1,5-6",
        ] {
            assert!(of(bad, 100).is_err(), "{bad}");
        }
        assert!(of("bytes=0-0", 0).is_err());
        assert_eq!(range(&HeaderMap::new(), 5).unwrap(), None);
    }
}
