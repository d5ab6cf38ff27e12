//! Which path leads where.
//!
//! Actors are reached through the fallback: their paths are read from the raw URI by hand, because a router that
//! decodes first cannot tell `a%2Fb` from `a/b`, and because the hot path then pays for no captured parameters.

use crate::problem::Problem;
use crate::{actors, applications, health};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use plexspaces_core::{Code, Error};
use plexspaces_node::Node;

/// Where the actors are.
const ACTORS: &str = "/api/v1/actors/";

/// The routes of a node.
pub fn router(node: Node) -> Router {
    Router::new()
        .route("/api/v1/applications/deploy", post(applications::deploy))
        .route("/api/v1/applications", get(applications::list))
        .route(
            "/api/v1/applications/{id}",
            get(applications::show).delete(applications::undeploy),
        )
        .route("/api/v1/node", get(health::node))
        .route("/healthz", get(health::healthy))
        .route("/readyz", get(health::ready))
        .fallback(actor_or_unknown)
        .method_not_allowed_fallback(wrong_method)
        // Each handler has its own limit, and its own code for what is over it.
        .layer(DefaultBodyLimit::disable())
        .with_state(node)
}

async fn actor_or_unknown(State(node): State<Node>, request: Request) -> Response {
    let answer = if request.uri().path().starts_with(ACTORS) {
        actors::handle(&node, request, ACTORS.len()).await
    } else {
        Err(unknown(request.uri()))
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

fn unknown(uri: &Uri) -> Problem {
    let message = format!(
        "there is nothing at {}; the API is under /api/v1/",
        uri.path()
    );
    Error::new(Code::UnknownRoute, message).into()
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    not_allowed(&method, uri.path())
}

/// The path exists, but not with this method.
pub(crate) fn not_allowed(method: &Method, path: &str) -> Problem {
    let error = Error::new(
        Code::UnknownRoute,
        format!("{path} does not take the method {method}"),
    );
    Problem::from(error).with_status(StatusCode::METHOD_NOT_ALLOWED)
}
