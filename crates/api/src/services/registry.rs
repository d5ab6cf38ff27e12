//! Names for services: `/api/v1/registry/{tenant}/{namespace}/{name}`.

use super::operation;
use super::scoped::{Asked, Body, InScope, Named, labels};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use plexspaces_core::limits::Limits;
use plexspaces_core::{ActorId, Code, Error};
use plexspaces_node::Node;
use plexspaces_services::records::RegistrationRow;
use plexspaces_services::registry::{self, Health, Query, Service};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What a service says of itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    /// Who registers: only the same may replace it or send heartbeats.
    owner: String,
    /// Where it is.
    address: String,
    /// Labels.
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    /// How long the entry lives without a heartbeat; for ever if it is absent.
    ttl_ms: Option<u64>,
}

/// A sign of life.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heartbeat {
    owner: String,
    /// `healthy`, `degraded` or `unhealthy`; as it was if it is absent.
    health: Option<String>,
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Discover {
    /// A name in which `*` stands for any text.
    #[serde(default = "any")]
    pattern: String,
    /// Metadata that must be there: `name=value`, joined by commas.
    labels: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// How many, 1 to 1,000.
    #[serde(default = "all")]
    limit: u32,
}

fn any() -> String {
    "*".to_owned()
}

fn all() -> u32 {
    registry::LIST_MAX
}

/// A registered service.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entry {
    name: String,
    address: String,
    metadata: BTreeMap<String, String>,
    owner: String,
    /// `healthy`, `degraded` or `unhealthy`.
    health: &'static str,
    ttl_ms: Option<u64>,
    /// When it goes away without a heartbeat, in milliseconds since the Unix epoch.
    expires_ms: Option<u64>,
}

/// Some services, in the order of their names.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entries {
    entries: Vec<Entry>,
    /// Where the next page begins; null after the last one.
    cursor: Option<String>,
}

/// Finds services by a pattern and labels.
#[utoipa::path(get, path = "/api/v1/registry/{tenant}/{namespace}", tag = "registry", params(Discover),
    responses((status = 200, body = Entries)))]
pub(crate) async fn discover(
    State(node): State<Node>,
    InScope(scope): InScope,
    Asked(asked): Asked<Discover>,
) -> Result<Json<Entries>, Problem> {
    let labels = labels(asked.labels.as_deref())?;
    let page = operation!(node, |o| {
        let query = Query {
            pattern: &asked.pattern,
            labels: &labels,
            cursor: asked.cursor.as_deref(),
            limit: asked.limit,
            bytes_max: Limits::default().message_bytes,
        };
        registry::discover(&mut o.transaction, &scope, query, o.now).await
    });
    let entries = page.entries.into_iter();
    Ok(Json(Entries {
        entries: entries
            .map(|found| entry(found.name, found.row.unwrap_or_default()))
            .collect(),
        cursor: page.cursor,
    }))
}

/// Looks a service up.
#[utoipa::path(get, path = "/api/v1/registry/{tenant}/{namespace}/{name}", tag = "registry",
    responses((status = 200, body = Entry), (status = 404)))]
pub(crate) async fn lookup(
    State(node): State<Node>,
    Named(scope, name): Named,
) -> Result<Json<Entry>, Problem> {
    let found = operation!(node, |o| {
        registry::lookup(&mut o.transaction, &scope, &name, o.now).await
    });
    match found {
        Some(row) => Ok(Json(entry(name, row))),
        None => Err(unknown(&name).into()),
    }
}

/// Registers a service, or replaces what the same owner has registered.
#[utoipa::path(put, path = "/api/v1/registry/{tenant}/{namespace}/{name}", tag = "registry", request_body = Register,
    responses((status = 204), (status = 409, description = "Somebody else has this name")))]
pub(crate) async fn register(
    State(node): State<Node>,
    Named(scope, name): Named,
    Body(asked): Body<Register>,
) -> Result<StatusCode, Problem> {
    let owner = ActorId::outside(&scope, &asked.owner)?;
    let service = Service {
        address: asked.address,
        metadata: asked.metadata.into_iter().collect(),
        ttl_ms: asked.ttl_ms,
    };
    operation!(node, |o| {
        let (transaction, service) = (&mut o.transaction, service.clone());
        registry::register(transaction, &owner, &scope, &name, service, o.now).await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Says that a service is alive, and how it is.
#[utoipa::path(post, path = "/api/v1/registry/{tenant}/{namespace}/{name}/heartbeat", tag = "registry",
    request_body = Heartbeat, responses((status = 204), (status = 404)))]
pub(crate) async fn heartbeat(
    State(node): State<Node>,
    Named(scope, name): Named,
    Body(asked): Body<Heartbeat>,
) -> Result<StatusCode, Problem> {
    let owner = ActorId::outside(&scope, &asked.owner)?;
    let health = asked.health.as_deref().map(health).transpose()?;
    operation!(node, |o| {
        registry::heartbeat(&mut o.transaction, &owner, &scope, &name, health, o.now).await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a service's entry, whoever made it.
#[utoipa::path(delete, path = "/api/v1/registry/{tenant}/{namespace}/{name}", tag = "registry",
    responses((status = 204), (status = 404)))]
pub(crate) async fn unregister(
    State(node): State<Node>,
    Named(scope, name): Named,
) -> Result<StatusCode, Problem> {
    let was_there = operation!(node, |o| {
        registry::unregister(&mut o.transaction, &scope, &name, o.now).await
    });
    if was_there {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(unknown(&name).into())
}

fn entry(name: String, row: RegistrationRow) -> Entry {
    Entry {
        name,
        address: row.address,
        metadata: row
            .metadata
            .into_iter()
            .map(|pair| (pair.name, pair.value))
            .collect(),
        owner: row.owner,
        health: match Health::from_number(row.health) {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Unhealthy => "unhealthy",
        },
        ttl_ms: (row.ttl_ms > 0).then_some(row.ttl_ms),
        expires_ms: (row.expires_ms > 0).then_some(row.expires_ms),
    }
}

fn health(name: &str) -> Result<Health, Error> {
    match name {
        "healthy" => Ok(Health::Healthy),
        "degraded" => Ok(Health::Degraded),
        "unhealthy" => Ok(Health::Unhealthy),
        _ => Err(super::malformed(format!(
            "{name:?} is no health; it is healthy, degraded or unhealthy"
        ))),
    }
}

fn unknown(name: &str) -> Error {
    Error::new(Code::NotThere, format!("nothing is registered as {name:?}"))
}
