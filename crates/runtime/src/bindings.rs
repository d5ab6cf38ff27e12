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
        "plexspaces:actor/messaging.send-after": async | trappable,
        "plexspaces:actor/messaging.cancel-timer": async | trappable,
        "plexspaces:actor/messaging.set-reminder": async | trappable,
        "plexspaces:actor/messaging.cancel-reminder": async | trappable,
        "plexspaces:actor/messaging.list-reminders": async | trappable,
        "plexspaces:actor/durability.read-persisted": async | trappable,
        "plexspaces:actor/durability.list-persisted": async | trappable,
        "plexspaces:actor/durability.read-journal": async | trappable,
        "plexspaces:actor/registry.register": async | trappable,
        "plexspaces:actor/registry.register-with-ttl": async | trappable,
        "plexspaces:actor/registry.lookup": async | trappable,
        "plexspaces:actor/registry.unregister": async | trappable,
        "plexspaces:actor/registry.discover": async | trappable,
        "plexspaces:actor/registry.heartbeat": async | trappable,
        "plexspaces:actor/registry.report-health": async | trappable,
        "plexspaces:actor/keyvalue.watch": async | trappable,
        "plexspaces:actor/keyvalue.unwatch": async | trappable,
        "plexspaces:actor/tuplespace.subscribe": async | trappable,
        "plexspaces:actor/tuplespace.unsubscribe": async | trappable,
        "plexspaces:actor/channels.subscribe-to-topic": async | trappable,
        "plexspaces:actor/channels.unsubscribe-from-topic": async | trappable,
        "plexspaces:actor/process-groups.create-group": async | trappable,
        "plexspaces:actor/process-groups.join-group": async | trappable,
        "plexspaces:actor/process-groups.leave-group": async | trappable,
        "plexspaces:actor/process-groups.get-members": async | trappable,
        "plexspaces:actor/process-groups.publish-to-group": async | trappable,
        default: trappable,
    },
    require_store_data_send: true,
});

pub use plexspaces::actor::types as wit;
