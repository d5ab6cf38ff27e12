//! A node's start: what was deployed is in force again, and what was waiting goes on.

use crate::resident::{Envelope, Origin};
use crate::shared::Shared;
use plexspaces_core::message::{Delivery, Message};
use plexspaces_core::{ActorId, Result, Scope};
use plexspaces_services::applications::{self, Hash};
use plexspaces_services::feeds::delivery;
use plexspaces_services::records::{MailboxRow, decode};
use plexspaces_services::{fault, groups, scopes};
use plexspaces_store::key::Kind;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Brings the deployed applications back, from compiled code.
///
/// # Errors
/// A fault of the store, or of a module.
pub(crate) async fn applications(shared: &Arc<Shared>) -> Result<()> {
    for application in applications::all(shared.store.snapshot().as_ref()).await? {
        let scope = Scope::new(&application.tenant, &application.namespace)?;
        let mut types = Vec::new();
        for kind in &application.types {
            types.push((
                kind.name.clone(),
                shared.deployment(Hash::read(&kind.deployment)?).await?,
            ));
        }
        shared.catalog.install(application, &scope, types);
    }
    Ok(())
}

/// Delivers the messages that wait in the store and lets interrupted turns go on: everywhere, or for the types that a
/// deployment has added to a scope.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub(crate) async fn messages(
    shared: &Arc<Shared>,
    only: Option<(&Scope, &[String])>,
) -> Result<()> {
    let snapshot = shared.store.snapshot();
    let scopes = match only {
        Some((scope, _)) => vec![scope.clone()],
        None => scopes::all(snapshot.as_ref()).await?,
    };
    let wanted =
        |id: &ActorId| only.is_none_or(|(_, types)| types.iter().any(|name| name == id.kind()));
    for scope in scopes {
        let mut interrupted = BTreeSet::new();
        scopes::each_actor_row(snapshot.as_ref(), &scope, Kind::Wait, |_, id, _| {
            interrupted.insert(id);
            Ok(())
        })
        .await?;
        for id in interrupted
            .into_iter()
            .filter(|id| wanted(id) && shared.catalog.of(id).is_ok())
        {
            shared.deliver(&id, wake_up());
        }
        scopes::each_actor_row(
            snapshot.as_ref(),
            &scope,
            Kind::Mailbox,
            |row, id, value| {
                // Messages to a type that is not deployed stay until it is.
                if wanted(&id) && shared.catalog.of(&id).is_ok() {
                    let content: MailboxRow = decode(&row, &value)?;
                    shared.deliver(&id, Envelope::from_row(row, content)?);
                }
                Ok(())
            },
        )
        .await?;
    }
    Ok(())
}

/// Brings back who subscribes to what. Ephemeral actors have left their groups.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub(crate) async fn subscriptions(shared: &Arc<Shared>) -> Result<()> {
    let feeds = &shared.coordination.feeds;
    for scope in scopes::all(shared.store.snapshot().as_ref()).await? {
        let left = groups::without_ephemeral(shared.store.snapshot().as_ref(), &scope).await?;
        shared.commit(left).await.map_err(fault)?;
        let snapshot = shared.store.snapshot();
        delivery::all_subscribers(snapshot.as_ref(), &scope, |found| {
            if found.end.is_some() || found.lost > 0 {
                feeds.wake(&found.subscription.feed);
            }
            if found.end.is_none() {
                feeds.load(&found.subscription, found.filter);
            }
        })
        .await?;
    }
    Ok(())
}

/// Lets what was published and not delivered go on its way.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub(crate) async fn feeds(shared: &Arc<Shared>) -> Result<()> {
    let snapshot = shared.store.snapshot();
    for scope in scopes::all(snapshot.as_ref()).await? {
        for feed in delivery::with_rows(snapshot.as_ref(), &scope).await? {
            shared.coordination.feeds.wake(&feed);
        }
    }
    Ok(())
}

/// Nothing to do but to finish what was interrupted.
fn wake_up() -> Envelope {
    Envelope {
        message: Message {
            from: String::new(),
            msg_type: String::new(),
            payload: bytes::Bytes::new(),
            delivery: Delivery::Info,
        },
        origin: Origin::WakeUp,
        caller: None,
        deadline: None,
    }
}
