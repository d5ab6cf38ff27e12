//! `plexspaces list`: what is deployed on a node.

use crate::client::{Client, NodeOption};
use crate::output;
use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::Method;
use serde_json::Value;

/// The options of `list`.
#[derive(Args)]
#[command(after_help = "Example:\n  plexspaces list --node localhost:8001 --json")]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeOption,
    /// Print the node's answer as it is
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) async fn run(self) -> Result<()> {
        let client = Client::new(self.node.announced())?;
        let response = client
            .send(client.request(Method::GET, "/api/v1/applications"))
            .await?;
        let body = response
            .bytes()
            .await
            .context("the node's answer breaks off")?;
        if self.json {
            return output::reply(&body);
        }
        let answer: Value =
            serde_json::from_slice(&body).context("the node's answer is not JSON")?;
        match answer["applications"].as_array() {
            Some(applications) if !applications.is_empty() => output::line(&table(applications)),
            _ => output::line("nothing is deployed"),
        }
    }
}

/// One row for each application, the columns aligned.
fn table(applications: &[Value]) -> String {
    let heading = ["APPLICATION", "NAME", "VERSION", "SCOPE", "ACTOR TYPES"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(heading)
        .chain(applications.iter().map(row))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

fn row(application: &Value) -> [String; 5] {
    let text = |name: &str| application[name].as_str().unwrap_or_default().to_owned();
    let types: Vec<String> = application["actor_types"]
        .as_array()
        .into_iter()
        .flatten()
        .map(actor_type)
        .collect();
    [
        text("application_id"),
        text("name"),
        text("version"),
        format!("{}/{}", text("tenant"), text("namespace")),
        types.join(", "),
    ]
}

fn actor_type(kind: &Value) -> String {
    let name = kind["name"].as_str().unwrap_or_default();
    match kind["durable"].as_bool() {
        Some(false) => format!("{name} (ephemeral)"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let application = serde_json::json!({
            "application_id": "calculators", "name": "calc", "version": "1.0.0", "tenant": "t", "namespace": "n",
            "actor_types": [{"name": "calc", "durable": true}, {"name": "fast", "durable": false}],
        });
        assert_eq!(
            table(&[application]),
            "APPLICATION  NAME  VERSION  SCOPE  ACTOR TYPES\n\
             calculators  calc  1.0.0    t/n    calc, fast (ephemeral)"
        );
    }
}
