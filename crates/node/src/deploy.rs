//! Deploying: an upload becomes an application, whole or not at all.
//!
//! Everything is checked before anything is stored: the component, the config, the exported functions' types in a
//! trial instance. The module's chunks are stored first and count for nothing until one batch declares the module, the
//! deployments and the application. A new version takes effect at each actor's next message.

use crate::manifest::{ActorType, Manifest};
use crate::node::{ActorTypeInfo, Application, Node, unknown_application};
use crate::recover;
use crate::shared::{Shared, wall};
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Urgency};
use plexspaces_core::{Code, Error, Result, id};
use plexspaces_runtime::{Contract, contract};
use plexspaces_services::applications::{self, Hash};
use plexspaces_services::records;
use plexspaces_services::{fault, scopes};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is uploaded.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// The application's id: the same id deploys a new version.
    pub application_id: String,
    /// Its name; names the one actor type when the config names none.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// The component.
    pub wasm: Bytes,
    /// The config, in TOML.
    pub config: Option<String>,
}

/// What a deployment did.
#[derive(Clone, Debug, Serialize)]
pub struct Deployed {
    /// The application in force.
    pub application: Application,
    /// The SHA-256 of the module.
    pub module: String,
    /// Whether the module had to be compiled.
    pub compiled: bool,
    /// What the deployer should know.
    pub warnings: Vec<String>,
}

impl Node {
    /// Deploys an application, or a new version of it.
    ///
    /// # Errors
    /// `PS1001`, `PS2001` to `PS2007` for what is wrong with the upload; a fault of the store.
    pub async fn deploy(&self, deploy: Deploy) -> Result<Deployed> {
        let shared = self.shared();
        shared.check_open()?;
        id::check_name("application id", &deploy.application_id)?;
        id::check_name("application name", &deploy.name)?;
        check_version(&deploy.version)?;
        let mut manifest = Manifest::parse(deploy.config.as_deref().unwrap_or_default())?;
        if manifest.actors.is_empty() {
            manifest.actors = BTreeMap::from([(deploy.name.clone(), ActorType::default())]);
        }
        let scope = manifest.scope()?;
        // One deployment at a time: what is checked here still holds when it is committed.
        let _deploying = shared.deploying.lock().await;
        for name in manifest.actors.keys() {
            check_owner(shared, &deploy.application_id, &scope, name, &manifest)?;
        }
        let hash = Hash::of(&deploy.wasm);
        let before = shared.modules.compiled();
        let wasm = deploy.wasm.clone();
        let module = shared
            .modules
            .get(hash, async move { Ok(wasm.to_vec()) })
            .await?;
        let memory = manifest
            .actors
            .values()
            .map(|actor| actor.limits.memory_bytes)
            .min()
            .unwrap_or_default();
        module.try_out(memory).await?;
        let deployments: Vec<(String, records::Deployment)> = manifest
            .actors
            .iter()
            .map(|(name, actor)| (name.clone(), record(hash, actor)))
            .collect();
        let application = records::Application {
            id: deploy.application_id,
            name: deploy.name,
            version: deploy.version,
            tenant: manifest.tenant.clone(),
            namespace: manifest.namespace.clone(),
            types: deployments
                .iter()
                .map(|(name, record)| records::ActorType {
                    name: name.clone(),
                    deployment: applications::deployment_hash(record).bytes(),
                })
                .collect(),
            deployed_ms: wall().0,
        };
        store(
            shared,
            &deploy.wasm,
            hash,
            &deployments,
            &application,
            &scope,
        )
        .await?;
        let mut types = Vec::new();
        for (name, record) in &deployments {
            let deployment = shared
                .load_deployment(applications::deployment_hash(record), record)
                .await?;
            types.push((name.clone(), deployment));
        }
        let added = shared.catalog.install(application.clone(), &scope, types);
        if !added.is_empty() {
            recover::messages(shared, Some((&scope, &added))).await?;
            shared.unpark_timers();
            // What was published for their actors waits as well.
            shared.coordination.feeds.wake_all();
        }
        Ok(Deployed {
            application: describe(shared, &application),
            module: hash.to_string(),
            compiled: shared.modules.compiled() > before,
            warnings: warnings(&manifest, &module.contract),
        })
    }

