//! What the node's pump reads and writes: the subscribers of a feed, its rows in pages, messages, and what is over.

use super::filter::Filter;
use super::{CURSOR, END, Feed, LOST, Source, Subscription, parse};
use crate::fault;
use crate::records::{CursorRow, FeedRow, SubscriptionEnd, SubscriptionRow, decode, encode};
use crate::scopes::just_after;
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Version};
use plexspaces_core::message::{Delivery, Message};
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Order, Snapshot};

/// The sender's name of what the runtime itself says about a feed.
const FROM_FEED: &str = "$feed";

/// How many rows are read at once.
const ROWS: usize = 1_000;

/// A subscription as it stands.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// Whose it is.
    pub subscription: Subscription,
    /// What it wants.
    pub filter: Filter,
    /// The commit that it starts after.
    pub since: Version,
    /// Where it ends, if it has.
    pub end: Option<End>,
    /// What has a ticket up to this one has been dealt with.
    pub cursor: u64,
    /// Messages that it will not get and has not been told of.
    pub lost: u64,
}

/// The end of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    at: Version,
    replaced: bool,
}

/// A row of a feed.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its place.
    pub ticket: u64,
    version: Version,
    row: FeedRow,
}

impl Subscriber {
    /// Whether the subscription is to get this row.
    #[must_use]
    pub fn gets(&self, published: &Published) -> bool {
        let ended = self.end.is_some_and(|end| {
            published.version > end.at || (published.version == end.at && !end.replaced)
        });
        published.version > self.since && !ended && self.filter.matches(&published.row)
    }

    /// The row as the subscriber is told of it.
    #[must_use]
    pub fn message(&self, published: &Published) -> Message {
        let row = &published.row;
        let msg_type = match self.subscription.feed.source() {
            Source::Tuples => format!("{}:{}", row.msg_type, self.subscription.name),
            _ => row.msg_type.clone(),
        };
        Message {
            from: row.from.clone(),
            msg_type,
            payload: row.payload.clone(),
            delivery: Delivery::Info,
        }
    }

    /// Tells the subscriber how many messages it will not get.
    #[must_use]
    pub fn lost_message(&self) -> Message {
        let msg_type = match self.subscription.feed.source() {
            Source::Topic(name) => format!("$topic:{name}\n{LOST}"),
            Source::Group(name) => format!("$group:{name}\n{LOST}"),
            Source::Watch => format!("$watch:lost\n{}", self.subscription.name),
            Source::Tuples => format!("$tuple:{}\n{LOST}", self.subscription.name),
        };
        Message {
            from: FROM_FEED.to_owned(),
            msg_type,
            payload: self.lost.to_string().into(),
            delivery: Delivery::Info,
        }
    }

    /// Moves the cursor, unless the subscription is gone.
    pub fn move_cursor(&self, batch: &mut Batch, ticket: u64, lost: u64) {
        batch.guard(self.subscription.key(), self.since);
        let row = CursorRow { ticket, lost };
        batch.put(self.subscription.cursor_key(), encode(&row));
    }

    /// Deletes the rows of a subscription that has ended and has got all.
    pub fn delete(&self, batch: &mut Batch) {
        let subscription = &self.subscription;
        batch.guard(subscription.key(), self.since);
        batch.delete(subscription.key());
        batch.delete(subscription.cursor_key());
        batch.delete(subscription.end_key());
    }
}

impl Published {
    /// The size of its payload.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.row.payload.len()
    }
}

/// The subscribers of a feed, the oldest first.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn subscribers(snapshot: &dyn Snapshot, feed: &Feed) -> Result<Vec<Subscriber>> {
    let range = feed.path(Kind::Subscription).range();
    let mut found = Vec::new();
    collect(snapshot, feed.scope(), range, |subscriber| {
        found.push(subscriber);
    })
    .await?;
    found.sort_by_key(|subscriber| subscriber.since);
    Ok(found)
}

/// Every subscription in a scope.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn all_subscribers(
    snapshot: &dyn Snapshot,
    scope: &Scope,
    each: impl FnMut(Subscriber),
) -> Result<()> {
    let range = Path::scope(scope.tenant(), scope.namespace(), Kind::Subscription).range();
    collect(snapshot, scope, range, each).await
}

