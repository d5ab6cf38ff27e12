//! Feeds: what is published once and reaches every subscriber, in order and exactly once.
//!
//! Layout: `scope / Feed / feed / ticket` → `FeedRow`;
//! `scope / Subscription / feed / type / key / name / id` → `SubscriptionRow`, and below it `"cursor"` → `CursorRow` and
//! `"end"` → `SubscriptionEnd`.
//!
//! A publish is one row, whatever the number of subscribers, and none if nobody wants it ([`table`] knows). The node's
//! pump delivers: one batch has the mailbox rows and the new cursors. What a subscription gets is decided by commits: the
//! rows whose version lies between its own and its end's. A row's place is its ticket, drawn when its turn ends; the pump
//! stops before the lowest ticket whose batch is still on its way ([`Feeds::settled`]), so nothing that commits late is
//! passed over.
//!
//! * this file: names, keys, and what turns do
//! * [`table`]: what is in memory: who subscribes, what is on its way, which feeds have something to deliver
//! * `way`: what a transaction holds of feeds until it has committed
//! * [`filter`]: who wants what
//! * [`delivery`]: what the pump reads and writes

pub mod delivery;
pub mod filter;
pub mod table;
pub(crate) mod way;

pub use filter::{Condition, Filter, Test};
pub use table::{Feeds, Rest};
pub use way::Wake;

use crate::records::{FeedRow, SubscriptionEnd, SubscriptionRow, decode, encode};
use crate::transaction::Transaction;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest name of a topic or group, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// What tells one subscription from another, also from a later one of the same actor.
pub type Id = [u8; 16];

/// The second line of a message type that says that messages were lost.
pub const LOST: &str = "$lost";

/// The last element of the key of a subscription's cursor.
pub(crate) const CURSOR: &str = "cursor";

/// The last element of the key of a subscription's end.
pub(crate) const END: &str = "end";

/// Something that actors subscribe to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Feed {
    scope: Scope,
    source: Source,
}

/// What is published in a feed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A topic's messages.
    Topic(String),
    /// A process group's messages.
    Group(String),
    /// The changes of a namespace's keys.
    Watch,
    /// The tuples written to a namespace's space.
    Tuples,
}

impl Feed {
    /// A feed of a namespace.
    #[must_use]
    pub fn new(scope: &Scope, source: Source) -> Self {
        let scope = scope.clone();
        Feed { scope, source }
    }

    /// Where it is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What is published in it.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether its rows are made from what batches change.
    pub(crate) fn is_of_changes(&self) -> bool {
        matches!(self.source, Source::Watch | Source::Tuples)
    }

    fn name(&self) -> String {
        match &self.source {
            Source::Topic(name) => format!("topic:{name}"),
            Source::Group(name) => format!("group:{name}"),
            Source::Watch => "watch".to_owned(),
            Source::Tuples => "tuples".to_owned(),
        }
    }

    pub(crate) fn parse(scope: &Scope, name: &str) -> Option<Self> {
        let source = match name.split_once(':') {
            Some(("topic", name)) => Source::Topic(name.to_owned()),
            Some(("group", name)) => Source::Group(name.to_owned()),
            None if name == "watch" => Source::Watch,
            None if name == "tuples" => Source::Tuples,
            _ => return None,
        };
        Some(Feed::new(scope, source))
    }

    pub(crate) fn path(&self, kind: Kind) -> Path {
        Path::scope(self.scope.tenant(), self.scope.namespace(), kind).str(&self.name())
    }

    pub(crate) fn row(&self, ticket: u64) -> Key {
        self.path(Kind::Feed).u64(ticket).key()
    }
}

/// One actor's subscription to a feed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subscription {
    /// What it gets something of.
    pub feed: Feed,
    /// Who gets it.
    pub actor: ActorId,
    /// What the actor calls it: a watch's prefix, the id of one to a tuple space; "" where an actor has only one.
    pub name: String,
    /// See [`Id`].
    pub id: Id,
}

impl Subscription {
    pub(crate) fn path(&self) -> Path {
        named(&self.feed, &self.actor, &self.name).bytes(&self.id)
    }

    /// Where its row is.
    #[must_use]
    pub fn key(&self) -> Key {
        self.path().key()
    }

    /// Where its cursor is.
    #[must_use]
    pub fn cursor_key(&self) -> Key {
        self.path().str(CURSOR).key()
    }

    /// Where its end is.
    #[must_use]
    pub fn end_key(&self) -> Key {
        self.path().str(END).key()
    }
}

fn named(feed: &Feed, actor: &ActorId, name: &str) -> Path {
    feed.path(Kind::Subscription)
        .str(actor.kind())
        .str(actor.key())
        .str(name)
}

/// What a key below `Subscription` is: the subscription, and which of its rows.
pub(crate) fn parse(scope: &Scope, key: &Key) -> Result<(Subscription, Option<String>)> {
    let corrupt = || {
        Error::new(
            Code::Corrupt,
            format!("the key {key:?} is no subscription's"),
        )
    };
    let elements = key::decode(key).map_err(|_| corrupt())?;
    let [
        _,
        _,
        _,
        Element::Str(feed),
        Element::Str(kind),
        Element::Str(actor),
        Element::Str(name),
        Element::Bytes(id),
        rest @ ..,
    ] = elements.as_slice()
    else {
        return Err(corrupt());
    };
    let subscription = Subscription {
        feed: Feed::parse(scope, feed).ok_or_else(corrupt)?,
        actor: ActorId::new(scope, kind, actor)?,
        name: name.clone(),
        id: id.as_slice().try_into().map_err(|_| corrupt())?,
    };
    let part = rest.first().and_then(Element::as_str).map(str::to_owned);
    Ok((subscription, part))
}

