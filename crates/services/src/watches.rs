//! Watched keys and tuples: what turns change reaches those who asked to be told.
//!
//! Layout: that of [`feeds`](crate::feeds); a namespace has one feed `watch` and one `tuples`. Their rows are made from a
//! batch as it commits, so a key that a turn changes several times is told of once, with its last value, and a tuple that
//! is taken by the turn that wrote it not at all. Without watchers nothing is made.

use crate::feeds::delivery::NOTHING;
use crate::feeds::{self, Feed, Filter, Id, Source, Subscription};
use crate::keyvalue;
use crate::records::{FeedRow, KeyValueRow, decode};
use crate::transaction::Transaction;
use crate::tuplespace;
use plexspaces_core::batch::{Batch, Op};
use plexspaces_core::value::{Pattern, Tuple};
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_store::key::{Kind, Path};

/// The sender's name of a change that nobody made: a value's time was over.
pub const FROM_EXPIRY: &str = "$expiry";

/// The first line of the message type of a tuple, before its `:` and the subscription's id.
const TUPLE: &str = "$tuple";

/// Tells `actor` of every change of a key that starts with `prefix`, from the commits after this turn's on.
///
/// # Errors
/// `PS1013` for a prefix that is too long, `PS3008`, or a fault of the store.
pub async fn watch(
    transaction: &mut Transaction,
    scope: &Scope,
    actor: &ActorId,
    prefix: &str,
    id: Id,
) -> Result<()> {
    keyvalue::check_length("prefix", prefix)?;
    let subscription = Subscription {
        feed: Feed::new(scope, Source::Watch),
        actor: actor.clone(),
        name: prefix.to_owned(),
        id,
    };
    feeds::subscribe(transaction, subscription, Filter::Watch(prefix.to_owned())).await
}

/// Ends the watch of exactly this prefix, if there is one.
///
/// # Errors
/// As [`watch`].
pub async fn unwatch(
    transaction: &mut Transaction,
    scope: &Scope,
    actor: &ActorId,
    prefix: &str,
) -> Result<()> {
    keyvalue::check_length("prefix", prefix)?;
    let feed = Feed::new(scope, Source::Watch);
    feeds::unsubscribe(transaction, &feed, actor, prefix).await
}

/// Tells `actor` of every tuple that is written and matches, from the commits after this turn's on; gives the
/// subscription's id.
///
/// # Errors
/// `PS1013` for a malformed pattern, `PS3008`, or a fault of the store.
pub async fn subscribe(
    transaction: &mut Transaction,
    scope: &Scope,
    actor: &ActorId,
    pattern: Pattern,
    id: Id,
) -> Result<String> {
    let pattern = tuplespace::checked(pattern)?;
    let name = u128::from_be_bytes(id);
    let subscription = Subscription {
        feed: Feed::new(scope, Source::Tuples),
        actor: actor.clone(),
        name: format!("{name:032x}"),
        id,
    };
    let name = subscription.name.clone();
    feeds::subscribe(transaction, subscription, Filter::Tuples(pattern)).await?;
    Ok(name)
}

/// Ends a subscription of `actor` to the tuple space, if there is one with this id.
///
/// # Errors
/// `PS1013` for an id that cannot be one, `PS3008`, or a fault of the store.
pub async fn unsubscribe(
    transaction: &mut Transaction,
    scope: &Scope,
    actor: &ActorId,
    id: &str,
) -> Result<()> {
    if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        let shown: String = id.chars().take(80).collect();
        let text = format!("{shown:?} is no id that tuplespace.subscribe has given");
        return Err(Error::new(Code::InvalidArgument, text));
    }
    let feed = Feed::new(scope, Source::Tuples);
    feeds::unsubscribe(transaction, &feed, actor, id).await
}

/// The fields in the payload of a message that tells of a tuple.
///
/// # Errors
/// `PS1013` if it is no such payload.
pub fn received(payload: &[u8]) -> Result<Tuple> {
    let tuple: Result<crate::records::Tuple, _> = prost::Message::decode(payload);
    match tuple {
        Ok(tuple) if !tuple.fields.is_empty() => Ok(tuple.into()),
        _ => Err(Error::new(
            Code::InvalidArgument,
            format!(
                "the {} bytes are not the payload of a $tuple message",
                payload.len()
            ),
        )),
    }
}

/// What the changes in a batch publish in `feed`.
pub(crate) fn changes(feed: &Feed, batch: &Batch, from: &str) -> Vec<FeedRow> {
    let kind = match feed.source() {
        Source::Watch => Kind::KeyValue,
        Source::Tuples => Kind::Tuple,
        Source::Topic(_) | Source::Group(_) => return Vec::new(),
    };
    let scope = feed.scope();
    let range = Path::scope(scope.tenant(), scope.namespace(), kind).range();
    let rows = batch.ops.range(range);
    rows.filter_map(|(key, op)| match (kind, op) {
        (Kind::Tuple, Op::Put(value)) => Some(FeedRow {
            from: from.to_owned(),
            msg_type: TUPLE.to_owned(),
            payload: value.clone(),
            ..FeedRow::default()
        }),
        (Kind::KeyValue, op) => {
            let key_text = keyvalue::name(key).ok()?;
            let (change, payload) = match op {
                Op::Put(value) => ("put", decode::<KeyValueRow>(key, value).ok()?.value),
                Op::Delete if from == FROM_EXPIRY => ("expire", NOTHING),
                Op::Delete => ("delete", NOTHING),
            };
            Some(FeedRow {
                from: from.to_owned(),
                msg_type: format!("$watch:{change}\n{key_text}"),
                payload,
                key: key_text,
                ..FeedRow::default()
            })
        }
        _ => None,
    })
    .collect()
}
