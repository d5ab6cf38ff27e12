//! Services by name: where they are, what they say of themselves, how they are.
//!
//! ```no_run
//! use plexspaces_sdk::{registry, Error};
//! use std::time::Duration;
//!
//! fn serve() -> Result<(), Error> {
//!     let labels = [("zone", "eu")];
//!     registry::register_with_ttl("billing/1", "billing/main", &labels, Duration::from_secs(30))?;
//!     registry::heartbeat("billing/1")
//! }
//!
//! fn find() -> Result<Option<String>, Error> {
//!     let page = registry::discover("billing/*", &[("zone", "eu")], None, 10)?;
//!     Ok(page.entries.into_iter().next().map(|entry| entry.address))
//! }
//! ```
//!
//! An entry belongs to the actor that registered it: only that one may register the name again, send heartbeats and report
//! health. Names are 1 to 512 bytes of text without `*`.

use std::time::Duration;

use crate::bindings::plexspaces::actor::registry as host;
use crate::{Context, Error, milliseconds};

pub use crate::bindings::plexspaces::actor::registry::{EntryPage, Health, RegistryEntry};

/// Registers a name; the entry stays until it is unregistered. The owner's second registration replaces the first.
///
/// Errors: `already-exists` (another actor has the name), `conflict`, `invalid-argument`.
pub fn register(name: &str, address: &str, metadata: &[(&str, &str)]) -> Result<(), Error> {
    Registry::own().register(name, address, metadata)
}

/// As [`register`], for an entry that is gone `ttl` (at least a millisecond) after its last heartbeat.
pub fn register_with_ttl(
    name: &str,
    address: &str,
    metadata: &[(&str, &str)],
    ttl: Duration,
) -> Result<(), Error> {
    Registry::own().register_with_ttl(name, address, metadata, ttl)
}

/// The entry of a name, or none.
pub fn lookup(name: &str) -> Result<Option<RegistryEntry>, Error> {
    Registry::own().lookup(name)
}

/// Takes an entry away, whoever has registered it, and says whether there was one.
pub fn unregister(name: &str) -> Result<bool, Error> {
    Registry::own().unregister(name)
}

/// Up to `limit` (1 to 1,000) entries whose name matches `pattern`, in which `*` stands for any text, and whose metadata have
/// all of `labels`. A page may have fewer and a cursor all the same.
pub fn discover(
    pattern: &str,
    labels: &[(&str, &str)],
    cursor: Option<&str>,
    limit: u32,
) -> Result<EntryPage, Error> {
    Registry::own().discover(pattern, labels, cursor, limit)
}

/// Says that the service is there: its time to live begins anew.
///
/// Errors: `not-found` if its entry is gone, `permission-denied` if it is another actor's.
pub fn heartbeat(name: &str) -> Result<(), Error> {
    Registry::own().heartbeat(name)
}

/// Reports how the service is, which is a heartbeat too.
pub fn report_health(name: &str, health: Health) -> Result<(), Error> {
    Registry::own().report_health(name, health)
}

/// The registry of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Registry(Context);

impl Registry {
    /// The actor's own.
    pub fn own() -> Self {
        Registry(Context::own())
    }

    /// The one that a context names.
    pub fn of(context: Context) -> Self {
        Registry(context)
    }

    /// As [`register`].
    pub fn register(
        &self,
        name: &str,
        address: &str,
        metadata: &[(&str, &str)],
    ) -> Result<(), Error> {
        host::register(&self.0, name, address, &owned(metadata))
    }

    /// As [`register_with_ttl`].
    pub fn register_with_ttl(
        &self,
        name: &str,
        address: &str,
        metadata: &[(&str, &str)],
        ttl: Duration,
    ) -> Result<(), Error> {
        host::register_with_ttl(&self.0, name, address, &owned(metadata), milliseconds(ttl))
    }

    /// As [`lookup`].
    pub fn lookup(&self, name: &str) -> Result<Option<RegistryEntry>, Error> {
        host::lookup(&self.0, name)
    }

    /// As [`unregister`].
    pub fn unregister(&self, name: &str) -> Result<bool, Error> {
        host::unregister(&self.0, name)
    }

    /// As [`discover`].
    pub fn discover(
        &self,
        pattern: &str,
        labels: &[(&str, &str)],
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<EntryPage, Error> {
        host::discover(&self.0, pattern, &owned(labels), cursor, limit)
    }

    /// As [`heartbeat`].
    pub fn heartbeat(&self, name: &str) -> Result<(), Error> {
        host::heartbeat(&self.0, name)
    }

    /// As [`report_health`].
    pub fn report_health(&self, name: &str, health: Health) -> Result<(), Error> {
        host::report_health(&self.0, name, health)
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
