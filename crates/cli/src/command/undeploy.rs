//! `plexspaces undeploy`: removes an application from a node.

use crate::client::{Client, NodeOption, encode};
use crate::output;
use anyhow::Result;
use clap::Args;
use reqwest::Method;

/// The options of `undeploy`.
#[derive(Args)]
#[command(after_help = "Example:\n  plexspaces undeploy calc --node localhost:8001")]
pub(crate) struct Undeploy {
    /// The application's id
    #[arg(value_name = "APP_ID")]
    app_id: String,
    #[command(flatten)]
    node: NodeOption,
}

impl Undeploy {
    pub(crate) async fn run(self) -> Result<()> {
        let client = Client::new(self.node.announced())?;
        let path = format!(
            "/api/v1/applications/{}",
            encode("application id", &self.app_id)?
        );
        client.send(client.request(Method::DELETE, &path)).await?;
        output::line(&format!("undeployed {}", self.app_id))
    }
}
