//! Process groups: actors that are reached together.
//!
//! Layout: `scope / Group / name` → `GroupRow`; `scope / Member / group / type / key` → `MemberRow`; and for each member a
//! subscription to the group's feed ([`feeds`](crate::feeds)). A message goes to the members as of the publisher's commit:
//! the order of commits is the member list's version, so nobody reads the list to publish, and joining and publishing do
//! not hinder each other. Who leaves still gets what was published before.

use crate::feeds::{self, Feed, Filter, Id, Source, Subscription, check_name};
use crate::records::{FeedRow, GroupRow, MemberRow, decode, encode};
use crate::scopes::{self, just_after};
use crate::topics::{Publication, lines};
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Snapshot};
use std::collections::BTreeSet;

/// The most topics that a member may have.
pub const TOPICS_MAX: usize = 64;

/// The most members that one call gives.
pub const PAGE_MAX: u32 = 1_000;

/// Some members, in the order of type and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Their ids.
    pub members: Vec<ActorId>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<ActorId>,
}

/// Makes a group without members.
///
/// # Errors
/// `PS1013`, `PS1021` if it exists, `PS1018`, `PS3008`, or a fault of the store.
pub async fn create(
    transaction: &mut Transaction,
    scope: &Scope,
    group: &str,
    now: Millis,
) -> Result<()> {
    let key = group_key(scope, group)?;
    if transaction.latest(&key).await?.is_some() {
        let text = format!("the group {group:?} exists in {scope}");
        return Err(Error::new(Code::EntryExists, text));
    }
    let row = GroupRow { created_ms: now.0 };
    transaction.put(key, encode(&row))
}

/// Makes `actor` a member that gets what is published without a topic or under one of `topics`; without topics,
/// everything. Joining again adds the topics.
///
/// # Errors
/// `PS1017` without such a group, `PS1013`, `PS3008`, or a fault of the store.
pub async fn join(
    transaction: &mut Transaction,
    scope: &Scope,
    group: &str,
    actor: &ActorId,
    topics: Vec<String>,
    ephemeral: bool,
    id: Id,
) -> Result<()> {
    check_exists(transaction, scope, group).await?;
    check_topics(&topics)?;
    let key = member_key(scope, group, actor);
    let mut topics: BTreeSet<String> = topics.into_iter().collect();
    if let Some(found) = transaction.get(&key).await? {
        let row: MemberRow = decode(&key, &found)?;
        if topics.is_empty() || row.topics.is_empty() {
            // One of the two was for everything.
            topics.clear();
        } else {
            topics.extend(row.topics.iter().cloned());
        }
        if topics.iter().eq(&row.topics) {
            return Ok(());
        }
        check_count(topics.len())?;
        let before = subscription(scope, group, actor, &row)?;
        feeds::end(transaction, before, true)?;
    }
    let row = MemberRow {
        topics: topics.iter().cloned().collect(),
        subscription: Bytes::copy_from_slice(&id),
        ephemeral,
    };
    let subscription = subscription(scope, group, actor, &row)?;
    transaction.put(key, encode(&row))?;
    feeds::start(transaction, subscription, Filter::Group(topics))
}

/// Ends the membership, if there is one. What was published before is still delivered.
///
/// # Errors
/// `PS1017` without such a group, `PS1013`, `PS3008`, or a fault of the store.
pub async fn leave(
    transaction: &mut Transaction,
    scope: &Scope,
    group: &str,
    actor: &ActorId,
) -> Result<()> {
    check_exists(transaction, scope, group).await?;
    leave_one(transaction, scope, group, actor, false).await
}

/// Ends all memberships of an actor that stops. With `at_once` it does not get what is still on its way either.
///
/// # Errors
/// `PS3008`, or a fault of the store.
pub async fn leave_all(
    transaction: &mut Transaction,
    actor: &ActorId,
    at_once: bool,
) -> Result<()> {
    for feed in transaction.feeds().memberships(actor) {
        if let Source::Group(group) = feed.source() {
            leave_one(transaction, feed.scope(), group, actor, at_once).await?;
        }
    }
    Ok(())
}

async fn leave_one(
    transaction: &mut Transaction,
    scope: &Scope,
    group: &str,
    actor: &ActorId,
    at_once: bool,
) -> Result<()> {
    let key = member_key(scope, group, actor);
    let Some(found) = transaction.get(&key).await? else {
        return Ok(());
    };
    let row: MemberRow = decode(&key, &found)?;
    transaction.delete(key)?;
    let before = subscription(scope, group, actor, &row)?;
    if at_once {
        feeds::forget(transaction, before)
    } else {
        feeds::end(transaction, before, false)
    }
}

