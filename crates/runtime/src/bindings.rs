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
        "plexspaces:actor/blob.upload": async | trappable,
        "plexspaces:actor/blob.download": async | trappable,
        "plexspaces:actor/blob.download-range": async | trappable,
        "plexspaces:actor/blob.delete": async | trappable,
        "plexspaces:actor/blob.exists": async | trappable,
        "plexspaces:actor/blob.metadata": async | trappable,
        "plexspaces:actor/blob.list-blobs": async | trappable,
        "plexspaces:actor/blob.copy": async | trappable,
        "plexspaces:actor/blob.upload-part": async | trappable,
        "plexspaces:actor/blob.complete-upload": async | trappable,
        "plexspaces:actor/blob.abort-upload": async | trappable,
        default: trappable,
    },
    require_store_data_send: true,
});

pub use plexspaces::actor::types as wit;
