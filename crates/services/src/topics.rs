//! Topics: a message to whoever subscribes.
//!
//! Layout: that of [`feeds`](crate::feeds), a feed per topic. A topic need not be made: it is there while somebody
//! subscribes. An actor has one subscription to a topic, with a filter on the messages' attributes.

use crate::feeds::filter::{check_attributes, check_conditions};
use crate::feeds::{self, Condition, Feed, Filter, Id, Source, Subscription, check_name};
use crate::records::{Detail, FeedRow};
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::message::check_msg_type;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};

/// A message to a topic or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// What the publisher calls it; may be "".
    pub msg_type: String,
    /// What it carries.
    pub payload: Bytes,
    /// What subscribers filter by.
    pub attributes: Vec<(String, String)>,
}

impl Publication {
    /// Checks it; a payload may have `bytes_max` bytes.
    ///
    /// # Errors
    /// `PS1013`, `PS1004` for the payload.
    pub(crate) fn check(&self, bytes_max: u64) -> Result<()> {
        check_msg_type(&self.msg_type)
            .map_err(|problem| Error::new(Code::InvalidArgument, problem))?;
        check_attributes(&self.attributes)?;
        if self.payload.len() as u64 > bytes_max {
            let text = format!(
                "the message has {} bytes; the publisher's limit `message_bytes` is {bytes_max}",
                self.payload.len()
            );
            return Err(Error::new(Code::MessageTooLarge, text));
        }
        Ok(())
    }
}

/// Publishes to a topic when the turn commits.
///
/// # Errors
/// `PS1013`, `PS1004` over `bytes_max`, `PS3008`.
pub fn publish(
    transaction: &mut Transaction,
    scope: &Scope,
    topic: &str,
    from: &ActorId,
    message: Publication,
    bytes_max: u64,
) -> Result<()> {
    let feed = feed(scope, topic)?;
    message.check(bytes_max)?;
    let row = FeedRow {
        from: from.local(),
        msg_type: lines(&[&format!("$topic:{topic}"), &message.msg_type]),
        payload: message.payload,
        attributes: attributes(message.attributes),
        ..FeedRow::default()
    };
    feeds::publish(transaction, feed, row)
}

/// Subscribes `actor` to what is published by turns that end after this one has committed, and fulfils all conditions.
/// Subscribing again replaces the conditions from there on.
///
/// # Errors
/// `PS1013`, `PS3008`, or a fault of the store.
pub async fn subscribe(
    transaction: &mut Transaction,
    scope: &Scope,
    topic: &str,
    actor: &ActorId,
    conditions: Vec<Condition>,
    id: Id,
) -> Result<()> {
    let feed = feed(scope, topic)?;
    check_conditions(&conditions)?;
    let subscription = Subscription {
        feed,
        actor: actor.clone(),
        name: String::new(),
        id,
    };
    feeds::subscribe(transaction, subscription, Filter::Topic(conditions)).await
}

/// Ends the subscription, if there is one: what has not been delivered yet never will be.
///
/// # Errors
/// As [`subscribe`].
pub async fn unsubscribe(
    transaction: &mut Transaction,
    scope: &Scope,
    topic: &str,
    actor: &ActorId,
) -> Result<()> {
    let feed = feed(scope, topic)?;
    feeds::unsubscribe(transaction, &feed, actor, "").await
}

fn feed(scope: &Scope, topic: &str) -> Result<Feed> {
    let topic = check_name("topic", topic)?.to_owned();
    Ok(Feed::new(scope, Source::Topic(topic)))
}

fn attributes(attributes: Vec<(String, String)>) -> Vec<Detail> {
    let detail = |(name, value)| Detail { name, value };
    attributes.into_iter().map(detail).collect()
}

/// A message type of several lines; empty ones at the end are left out.
pub(crate) fn lines(parts: &[&str]) -> String {
    parts.join("\n").trim_end_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bounds, Coordination};
    use plexspaces_store::Memory;
    use std::sync::Arc;

    #[test]
    fn a_message_over_the_publishers_limit_is_refused_before_any_effect() {
        let bounds = Bounds {
            effects: 10,
            batch_bytes: 1 << 20,
            reads_hold: true,
        };
        let store = Arc::new(Memory::open());
        let mut transaction = Transaction::new(store, Arc::new(Coordination::default()), bounds);
        let scope = Scope::new("t", "n").expect("valid");
        let from = ActorId::parse(&scope, "a/1").expect("valid");
        let message = |bytes: usize| Publication {
            msg_type: String::new(),
            payload: vec![0; bytes].into(),
            attributes: Vec::new(),
        };
        let error = publish(&mut transaction, &scope, "t", &from, message(101), 100);
        assert_eq!(error.expect_err("refused").code, Code::MessageTooLarge);
        assert_eq!(transaction.effects(), 0);
        publish(&mut transaction, &scope, "t", &from, message(100), 100).expect("buffered");
        assert_eq!(transaction.effects(), 1);
    }

    #[test]
    fn empty_lines_at_the_end_are_left_out() {
        assert_eq!(lines(&["$group:g", "", "x"]), "$group:g\n\nx");
        assert_eq!(lines(&["$group:g", "", ""]), "$group:g");
    }
}
