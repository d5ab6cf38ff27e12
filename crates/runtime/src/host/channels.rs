//! `channels`: each function is where its subject is.

use super::{Call, HostState};
use crate::bindings::plexspaces::actor::channels::{Condition, Host};
use crate::bindings::wit::Context;

impl Host for HostState {
    fn publish_to_topic(
        &mut self,
        context: Context,
        topic: String,
        msg_type: String,
        payload: Vec<u8>,
        attributes: Vec<(String, String)>,
    ) -> Call<()> {
        self.topic_publish(context, topic, msg_type, payload, attributes)
    }

    async fn subscribe_to_topic(
        &mut self,
        context: Context,
        topic: String,
        filter: Vec<Condition>,
    ) -> Call<()> {
        self.topic_subscribe(context, topic, filter).await
    }

    async fn unsubscribe_from_topic(&mut self, context: Context, topic: String) -> Call<()> {
        self.topic_unsubscribe(context, topic).await
    }
}
