//! The subcommands.

mod bench;
mod build;
mod deploy;
mod explain;
mod inspect;
mod invoke;
mod list;
mod start;
mod store;
mod undeploy;

use crate::bench::floor;
use anyhow::{Context as _, Result};
use clap::Subcommand;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a node
    Start(start::Start),
    /// Deploy a component to a node
    Deploy(deploy::Deploy),
    /// List what is deployed on a node
    List(list::List),
    /// Remove an application from a node; the state of its actors stays
    Undeploy(undeploy::Undeploy),
    /// Send a message to an actor and print its reply
    Invoke(invoke::Invoke),
    /// Make a component from a Python or Rust source
    Build(build::Build),
    /// Show what a WebAssembly file is and which messages it takes
    Inspect(inspect::Inspect),
    /// Copy a stopped node's data between kinds of stores
    Store(store::Store),
    /// Measure this machine: actors beside what they cannot be faster than
    Bench(bench::Bench),
    /// Explain an error code
    Explain(explain::Explain),
    /// The raw HTTP server that `bench` compares with
    #[command(name = floor::http::COMMAND, hide = true)]
    BenchRawHttp,
}

impl Command {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Command::Start(start) => blocking(start.run()),
            Command::Deploy(deploy) => blocking(deploy.run()),
            Command::List(list) => blocking(list.run()),
            Command::Undeploy(undeploy) => blocking(undeploy.run()),
            Command::Invoke(invoke) => blocking(invoke.run()),
            Command::Build(build) => build.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::Store(store) => blocking(store.run()),
            Command::Bench(bench) => blocking(bench.run()),
            Command::BenchRawHttp => blocking(floor::http::serve()),
            Command::Explain(explain) => explain.run(),
        }
    }
}

/// Runs a command that waits for the network.
fn blocking(command: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?
        .block_on(command)
}
