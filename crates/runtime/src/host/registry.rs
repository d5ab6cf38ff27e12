//! `registry`: services by name.

use super::recorded::{Recorded, corrupt};
use super::{Call, HostState, journaled, reserving, scope};
use crate::bindings::plexspaces::actor::registry::{
    EntryPage, Health as WitHealth, Host, RegistryEntry,
};
use crate::bindings::wit::Context;
use crate::turn::Arguments;
use bytes::Bytes;
use plexspaces_core::{Result, Scope};
use plexspaces_services::records::{self, Detail, Registration, RegistrationRow};
use plexspaces_services::registry::{self, Health, Query, Service};
use prost::Message;

impl Host for HostState {
    async fn register(
        &mut self,
        context: Context,
        name: String,
        address: String,
        metadata: Vec<(String, String)>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let service = Service {
            address,
            metadata,
            ttl_ms: None,
        };
        let arguments = arguments(&scope, &name, &service);
        reserving!(self, "registry.register", arguments, |turn| {
            let (owner, now) = (turn.actor.clone(), turn.time());
            registry::register(&mut turn.transaction, &owner, &scope, &name, service, now).await
        })
    }

    async fn register_with_ttl(
        &mut self,
        context: Context,
        name: String,
        address: String,
        metadata: Vec<(String, String)>,
        ttl: u64,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let service = Service {
            address,
            metadata,
            ttl_ms: Some(ttl),
        };
        let arguments = arguments(&scope, &name, &service);
        reserving!(self, "registry.register-with-ttl", arguments, |turn| {
            let (owner, now) = (turn.actor.clone(), turn.time());
            registry::register(&mut turn.transaction, &owner, &scope, &name, service, now).await
        })
    }

    async fn lookup(&mut self, context: Context, name: String) -> Call<Option<RegistryEntry>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&name).digest();
        journaled!(self, "registry.lookup", Read, arguments, |turn| {
            let now = turn.time();
            registry::lookup(&mut turn.transaction, &scope, &name, now)
                .await
                .map(|found| found.map(|row| to_wit(name, row)))
        })
    }

    async fn unregister(&mut self, context: Context, name: String) -> Call<bool> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&name).digest();
        reserving!(self, "registry.unregister", arguments, |turn| {
            let now = turn.time();
            registry::unregister(&mut turn.transaction, &scope, &name, now).await
        })
    }

    async fn discover(
        &mut self,
        context: Context,
        pattern: String,
        labels: Vec<(String, String)>,
        cursor: Option<String>,
        limit: u32,
    ) -> Call<EntryPage> {
        let scope = scope!(self, context);
        let arguments = pairs(Arguments::new().scope(&scope).text(&pattern), &labels)
            .optional(cursor.as_deref().map(str::as_bytes))
            .number(limit.into())
            .digest();
        journaled!(self, "registry.discover", Read, arguments, |turn| {
            let now = turn.time();
            let query = Query {
                pattern: &pattern,
                labels: &labels,
                cursor: cursor.as_deref(),
                limit,
                bytes_max: turn.bytes_max,
            };
            let page = registry::discover(&mut turn.transaction, &scope, query, now).await;
            page.map(|page| EntryPage {
                entries: page.entries.into_iter().map(entry_to_wit).collect(),
                cursor: page.cursor,
            })
        })
    }

    async fn heartbeat(&mut self, context: Context, name: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&name).digest();
        reserving!(self, "registry.heartbeat", arguments, |turn| {
            let (owner, now) = (turn.actor.clone(), turn.time());
            registry::heartbeat(&mut turn.transaction, &owner, &scope, &name, None, now).await
        })
    }

    async fn report_health(
        &mut self,
        context: Context,
        name: String,
        health: WitHealth,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let health = health_from_wit(health);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&name)
            .number(health as u64)
            .digest();
        reserving!(self, "registry.report-health", arguments, |turn| {
            let (owner, now) = (turn.actor.clone(), turn.time());
            let transaction = &mut turn.transaction;
            registry::heartbeat(transaction, &owner, &scope, &name, Some(health), now).await
        })
    }
}

fn arguments(scope: &Scope, name: &str, service: &Service) -> u64 {
    let arguments = Arguments::new()
        .scope(scope)
        .text(name)
        .text(&service.address);
    pairs(arguments, &service.metadata)
        .number(service.ttl_ms.unwrap_or(0))
        .digest()
}

fn pairs(arguments: Arguments, pairs: &[(String, String)]) -> Arguments {
    let arguments = arguments.number(pairs.len() as u64);
    pairs.iter().fold(arguments, |arguments, (name, value)| {
        arguments.text(name).text(value)
    })
}

fn entry_to_wit(entry: Registration) -> RegistryEntry {
    to_wit(entry.name, entry.row.unwrap_or_default())
}

fn to_wit(name: String, row: RegistrationRow) -> RegistryEntry {
    let pair = |label: Detail| (label.name, label.value);
    RegistryEntry {
        name,
        address: row.address,
        metadata: row.metadata.into_iter().map(pair).collect(),
        owner: row.owner,
        health: health_to_wit(Health::from_number(row.health)),
        registered_ms: row.registered_ms,
        heartbeat_ms: row.heartbeat_ms,
        expires_ms: (row.expires_ms > 0).then_some(row.expires_ms),
    }
}

fn to_row(entry: &RegistryEntry) -> Registration {
    let label = |(name, value): &(String, String)| Detail {
        name: name.clone(),
        value: value.clone(),
    };
    let row = RegistrationRow {
        address: entry.address.clone(),
        metadata: entry.metadata.iter().map(label).collect(),
        owner: entry.owner.clone(),
        ttl_ms: 0,
        expires_ms: entry.expires_ms.unwrap_or(0),
        health: health_from_wit(entry.health) as u32,
        registered_ms: entry.registered_ms,
        heartbeat_ms: entry.heartbeat_ms,
    };
    Registration {
        name: entry.name.clone(),
        row: Some(row),
    }
}

fn health_from_wit(health: WitHealth) -> Health {
    match health {
        WitHealth::Healthy => Health::Healthy,
        WitHealth::Degraded => Health::Degraded,
        WitHealth::Unhealthy => Health::Unhealthy,
    }
}

fn health_to_wit(health: Health) -> WitHealth {
    match health {
        Health::Healthy => WitHealth::Healthy,
        Health::Degraded => WitHealth::Degraded,
        Health::Unhealthy => WitHealth::Unhealthy,
    }
}

impl Recorded for EntryPage {
    fn to_record(&self) -> Bytes {
        let page = records::Registrations {
            entries: self.entries.iter().map(to_row).collect(),
            cursor: self.cursor.clone(),
        };
        page.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let page = records::Registrations::decode(bytes);
        let page = page.map_err(|_| corrupt("page of the registry"))?;
        Ok(EntryPage {
            entries: page.entries.into_iter().map(entry_to_wit).collect(),
            cursor: page.cursor,
        })
    }
}

/// A page of at most one.
impl Recorded for Option<RegistryEntry> {
    fn to_record(&self) -> Bytes {
        let page = EntryPage {
            entries: self.iter().cloned().collect(),
            cursor: None,
        };
        page.to_record()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        Ok(EntryPage::from_record(bytes)?.entries.pop())
    }
}
