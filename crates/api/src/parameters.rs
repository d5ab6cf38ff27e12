//! How a message to an actor is to be delivered: message type, time, mode, idempotency key.
//!
//! A query parameter goes before the header of the same meaning. A `POST` takes no other query parameters, so that a
//! misspelt one is not ignored; the other parameters of a `GET` are its payload.

use crate::query::pairs;
use axum::http::HeaderMap;
use plexspaces_core::message::check_msg_type;
use plexspaces_core::{Code, Error, Result};
use serde_json::{Map, Value};
use std::time::Duration;

/// The header with the message type.
const MESSAGE_TYPE: &str = "plexspaces-message-type";
/// The header with the idempotency key.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The message type of a request that names none.
const MSG_TYPE_DEFAULT: &str = "call";
/// How long the caller waits unless it says so, in milliseconds.
const TIMEOUT_MS_DEFAULT: u64 = 30_000;
/// The longest that a caller may wait, in milliseconds.
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Whether the caller waits for the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It does.
    Ask,
    /// It has its answer when the message is durable.
    Tell,
}

/// What the query and the headers say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub(crate) msg_type: String,
    pub(crate) timeout: Duration,
    pub(crate) mode: Mode,
    pub(crate) idempotency_key: Option<String>,
}

impl Parameters {
    /// Reads the parameters, and hands the other pairs of the query to `other`.
    fn read(
        query: &str,
        headers: &HeaderMap,
        mut other: impl FnMut(&str, &str) -> Result<()>,
    ) -> Result<Self> {
        let (mut msg_type, mut timeout, mut mode) = (None, None, None);
        for pair in pairs(query) {
            let (name, value) = pair?;
            match &*name {
                "msg_type" => once(&mut msg_type, "msg_type", value.into_owned())?,
                "timeout_ms" => once(&mut timeout, "timeout_ms", timeout_ms(&value)?)?,
                "mode" => once(&mut mode, "mode", mode_of(&value)?)?,
                _ => other(&name, &value)?,
            }
        }
        let msg_type = match msg_type {
            Some(given) => given,
            None => match header(headers, MESSAGE_TYPE)? {
                Some(given) => given.to_owned(),
                None => MSG_TYPE_DEFAULT.to_owned(),
            },
        };
        check_msg_type(&msg_type).map_err(malformed)?;
        Ok(Parameters {
            msg_type,
            timeout: timeout.unwrap_or(Duration::from_millis(TIMEOUT_MS_DEFAULT)),
            mode: mode.unwrap_or(Mode::Ask),
            idempotency_key: header(headers, IDEMPOTENCY_KEY)?.map(str::to_owned),
        })
    }

    /// The parameters of a `POST`.
    pub(crate) fn of_post(query: &str, headers: &HeaderMap) -> Result<Self> {
        Self::read(query, headers, |name, _| {
            Err(malformed(format!(
                "the query parameter {name:?} is unknown; a POST takes msg_type, timeout_ms and mode"
            )))
        })
    }

    /// The parameters of a `GET`, and its payload: the rest of the query as a JSON object of strings.
    pub(crate) fn of_get(query: &str, headers: &HeaderMap) -> Result<(Self, Map<String, Value>)> {
        let mut payload = Map::new();
        let parameters = Self::read(query, headers, |name, value| {
            match payload.insert(name.to_owned(), Value::String(value.to_owned())) {
                None => Ok(()),
                Some(_) => Err(repeated(name)),
            }
        })?;
        Ok((parameters, payload))
    }
}

fn once<T>(slot: &mut Option<T>, name: &str, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(repeated(name)),
    }
}

fn timeout_ms(text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(ms @ 1..=TIMEOUT_MS_MAX) => Ok(Duration::from_millis(ms)),
        _ => Err(malformed(format!(
            "timeout_ms is {text:?}; it is a whole number from 1 to {TIMEOUT_MS_MAX}"
        ))),
    }
}

fn mode_of(text: &str) -> Result<Mode> {
    match text {
        "ask" => Ok(Mode::Ask),
        "tell" => Ok(Mode::Tell),
        _ => Err(malformed(format!("mode is {text:?}; it is ask or tell"))),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    match std::str::from_utf8(value.as_bytes()) {
        Ok("") => Err(malformed(format!("the header {name} is empty"))),
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(malformed(format!("the header {name} is not UTF-8"))),
    }
}

fn repeated(name: &str) -> Error {
    malformed(format!("the query has {name:?} more than once"))
}

fn malformed(message: String) -> Error {
    Error::new(Code::MalformedRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn defaults_stand_for_what_is_not_said() {
        let got = Parameters::of_post("", &HeaderMap::new()).unwrap();
        let want = Parameters {
            msg_type: "call".into(),
            timeout: Duration::from_secs(30),
            mode: Mode::Ask,
            idempotency_key: None,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn the_query_goes_before_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_TYPE, HeaderValue::from_static("add"));
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static("k1"));
        let got = Parameters::of_post("mode=tell&timeout_ms=5", &headers).unwrap();
        assert_eq!(
            (got.msg_type.as_str(), got.mode, got.timeout.as_millis()),
            ("add", Mode::Tell, 5)
        );
        assert_eq!(got.idempotency_key.as_deref(), Some("k1"));
        assert_eq!(
            Parameters::of_post("msg_type=sub", &headers)
                .unwrap()
                .msg_type,
            "sub"
        );
    }

    #[test]
    fn a_get_carries_the_rest_of_the_query() {
        let (parameters, payload) =
            Parameters::of_get("a=1&msg_type=x&b=", &HeaderMap::new()).unwrap();
        assert_eq!(parameters.msg_type, "x");
        assert_eq!(
            Value::Object(payload),
            serde_json::json!({"a": "1", "b": ""})
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, says) in [
            ("mdoe=tell", "mdoe"),
            ("mode=shout", "ask or tell"),
            ("timeout_ms=0", "from 1"),
            ("timeout_ms=soon", "soon"),
            ("msg_type=a&msg_type=b", "more than once"),
            ("msg_type=$x", "reserved"),
        ] {
            let error = Parameters::of_post(query, &HeaderMap::new()).unwrap_err();
            assert_eq!(error.code, Code::MalformedRequest);
            assert!(error.message.contains(says), "{query}: {}", error.message);
        }
        assert!(Parameters::of_get("a=1&a=2", &HeaderMap::new()).is_err());
    }
}
