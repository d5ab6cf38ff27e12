//! Process groups and topics: `/api/v1/groups/{tenant}/{namespace}/{group}`, `/api/v1/topics/{tenant}/{namespace}/{topic}`.
//! Members and subscribers are actors; programs publish to them.

use super::operation;
use super::scoped::{Asked, Named, labels};
use crate::body;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use plexspaces_core::ActorId;
use plexspaces_core::limits::Limits;
use plexspaces_node::Node;
use plexspaces_services::groups;
use plexspaces_services::topics::{self, Publication};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which members.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Members {
    /// Only those who get what is published under this topic.
    topic: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// How many, 1 to 1,000.
    #[serde(default = "all")]
    limit: u32,
}

fn all() -> u32 {
    groups::PAGE_MAX
}

/// Some members, in the order of their ids.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberPage {
    members: Vec<String>,
    /// Where the next page begins; null after the last one.
    cursor: Option<String>,
}

/// What is published to a group.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ToGroup {
    /// Only to members who joined for this topic, or for everything.
    topic: Option<String>,
    /// What the publisher calls the message.
    #[serde(default)]
    msg_type: String,
}

/// What is published to a topic.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ToTopic {
    /// What the publisher calls the message.
    #[serde(default)]
    msg_type: String,
    /// What subscribers filter by: `name=value`, joined by commas.
    attributes: Option<String>,
}

/// The publisher that subscribers see.
const PUBLISHER: &str = "publisher";

/// Makes a group without members.
#[utoipa::path(put, path = "/api/v1/groups/{tenant}/{namespace}/{group}", tag = "groups",
    responses((status = 204), (status = 409, description = "It exists")))]
pub(crate) async fn create(
    State(node): State<Node>,
    Named(scope, group): Named,
) -> Result<StatusCode, Problem> {
    operation!(node, |o| {
        groups::create(&mut o.transaction, &scope, &group, o.now).await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Lists a group's members.
#[utoipa::path(get, path = "/api/v1/groups/{tenant}/{namespace}/{group}/members", tag = "groups", params(Members),
    responses((status = 200, body = MemberPage), (status = 404)))]
pub(crate) async fn members(
    State(node): State<Node>,
    Named(scope, group): Named,
    Asked(asked): Asked<Members>,
) -> Result<Json<MemberPage>, Problem> {
    let (topic, cursor) = (asked.topic.as_deref(), asked.cursor.as_deref());
    let page = operation!(node, |o| {
        let transaction = &mut o.transaction;
        groups::members(transaction, &scope, &group, topic, cursor, asked.limit).await
    });
    Ok(Json(MemberPage {
        members: page.members.iter().map(ActorId::local).collect(),
        cursor: page.cursor.map(|id| id.local()),
    }))
}

/// Publishes the body to a group's members: each gets it once.
#[utoipa::path(post, path = "/api/v1/groups/{tenant}/{namespace}/{group}/messages", tag = "groups", params(ToGroup),
    request_body(content = [u8], content_type = "application/octet-stream"),
    responses((status = 204), (status = 404)))]
pub(crate) async fn publish_to_group(
    State(node): State<Node>,
    Named(scope, group): Named,
    Asked(asked): Asked<ToGroup>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let from = ActorId::outside(&scope, PUBLISHER)?;
    let bytes_max = Limits::default().message_bytes;
    let (parts, content) = request.into_parts();
    let payload = body::read(content, &parts.headers, bytes_max).await?;
    operation!(node, |o| {
        let message = Publication {
            msg_type: asked.msg_type.clone(),
            payload: payload.clone(),
            attributes: Vec::new(),
        };
        let (transaction, topic) = (&mut o.transaction, asked.topic.clone());
        groups::publish(
            transaction,
            &scope,
            &group,
            topic,
            &from,
            message,
            bytes_max,
        )
        .await
    });
    Ok(StatusCode::NO_CONTENT)
}

/// Publishes the body to a topic's subscribers: each whose filter it fulfils gets it once.
#[utoipa::path(post, path = "/api/v1/topics/{tenant}/{namespace}/{topic}/messages", tag = "topics", params(ToTopic),
    request_body(content = [u8], content_type = "application/octet-stream"), responses((status = 204)))]
pub(crate) async fn publish_to_topic(
    State(node): State<Node>,
    Named(scope, topic): Named,
    Asked(asked): Asked<ToTopic>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let from = ActorId::outside(&scope, PUBLISHER)?;
    let attributes = labels(asked.attributes.as_deref())?;
    let bytes_max = Limits::default().message_bytes;
    let (parts, content) = request.into_parts();
    let payload = body::read(content, &parts.headers, bytes_max).await?;
    operation!(node, |o| {
        let message = Publication {
            msg_type: asked.msg_type.clone(),
            payload: payload.clone(),
            attributes: attributes.clone(),
        };
        topics::publish(
            &mut o.transaction,
            &scope,
            &topic,
            &from,
            message,
            bytes_max,
        )
    });
    Ok(StatusCode::NO_CONTENT)
}
