//! Topics: a message to whoever subscribes.
//!
//! ```no_run
//! use plexspaces_sdk::{channels, Error, Event};
//!
//! fn listen() -> Result<(), Error> {
//!     channels::subscribe_to_topic("orders", &[channels::equals("region", "eu")])
//! }
//!
//! fn announce() -> Result<(), Error> {
//!     channels::publish_to_topic("orders", "created", b"42", &[("region", "eu")])
//! }
//!
//! fn handle_event(msg_type: &str, payload: &[u8]) {
//!     if let Event::Topic { name: "orders", msg_type: "created" } = Event::of(msg_type) {
//!         plexspaces_sdk::info!("order {}", String::from_utf8_lossy(payload));
//!     }
//! }
//! ```

use crate::bindings::plexspaces::actor::channels as host;
use crate::{Context, Error};

pub use crate::bindings::plexspaces::actor::channels::{AttributeTest, Condition};

/// The attribute has this value.
pub fn equals(attribute: impl Into<String>, value: impl Into<String>) -> Condition {
    condition(attribute, AttributeTest::Equals(value.into()))
}

/// The attribute's value starts with this.
pub fn starts_with(attribute: impl Into<String>, start: impl Into<String>) -> Condition {
    condition(attribute, AttributeTest::Prefix(start.into()))
}

/// The attribute is there.
pub fn has(attribute: impl Into<String>) -> Condition {
    condition(attribute, AttributeTest::Any)
}

fn condition(attribute: impl Into<String>, test: AttributeTest) -> Condition {
    Condition {
        attribute: attribute.into(),
        test,
    }
}

/// Publishes to everyone who subscribes: each gets the message once, in the order of publication.
pub fn publish_to_topic(
    topic: &str,
    msg_type: &str,
    payload: &[u8],
    attributes: &[(&str, &str)],
) -> Result<(), Error> {
    publish_to_topic_in(&Context::own(), topic, msg_type, payload, attributes)
}

/// Subscribes this actor to what is published from now on and fulfils all conditions. Messages come as infos, see
/// [`Event`](crate::Event).
pub fn subscribe_to_topic(topic: &str, filter: &[Condition]) -> Result<(), Error> {
    subscribe_to_topic_in(&Context::own(), topic, filter)
}

/// Ends the subscription, if there is one.
pub fn unsubscribe_from_topic(topic: &str) -> Result<(), Error> {
    unsubscribe_from_topic_in(&Context::own(), topic)
}

/// As [`publish_to_topic`], where a context says.
pub fn publish_to_topic_in(
    context: &Context,
    topic: &str,
    msg_type: &str,
    payload: &[u8],
    attributes: &[(&str, &str)],
) -> Result<(), Error> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let attributes: Vec<(String, String)> = attributes.iter().map(owned).collect();
    host::publish_to_topic(context, topic, msg_type, payload, &attributes)
}

/// As [`subscribe_to_topic`], where a context says.
pub fn subscribe_to_topic_in(context: &Context, topic: &str, filter: &[Condition]) -> Result<(), Error> {
    host::subscribe_to_topic(context, topic, filter)
}

/// As [`unsubscribe_from_topic`], where a context says.
pub fn unsubscribe_from_topic_in(context: &Context, topic: &str) -> Result<(), Error> {
    host::unsubscribe_from_topic(context, topic)
}
