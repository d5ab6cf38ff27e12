//! Request bodies within their limits.
//!
//! A body that comes in one piece is taken as it is. One that is over the limit is refused as soon as that is known.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use plexspaces_core::{Code, Error, Result};
use std::time::Duration;

/// How long a client that sends too much may go on before it is answered.
///
/// A connection that is closed on unread bytes is reset, and then the client sees the reset and not the answer. So the
/// rest is read and thrown away, within bounds.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// The length that the client announced.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Reads a message's payload of at most `limit` bytes.
///
/// # Errors
/// `PS1004` if it is larger, `PS1005` if the client stops in the middle.
pub(crate) async fn read(mut body: Body, headers: &HeaderMap, limit: u64) -> Result<Bytes> {
    if let Some(length) = announced(headers).filter(|length| *length > limit) {
        discard(body, headers).await;
        return Err(too_large(limit).with("bytes", length));
    }
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|e| Error::new(Code::MalformedRequest, format!("the body breaks off: {e}")))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let so_far = whole.len() + pieces.len();
        if (so_far + piece.len()) as u64 > limit {
            discard(body, headers).await;
            return Err(too_large(limit));
        }
        if so_far == 0 {
            whole = piece;
            continue;
        }
        if pieces.is_empty() {
            pieces.reserve(announced(headers).unwrap_or_default().min(limit) as usize);
            pieces.extend_from_slice(&std::mem::take(&mut whole));
        }
        pieces.extend_from_slice(&piece);
    }
    Ok(if pieces.is_empty() {
        whole
    } else {
        pieces.freeze()
    })
}

/// Reads on for a while without keeping anything; see [`LINGER`].
pub(crate) async fn discard(mut body: Body, headers: &HeaderMap) {
    if headers.contains_key(header::EXPECT) {
        // The client asked before it sent.
        return;
    }
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whether the client came to its end or not, it is answered now.
    let _ = tokio::time::timeout(LINGER, rest).await;
}

fn too_large(limit: u64) -> Error {
    Error::new(
        Code::MessageTooLarge,
        format!("the body is over the {limit} bytes that this actor takes in a message"),
    )
    .with("limit", limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_whole(text: &'static str, limit: u64) -> Result<Bytes> {
        read(Body::from(text), &HeaderMap::new(), limit).await
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_taken() {
        assert_eq!(read_whole("", 0).await.unwrap(), "");
        assert_eq!(read_whole("abc", 3).await.unwrap(), "abc");
        assert_eq!(
            read_whole("abcd", 3).await.unwrap_err().code,
            Code::MessageTooLarge
        );
    }

    #[tokio::test]
    async fn an_announced_length_is_believed() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, "4".parse().unwrap());
        let error = read(Body::empty(), &headers, 3).await.unwrap_err();
        assert_eq!(error.code, Code::MessageTooLarge);
    }
}