/// The members, or those that a publish under `topic` reaches, after `cursor`.
///
/// # Errors
/// `PS1017` without such a group, `PS1013` for a limit that is not 1 to [`PAGE_MAX`] or a cursor that is no actor's id,
/// or a fault of the store.
pub async fn members(
    transaction: &mut Transaction,
    scope: &Scope,
    group: &str,
    topic: Option<&str>,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    if !(1..=PAGE_MAX).contains(&limit) {
        let text = format!("the limit is {limit}; it must be 1 to {PAGE_MAX}");
        return Err(Error::new(Code::InvalidArgument, text));
    }
    if let Some(topic) = topic {
        check_name("topic", topic)?;
    }
    check_exists(transaction, scope, group).await?;
    let limit = limit as usize;
    let mut range = members_path(scope).str(group).range();
    if let Some(cursor) = cursor {
        let after = ActorId::parse(scope, cursor)?;
        range.start = just_after(&member_key(scope, group, &after));
    }
    let mut page = Page::default();
    loop {
        let rows = transaction.scan(range.clone(), limit).await?;
        let full = rows.len() == limit;
        for (key, value) in rows {
            let row: MemberRow = decode(&key, &value)?;
            let (_, member) = parse(scope, &key)?;
            range.start = just_after(&key);
            let reached = topic.is_none_or(|topic| {
                row.topics.is_empty() || row.topics.iter().any(|found| found == topic)
            });
            if !reached {
                continue;
            }
            page.members.push(member);
            if page.members.len() == limit {
                page.cursor = page.members.last().cloned();
                return Ok(page);
            }
        }
        if !full {
            return Ok(page);
        }
    }
}

/// Publishes to the members as of this turn's commit: all of them, or those that a topic reaches.
///
/// # Errors
/// `PS1017` without such a group, `PS1013`, `PS1004` over `bytes_max`, `PS3008`, or a fault of the store.
pub async fn publish(
    transaction: &mut Transaction,
    scope: &Scope,
    group: &str,
    topic: Option<String>,
    from: &ActorId,
    message: Publication,
    bytes_max: u64,
) -> Result<()> {
    check_exists(transaction, scope, group).await?;
    if let Some(topic) = &topic {
        check_name("topic", topic)?;
    }
    message.check(bytes_max)?;
    let first = format!("$group:{group}");
    let second = topic.as_deref().unwrap_or_default();
    let row = FeedRow {
        from: from.local(),
        msg_type: lines(&[&first, second, &message.msg_type]),
        payload: message.payload,
        group_topic: topic,
        ..FeedRow::default()
    };
    let feed = Feed::new(scope, Source::Group(group.to_owned()));
    feeds::publish(transaction, feed, row)
}

/// Ends the memberships of ephemeral actors: their node has restarted, and they with it.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn without_ephemeral(snapshot: &dyn Snapshot, scope: &Scope) -> Result<Batch> {
    let mut batch = Batch::new();
    let mut range = members_path(scope).range();
    loop {
        let rows = snapshot.scan(range.clone(), 1_000, plexspaces_store::Order::Forward);
        let rows = rows.await.map_err(crate::fault)?;
        let full = rows.len() == 1_000;
        for (key, found) in rows {
            range.start = just_after(&key);
            let row: MemberRow = decode(&key, &found.value)?;
            if row.ephemeral {
                let (group, actor) = parse(scope, &key)?;
                let subscription = subscription(scope, &group, &actor, &row)?;
                batch.delete(key);
                batch.delete(subscription.key());
                batch.delete(subscription.cursor_key());
                batch.delete(subscription.end_key());
            }
        }
        if !full {
            return Ok(batch);
        }
    }
}

fn subscription(
    scope: &Scope,
    group: &str,
    actor: &ActorId,
    row: &MemberRow,
) -> Result<Subscription> {
    let id = row.subscription.as_ref().try_into();
    Ok(Subscription {
        feed: Feed::new(scope, Source::Group(group.to_owned())),
        actor: actor.clone(),
        name: String::new(),
        id: id.map_err(|_| {
            let text = format!("the membership of {actor} in {group:?} cannot be read");
            Error::new(Code::Corrupt, text)
        })?,
    })
}

async fn check_exists(transaction: &mut Transaction, scope: &Scope, group: &str) -> Result<()> {
    let key = group_key(scope, group)?;
    if transaction.get(&key).await?.is_some() {
        return Ok(());
    }
    let text = format!("there is no group {group:?} in {scope}; make it with create-group");
    Err(Error::new(Code::NotThere, text))
}

fn check_topics(topics: &[String]) -> Result<()> {
    check_count(topics.len())?;
    for topic in topics {
        check_name("topic", topic)?;
    }
    Ok(())
}

fn check_count(topics: usize) -> Result<()> {
    if topics <= TOPICS_MAX {
        return Ok(());
    }
    let text = format!("the member would have {topics} topics; at most {TOPICS_MAX} are allowed");
    Err(Error::new(Code::InvalidArgument, text))
}

fn group_key(scope: &Scope, group: &str) -> Result<Key> {
    let group = check_name("group", group)?;
    let path = Path::scope(scope.tenant(), scope.namespace(), Kind::Group);
    Ok(path.str(group).key())
}

fn members_path(scope: &Scope) -> Path {
    Path::scope(scope.tenant(), scope.namespace(), Kind::Member)
}

fn member_key(scope: &Scope, group: &str, actor: &ActorId) -> Key {
    let path = members_path(scope).str(group);
    path.str(actor.kind()).str(actor.key()).key()
}

fn parse(scope: &Scope, key: &Key) -> Result<(String, ActorId)> {
    let elements = key::decode(key).map_err(crate::fault)?;
    match elements.as_slice() {
        [
            _,
            _,
            _,
            Element::Str(group),
            Element::Str(kind),
            Element::Str(actor),
        ] => Ok((group.clone(), ActorId::new(scope, kind, actor)?)),
        _ => Err(scopes::corrupt(key)),
    }
}
