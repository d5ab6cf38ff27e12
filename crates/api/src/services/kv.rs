//! Values by key: `/api/v1/kv/{tenant}/{namespace}/{key}`.

use super::operation;
use super::scoped::{Asked, InScope, Named};
use crate::body;
use crate::problem::Problem;
use crate::reply;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use plexspaces_core::limits::Limits;
use plexspaces_core::{Code, Error, ErrorKind};
use plexspaces_node::Node;
use plexspaces_services::keyvalue;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use xxhash_rust::xxh3::xxh3_128;

/// Which keys to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListKeys {
    /// Only keys that start with this.
    #[serde(default)]
    prefix: String,
    /// Where the page before ended.
    cursor: Option<String>,
    /// How many, 1 to 1,000.
    #[serde(default = "all")]
    limit: u32,
}

fn all() -> u32 {
    keyvalue::LIST_MAX
}

/// Some keys, in order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    keys: Vec<String>,
    /// Where the next page begins; null after the last one.
    cursor: Option<String>,
}

/// How to set a value.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Put {
    /// The value is gone after this many milliseconds.
    ttl_ms: Option<u64>,
}

/// What to add.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Increment {
    /// The number to add; may be negative.
    increment: i64,
}

/// The number after an addition.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sum {
    value: i64,
}

/// Lists keys in order.
#[utoipa::path(get, path = "/api/v1/kv/{tenant}/{namespace}", tag = "kv", params(ListKeys),
    responses((status = 200, body = Keys)))]
pub(crate) async fn list(
    State(node): State<Node>,
    InScope(scope): InScope,
    Asked(asked): Asked<ListKeys>,
) -> Result<Json<Keys>, Problem> {
    let cursor = asked.cursor.as_deref();
    let page = operation!(node, |o| {
        let transaction = &mut o.transaction;
        keyvalue::list(
            transaction,
            &scope,
            &asked.prefix,
            cursor,
            asked.limit,
            o.now,
        )
        .await
    });
    Ok(Json(Keys {
        keys: page.keys,
        cursor: page.cursor,
    }))
}

/// Gives a value, with its ETag.
#[utoipa::path(get, path = "/api/v1/kv/{tenant}/{namespace}/{*key}", tag = "kv",
    responses((status = 200, body = [u8], content_type = "application/octet-stream"), (status = 404)))]
pub(crate) async fn get(
    State(node): State<Node>,
    Named(scope, key): Named,
) -> Result<Response, Problem> {
    let found = operation!(node, |o| {
        keyvalue::get(&mut o.transaction, &scope, &key, o.now).await
    });
    let value = found.ok_or_else(|| no_value(&key))?;
    let etag = HeaderValue::try_from(etag(&value)).expect("quoted hexadecimal digits");
    let mut response = reply::of_ask(value);
    response.headers_mut().insert(header::ETAG, etag);
    Ok(response)
}

/// Sets a value. `If-Match: "etag"` sets it only if the value is still the one with this ETag, `If-None-Match: *` only if
/// there is none; otherwise 412. The time to live is then as it was.
#[utoipa::path(put, path = "/api/v1/kv/{tenant}/{namespace}/{*key}", tag = "kv", params(Put),
    request_body(content = [u8], content_type = "application/octet-stream"),
    responses((status = 204), (status = 412)))]
pub(crate) async fn put(
    State(node): State<Node>,
    Named(scope, key): Named,
    Asked(asked): Asked<Put>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let condition = Condition::of(request.headers())?;
    if condition.is_some() && asked.ttl_ms.is_some() {
        return Err(
            super::malformed("a conditional put keeps the time to live: leave ttl_ms out").into(),
        );
    }
    let (parts, content) = request.into_parts();
    let value = body::read(content, &parts.headers, Limits::default().message_bytes).await?;
    operation!(node, |o| {
        let transaction = &mut o.transaction;
        match (&condition, asked.ttl_ms) {
            (Some(condition), _) => {
                condition
                    .put(transaction, &scope, &key, value.clone(), o.now)
                    .await
            }
            (None, Some(ttl)) => {
                keyvalue::put_with_ttl(transaction, &scope, &key, value.clone(), ttl, o.now)
            }
            (None, None) => keyvalue::put(transaction, &scope, &key, value.clone()),
        }
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Adds to the number at a key; one that is not there counts as 0.
#[utoipa::path(post, path = "/api/v1/kv/{tenant}/{namespace}/{*key}", tag = "kv", params(Increment),
    responses((status = 200, body = Sum)))]
pub(crate) async fn increment(
    State(node): State<Node>,
    Named(scope, key): Named,
    Asked(asked): Asked<Increment>,
) -> Result<Json<Sum>, Problem> {
    let value = operation!(node, |o| {
        let transaction = &mut o.transaction;
        keyvalue::increment(transaction, &scope, &key, asked.increment, o.now).await
    });
    Ok(Json(Sum { value }))
}

/// Deletes a key. One that is not there stays so.
#[utoipa::path(delete, path = "/api/v1/kv/{tenant}/{namespace}/{*key}", tag = "kv", responses((status = 204)))]
pub(crate) async fn delete(
    State(node): State<Node>,
    Named(scope, key): Named,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| keyvalue::delete(&mut o.transaction, &scope, &key));
    Ok(StatusCode::NO_CONTENT)
}

/// When a conditional put takes effect.
enum Condition {
    Absent,
    Is(String),
}

impl Condition {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let (is, none) = (
            headers.get(header::IF_MATCH),
            headers.get(header::IF_NONE_MATCH),
        );
        match (is.map(HeaderValue::to_str), none.map(HeaderValue::to_str)) {
            (None, None) => Ok(None),
            (None, Some(Ok("*"))) => Ok(Some(Condition::Absent)),
            (Some(Ok(etag)), None) if etag.starts_with('"') => {
                Ok(Some(Condition::Is(etag.to_owned())))
            }
            _ => Err(super::malformed(
                "a put takes one condition: If-Match with one ETag, or If-None-Match: *",
            )),
        }
    }

    async fn put(
        &self,
        transaction: &mut plexspaces_services::Transaction,
        scope: &plexspaces_core::Scope,
        key: &str,
        value: Bytes,
        now: plexspaces_core::time::Millis,
    ) -> Result<(), Error> {
        let found = keyvalue::get(transaction, scope, key, now).await?;
        let holds = match self {
            Condition::Absent => found.is_none(),
            Condition::Is(wanted) => found.as_deref().is_some_and(|found| etag(found) == *wanted),
        };
        let swapped = holds
            && keyvalue::compare_and_swap(transaction, scope, key, found.as_deref(), value, now)
                .await?;
        if swapped {
            return Ok(());
        }
        let mut error = Error::new(
            Code::MalformedRequest,
            format!("the value of {key:?} is not what the put relies on"),
        );
        error.kind = ErrorKind::FailedPrecondition;
        Err(error)
    }
}

fn etag(value: &[u8]) -> String {
    format!("\"{:032x}\"", xxh3_128(value))
}

fn no_value(key: &str) -> Error {
    Error::new(
        Code::NotThere,
        format!("there is no value at the key {key:?}"),
    )
}
