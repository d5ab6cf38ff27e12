//! Whose data a service call touches.

pub use crate::bindings::plexspaces::actor::types::Context;

impl Context {
    /// The actor's own tenant and namespace.
    pub fn own() -> Self {
        Context {
            tenant_id: String::new(),
            namespace: String::new(),
        }
    }

    /// Another namespace of the own tenant, for which the actor needs `cross-namespace`.
    pub fn of_namespace(namespace: impl Into<String>) -> Self {
        Context {
            namespace: namespace.into(),
            ..Context::own()
        }
    }

    /// Another tenant's namespace, for which the actor needs `cross-tenant`.
    pub fn of_tenant(tenant_id: impl Into<String>, namespace: impl Into<String>) -> Self {
        Context {
            tenant_id: tenant_id.into(),
            namespace: namespace.into(),
        }
    }
}
