//! Is the node up, and what does it do?

use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use plexspaces_node::{Node, Stats};
use std::time::Duration;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "node", responses((status = 200)))]
pub(crate) async fn healthy() -> StatusCode {
    StatusCode::OK
}

/// The node takes requests: 200, or 503 when its store has failed.
// It serves only once it has recovered, so what is left is a store that has failed.
#[utoipa::path(get, path = "/readyz", tag = "node", responses((status = 200), (status = 503)))]
pub(crate) async fn ready(State(node): State<Node>) -> Result<StatusCode, Problem> {
    match tokio::time::timeout(Duration::ZERO, node.failed()).await {
        Ok(error) => Err(error.into()),
        Err(_) => Ok(StatusCode::OK),
    }
}

/// The node's figures.
#[utoipa::path(get, path = "/api/v1/node", tag = "node", responses((status = 200, description = "The figures")))]
pub(crate) async fn node(State(node): State<Node>) -> Json<Stats> {
    Json(node.stats())
}
