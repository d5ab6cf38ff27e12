//! The tuple space: `/api/v1/tuples/{tenant}/{namespace}`. How fields and patterns look is in `json.rs`.

use super::scoped::{Body, InScope};
use super::{WaitMs, json, operation};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use plexspaces_core::Scope;
use plexspaces_core::limits::Limits;
use plexspaces_core::value::{Pattern, Tuple};
use plexspaces_node::Node;
use plexspaces_services::tuplespace;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use utoipa::ToSchema;

/// A tuple to write.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    /// 1 to 64 fields: null, true, "text", 1, {"float": 1.5}, {"bytes": "base64"}.
    tuple: Vec<Value>,
    /// The tuple is gone after this many milliseconds.
    ttl_ms: Option<u64>,
}

/// What to look for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Find {
    /// Fields that match themselves, or {"any": true}, {"type": "int"}, {"range": {"min": 1, "max": 9}},
    /// {"prefix": "text"}.
    pattern: Vec<Value>,
    /// How long to wait for a tuple that matches, in milliseconds, at most 60,000.
    #[serde(default)]
    #[schema(value_type = u64)]
    wait_ms: WaitMs,
}

/// What to look for, without waiting.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindAll {
    /// As in a read.
    pattern: Vec<Value>,
}

/// A tuple, if there is one.
#[derive(Serialize, ToSchema)]
pub(crate) struct Found {
    /// Its fields, or null.
    tuple: Option<Value>,
}

/// Tuples in the order of their fields.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundAll {
    tuples: Vec<Value>,
}

/// How many match.
#[derive(Serialize, ToSchema)]
pub(crate) struct Count {
    count: u32,
}

/// Adds a tuple.
#[utoipa::path(post, path = "/api/v1/tuples/{tenant}/{namespace}", tag = "tuples", request_body = Write,
    responses((status = 204)))]
pub(crate) async fn write(
    State(node): State<Node>,
    InScope(scope): InScope,
    Body(asked): Body<Write>,
) -> Result<StatusCode, Problem> {
    let tuple = json::tuple(&asked.tuple)?;
    operation!(node, |o| {
        let (id, ttl) = (o.fresh_id(), asked.ttl_ms.map(|ttl| (ttl, o.now)));
        tuplespace::write(&mut o.transaction, &scope, tuple.clone(), id, ttl)
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Gives one matching tuple and leaves it there.
#[utoipa::path(post, path = "/api/v1/tuples/{tenant}/{namespace}/read", tag = "tuples", request_body = Find,
    responses((status = 200, body = Found)))]
pub(crate) async fn read(
    State(node): State<Node>,
    InScope(scope): InScope,
    Body(asked): Body<Find>,
) -> Result<Json<Found>, Problem> {
    find(&node, &scope, asked, false).await
}

/// Removes one matching tuple and gives it. If the answer does not arrive, the tuple is gone all the same: actors take
/// within their turn.
#[utoipa::path(post, path = "/api/v1/tuples/{tenant}/{namespace}/take", tag = "tuples", request_body = Find,
    responses((status = 200, body = Found)))]
pub(crate) async fn take(
    State(node): State<Node>,
    InScope(scope): InScope,
    Body(asked): Body<Find>,
) -> Result<Json<Found>, Problem> {
    find(&node, &scope, asked, true).await
}

/// All matching tuples, at most 10,000 and 4 MiB.
#[utoipa::path(post, path = "/api/v1/tuples/{tenant}/{namespace}/read-all", tag = "tuples", request_body = FindAll,
    responses((status = 200, body = FoundAll), (status = 429)))]
pub(crate) async fn read_all(
    State(node): State<Node>,
    InScope(scope): InScope,
    Body(asked): Body<FindAll>,
) -> Result<Json<FoundAll>, Problem> {
    let pattern = json::pattern(&asked.pattern)?;
    let bytes_max = Limits::default().message_bytes;
    let found = operation!(node, |o| {
        let transaction = &mut o.transaction;
        tuplespace::read_all(transaction, &scope, pattern.clone(), o.now, bytes_max).await
    });
    Ok(Json(FoundAll {
        tuples: found.into_iter().map(json::of_tuple).collect(),
    }))
}

/// How many tuples match.
#[utoipa::path(post, path = "/api/v1/tuples/{tenant}/{namespace}/count", tag = "tuples", request_body = FindAll,
    responses((status = 200, body = Count)))]
pub(crate) async fn count(
    State(node): State<Node>,
    InScope(scope): InScope,
    Body(asked): Body<FindAll>,
) -> Result<Json<Count>, Problem> {
    let pattern = json::pattern(&asked.pattern)?;
    let count = operation!(node, |o| {
        tuplespace::count(&mut o.transaction, &scope, pattern.clone(), o.now).await
    });
    Ok(Json(Count { count }))
}

async fn find(
    node: &Node,
    scope: &Scope,
    asked: Find,
    takes: bool,
) -> Result<Json<Found>, Problem> {
    let pattern = json::pattern(&asked.pattern)?;
    let until = Instant::now() + asked.wait_ms.checked()?;
    let mut found = look(node, scope, &pattern, takes, None).await?;
    if found.is_none() && Instant::now() < until {
        let wants = takes.then(|| tuplespace::wants(&pattern)).transpose()?;
        let place = node.line_up(tuplespace::topic(scope, pattern.len()), wants);
        loop {
            found = look(node, scope, &pattern, takes, Some(place.number())).await?;
            if found.is_some() {
                break;
            }
            place.pass_on();
            if tokio::time::timeout_at(until, place.woken()).await.is_err() {
                break;
            }
        }
    }
    Ok(Json(Found {
        tuple: found.map(json::of_tuple),
    }))
}

async fn look(
    node: &Node,
    scope: &Scope,
    pattern: &Pattern,
    takes: bool,
    place: Option<u64>,
) -> Result<Option<Tuple>, Problem> {
    Ok(operation!(node, |o| {
        let (transaction, now) = (&mut o.transaction, o.now);
        if let Some(place) = place {
            transaction.try_for(place);
        }
        if takes {
            tuplespace::take(transaction, scope, pattern.clone(), now).await
        } else {
            tuplespace::read(transaction, scope, pattern.clone(), now).await
        }
    }))
}
