//! What `plexspaces bench` measures, and against what.
//!
//! Every figure is taken several times after a warm-up, and beside it stands the floor: what the same machine does
//! without PlexSpaces, measured in the same run, a moment before. So a ratio means something on a machine where others
//! work too.
//!
//! * [`report`], [`stats`]: from single runs to a table or JSON
//! * [`floor`]: raw wasmtime, raw fdatasync, the raw store, a raw HTTP server
//! * [`load`]: callers in a closed loop: each asks again when it has its answer
//! * [`child`]: a node as a process of its own
//! * [`case`]: the cases

pub(crate) mod case;
pub(crate) mod child;
pub(crate) mod floor;
pub(crate) mod load;
pub(crate) mod report;
pub(crate) mod stats;

use crate::output;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use report::{Row, Run, Unit};
use std::path::PathBuf;
use std::time::Duration;

/// What is measured, and how thoroughly.
#[derive(Clone)]
pub(crate) struct Plan {
    /// How often each case runs after its warm-up.
    pub(crate) runs: usize,
    /// How long each run of a load takes.
    pub(crate) span: Duration,
    /// How many rows are many: keys, tuples, messages.
    pub(crate) rows: u64,
    /// How many actors "many keys" are.
    pub(crate) keys: usize,
    /// Only cases whose name has each of these words.
    pub(crate) only: Vec<String>,
    /// The components under test.
    pub(crate) subjects: Vec<Subject>,
    /// The guest that calls the services.
    pub(crate) services: Subject,
    /// What they are asked.
    pub(crate) message: Message,
    /// Where nodes and floors write.
    pub(crate) folder: PathBuf,
}

impl Plan {
    /// The compiled code of the nodes in this process.
    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }
}

/// A component under test.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) label: String,
    pub(crate) wasm: Bytes,
}

/// What the actors are asked.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) msg_type: String,
    pub(crate) payload: String,
}

impl Subject {
    /// Its actor type with, or without, durable state.
    pub(crate) fn kind(&self, durable: bool) -> String {
        format!("{}_{}", self.label, life(durable))
    }

    /// The config that makes both types. They stay hot: passivation is not what is measured.
    pub(crate) fn config(&self) -> String {
        format!(
            "[actors.{}]\nidle_ms = 3600000\n[actors.{}]\nidle_ms = 3600000\ndurable = false\n",
            self.kind(true),
            self.kind(false)
        )
    }
}

/// The word for an actor's life in the names of cases.
pub(crate) fn life(durable: bool) -> &'static str {
    if durable { "durable" } else { "ephemeral" }
}

/// The rows so far.
pub(crate) struct Bench {
    pub(crate) plan: Plan,
    rows: Vec<Row>,
}

impl Bench {
    pub(crate) fn new(plan: Plan) -> Self {
        Bench {
            plan,
            rows: Vec::new(),
        }
    }

    /// Whether a case is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.plan.only.iter().all(|word| name.contains(word))
    }

    /// Measures one case: one run to warm up, then those that count.
    pub(crate) async fn case(
        &mut self,
        name: &str,
        unit: Unit,
        mut run: impl AsyncFnMut() -> Result<Run>,
    ) -> Result<()> {
        if !self.wants(name) {
            return Ok(());
        }
        run().await.with_context(|| name.to_owned())?;
        let mut runs = Vec::with_capacity(self.plan.runs);
        for _ in 0..self.plan.runs {
            runs.push(run().await.with_context(|| name.to_owned())?);
        }
        let row = Row::new(name, unit, &runs);
        output::note(&row.line());
        self.rows.push(row);
        Ok(())
    }

    /// Runs every case that is asked for.
    pub(crate) async fn run(&mut self) -> Result<()> {
        for subject in self.plan.subjects.clone() {
            output::note(&format!("{}: compiling", subject.label));
            let raw = floor::wasm::Raw::new(&subject.wasm)?;
            case::instantiate::run(self, &subject, &raw).await?;
            case::spawn::run(self, &subject, &raw).await?;
            case::asks::inside(self, &subject, &raw).await?;
        }
        let services = self.plan.services.clone();
        case::services::run(self, &services).await?;
        let mut servers = child::Servers::new(&self.plan);
        for subject in self.plan.subjects.clone() {
            case::asks::over_http(self, &subject, &mut servers).await?;
        }
        for subject in self.plan.subjects.clone() {
            case::memory::run(self, &subject, &mut servers).await?;
        }
        for subject in self.plan.subjects.clone() {
            case::start::run(self, &subject, &mut servers).await?;
        }
        // Last, since the node has millions of rows then.
        case::services::memory(self, &services, &mut servers).await?;
        Ok(())
    }

    /// All rows.
    pub(crate) fn finish(self) -> Vec<Row> {
        self.rows
    }
}
