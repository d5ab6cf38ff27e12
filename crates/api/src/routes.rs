//! Which path leads where.
//!
//! Messages to actors do not pass through the router: their paths are read from the raw URI by hand, because a router
//! that decodes first cannot tell `a%2Fb` from `a/b`, and because nearly all requests are such messages and the router
//! would be a tenth of what they cost.

use crate::described::Messages;
use crate::problem::Problem;
use crate::services::{blobs, groups, kv, locks, queues, registry, tuples};
use crate::{actors, applications, health, openapi};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use plexspaces_core::{Code, Error};
use plexspaces_node::Node;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the actors are.
const ACTORS: &str = "/api/v1/actors/";

/// The routes of a node.
#[derive(Clone)]
pub(crate) struct Routes {
    node: Node,
    others: Router,
}

impl Routes {
    pub(crate) fn new(node: Node) -> Self {
        let (others, api) = OpenApiRouter::new()
            .routes(routes!(applications::deploy))
            .routes(routes!(applications::list))
            .routes(routes!(applications::show, applications::undeploy))
            .routes(routes!(health::node))
            .routes(routes!(health::healthy))
            .routes(routes!(health::ready))
            .routes(routes!(kv::list))
            .routes(routes!(kv::get, kv::put, kv::increment, kv::delete))
            .routes(routes!(tuples::write))
            .routes(routes!(tuples::read))
            .routes(routes!(tuples::take))
            .routes(routes!(tuples::read_all))
            .routes(routes!(tuples::count))
            .routes(routes!(queues::create, queues::depth, queues::delete))
            .routes(routes!(queues::send))
            .routes(routes!(queues::receive))
            .routes(routes!(queues::ack))
            .routes(routes!(queues::nack))
            .routes(routes!(queues::extend))
            .routes(routes!(locks::get))
            .routes(routes!(locks::acquire))
            .routes(routes!(locks::renew))
            .routes(routes!(locks::release))
            .routes(routes!(registry::discover))
            .routes(routes!(
                registry::lookup,
                registry::register,
                registry::unregister
            ))
            .routes(routes!(registry::heartbeat))
            .routes(routes!(groups::create))
            .routes(routes!(groups::members))
            .routes(routes!(groups::publish_to_group))
            .routes(routes!(groups::publish_to_topic))
            .routes(routes!(blobs::list))
            .routes(routes!(
                blobs::download,
                blobs::upload,
                blobs::copy,
                blobs::delete
            ))
            .split_for_parts();
        let api = openapi::complete(api.merge_from(Messages::openapi()));
        let others = others
            .route(openapi::PATH, openapi::serve(api))
            .fallback(unknown)
            .method_not_allowed_fallback(wrong_method)
            // Each handler has its own limit, and its own code for what is over it.
            .layer(DefaultBodyLimit::disable())
            .with_state(node.clone());
        Routes { node, others }
    }
}

impl Service<Request> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Neither actors nor a router are ever not ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if !request.uri().path().starts_with(ACTORS) {
            return Box::pin(self.others.call(request));
        }
        let node = self.node.clone();
        Box::pin(async move {
            let answer = actors::handle(&node, request, ACTORS.len()).await;
            Ok(answer.unwrap_or_else(IntoResponse::into_response))
        })
    }
}

async fn unknown(uri: Uri) -> Problem {
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
