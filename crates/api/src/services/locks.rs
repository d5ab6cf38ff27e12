//! Locks: `/api/v1/locks/{tenant}/{namespace}/{lock}`. A program holds a lock under a name that it chooses.

use super::scoped::{Body, Named};
use super::{WaitMs, operation};
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use plexspaces_core::{ActorId, Code, Error, Scope};
use plexspaces_node::Node;
use plexspaces_services::locks::{self, Acquired};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

/// Who wants a lock, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acquire {
    /// The program's name, which nobody else uses.
    holder: String,
    /// How long the lock is held unless it is renewed; else 30,000.
    lease_ms: Option<u64>,
    /// How long to wait for the lock, at most 60,000.
    #[serde(default)]
    #[schema(value_type = u64)]
    wait_ms: WaitMs,
}

/// A lease to renew.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renew {
    holder: String,
    token: u64,
    /// How long from now.
    lease_ms: u64,
}

/// A lease to give back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    holder: String,
    token: u64,
}

/// A lock that is held.
#[derive(Serialize, ToSchema)]
pub(crate) struct Held {
    /// Who holds it: an actor's id, or `$http/NAME`.
    holder: String,
    /// The fencing token: greater than all before it.
    token: u64,
    /// When the lease ends, in milliseconds since the Unix epoch.
    until_ms: u64,
}

/// Shows who holds a lock.
#[utoipa::path(get, path = "/api/v1/locks/{tenant}/{namespace}/{lock}", tag = "locks",
    responses((status = 200, body = Held), (status = 404, description = "Nobody holds it")))]
pub(crate) async fn get(
    State(node): State<Node>,
    Named(scope, lock): Named,
) -> Result<Json<Held>, Problem> {
    let found = operation!(node, |o| {
        locks::get(&mut o.transaction, &scope, &lock, o.now).await
    });
    let held = found
        .ok_or_else(|| Error::new(Code::NotThere, format!("nobody holds the lock {lock:?}")))?;
    Ok(Json(Held {
        holder: held.holder,
        token: held.lease.token,
        until_ms: held.lease.until.0,
    }))
}

/// Acquires a lock; the holder's second acquire renews it with the same token.
#[utoipa::path(post, path = "/api/v1/locks/{tenant}/{namespace}/{lock}/acquire", tag = "locks", request_body = Acquire,
    responses((status = 200, body = Held), (status = 409, description = "Somebody else holds it")))]
pub(crate) async fn acquire(
    State(node): State<Node>,
    Named(scope, lock): Named,
    Body(asked): Body<Acquire>,
) -> Result<Json<Held>, Problem> {
    let holder = ActorId::outside(&scope, &asked.holder)?;
    let until = Instant::now() + asked.wait_ms.checked()?;
    let mut got = attempt(&node, &scope, &lock, &holder, asked.lease_ms, None).await?;
    if matches!(got, Acquired::Not { .. }) && Instant::now() < until {
        let place = node.line_up(locks::topic(&scope, &lock)?, Some(locks::wants()));
        loop {
            let number = Some(place.number());
            got = attempt(&node, &scope, &lock, &holder, asked.lease_ms, number).await?;
            let Acquired::Not { again } = got else { break };
            let again = again.map_or(until, |at| until.min(Instant::now() + node.until(at)));
            let woken = tokio::time::timeout_at(again, place.woken()).await;
            if woken.is_err() && again == until {
                break;
            }
        }
    }
    match got {
        Acquired::Lease(lease) => Ok(Json(Held {
            holder: holder.local(),
            token: lease.token,
            until_ms: lease.until.0,
        })),
        Acquired::Not { .. } => Err(Error::new(
            Code::Contended,
            format!("somebody else holds the lock {lock:?}"),
        )
        .into()),
    }
}

/// Lets a lease end later.
#[utoipa::path(post, path = "/api/v1/locks/{tenant}/{namespace}/{lock}/renew", tag = "locks", request_body = Renew,
    responses((status = 200, body = Held), (status = 412, description = "The lease has ended")))]
pub(crate) async fn renew(
    State(node): State<Node>,
    Named(scope, lock): Named,
    Body(asked): Body<Renew>,
) -> Result<Json<Held>, Problem> {
    let holder = ActorId::outside(&scope, &asked.holder)?;
    let lease = operation!(node, |o| {
        let (transaction, token) = (&mut o.transaction, Some(asked.token));
        locks::renew(
            transaction,
            &scope,
            &lock,
            &holder,
            asked.lease_ms,
            token,
            o.now,
        )
        .await
    });
    Ok(Json(Held {
        holder: holder.local(),
        token: lease.token,
        until_ms: lease.until.0,
    }))
}

/// Gives a lock back.
#[utoipa::path(post, path = "/api/v1/locks/{tenant}/{namespace}/{lock}/release", tag = "locks", request_body = Release,
    responses((status = 204), (status = 412, description = "The lease has ended")))]
pub(crate) async fn release(
    State(node): State<Node>,
    Named(scope, lock): Named,
    Body(asked): Body<Release>,
) -> Result<StatusCode, Problem> {
    let holder = ActorId::outside(&scope, &asked.holder)?;
    operation!(node, |o| {
        let (transaction, token) = (&mut o.transaction, Some(asked.token));
        locks::release(transaction, &scope, &lock, &holder, token, o.now).await
    });
    Ok(StatusCode::NO_CONTENT)
}

async fn attempt(
    node: &Node,
    scope: &Scope,
    lock: &str,
    holder: &ActorId,
    lease_ms: Option<u64>,
    place: Option<u64>,
) -> Result<Acquired, Problem> {
    Ok(operation!(node, |o| {
        if let Some(place) = place {
            o.transaction.try_for(place);
        }
        locks::try_acquire(&mut o.transaction, scope, lock, holder, lease_ms, o.now).await
    }))
}
