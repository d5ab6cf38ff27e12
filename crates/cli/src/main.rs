//! The `plexspaces` command: run a node, build components, deploy them, talk to actors.
//!
//! * [`command`]: the subcommands, one file each
//! * [`bench`]: what `plexspaces bench` measures
//! * [`build`]: components from Python and Rust sources
//! * [`client`]: a node's HTTP interface, from the other side
//! * [`data`]: a node's data folder, and the store in it
//! * [`output`]: what goes to the terminal, errors included

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod build;
mod client;
mod command;
mod data;
mod output;

use clap::Parser;
use std::process::ExitCode;

/// Turns allocate on one thread and free on another; the system's allocator takes a tenth of a node's time for that
/// (`plexspaces bench --only durable`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(
    name = "plexspaces",
    version,
    about = "Durable WebAssembly actors: run a node, build components, deploy them, talk to actors",
    after_help = "Example:\n  plexspaces start &\n  \
        plexspaces build examples/calculator/actors/calculator.py -o calculator.wasm\n  \
        plexspaces deploy --app-id calc --name calculator --version 1.0.0 --wasm calculator.wasm\n  \
        plexspaces invoke calculator '{\"operation\": \"add\", \"operands\": [2, 3]}'"
)]
struct Cli {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::failure(&error);
            ExitCode::FAILURE
        }
    }
}
