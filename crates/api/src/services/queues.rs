//! Queues: `/api/v1/queues/{tenant}/{namespace}/{queue}`. A message's payload is the body, as bytes.

use super::scoped::{Asked, Body, Named};
use super::{WaitMs, operation};
use crate::body;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use plexspaces_core::limits::Limits;
use plexspaces_core::time::Millis;
use plexspaces_core::{Result, Scope};
use plexspaces_node::Node;
use plexspaces_services::queues::{self, Options, Received, SendOptions};
use plexspaces_services::records::LeasedMessage;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

/// The handle of a leased message: what acknowledges it.
const HANDLE: HeaderName = HeaderName::from_static("plexspaces-handle");
/// How often a message was delivered, this time included.
const DELIVERIES: HeaderName = HeaderName::from_static("plexspaces-deliveries");
/// When the lease ends, in milliseconds since the Unix epoch.
const LEASE_UNTIL: HeaderName = HeaderName::from_static("plexspaces-lease-until-ms");

/// How a queue is to be; what is absent has its default.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    /// How many messages it may have: at least 1, else 1,000,000.
    max_length: Option<u64>,
    /// How often a message is leased before it becomes a dead letter: at least 1, else without end.
    max_deliveries: Option<u32>,
    /// Where dead letters go; else into the queue `NAME/dead`.
    dead_letter_queue: Option<String>,
    /// After how many milliseconds a message that nobody received is dropped; else never.
    ttl_ms: Option<u64>,
    /// How long a lease lasts if the request does not say; else 30,000.
    lease_ms: Option<u64>,
}

/// How many messages there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Depth {
    /// Delayed and leased ones included.
    depth: u64,
}

/// How a message is sent.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Send {
    /// For how many milliseconds nobody receives it.
    #[serde(default)]
    delay_ms: u64,
    /// After how many milliseconds it is dropped if nobody has received it.
    ttl_ms: Option<u64>,
}

/// How to receive.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Receive {
    /// How long to wait for a message, at most 60,000.
    #[serde(default)]
    #[param(value_type = u64)]
    wait_ms: WaitMs,
    /// How long the message is this receiver's; else as the queue says.
    lease_ms: Option<u64>,
}

/// A leased message.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Handle {
    /// What the header `Plexspaces-Handle` said.
    handle: String,
}

/// A leased message that was not worked on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Nack {
    /// What the header `Plexspaces-Handle` said.
    handle: String,
    /// For how many milliseconds nobody receives it.
    #[serde(default)]
    delay_ms: u64,
}

/// A leased message that takes longer.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Extend {
    /// What the header `Plexspaces-Handle` said.
    handle: String,
    /// How long from now the message is this receiver's.
    lease_ms: u64,
}

/// What to delete.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Delete {
    /// Also if it has messages.
    #[serde(default)]
    with_messages: bool,
}

/// Makes sure that a queue is there, and is like this.
#[utoipa::path(put, path = "/api/v1/queues/{tenant}/{namespace}/{queue}", tag = "queues", request_body = Create,
    responses((status = 204), (status = 409, description = "It is there with other options")))]
pub(crate) async fn create(
    State(node): State<Node>,
    Named(scope, queue): Named,
    Body(asked): Body<Create>,
) -> Result<StatusCode, Problem> {
    let options = Options {
        max_length: asked.max_length,
        max_deliveries: asked.max_deliveries,
        dead_letter_queue: asked.dead_letter_queue,
        ttl_ms: asked.ttl_ms,
        lease_ms: asked.lease_ms,
    };
    operation!(node, |o| {
        let options = Some(options.clone());
        queues::create(&mut o.transaction, &scope, &queue, options).await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// How many messages a queue has.
#[utoipa::path(get, path = "/api/v1/queues/{tenant}/{namespace}/{queue}", tag = "queues",
    responses((status = 200, body = Depth)))]
pub(crate) async fn depth(
    State(node): State<Node>,
    Named(scope, queue): Named,
) -> Result<Json<Depth>, Problem> {
    let depth = operation!(node, |o| {
        queues::depth(&mut o.transaction, &scope, &queue).await
    });
    Ok(Json(Depth { depth }))
}

/// Deletes a queue.
#[utoipa::path(delete, path = "/api/v1/queues/{tenant}/{namespace}/{queue}", tag = "queues", params(Delete),
    responses((status = 204), (status = 412, description = "It has messages")))]
pub(crate) async fn delete(
    State(node): State<Node>,
    Named(scope, queue): Named,
    Asked(asked): Asked<Delete>,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| {
        let transaction = &mut o.transaction;
        queues::delete(transaction, &scope, &queue, asked.with_messages, o.now).await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a message.
#[utoipa::path(post, path = "/api/v1/queues/{tenant}/{namespace}/{queue}/messages", tag = "queues", params(Send),
    request_body(content = [u8], content_type = "application/octet-stream"),
    responses((status = 204), (status = 429, description = "The queue is full")))]
