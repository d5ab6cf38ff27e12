//! `plexspaces deploy`: uploads a component to a node.

use crate::client::{Client, NodeOption};
use crate::output;
use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The options of `deploy`.
#[derive(Args)]
#[command(
    after_help = "Without --config, the component becomes one actor type, named after --name, in the tenant \
    and namespace `default`.\nDeploying a new version keeps the actors' state.\n\n\
    Example:\n  plexspaces deploy --node localhost:8001 --app-id calc --name calculator --version 1.0.0 \\\n    \
    --wasm calculator.wasm"
)]
pub(crate) struct Deploy {
    #[command(flatten)]
    node: NodeOption,
    /// The application's id; a second deployment under it is a new version
    #[arg(long, value_name = "ID")]
    app_id: String,
    /// The application's name
    #[arg(long)]
    name: String,
    /// The application's version
    #[arg(long)]
    version: String,
    /// The component
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// The application's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Deploy {
    pub(crate) async fn run(self) -> Result<()> {
        let mut form = Form::new()
            .text("application_id", self.app_id)
            .text("name", self.name)
            .text("version", self.version);
        // The config goes first: it is small, and what is wrong with it is then told before the upload.
        if let Some(config) = &self.config {
            form = form.part("config", Part::bytes(read(config)?));
        }
        form = form.part(
            "wasm_file",
            Part::bytes(read(&self.wasm)?).file_name("module.wasm"),
        );
        let client = Client::new(self.node.announced())?;
        let request = client
            .request(Method::POST, "/api/v1/applications/deploy")
            .multipart(form);
        let body = client
            .send(request)
            .await?
            .bytes()
            .await
            .context("the node's answer breaks off")?;
        let answer: Value =
            serde_json::from_slice(&body).context("the node's answer is not JSON")?;
        for warning in answer["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            output::note(&format!("warning: {warning}"));
        }
        output::line(&summary(&answer))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn summary(answer: &Value) -> String {
    let application = &answer["application"];
    let text = |name: &str| application[name].as_str().unwrap_or_default();
    let types: Vec<&str> = application["actor_types"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|kind| kind["name"].as_str())
        .collect();
    let compiled = if answer["compiled"].as_bool().unwrap_or_default() {
        "compiled now"
    } else {
        "compiled before"
    };
    format!(
        "deployed {} ({} {})\nactor types: {} in {}/{}\nmodule: {} ({compiled})",
        text("application_id"),
        text("name"),
        text("version"),
        types.join(", "),
        text("tenant"),
        text("namespace"),
        answer["module"].as_str().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_can_be_called() {
        let answer = serde_json::json!({
            "application": {
                "application_id": "calc", "name": "calculator", "version": "1.0.0",
                "tenant": "default", "namespace": "default", "actor_types": [{"name": "calculator"}],
            },
            "module": "ab12", "compiled": true, "warnings": [],
        });
        assert_eq!(
            summary(&answer),
            "deployed calc (calculator 1.0.0)\nactor types: calculator in default/default\nmodule: ab12 (compiled now)"
        );
    }
}