/// Subscribes an actor. One that is in force under the same name with the same filter stays; with another filter it ends
/// where the new one starts.
///
/// # Errors
/// `PS1012` for an actor of another namespace, `PS3008`, or a fault of the store.
pub async fn subscribe(
    transaction: &mut Transaction,
    subscription: Subscription,
    filter: Filter,
) -> Result<()> {
    if subscription.actor.scope() != subscription.feed.scope() {
        return Err(Error::new(
            Code::NotGranted,
            format!(
                "{} cannot subscribe to something in {}: what is published reaches actors of the same namespace",
                subscription.actor,
                subscription.feed.scope()
            ),
        ));
    }
    let Subscription {
        feed, actor, name, ..
    } = &subscription;
    for (before, row) in in_force(transaction, feed, actor, name).await? {
        if Filter::of_row(feed.source(), &row)? == filter {
            return Ok(());
        }
        end(transaction, before, true)?;
    }
    start(transaction, subscription, filter)
}

/// Ends the actor's subscription of this name, if there is one. What has not been delivered yet never will be.
///
/// # Errors
/// `PS3008`, or a fault of the store.
pub async fn unsubscribe(
    transaction: &mut Transaction,
    feed: &Feed,
    actor: &ActorId,
    name: &str,
) -> Result<()> {
    for (subscription, _, _) in rows_of(transaction, feed, actor, name).await? {
        forget(transaction, subscription)?;
    }
    Ok(())
}

/// Writes a subscription.
pub(crate) fn start(
    transaction: &mut Transaction,
    subscription: Subscription,
    filter: Filter,
) -> Result<()> {
    let mut row = filter.to_row();
    row.after = transaction.feeds().settled(&subscription.feed) - 1;
    transaction.put(subscription.key(), encode(&row))?;
    transaction.starts(subscription, filter);
    Ok(())
}

/// Ends a subscription: what is published up to here is still delivered.
pub(crate) fn end(
    transaction: &mut Transaction,
    subscription: Subscription,
    replaced: bool,
) -> Result<()> {
    let row = SubscriptionEnd { replaced };
    transaction.put(subscription.end_key(), encode(&row))?;
    transaction.ends(subscription);
    Ok(())
}

/// Removes a subscription with all that it has not been told yet.
pub(crate) fn forget(transaction: &mut Transaction, subscription: Subscription) -> Result<()> {
    for key in [
        subscription.key(),
        subscription.cursor_key(),
        subscription.end_key(),
    ] {
        transaction.delete(key)?;
    }
    transaction.ends(subscription);
    Ok(())
}

/// An actor's subscriptions of one name that have not ended.
async fn in_force(
    transaction: &mut Transaction,
    feed: &Feed,
    actor: &ActorId,
    name: &str,
) -> Result<Vec<(Subscription, SubscriptionRow)>> {
    let rows = rows_of(transaction, feed, actor, name).await?;
    let in_force = rows.into_iter().filter(|(_, _, ended)| !ended);
    Ok(in_force.map(|(found, row, _)| (found, row)).collect())
}

/// An actor's subscriptions of one name, and whether each has ended. Few: those that ended go away when all is delivered.
async fn rows_of(
    transaction: &mut Transaction,
    feed: &Feed,
    actor: &ActorId,
    name: &str,
) -> Result<Vec<(Subscription, SubscriptionRow, bool)>> {
    let mut found: Vec<(Subscription, SubscriptionRow, bool)> = Vec::new();
    let range = named(feed, actor, name).range();
    for (key, value) in transaction.scan(range, usize::MAX).await? {
        let (subscription, part) = parse(feed.scope(), &key)?;
        match (part.as_deref(), found.last_mut()) {
            (None, _) => found.push((subscription, decode(&key, &value)?, false)),
            (Some(END), Some((_, _, ended))) => *ended = true,
            _ => {}
        }
    }
    Ok(found)
}

/// Buffers a message to a feed's subscribers.
///
/// # Errors
/// `PS3008` over the turn's bounds.
pub(crate) fn publish(transaction: &mut Transaction, feed: Feed, row: FeedRow) -> Result<()> {
    transaction.publish(feed, row)
}

/// Checks the name of a topic or group.
///
/// # Errors
/// `PS1013` unless it has 1 to [`NAME_BYTES_MAX`] bytes and no control characters.
pub fn check_name<'n>(what: &str, name: &'n str) -> Result<&'n str> {
    let problem = if name.is_empty() {
        "is empty".to_owned()
    } else if name.len() > NAME_BYTES_MAX {
        format!(
            "has {} bytes; at most {NAME_BYTES_MAX} are allowed",
            name.len()
        )
    } else if name.chars().any(char::is_control) {
        "has a control character".to_owned()
    } else if name.starts_with('$') {
        "starts with '$', which is reserved for the runtime".to_owned()
    } else {
        return Ok(name);
    };
    let shown: String = name.chars().take(80).collect();
    let text = format!("the name of the {what}, {shown:?}, {problem}");
    Err(Error::new(Code::InvalidArgument, text))
}
