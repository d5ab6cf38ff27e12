//! What a component offers, read from its bytes without compiling it, and how messages are routed to it.
//!
//! Routing is decided once, by the kind of delivery: an ask goes to `gen-server`, else `gen-fsm`, else
//! `message-handler`; a send or an info goes to `gen-event`, else `gen-fsm`, else `message-handler`.

use plexspaces_core::message::Delivery;
use plexspaces_core::{Code, Error, Result};
use std::fmt;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId, WorldItem};

/// The contract's package and version.
pub const PACKAGE: &str = "plexspaces:actor";
/// The version of the contract that this node speaks.
pub const VERSION: &str = "0.1.0";

/// The interface that gives the state for checkpoints.
pub const SNAPSHOT: &str = "snapshot";

/// An interface that takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `gen-server`
    GenServer,
    /// `gen-event`
    GenEvent,
    /// `gen-fsm`
    GenFsm,
    /// `message-handler`
    MessageHandler,
}

impl fmt::Display for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Handler::GenServer => "gen-server",
            Handler::GenEvent => "gen-event",
            Handler::GenFsm => "gen-fsm",
            Handler::MessageHandler => "message-handler",
        })
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A component.
    Component,
    /// A core module.
    CoreModule,
}

/// What a component exports of the contract and imports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    /// The contract's interfaces that it exports, by short name.
    pub exports: Vec<String>,
    /// Everything that it imports, by full name.
    pub imports: Vec<String>,
}

impl Contract {
    /// Whether it exports this interface of the contract.
    #[must_use]
    pub fn has(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| name == interface)
    }

    /// Whether it needs WASI.
    #[must_use]
    pub fn wants_wasi(&self) -> bool {
        self.imports.iter().any(|name| name.starts_with("wasi:"))
    }

    /// The handler for a kind of delivery.
    ///
    /// # Errors
    /// `PS1010`, naming the interfaces that would take it.
    pub fn route(&self, delivery: Delivery) -> Result<Handler> {
        let (what, candidates) = match delivery {
            Delivery::Ask => (
                "an ask",
                [Handler::GenServer, Handler::GenFsm, Handler::MessageHandler],
            ),
            _ => (
                "a send",
                [Handler::GenEvent, Handler::GenFsm, Handler::MessageHandler],
            ),
        };
        candidates
            .into_iter()
            .find(|handler| self.has(&handler.to_string()))
            .ok_or_else(|| {
                let [a, b, c] = candidates;
                Error::new(
                    Code::NoHandler,
                    format!(
                        "{what} is taken by {a}, {b} or {c}; the module exports only {}",
                        self.exports.join(", ")
                    ),
                )
            })
    }
}

/// Says what a file is.
///
/// # Errors
/// `PS2001` if it is not WebAssembly, `PS2004` if it ends within WebAssembly's header.
pub fn kind(bytes: &[u8]) -> Result<Kind> {
    if wasmparser::Parser::is_component(bytes) {
        return Ok(Kind::Component);
    }
    if wasmparser::Parser::is_core_wasm(bytes) {
        return Ok(Kind::CoreModule);
    }
    if bytes.len() < 8 && bytes.starts_with(b"\0asm") {
        return Err(Error::new(
            Code::InvalidComponent,
            format!(
                "the file ends after {} bytes, within its header",
                bytes.len()
            ),
        ));
    }
    let start = bytes[..bytes.len().min(8)].escape_ascii().to_string();
    Err(Error::new(
        Code::NotWebAssembly,
        format!(
            "the file of {} bytes is not WebAssembly: it starts with \"{start}\", not with \"\\x00asm\"",
            bytes.len()
        ),
    ))
}

/// Reads what a component offers, and refuses what cannot be an actor.
///
/// # Errors
/// `PS2001` not WebAssembly, `PS2002` a core module, `PS2003` no handler or another version of the contract,
/// `PS2004` a truncated or invalid component.
pub fn inspect(bytes: &[u8]) -> Result<Contract> {
    with_handler(read(bytes)?)
}

/// As [`inspect`], for bytes that it has accepted before: what it would check in every function is not checked again,
/// which takes a tenth of a second for Python.
pub(crate) fn inspect_again(bytes: &[u8]) -> Result<Contract> {
    with_handler(decode(bytes)?)
}

