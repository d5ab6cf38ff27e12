//! Topics, of the interface `channels`.

use super::{Call, HostState, journaled, scope};
use crate::bindings::plexspaces::actor::channels::{AttributeTest, Condition as WitCondition};
use crate::bindings::wit::Context;
use crate::turn::Arguments;
use plexspaces_services::feeds::{Condition, Test};
use plexspaces_services::topics::{self, Publication};

impl HostState {
    pub(super) fn topic_publish(
        &mut self,
        context: Context,
        topic: String,
        msg_type: String,
        payload: Vec<u8>,
        attributes: Vec<(String, String)>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let mut arguments = Arguments::new()
            .scope(&scope)
            .text(&topic)
            .text(&msg_type)
            .bytes(&payload);
        for (name, value) in &attributes {
            arguments = arguments.text(name).text(value);
        }
        let message = Publication {
            msg_type,
            payload: payload.into(),
            attributes,
        };
        let arguments = arguments.digest();
        journaled!(self, "channels.publish-to-topic", All, arguments, |turn| {
            let (from, bytes_max) = (turn.actor.clone(), turn.bytes_max);
            let transaction = &mut turn.transaction;
            topics::publish(transaction, &scope, &topic, &from, message, bytes_max)
        })
    }

    pub(super) async fn topic_subscribe(
        &mut self,
        context: Context,
        topic: String,
        filter: Vec<WitCondition>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let conditions: Vec<Condition> = filter.into_iter().map(from_wit).collect();
        let mut arguments = Arguments::new().scope(&scope).text(&topic);
        for condition in &conditions {
            arguments = arguments.record(&condition.to_record());
        }
        let arguments = arguments.digest();
        journaled!(
            self,
            "channels.subscribe-to-topic",
            All,
            arguments,
            |turn| {
                let (actor, id) = (turn.actor.clone(), turn.fresh_id());
                let transaction = &mut turn.transaction;
                topics::subscribe(transaction, &scope, &topic, &actor, conditions, id).await
            }
        )
    }

    pub(super) async fn topic_unsubscribe(&mut self, context: Context, topic: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&topic).digest();
        journaled!(
            self,
            "channels.unsubscribe-from-topic",
            All,
            arguments,
            |turn| {
                let actor = turn.actor.clone();
                topics::unsubscribe(&mut turn.transaction, &scope, &topic, &actor).await
            }
        )
    }
}

fn from_wit(condition: WitCondition) -> Condition {
    Condition {
        attribute: condition.attribute,
        test: match condition.test {
            AttributeTest::Equals(wanted) => Test::Equals(wanted),
            AttributeTest::Prefix(start) => Test::Prefix(start),
            AttributeTest::Any => Test::Any,
        },
    }
}
