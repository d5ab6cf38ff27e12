//! What is deployed, in memory: the applications, and what each actor type runs with.

use crate::shared::Shared;
use parking_lot::RwLock;
use plexspaces_core::limits::Limits;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_runtime::Module;
use plexspaces_services::applications::{self, Hash};
use plexspaces_services::records;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// What an actor type runs with.
pub(crate) struct Deployment {
    pub(crate) hash: Hash,
    pub(crate) module: Arc<Module>,
    pub(crate) limits: Limits,
    pub(crate) ephemeral: bool,
    pub(crate) checkpoint_turns: u64,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) history_turns: u64,
    pub(crate) idle: Duration,
}

/// The applications of a node.
#[derive(Default)]
pub(crate) struct Catalog {
    tables: RwLock<Tables>,
    deployments: RwLock<HashMap<Hash, Arc<Deployment>>>,
}

#[derive(Default)]
struct Tables {
    applications: BTreeMap<String, records::Application>,
    types: HashMap<(Scope, String), (String, Arc<Deployment>)>,
}

impl Catalog {
    /// What the actor's type runs with today.
    pub(crate) fn of(&self, id: &ActorId) -> Result<Arc<Deployment>> {
        self.find(id.scope(), id.kind())
            .map(|(_, deployment)| deployment)
    }

    /// The application that has this actor type, and what the type runs with.
    pub(crate) fn find(&self, scope: &Scope, kind: &str) -> Result<(String, Arc<Deployment>)> {
        let tables = self.tables.read();
        let found = tables.types.get(&(scope.clone(), kind.to_owned()));
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = tables
                .types
                .keys()
                .filter(|(s, _)| s == scope)
                .map(|(_, name)| name.as_str())
                .take(20)
                .collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            Error::new(
                Code::UnknownActorType,
                format!(
                    "no application in {scope} has the actor type {kind:?}; deployed there: {known}"
                ),
            )
        })
    }

    pub(crate) fn application(&self, id: &str) -> Option<records::Application> {
        self.tables.read().applications.get(id).cloned()
    }

    pub(crate) fn applications(&self) -> Vec<records::Application> {
        self.tables.read().applications.values().cloned().collect()
    }

    /// Makes an application's new version the one in force; gives the types that were not there before.
    pub(crate) fn install(
        &self,
        application: records::Application,
        scope: &Scope,
        types: Vec<(String, Arc<Deployment>)>,
    ) -> Vec<String> {
        let mut tables = self.tables.write();
        let before = tables.remove(&application.id);
        let added = types
            .iter()
            .filter(|(name, _)| !before.contains(name))
            .map(|(name, _)| name.clone())
            .collect();
        for (name, deployment) in types {
            tables
                .types
                .insert((scope.clone(), name), (application.id.clone(), deployment));
        }
        tables
            .applications
            .insert(application.id.clone(), application);
        added
    }

    pub(crate) fn remove(&self, id: &str) {
        self.tables.write().remove(id);
    }
}

impl Tables {
    fn remove(&mut self, id: &str) -> Vec<String> {
        let mut removed = Vec::new();
        self.types.retain(|(_, name), (owner, _)| {
            let keep = owner != id;
            if !keep {
                removed.push(name.clone());
            }
            keep
        });
        self.applications.remove(id);
        removed
    }
}

impl Shared {
    /// A deployment by its hash, with its module compiled.
    pub(crate) async fn deployment(&self, hash: Hash) -> Result<Arc<Deployment>> {
        if let Some(found) = self.catalog.deployments.read().get(&hash) {
            return Ok(found.clone());
        }
        let record = applications::deployment(self.store.snapshot().as_ref(), hash).await?;
        self.load_deployment(hash, &record).await
    }

    /// Builds a deployment from its record.
    pub(crate) async fn load_deployment(
        &self,
        hash: Hash,
        record: &records::Deployment,
    ) -> Result<Arc<Deployment>> {
        let module_hash = Hash::read(&record.module)?;
        let store = self.store.clone();
        let bytes = async move {
            applications::module(store.snapshot().as_ref(), module_hash)
                .await?
                .ok_or_else(|| {
                    Error::new(
                        Code::Corrupt,
                        format!("the module {module_hash} is missing from the store"),
                    )
                })
        };
        let module = self.modules.get(module_hash, bytes).await?;
        let limits = record.limits.ok_or_else(|| {
            Error::new(
                Code::Corrupt,
                format!("the deployment {hash} has no limits"),
            )
        })?;
        let deployment = Arc::new(Deployment {
            hash,
            module,
            limits: limits.into(),
            ephemeral: record.ephemeral,
            checkpoint_turns: record.checkpoint_turns,
            checkpoint_bytes: record.checkpoint_bytes,
            history_turns: record.history_turns,
            idle: Duration::from_millis(record.idle_ms),
        });
        self.catalog
            .deployments
            .write()
            .insert(hash, deployment.clone());
        Ok(deployment)
    }
}