pub(crate) async fn send(
    State(node): State<Node>,
    Named(scope, queue): Named,
    Asked(asked): Asked<Send>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (parts, content) = request.into_parts();
    let payload = body::read(content, &parts.headers, Limits::default().message_bytes).await?;
    operation!(node, |o| {
        let options = SendOptions {
            delay_ms: asked.delay_ms,
            ttl_ms: asked.ttl_ms,
        };
        let (ticket, now, payload) = (node.ticket(), o.now, payload.clone());
        queues::send(
            &mut o.transaction,
            &scope,
            &queue,
            payload,
            options,
            ticket,
            now,
        )
        .await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Leases the next message: its payload is the body, its handle the header `Plexspaces-Handle`. Acknowledge it with the
/// handle before the lease ends, or it is delivered again.
#[utoipa::path(post, path = "/api/v1/queues/{tenant}/{namespace}/{queue}/receive", tag = "queues", params(Receive),
    responses((status = 200, description = "The payload", body = [u8], content_type = "application/octet-stream"),
        (status = 204, description = "There is no message")))]
pub(crate) async fn receive(
    State(node): State<Node>,
    Named(scope, queue): Named,
    Asked(asked): Asked<Receive>,
) -> Result<Response, Problem> {
    let until = Instant::now() + asked.wait_ms.checked()?;
    let mut got = lease(&node, &scope, &queue, asked.lease_ms, None).await?;
    if matches!(got, Received::Nothing { .. }) && Instant::now() < until {
        let place = node.line_up(queues::topic(&scope, &queue), Some(queues::wants()));
        loop {
            got = lease(&node, &scope, &queue, asked.lease_ms, Some(place.number())).await?;
            let Received::Nothing { again } = got else {
                break;
            };
            let again = again.map_or(until, |at| until.min(Instant::now() + node.until(at)));
            let woken = tokio::time::timeout_at(again, place.woken()).await;
            if woken.is_err() && again == until {
                break;
            }
        }
    }
    match got {
        Received::Message(message) => Ok(leased(message)),
        Received::Nothing { .. } => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Removes a leased message: its work is done.
#[utoipa::path(post, path = "/api/v1/queues/{tenant}/{namespace}/{queue}/ack", tag = "queues", params(Handle),
    responses((status = 204), (status = 412, description = "The lease has ended")))]
pub(crate) async fn ack(
    State(node): State<Node>,
    Named(scope, _): Named,
    Asked(asked): Asked<Handle>,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| {
        queues::ack(&mut o.transaction, &scope, &asked.handle, o.now).await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a leased message back.
#[utoipa::path(post, path = "/api/v1/queues/{tenant}/{namespace}/{queue}/nack", tag = "queues", params(Nack),
    responses((status = 204), (status = 412, description = "The lease has ended")))]
pub(crate) async fn nack(
    State(node): State<Node>,
    Named(scope, _): Named,
    Asked(asked): Asked<Nack>,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| {
        queues::nack(
            &mut o.transaction,
            &scope,
            &asked.handle,
            asked.delay_ms,
            o.now,
        )
        .await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a lease end later.
#[utoipa::path(post, path = "/api/v1/queues/{tenant}/{namespace}/{queue}/extend", tag = "queues", params(Extend),
    responses((status = 204), (status = 412, description = "The lease has ended")))]
pub(crate) async fn extend(
    State(node): State<Node>,
    Named(scope, _): Named,
    Asked(asked): Asked<Extend>,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| {
        queues::extend(
            &mut o.transaction,
            &scope,
            &asked.handle,
            asked.lease_ms,
            o.now,
        )
        .await
    });
    Ok(StatusCode::NO_CONTENT)
}

async fn lease(
    node: &Node,
    scope: &Scope,
    queue: &str,
    lease_ms: Option<u64>,
    place: Option<u64>,
) -> Result<Received<LeasedMessage>, Problem> {
    Ok(operation!(node, |o| {
        let (transaction, now): (_, Millis) = (&mut o.transaction, o.now);
        if let Some(place) = place {
            transaction.try_for(place);
        }
        queues::receive_leased(transaction, scope, queue, lease_ms, node.ticket(), now).await
    }))
}

fn leased(message: LeasedMessage) -> Response {
    let handle = HeaderValue::try_from(&message.handle);
    let mut response = message.payload.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(HANDLE, handle.expect("a handle is printable"));
    headers.insert(DELIVERIES, message.deliveries.into());
    headers.insert(LEASE_UNTIL, message.lease_until_ms.into());
    response
}