fn with_handler(contract: Contract) -> Result<Contract> {
    if ["gen-server", "gen-event", "gen-fsm", "message-handler"]
        .iter()
        .any(|name| contract.has(name))
    {
        return Ok(contract);
    }
    let exports = if contract.exports.is_empty() {
        "none of its interfaces".into()
    } else {
        contract.exports.join(", ")
    };
    Err(Error::new(
        Code::WrongWorld,
        format!(
            "the component exports {exports} and so takes no message; \
             an actor exports gen-server, gen-event, gen-fsm or message-handler of {PACKAGE}@{VERSION}"
        ),
    ))
}

/// Reads what a component offers.
///
/// # Errors
/// As [`inspect`], but for a component without handlers.
pub fn read(bytes: &[u8]) -> Result<Contract> {
    if kind(bytes)? == Kind::CoreModule {
        return Err(Error::new(
            Code::CoreModule,
            "the file is a core module, not a component; `plexspaces build` makes components",
        ));
    }
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::default())
        .validate_all(bytes)
        .map_err(|e| invalid(&e))?;
    decode(bytes)
}

fn decode(bytes: &[u8]) -> Result<Contract> {
    match wit_component::decode(bytes).map_err(|e| invalid(&e))? {
        DecodedWasm::Component(resolve, world) => of_world(&resolve, world),
        DecodedWasm::WitPackage(..) => Err(invalid(&"it is a WIT package, not code")),
    }
}

fn invalid(why: &dyn fmt::Display) -> Error {
    Error::new(
        Code::InvalidComponent,
        format!("the component is truncated or invalid: {why}"),
    )
}

fn of_world(resolve: &Resolve, world: WorldId) -> Result<Contract> {
    let mut contract = Contract::default();
    let world = &resolve.worlds[world];
    for (key, item) in &world.exports {
        let name = resolve.name_world_key(key);
        let Some(rest) = name
            .strip_prefix(PACKAGE)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            continue;
        };
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        if version != VERSION {
            return Err(Error::new(
                Code::WrongWorld,
                format!(
                    "the component exports {name}; this node speaks {PACKAGE}@{VERSION}: build it again"
                ),
            ));
        }
        if matches!(item, WorldItem::Interface { .. }) {
            contract.exports.push(interface.to_owned());
        }
    }
    contract.imports = world
        .imports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect();
    contract.exports.sort();
    contract.imports.sort();
    Ok(contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(exports: &[&str]) -> Contract {
        Contract {
            exports: exports.iter().map(|s| (*s).to_owned()).collect(),
            imports: Vec::new(),
        }
    }

    #[test]
    fn routing_goes_by_delivery_and_prefers_the_special_handler() {
        let all = with(&["gen-server", "gen-event", "gen-fsm", "message-handler"]);
        assert_eq!(all.route(Delivery::Ask), Ok(Handler::GenServer));
        assert_eq!(all.route(Delivery::Send), Ok(Handler::GenEvent));
        assert_eq!(all.route(Delivery::Info), Ok(Handler::GenEvent));
        let fsm = with(&["gen-fsm", "message-handler"]);
        assert_eq!(fsm.route(Delivery::Ask), Ok(Handler::GenFsm));
        let error = with(&["gen-event"])
            .route(Delivery::Ask)
            .expect_err("nobody takes it");
        assert_eq!(error.code, Code::NoHandler);
        assert!(
            error
                .message
                .contains("gen-server, gen-fsm or message-handler"),
            "{}",
            error.message
        );
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert_eq!(
            inspect(b"PK\x03\x04").expect_err("zip").code,
            Code::NotWebAssembly
        );
        assert_eq!(
            inspect(b"\0asm\x01\0\0\0").expect_err("core").code,
            Code::CoreModule
        );
        assert_eq!(
            inspect(b"\0asm\x0d\0\x01\0").expect_err("empty").code,
            Code::WrongWorld
        );
        assert_eq!(
            inspect(b"\0asm\x0d\0\x01\0\x01\xff").expect_err("cut").code,
            Code::InvalidComponent
        );
    }
}
