//! An actor's reply as a response: its bytes, and the content type that they show.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde::de::IgnoredAny;

/// The reply of an ask.
pub(crate) fn of_ask(reply: Bytes) -> Response {
    let content_type = content_type(&reply);
    with_type(StatusCode::OK, content_type, Body::from(reply))
}

/// The answer to a tell, which is durable by now.
pub(crate) fn of_tell() -> Response {
    with_type(
        StatusCode::ACCEPTED,
        JSON,
        Body::from(r#"{"accepted":true}"#),
    )
}

const JSON: &str = "application/json";

fn content_type(reply: &[u8]) -> &'static str {
    // Checked first, since skipping over JSON does not look into its strings.
    match std::str::from_utf8(reply) {
        Ok(text) if serde_json::from_str::<IgnoredAny>(text).is_ok() => JSON,
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    }
}

fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_tell_their_type() {
        for (bytes, want) in [
            (&b"{\"a\": [1, null]}"[..], JSON),
            (b"3", JSON),
            (b"\"x\"", JSON),
            (b"hello", "text/plain; charset=utf-8"),
            (b"", "text/plain; charset=utf-8"),
            (b"\"\xff\"", "application/octet-stream"),
            (b"\x00\xff", "application/octet-stream"),
        ] {
            assert_eq!(content_type(bytes), want, "{bytes:?}");
        }
    }
}
