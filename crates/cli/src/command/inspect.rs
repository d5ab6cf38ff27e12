//! `plexspaces inspect`: what a WebAssembly file is, and which messages it takes.

use crate::output;
use anyhow::{Context as _, Result};
use clap::Args;
use plexspaces_core::message::Delivery;
use plexspaces_runtime::contract::{self, Contract, Kind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

/// The kinds of delivery that are routed, and their names.
const DELIVERIES: [(Delivery, &str); 3] = [
    (Delivery::Ask, "ask"),
    (Delivery::Send, "send"),
    (Delivery::Info, "info"),
];

/// The options of `inspect`.
#[derive(Args)]
#[command(after_help = "Example:\n  plexspaces inspect calculator.wasm --json")]
pub(crate) struct Inspect {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<()> {
        let bytes = std::fs::read(&self.file)
            .with_context(|| format!("cannot read {}", self.file.display()))?;
        let contract = match contract::kind(&bytes)? {
            Kind::Component => Some(contract::read(&bytes)?),
            Kind::CoreModule => None,
        };
        let report = Report {
            size: bytes.len() as u64,
            sha256: format!("{:x}", Sha256::digest(&bytes)),
            contract,
        };
        output::line(&if self.json {
            format!("{:#}", report.json())
        } else {
            report.text()
        })
    }
}

/// What is known of a file.
struct Report {
    size: u64,
    sha256: String,
    /// `None` for a core module.
    contract: Option<Contract>,
}

impl Report {
    fn kind(&self) -> &'static str {
        if self.contract.is_some() {
            "component"
        } else {
            "core-module"
        }
    }

    fn json(&self) -> Value {
        let mut report = json!({"kind": self.kind(), "size": self.size, "sha256": self.sha256});
        if let Some(contract) = &self.contract {
            report["exports"] = json!(contract.exports);
            report["imports"] = json!(contract.imports);
            for (delivery, name) in DELIVERIES {
                report["routing"][name] = json!(
                    contract
                        .route(delivery)
                        .ok()
                        .map(|handler| handler.to_string())
                );
            }
        }
        report
    }

    fn text(&self) -> String {
        let mut text = format!(
            "kind: {}\nsize: {}\nsha256: {}",
            self.kind(),
            output::size(self.size),
            self.sha256
        );
        let Some(contract) = &self.contract else {
            text.push_str(
                "\na core module cannot be deployed; `plexspaces build` makes components",
            );
            return text;
        };
        text.push_str(&list("exports", &contract.exports));
        text.push_str("\nrouting:");
        for (delivery, name) in DELIVERIES {
            let handler = contract
                .route(delivery)
                .map_or("not taken".to_owned(), |handler| handler.to_string());
            text.push_str(&format!("\n  {name:4} -> {handler}"));
        }
        text.push_str(&list("imports", &contract.imports));
        text
    }
}

fn list(heading: &str, names: &[String]) -> String {
    let names: String = names.iter().map(|name| format!("\n  {name}")).collect();
    let none = if names.is_empty() { " none" } else { "" };
    format!("\n{heading}:{none}{names}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(contract: Option<Contract>) -> Report {
        Report {
            size: 3,
            sha256: "ab".into(),
            contract,
        }
    }

    fn server() -> Contract {
        Contract {
            exports: vec!["gen-server".into()],
            imports: vec!["plexspaces:actor/logging@0.1.0".into()],
        }
    }

    #[test]
    fn routing_is_told_for_each_delivery() {
        let json = report(Some(server())).json();
        assert_eq!(
            json["routing"],
            json!({"ask": "gen-server", "send": null, "info": null})
        );
        let text = report(Some(server())).text();
        assert!(
            text.contains("ask  -> gen-server\n  send -> not taken"),
            "{text}"
        );
    }

    #[test]
    fn a_core_module_has_no_contract() {
        assert_eq!(
            report(None).json(),
            json!({"kind": "core-module", "size": 3, "sha256": "ab"})
        );
        assert!(report(None).text().contains("cannot be deployed"));
    }
}
