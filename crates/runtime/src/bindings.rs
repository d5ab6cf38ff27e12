//! The host side of `wit/`, generated at compile time.
//!
//! Imports are traits that [`crate::host`] implements. Exports are looked up one by one ([`crate::module`]), because a
//! component exports only the interfaces that it implements.

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "imports",
    imports: {
        "plexspaces:actor/messaging.ask-message": async | trappable,
        "plexspaces:actor/messaging.spawn-actor": async | trappable,
        "plexspaces:actor/tuplespace.read": async | trappable,
        "plexspaces:actor/tuplespace.read-all": async | trappable,
        "plexspaces:actor/tuplespace.take": async | trappable,
        "plexspaces:actor/tuplespace.read-blocking": async | trappable,
        "plexspaces:actor/tuplespace.take-blocking": async | trappable,
        "plexspaces:actor/tuplespace.count": async | trappable,
        "plexspaces:actor/keyvalue.get": async | trappable,
        "plexspaces:actor/keyvalue.exists": async | trappable,
        "plexspaces:actor/keyvalue.list-keys": async | trappable,
        "plexspaces:actor/keyvalue.compare-and-swap": async | trappable,
        "plexspaces:actor/keyvalue.increment": async | trappable,
        "plexspaces:actor/channels.create-queue": async | trappable,
        "plexspaces:actor/channels.create-queue-with": async | trappable,
        "plexspaces:actor/channels.delete-queue": async | trappable,
        "plexspaces:actor/channels.send-to-queue": async | trappable,
        "plexspaces:actor/channels.send-to-queue-with": async | trappable,
        "plexspaces:actor/channels.receive-from-queue": async | trappable,
        "plexspaces:actor/channels.receive-leased": async | trappable,
        "plexspaces:actor/channels.ack": async | trappable,
        "plexspaces:actor/channels.nack": async | trappable,
        "plexspaces:actor/channels.extend-lease": async | trappable,
        "plexspaces:actor/channels.queue-depth": async | trappable,
        "plexspaces:actor/locks.acquire": async | trappable,
        "plexspaces:actor/locks.try-acquire": async | trappable,
        "plexspaces:actor/locks.release": async | trappable,
        "plexspaces:actor/locks.renew": async | trappable,
        "plexspaces:actor/locks.get-lock": async | trappable,
        default: trappable,
    },
    require_store_data_send: true,
});

pub use plexspaces::actor::types as wit;
