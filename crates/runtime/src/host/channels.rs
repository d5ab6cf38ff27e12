//! `channels`: each function is where its subject is: [`queues`](super::queues), [`topics`](super::topics).

use super::{Call, HostState};
use crate::bindings::plexspaces::actor::channels::{
    Condition, Host, LeasedMessage, QueueOptions, SendOptions,
};
use crate::bindings::wit::Context;

impl Host for HostState {
    async fn create_queue(&mut self, context: Context, queue: String) -> Call<()> {
        self.queue_create(context, queue, None).await
    }

    async fn create_queue_with(
        &mut self,
        context: Context,
        queue: String,
        options: QueueOptions,
    ) -> Call<()> {
        self.queue_create(context, queue, Some(options)).await
    }

    async fn delete_queue(
        &mut self,
        context: Context,
        queue: String,
        with_messages: bool,
    ) -> Call<()> {
        self.queue_delete(context, queue, with_messages).await
    }

    async fn send_to_queue(
        &mut self,
        context: Context,
        queue: String,
        message: Vec<u8>,
    ) -> Call<()> {
        self.queue_send(context, queue, message, None).await
    }

    async fn send_to_queue_with(
        &mut self,
        context: Context,
        queue: String,
        message: Vec<u8>,
        options: SendOptions,
    ) -> Call<()> {
        self.queue_send(context, queue, message, Some(options))
            .await
    }

    async fn receive_from_queue(
        &mut self,
        context: Context,
        queue: String,
        timeout: u64,
    ) -> Call<Option<Vec<u8>>> {
        self.queue_receive(context, queue, timeout).await
    }

    async fn receive_leased(
        &mut self,
        context: Context,
        queue: String,
        lease: Option<u64>,
        timeout: u64,
    ) -> Call<Option<LeasedMessage>> {
        self.queue_receive_leased(context, queue, lease, timeout)
            .await
    }

    async fn ack(&mut self, context: Context, handle: String) -> Call<()> {
        self.queue_ack(context, handle).await
    }

    async fn nack(&mut self, context: Context, handle: String, delay: u64) -> Call<()> {
        self.queue_nack(context, handle, delay).await
    }

    async fn extend_lease(&mut self, context: Context, handle: String, lease: u64) -> Call<()> {
        self.queue_extend(context, handle, lease).await
    }

    async fn queue_depth(&mut self, context: Context, queue: String) -> Call<u32> {
        self.queue_length(context, queue).await
    }

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
