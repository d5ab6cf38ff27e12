//! The contract's export interfaces, and the world for a set of them.
//!
//! A component exports what its source implements, so each has a world of its own: all imports plus those
//! exports. The worlds are made from the WIT files that this binary was built with.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use wit_parser::{Resolve, SourceMap, WorldId};

use super::embedded::WIT_FILES;

/// The package's name and version, as they stand in every import and export.
pub(super) const PACKAGE: &str = "plexspaces:actor";
pub(super) const VERSION: &str = "0.1.0";

/// The name of the generated world.
pub(super) const WORLD: &str = "built";

/// An interface that a component may export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Interface {
    /// `init`.
    Activation,
    /// `handle-request`.
    GenServer,
    /// `handle-event`.
    GenEvent,
    /// `handle-transition`.
    GenFsm,
    /// `handle-message`.
    MessageHandler,
    /// `snapshot-state`.
    Snapshot,
    /// `terminate`.
    Termination,
}

impl Interface {
    /// All of them, in the order of the contract.
    pub(crate) const ALL: [Interface; 7] = [
        Interface::Activation,
        Interface::GenServer,
        Interface::GenEvent,
        Interface::GenFsm,
        Interface::MessageHandler,
        Interface::Snapshot,
        Interface::Termination,
    ];

    /// The interface's name in WIT.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Interface::Activation => "activation",
            Interface::GenServer => "gen-server",
            Interface::GenEvent => "gen-event",
            Interface::GenFsm => "gen-fsm",
            Interface::MessageHandler => "message-handler",
            Interface::Snapshot => "snapshot",
            Interface::Termination => "termination",
        }
    }

    /// Its one function's name in WIT.
    pub(crate) fn function(self) -> &'static str {
        match self {
            Interface::Activation => "init",
            Interface::GenServer => "handle-request",
            Interface::GenEvent => "handle-event",
            Interface::GenFsm => "handle-transition",
            Interface::MessageHandler => "handle-message",
            Interface::Snapshot => "snapshot-state",
            Interface::Termination => "terminate",
        }
    }

    /// Whether it takes messages. A component needs at least one that does.
    pub(crate) fn is_handler(self) -> bool {
        match self {
            Interface::GenServer
            | Interface::GenEvent
            | Interface::GenFsm
            | Interface::MessageHandler => true,
            Interface::Activation | Interface::Snapshot | Interface::Termination => false,
        }
    }

    /// The interface of that WIT name.
    pub(super) fn of_name(name: &str) -> Option<Interface> {
        Self::ALL
            .into_iter()
            .find(|interface| interface.name() == name)
    }
}

/// The world's source: `include imports` and the exports.
pub(super) fn source(interfaces: &[Interface]) -> String {
    let mut text =
        format!("package {PACKAGE}@{VERSION};\n\nworld {WORLD} {{\n  include imports;\n");
    for interface in interfaces {
        writeln!(text, "  export {};", interface.name()).expect("a String takes every write");
    }
    text.push_str("}\n");
    text
}

/// The contract's package with the world for `interfaces` in it.
pub(super) fn resolve(interfaces: &[Interface]) -> Result<(Resolve, WorldId)> {
    let mut files = SourceMap::new();
    for (name, text) in WIT_FILES {
        files.push(Path::new(name), *text);
    }
    files.push(Path::new("built.wit"), source(interfaces));
    let group = files
        .parse()
        .map_err(|(_, error)| anyhow::anyhow!("{error}"));
    let group =
        group.context("the WIT files inside this binary do not parse: please report this")?;
    let mut resolve = Resolve::default();
    let package = resolve
        .push_group(group)
        .context("the WIT files inside this binary do not resolve: please report this")?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    Ok((resolve, world))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_of_the_contract_is_known_with_its_functions() {
        let (resolve, _) = resolve(&[Interface::GenServer]).unwrap();
        let (_, actor) = resolve
            .worlds
            .iter()
            .find(|(_, world)| world.name == "actor")
            .unwrap();
        assert_eq!(actor.exports.len(), Interface::ALL.len());
        for (key, interface) in actor.exports.keys().zip(Interface::ALL) {
            assert_eq!(
                resolve.name_world_key(key),
                format!("{PACKAGE}/{}@{VERSION}", interface.name())
            );
            let wit_parser::WorldKey::Interface(id) = key else {
                panic!("an export outside an interface")
            };
            let functions: Vec<_> = resolve.interfaces[*id]
                .functions
                .keys()
                .map(String::as_str)
                .collect();
            assert_eq!(functions, [interface.function()]);
        }
    }

    #[test]
    fn a_world_exports_just_what_is_asked() {
        let (resolve, world) = resolve(&[Interface::GenEvent, Interface::Snapshot]).unwrap();
        let names: Vec<_> = resolve.worlds[world]
            .exports
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect();
        assert_eq!(
            names,
            [
                "plexspaces:actor/gen-event@0.1.0",
                "plexspaces:actor/snapshot@0.1.0"
            ]
        );
        let (_, text) = WIT_FILES
            .iter()
            .find(|(name, _)| *name == "world.wit")
            .unwrap();
        assert_eq!(
            resolve.worlds[world].imports.len(),
            text.matches("  import ").count()
        );
    }
}