    /// Takes an application away. Its actors' state stays, and is there when it is deployed again.
    ///
    /// # Errors
    /// `PS1003`, or a fault of the store.
    pub async fn undeploy(&self, id: &str) -> Result<()> {
        let shared = self.shared();
        let _deploying = shared.deploying.lock().await;
        if shared.catalog.application(id).is_none() {
            return Err(unknown_application(id));
        }
        let mut batch = Batch {
            urgency: Urgency::Now,
            ..Batch::new()
        };
        applications::delete_application(&mut batch, id);
        shared.commit(batch).await.map_err(fault)?;
        shared.catalog.remove(id);
        shared.gate().await
    }
}

async fn store(
    shared: &Shared,
    wasm: &[u8],
    hash: Hash,
    deployments: &[(String, records::Deployment)],
    application: &records::Application,
    scope: &plexspaces_core::Scope,
) -> Result<()> {
    let mut batch = Batch {
        urgency: Urgency::Now,
        ..Batch::new()
    };
    if !applications::has_module(shared.store.snapshot().as_ref(), hash).await? {
        for chunk in applications::module_chunks(hash, wasm) {
            shared.store.commit(chunk).await.map_err(fault)?;
        }
        applications::put_module(&mut batch, hash, wasm.len());
    }
    for (_, record) in deployments {
        applications::put_deployment(&mut batch, record);
    }
    applications::put_application(&mut batch, application);
    scopes::mark(&mut batch, scope);
    shared.commit(batch).await.map_err(fault)?;
    shared.gate().await
}

fn record(module: Hash, actor: &ActorType) -> records::Deployment {
    records::Deployment {
        module: module.bytes(),
        ephemeral: !actor.durable,
        limits: Some((&actor.limits).into()),
        checkpoint_turns: actor.checkpoint_turns,
        checkpoint_bytes: actor.checkpoint_bytes,
        idle_ms: actor.idle_ms,
        history_turns: actor.history_turns,
    }
}

fn check_version(version: &str) -> Result<()> {
    const VERSION_BYTES_MAX: usize = 64;
    if version.is_empty()
        || version.len() > VERSION_BYTES_MAX
        || version.chars().any(char::is_control)
    {
        return Err(Error::new(
            Code::MalformedRequest,
            format!(
                "the version {version:?} must have 1 to {VERSION_BYTES_MAX} bytes and no control characters"
            ),
        ));
    }
    Ok(())
}

/// A type belongs to one application, and stays durable or ephemeral as its actors are.
fn check_owner(
    shared: &Shared,
    id: &str,
    scope: &plexspaces_core::Scope,
    name: &str,
    manifest: &Manifest,
) -> Result<()> {
    let Ok((owner, deployment)) = shared.catalog.find(scope, name) else {
        return Ok(());
    };
    if owner != id {
        return Err(Error::new(
            Code::ActorTypeTaken,
            format!("the actor type {name:?} in {scope} belongs to the application {owner:?}"),
        ));
    }
    let durable = manifest.actors[name].durable;
    if durable == deployment.ephemeral {
        let (was, now) = if durable {
            ("ephemeral", "durable")
        } else {
            ("durable", "ephemeral")
        };
        return Err(Error::new(
            Code::InvalidConfig,
            format!(
                "the config's actors.{name}.durable: the type is {was} and cannot become {now}; use another name"
            ),
        ));
    }
    Ok(())
}

fn warnings(manifest: &Manifest, contract: &Contract) -> Vec<String> {
    let mut warnings = Vec::new();
    if !contract.has(contract::SNAPSHOT) {
        for (name, _) in manifest.actors.iter().filter(|(_, actor)| actor.durable) {
            warnings.push(format!(
                "{name}: the module exports no snapshot-state, so its journal cannot be trimmed (at most 10,000 turns an \
                 actor) and its state cannot be carried over to another version"
            ));
        }
    }
    warnings
}

/// An application as users see it.
pub(crate) fn describe(shared: &Arc<Shared>, record: &records::Application) -> Application {
    let scope = plexspaces_core::Scope::new(&record.tenant, &record.namespace);
    let of = |name: &str| {
        shared
            .catalog
            .find(scope.as_ref().ok()?, name)
            .ok()
            .map(|(_, deployment)| deployment)
    };
    Application {
        application_id: record.id.clone(),
        name: record.name.clone(),
        version: record.version.clone(),
        tenant: record.tenant.clone(),
        namespace: record.namespace.clone(),
        actor_types: record
            .types
            .iter()
            .filter_map(|kind| {
                let deployment = of(&kind.name)?;
                Some(ActorTypeInfo {
                    name: kind.name.clone(),
                    module: deployment.module.hash.to_string(),
                    durable: !deployment.ephemeral,
                    exports: deployment.module.contract.exports.clone(),
                })
            })
            .collect(),
        deployed_ms: record.deployed_ms,
    }
}