async fn collect(
    snapshot: &dyn Snapshot,
    scope: &Scope,
    mut range: std::ops::Range<Key>,
    mut each: impl FnMut(Subscriber),
) -> Result<()> {
    let mut current: Option<Subscriber> = None;
    loop {
        let rows = snapshot.scan(range.clone(), ROWS, Order::Forward).await;
        let rows = rows.map_err(fault)?;
        let full = rows.len() == ROWS;
        for (key, found) in rows {
            range.start = just_after(&key);
            let (subscription, part) = parse(scope, &key)?;
            match (part.as_deref(), &mut current) {
                (None, current) => {
                    let row: SubscriptionRow = decode(&key, &found.value)?;
                    let filter = Filter::of_row(subscription.feed.source(), &row)?;
                    let subscriber = Subscriber {
                        subscription,
                        filter,
                        since: found.version,
                        end: None,
                        cursor: row.after,
                        lost: 0,
                    };
                    if let Some(before) = current.replace(subscriber) {
                        each(before);
                    }
                }
                (Some(CURSOR), Some(current)) => {
                    let row: CursorRow = decode(&key, &found.value)?;
                    (current.cursor, current.lost) = (row.ticket, row.lost);
                }
                (Some(END), Some(current)) => {
                    let row: SubscriptionEnd = decode(&key, &found.value)?;
                    current.end = Some(End {
                        at: found.version,
                        replaced: row.replaced,
                    });
                }
                _ => return Err(corrupt(&key)),
            }
        }
        if !full {
            break;
        }
    }
    if let Some(last) = current {
        each(last);
    }
    Ok(())
}

/// Up to `limit` rows with tickets above `after` and below `before`.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn page(
    snapshot: &dyn Snapshot,
    feed: &Feed,
    after: u64,
    before: u64,
    limit: usize,
) -> Result<Vec<Published>> {
    let range = just_after(&feed.row(after))..feed.row(before);
    let rows = snapshot.scan(range, limit, Order::Forward).await;
    let published = |(key, found): (Key, plexspaces_store::Versioned)| {
        Ok(Published {
            ticket: ticket(&key)?,
            version: found.version,
            row: decode(&key, &found.value)?,
        })
    };
    rows.map_err(fault)?.into_iter().map(published).collect()
}

/// Deletes up to `limit` rows with tickets from `from` to `to`; says where to go on, if that was not all.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn trim(
    snapshot: &dyn Snapshot,
    feed: &Feed,
    from: u64,
    to: u64,
    limit: usize,
) -> Result<(Batch, Option<u64>)> {
    let range = feed.row(from)..just_after(&feed.row(to));
    let rows = snapshot.scan(range, limit, Order::Forward).await;
    let rows = rows.map_err(fault)?;
    let mut batch = Batch::new();
    let mut next = None;
    if rows.len() == limit
        && let Some((last, _)) = rows.last()
    {
        next = Some(ticket(last)? + 1);
    }
    for (key, _) in rows {
        batch.delete(key);
    }
    Ok((batch, next))
}

/// The feeds of a scope that have rows.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn with_rows(snapshot: &dyn Snapshot, scope: &Scope) -> Result<Vec<Feed>> {
    let mut range = Path::scope(scope.tenant(), scope.namespace(), Kind::Feed).range();
    let mut feeds = Vec::new();
    loop {
        let first: Vec<(Key, _)> = snapshot
            .scan(range.clone(), 1, Order::Forward)
            .await
            .map_err(fault)?;
        let Some((key, _)) = first.first() else {
            return Ok(feeds);
        };
        let elements = key::decode(key).map_err(|_| corrupt(key))?;
        let name = elements.get(3).and_then(Element::as_str);
        let feed = name.and_then(|name| Feed::parse(scope, name));
        let feed = feed.ok_or_else(|| corrupt(key))?;
        // On to the first row of another feed.
        range.start = feed.path(Kind::Feed).range().end;
        feeds.push(feed);
    }
}

fn ticket(key: &Key) -> Result<u64> {
    let elements = key::decode(key).map_err(|_| corrupt(key))?;
    let last = elements.last().and_then(Element::as_u64);
    last.ok_or_else(|| corrupt(key))
}

fn corrupt(key: &Key) -> Error {
    Error::new(
        Code::Corrupt,
        format!("the row {key:?} of a feed cannot be read"),
    )
}

/// The bytes of nothing, for events without a value.
pub(crate) const NOTHING: Bytes = Bytes::new();
