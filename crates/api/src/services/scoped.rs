//! What requests to services have in common: the scope and the name in the path, queries and bodies that are checked.

use super::malformed;
use crate::body;
use crate::problem::Problem;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use plexspaces_core::limits::Limits;
use plexspaces_core::{Code, Error, Scope};
use serde::de::DeserializeOwned;

/// `{tenant}/{namespace}` in a path.
pub(crate) struct InScope(pub(crate) Scope);

/// `{tenant}/{namespace}/{name}` in a path; the name may have slashes.
pub(crate) struct Named(pub(crate) Scope, pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for InScope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Path<(String, String)> = Path::from_request_parts(parts, state)
            .await
            .map_err(bad_path)?;
        let Path((tenant, namespace)) = path;
        Ok(InScope(Scope::new(&tenant, &namespace)?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Path<(String, String, String)> = Path::from_request_parts(parts, state)
            .await
            .map_err(bad_path)?;
        let Path((tenant, namespace, name)) = path;
        Ok(Named(Scope::new(&tenant, &namespace)?, name))
    }
}

fn bad_path(rejection: PathRejection) -> Problem {
    let text = format!("the path is malformed: {}", rejection.body_text());
    Error::new(Code::InvalidId, text).into()
}

/// A query whose fields are all known.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        match query {
            Ok(Query(query)) => Ok(Asked(query)),
            Err(rejection) => Err(malformed(rejection.body_text()).into()),
        }
    }
}

/// A JSON body whose fields are all known, whatever its content type says.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, content) = request.into_parts();
        let limit = Limits::default().message_bytes;
        let bytes = body::read(content, &parts.headers, limit).await?;
        match serde_json::from_slice(&bytes) {
            Ok(body) => Ok(Body(body)),
            Err(error) => Err(malformed(format!(
                "the body is not the JSON that is expected: {error}"
            ))
            .into()),
        }
    }
}

/// Reads `name=value,name=value`.
pub(crate) fn labels(text: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    let pairs = text.unwrap_or_default().split(',');
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(malformed(format!(
                "{pair:?} is no label: name=value is expected"
            ))),
        })
        .collect()
}
