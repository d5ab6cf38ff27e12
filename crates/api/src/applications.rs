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
use utoipa::ToSchema;

/// The answer to a list.
#[derive(Serialize)]
pub(crate) struct Applications {
    applications: Vec<Application>,
}

/// The parts of a deployment.
#[derive(ToSchema)]
#[allow(dead_code)] // it only describes
struct Upload {
    application_id: String,
    name: String,
    version: String,
    /// The component.
    #[schema(value_type = String, format = Binary)]
    wasm_file: Vec<u8>,
    /// plexspaces.toml.
    config: Option<String>,
}

/// An application's id in the path.
type Id = Result<Path<String>, PathRejection>;

/// Deploys an application: a component, and how its actors run.
#[utoipa::path(post, path = "/api/v1/applications/deploy", tag = "applications",
    request_body(content_type = "multipart/form-data", content = Upload),
    responses((status = 200, description = "What is deployed now")))]
pub(crate) async fn deploy(
    State(node): State<Node>,
    request: Request,
) -> Result<Json<Deployed>, Problem> {
    let deploy = upload::read(request).await?;
    Ok(Json(node.deploy(deploy).await?))
}

/// Lists the applications.
#[utoipa::path(get, path = "/api/v1/applications", tag = "applications",
    responses((status = 200, description = "All applications, by id")))]
pub(crate) async fn list(State(node): State<Node>) -> Json<Applications> {
    Json(Applications {
        applications: node.applications(),
    })
}

/// Shows an application.
#[utoipa::path(get, path = "/api/v1/applications/{id}", tag = "applications",
    responses((status = 200, description = "The application")))]
pub(crate) async fn show(State(node): State<Node>, id: Id) -> Result<Json<Application>, Problem> {
    Ok(Json(node.application(&checked(id)?)?))
}

/// Undeploys an application. Its actors' state stays.
#[utoipa::path(delete, path = "/api/v1/applications/{id}", tag = "applications", responses((status = 204)))]
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
