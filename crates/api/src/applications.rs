//! What is deployed: deploy, list, show, undeploy.

use crate::problem::Problem;
use crate::upload;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use plexspaces_core::{Code, Error};
use plexspaces_node::{Application, Deployed, Node};
use serde::Serialize;

/// The answer to a list.
#[derive(Serialize)]
pub(crate) struct Applications {
    applications: Vec<Application>,
}

/// An application's id in the path.
type Id = Result<Path<String>, PathRejection>;

pub(crate) async fn deploy(
    State(node): State<Node>,
    request: Request,
) -> Result<Json<Deployed>, Problem> {
    let deploy = upload::read(request).await?;
    Ok(Json(node.deploy(deploy).await?))
}

pub(crate) async fn list(State(node): State<Node>) -> Json<Applications> {
    Json(Applications {
        applications: node.applications(),
    })
}

pub(crate) async fn show(State(node): State<Node>, id: Id) -> Result<Json<Application>, Problem> {
    Ok(Json(node.application(&checked(id)?)?))
}

pub(crate) async fn undeploy(State(node): State<Node>, id: Id) -> Result<StatusCode, Problem> {
    node.undeploy(&checked(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn checked(id: Id) -> Result<String, Problem> {
    match id {
        Ok(Path(id)) => Ok(id),
        Err(rejection) => {
            let message = format!(
                "the application id in the path is malformed: {}",
                rejection.body_text()
            );
            Err(Error::new(Code::InvalidId, message).into())
        }
    }
}
