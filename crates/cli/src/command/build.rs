//! `plexspaces build`: makes a component from an author's source.

use crate::{build, output};
use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

/// The options of `build`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  plexspaces build examples/calculator/actors/calculator.py -o calculator.wasm\n  \
    plexspaces build examples/calculator/rust -o calculator_rust.wasm"
)]
pub(crate) struct Build {
    /// A Python file, or a folder with a Cargo.toml
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Where to write the component
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

impl Build {
    pub(crate) fn run(self) -> Result<()> {
        let progress = Progress::start();
        let built = build::build(&self.source, &self.out, &|step| progress.step(step));
        progress.end();
        let built = built?;
        let interfaces: Vec<&str> = built
            .interfaces
            .iter()
            .map(|interface| interface.name())
            .collect();
        let from_cache = if built.from_cache {
            ", unchanged since an earlier build"
        } else {
            ""
        };
        output::line(&format!(
            "{}\nsize: {}{from_cache}\nsha256: {}\ninterfaces: {}",
            self.out.display(),
            output::size(built.bytes_len),
            built.sha256,
            interfaces.join(", ")
        ))
    }
}

/// Says what the build does: a spinner for people, plain lines for logs.
struct Progress {
    spinner: Option<ProgressBar>,
}

impl Progress {
    fn start() -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        Progress { spinner }
    }

    fn step(&self, step: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(step.to_owned()),
            None => output::note(step),
        }
    }

    fn end(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
