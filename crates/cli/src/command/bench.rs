//! `plexspaces bench`: measures actors on this machine, beside what the machine does without them.

use crate::bench::{self, Message, Plan, Subject, report};
use crate::output;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The options of `bench`.
#[derive(Args)]
#[command(
    after_help = "Each case runs once to warm up, and then RUNS times; the table has the median. Beside it stands \
    the floor: raw wasmtime, raw fdatasync or a raw HTTP server, measured just before. The load generator shares the \
    machine with the node. Nodes write to a new folder under FOLDER, which is removed at the end: choose one on the disk \
    that counts.\n\n\
    The default components are built by `make guests`. Others can be measured too: what takes the message as an ask.\n\n\
    Example:\n  plexspaces bench\n  plexspaces bench --only durable --only HTTP --runs 5 --json\n  \
    plexspaces bench --actor mine=actor.wasm --msg-type call --payload '{\"op\": \"get\"}'"
)]
pub(crate) struct Bench {
    /// A component to measure, and what it is called in the table
    #[arg(
        long,
        value_name = "LABEL=FILE",
        default_values = ["rust=target/guests/counter.wasm", "python=target/guests/counter_python.wasm"]
    )]
    actor: Vec<Named>,
    /// The component that calls the services: `tests/guests/rust/program`
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/guests/program.wasm"
    )]
    services: PathBuf,
    /// The message type that the actors are asked with
    #[arg(long, value_name = "TYPE", default_value = "add")]
    msg_type: String,
    /// The payload that they are asked with
    #[arg(long, value_name = "TEXT", default_value = "1")]
    payload: String,
    /// Only cases with this in their name; given several times, with all of it
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// How many runs count in each case
    #[arg(long, value_name = "RUNS", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// How long a run of a load takes
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..))]
    span_ms: u64,
    /// How many actors are asked where it says "many keys"
    #[arg(long, value_name = "NUMBER", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4_000))]
    keys: u16,
    /// How many keys, tuples and queued messages are on the disk where it says so
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    rows: u64,
    /// Where the bench may write
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `LABEL=FILE`
#[derive(Clone)]
struct Named {
    label: String,
    file: PathBuf,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((label, file)) if !label.is_empty() && !file.is_empty() => Ok(Named {
                label: label.to_owned(),
                file: file.into(),
            }),
            _ => Err("LABEL=FILE is expected, for example rust=actor.wasm".into()),
        }
    }
}

impl Bench {
    pub(crate) async fn run(self) -> Result<()> {
        let subjects = self.actor.iter().map(read).collect::<Result<_>>()?;
        // Removed when dropped, also after a failure.
        let folder = tempfile::Builder::new()
            .prefix("plexspaces-bench-")
            .tempdir_in(&self.folder)
            .with_context(|| format!("cannot write to {}", self.folder.display()))?;
        let plan = Plan {
            runs: self.runs.into(),
            span: Duration::from_millis(self.span_ms),
            rows: self.rows,
            keys: self.keys.into(),
            only: self.only,
            subjects,
            services: read(&Named {
                label: "program".into(),
                file: self.services,
            })?,
            message: Message {
                msg_type: self.msg_type,
                payload: self.payload,
            },
            folder: folder.path().to_owned(),
        };
        let mut bench = bench::Bench::new(plan);
        bench.run().await?;
        let rows = bench.finish();
        if rows.is_empty() {
            bail!("no case has all of --only in its name");
        }
        output::line(&if self.json {
            format!("{:#}", report::json(&rows, machine()))
        } else {
            report::table(&rows)
        })
    }
}

fn read(actor: &Named) -> Result<Subject> {
    let wasm = std::fs::read(&actor.file).with_context(|| {
        format!(
            "cannot read {}: `make guests` builds the default components, --actor LABEL=FILE names others",
            actor.file.display()
        )
    })?;
    Ok(Subject {
        label: actor.label.clone(),
        wasm: wasm.into(),
    })
}

fn machine() -> serde_json::Value {
    json!({
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "plexspaces": env!("CARGO_PKG_VERSION"),
    })
}
