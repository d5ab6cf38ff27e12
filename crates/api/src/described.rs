//! How messages to actors are described: they do not pass through the router, so their handler cannot describe itself.

#![allow(dead_code)] // these functions carry attributes and are never called

use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

/// The routes of messages.
#[derive(OpenApi)]
#[openapi(paths(post, post_key, get, get_key))]
pub(crate) struct Messages;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MessageQuery {
    /// What the message is called; `call` if neither this nor the header Plexspaces-Message-Type says it.
    msg_type: Option<String>,
    /// How long to wait for the reply, in milliseconds; 30,000 if it is not said.
    timeout_ms: Option<u64>,
    /// `ask` waits for the reply, `tell` until the message is durable.
    mode: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
struct MessageHeaders {
    /// The same key gets the same reply, and takes effect once, for 24 hours.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// Asks or tells the actor with the key "".
#[utoipa::path(post, path = "/api/v1/actors/{tenant}/{namespace}/{type}", tag = "actors",
    params(MessageQuery, MessageHeaders), request_body(content = [u8], content_type = "application/octet-stream"),
    responses((status = 200, description = "The reply"), (status = 202, description = "The message is durable")))]
fn post() {}

/// Asks or tells an actor.
#[utoipa::path(post, path = "/api/v1/actors/{tenant}/{namespace}/{type}/{key}", tag = "actors",
    params(MessageQuery, MessageHeaders), request_body(content = [u8], content_type = "application/octet-stream"),
    responses((status = 200, description = "The reply"), (status = 202, description = "The message is durable")))]
fn post_key() {}

/// As a POST; the rest of the query is the payload, as a JSON object of strings.
#[utoipa::path(get, path = "/api/v1/actors/{tenant}/{namespace}/{type}", tag = "actors",
    params(MessageQuery, MessageHeaders), responses((status = 200, description = "The reply")))]
fn get() {}

/// As a POST; the rest of the query is the payload, as a JSON object of strings.
#[utoipa::path(get, path = "/api/v1/actors/{tenant}/{namespace}/{type}/{key}", tag = "actors",
    params(MessageQuery, MessageHeaders), responses((status = 200, description = "The reply")))]
fn get_key() {}
