//! A failure as a response: `application/problem+json` (RFC 9457) with the stable code.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use plexspaces_core::{Code, Error, ErrorKind};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// An error and the status that tells it.
#[derive(Debug)]
pub(crate) struct Problem {
    error: Box<Error>,
    status: StatusCode,
}

impl Problem {
    /// The same problem under another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem {
            status: status(error.code, error.kind),
            error: Box::new(error),
        }
    }
}

/// The status for an error. The kind decides, since a guest's own error has the kind that the guest chose; some codes
/// say more than their kind.
fn status(code: Code, kind: ErrorKind) -> StatusCode {
    match code {
        Code::MessageTooLarge | Code::UploadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RangeUnsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        Code::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Code::TimeLimit => StatusCode::GATEWAY_TIMEOUT,
        // The actor's own failure: waiting does not help, unlike with a full mailbox.
        Code::MemoryLimit | Code::StackLimit | Code::ReplyTooLarge | Code::EffectLimit => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => match kind {
            ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// The members of the JSON object.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Error {
            code,
            kind,
            message,
            details,
        } = &*self.error;
        let mut object = serializer.serialize_struct("Problem", 7)?;
        object.serialize_field("type", &format_args!("urn:plexspaces:{code}"))?;
        object.serialize_field("title", code.title())?;
        object.serialize_field("status", &self.status.as_u16())?;
        object.serialize_field("detail", message)?;
        object.serialize_field("code", &format_args!("{code}"))?;
        object.serialize_field("kind", kind.name())?;
        object.serialize_field("details", &Details(details))?;
        object.end()
    }
}

struct Details<'a>(&'a [(String, String)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Strings and numbers always serialize; were it not so, the status still tells the failure.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_of_failure() {
        for (code, expected) in [
            (Code::InvalidId, 400),
            (Code::UnknownActorType, 404),
            (Code::MessageTooLarge, 413),
            (Code::IdempotencyMismatch, 422),
            (Code::MailboxFull, 429),
            (Code::AskTimeout, 504),
            (Code::NoHandler, 412),
            (Code::NotGranted, 403),
            (Code::UploadTooLarge, 413),
            (Code::ActorTypeTaken, 409),
            (Code::MemoryLimit, 500),
            (Code::TimeLimit, 504),
            (Code::StackLimit, 500),
            (Code::ReplyTooLarge, 500),
            (Code::EffectLimit, 500),
            (Code::TurnConflict, 409),
            (Code::StoreStopped, 503),
            (Code::Internal, 500),
        ] {
            assert_eq!(status(code, code.kind()).as_u16(), expected, "{code}");
        }
        for &code in Code::ALL {
            assert!(status(code, code.kind()).as_u16() >= 400, "{code}");
        }
    }

    #[test]
    fn a_guest_chooses_the_kind_of_its_error() {
        assert_eq!(
            status(Code::GuestError, ErrorKind::NotFound),
            StatusCode::NOT_FOUND
        );
    }

    #[test]
    fn the_json_has_the_code_and_the_details() {
        let problem = Problem::from(Error::new(Code::InvalidId, "no \"good\"").with("part", "key"));
        let json: serde_json::Value = serde_json::to_value(&problem).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:plexspaces:PS1001",
                "title": "an id or name is malformed",
                "status": 400,
                "detail": "no \"good\"",
                "code": "PS1001",
                "kind": "invalid-argument",
                "details": {"part": "key"},
            })
        );
    }

    #[test]
    fn try_again_says_when() {
        let response = Problem::from(Error::new(Code::MailboxFull, "full")).into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
    }
}
