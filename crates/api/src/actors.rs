//! Messages to actors: `POST` carries the payload in its body, `GET` in its query.

use crate::parameters::{Mode, Parameters};
use crate::problem::Problem;
use crate::{actor_path, body, reply, routes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use plexspaces_core::{Code, Error};
use plexspaces_node::Node;

/// Handles a request whose path names an actor after `prefix` bytes.
pub(crate) async fn handle(
    node: &Node,
    request: Request,
    prefix: usize,
) -> Result<Response, Problem> {
    let (head, content) = request.into_parts();
    let to = actor_path::parse(&head.uri.path()[prefix..])?;
    let query = head.uri.query().unwrap_or_default();
    let (parameters, payload) = match head.method {
        Method::POST => {
            let parameters = Parameters::of_post(query, &head.headers)?;
            let limit = node.message_limit(&to)?;
            (parameters, body::read(content, &head.headers, limit).await?)
        }
        Method::GET => {
            let (parameters, payload) = Parameters::of_get(query, &head.headers)?;

            let limit = node.message_limit(&to)?;
            let payload = Bytes::from(serde_json::Value::Object(payload).to_string());
            if payload.len() as u64 > limit {
                let message = format!(
                    "the query makes a message of {} bytes; this actor takes {limit}",
                    payload.len()
                );
                return Err(Error::new(Code::MessageTooLarge, message)
                    .with("limit", limit)
                    .into());
            }
            (parameters, payload)
        }
        ref other => {
            let mut response = routes::not_allowed(other, head.uri.path()).into_response();
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET,POST"));
            return Ok(response);
        }
    };
    let request = plexspaces_node::Request {
        msg_type: parameters.msg_type,
        payload,
        idempotency_key: parameters.idempotency_key,
        timeout: parameters.timeout,
    };
    match parameters.mode {
        Mode::Ask => Ok(reply::of_ask(node.ask(&to, request).await?)),
        Mode::Tell => {
            node.tell(&to, request).await?;
            Ok(reply::of_tell())
        }
    }
}
