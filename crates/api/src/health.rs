//! Is the node up, and what does it do?

use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use plexspaces_node::{Node, Stats};
use std::time::Duration;

/// The process answers.
pub(crate) async fn healthy() -> StatusCode {
    StatusCode::OK
}

/// The node takes requests: it serves only once it has recovered, so what is left is a store that has failed.
pub(crate) async fn ready(State(node): State<Node>) -> Result<StatusCode, Problem> {
    match tokio::time::timeout(Duration::ZERO, node.failed()).await {
        Ok(error) => Err(error.into()),
        Err(_) => Ok(StatusCode::OK),
    }
}

/// Its numbers.
pub(crate) async fn node(State(node): State<Node>) -> Json<Stats> {
    Json(node.stats())
}
