//! The interface's description, as the node serves it: made from the handlers themselves, so that it names what is there.

use axum::Json;
use plexspaces_core::Code;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::{
    Content, InfoBuilder, KnownFormat, ObjectBuilder, OpenApi, RefOr, Required, Response,
    ResponseBuilder, Schema, SchemaFormat, Type,
};

/// Where the description is.
pub(crate) const PATH: &str = "/api/v1/openapi.json";

/// Completes what the handlers' attributes say: title, path parameters, and the form of failures.
pub(crate) fn complete(mut api: OpenApi) -> OpenApi {
    api.info = InfoBuilder::new()
        .title("PlexSpaces node")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What is answered with a success is durable. Names in paths are percent-encoded. The services' data is \
             that of the actors in the same tenant and namespace.",
        ))
        .build();
    let paths = std::mem::take(&mut api.paths.paths);
    for (path, mut item) in paths {
        let names = parameters(&path);
        for operation in operations(&mut item) {
            let given = operation.parameters.get_or_insert_default();
            for name in names.iter().rev() {
                given.insert(0, RefOr::T(path_parameter(name)));
            }
            let problem = RefOr::T(problem());
            operation
                .responses
                .responses
                .entry("default".to_owned())
                .or_insert(problem);
        }
        // A name that may have slashes is the router's business.
        api.paths.paths.insert(path.replace("{*", "{"), item);
    }
    api
}

/// Serves the description.
pub(crate) fn serve(api: OpenApi) -> axum::routing::MethodRouter<plexspaces_node::Node> {
    axum::routing::get(async move || Json(api))
}

fn parameters(path: &str) -> Vec<String> {
    let parts = path.split('/');
    let inside = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    inside
        .map(|name| name.trim_start_matches('*').to_owned())
        .collect()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.head,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}

fn path_parameter(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// A failure: RFC 9457, with the stable code.
fn problem() -> Response {
    let text = || Schema::from(ObjectBuilder::new().schema_type(Type::String));
    let status = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)));
    let object = ObjectBuilder::new()
        .property("type", text())
        .property("title", text())
        .property("status", status)
        .property("detail", text())
        .property("code", text())
        .property("kind", text())
        .property("details", ObjectBuilder::new());
    let codes: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("{code}: {}", code.title()))
        .collect();
    ResponseBuilder::new()
        .description(format!(
            "A failure. `code` is one of: {}.",
            codes.join("; ")
        ))
        .content("application/problem+json", Content::new(Some(object)))
        .build()
}
