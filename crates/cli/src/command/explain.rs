//! `plexspaces explain`: what an error code means and how to mend it.

use crate::output;
use anyhow::{Result, anyhow};
use clap::Args;
use plexspaces_core::Code;

/// The options of `explain`.
#[derive(Args)]
#[command(after_help = "Example:\n  plexspaces explain PS1002")]
pub(crate) struct Explain {
    /// The code, as PS1002
    #[arg(value_name = "CODE")]
    code: String,
}

impl Explain {
    pub(crate) fn run(self) -> Result<()> {
        let code = Code::parse(&self.code).ok_or_else(|| unknown(&self.code))?;
        output::line(code.page().trim_end())
    }
}

fn unknown(text: &str) -> anyhow::Error {
    let codes: Vec<String> = Code::ALL
        .iter()
        .map(|code| format!("  {code}  {}", code.title()))
        .collect();
    anyhow!(
        "there is no error code {text:?}; the codes are\n{}",
        codes.join("\n")
    )
}
