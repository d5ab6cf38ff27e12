//! The queues of `channels`, in the turn's transaction.

use super::recorded::{Recorded, optional_from_record, optional_to_record};
use super::waiting::{Gets, wait_for};
use super::{Call, HostState, reserving, scope};
use crate::bindings::plexspaces::actor::channels::{
    LeasedMessage, QueueOptions, SendOptions as WitSendOptions,
};
use crate::bindings::wit::Context;
use crate::outside::{Attempt, Outside, Tried, Wait};
use crate::turn::{Arguments, Turn};
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{Result, Scope};
use plexspaces_services::queues::{self, Options, Received, SendOptions};
use plexspaces_services::records;
use std::sync::Arc;
use std::time::Duration;

impl HostState {
    pub(super) async fn queue_create(
        &mut self,
        context: Context,
        queue: String,
        options: Option<QueueOptions>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let mut arguments = Arguments::new().scope(&scope).text(&queue);
        if let Some(options) = &options {
            arguments = arguments
                .maybe(options.max_length)
                .maybe(options.max_deliveries.map(u64::from))
                .optional(options.dead_letter_queue.as_deref().map(str::as_bytes))
                .maybe(options.ttl)
                .maybe(options.lease);
        }
        let arguments = arguments.digest();
        reserving!(self, "channels.create-queue", arguments, |turn| {
            let options = options.map(|options| Options {
                max_length: options.max_length,
                max_deliveries: options.max_deliveries,
                dead_letter_queue: options.dead_letter_queue,
                ttl_ms: options.ttl,
                lease_ms: options.lease,
            });
            queues::create(&mut turn.transaction, &scope, &queue, options).await
        })
    }

    pub(super) async fn queue_delete(
        &mut self,
        context: Context,
        queue: String,
        with_messages: bool,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&queue)
            .number(with_messages.into())
            .digest();
        reserving!(self, "channels.delete-queue", arguments, |turn| {
            let now = turn.time();
            queues::delete(&mut turn.transaction, &scope, &queue, with_messages, now).await
        })
    }

    pub(super) async fn queue_send(
        &mut self,
        context: Context,
        queue: String,
        message: Vec<u8>,
        options: Option<WitSendOptions>,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let outside = self.outside.clone();
        let mut arguments = Arguments::new().scope(&scope).text(&queue).bytes(&message);
        if let Some(options) = &options {
            arguments = arguments.number(options.delay).maybe(options.ttl);
        }
        let arguments = arguments.digest();
        reserving!(self, "channels.send-to-queue", arguments, |turn| {
            let (now, ticket) = (outside.now(), outside.ticket());
            let options = options.map_or_else(SendOptions::default, |options| SendOptions {
                delay_ms: options.delay,
                ttl_ms: options.ttl,
            });
            let (transaction, message) = (&mut turn.transaction, message.into());
            queues::send(transaction, &scope, &queue, message, options, ticket, now).await
        })
    }

    pub(super) async fn queue_receive(
        &mut self,
        context: Context,
        queue: String,
        timeout: u64,
    ) -> Call<Option<Vec<u8>>> {
        let scope = scope!(self, context);
        let wait = wait_at(
            "channels.receive-from-queue",
            &scope,
            &queue,
            timeout,
            Arguments::new(),
        );
        let attempt = ForMessage {
            scope,
            queue,
            found: None,
        };
        wait_for(self, wait, attempt).await
    }

    pub(super) async fn queue_receive_leased(
        &mut self,
        context: Context,
        queue: String,
        lease: Option<u64>,
        timeout: u64,
    ) -> Call<Option<LeasedMessage>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().maybe(lease);
        let wait = wait_at(
            "channels.receive-leased",
            &scope,
            &queue,
            timeout,
            arguments,
        );
        let attempt = ForLease {
            outside: self.outside.clone(),
            scope,
            queue,
            lease,
            found: None,
        };
        wait_for(self, wait, attempt).await
    }

    pub(super) async fn queue_ack(&mut self, context: Context, handle: String) -> Call<()> {
        let scope = scope!(self, context);
        let outside = self.outside.clone();
        let arguments = Arguments::new().scope(&scope).text(&handle).digest();
        reserving!(self, "channels.ack", arguments, |turn| {
            queues::ack(&mut turn.transaction, &scope, &handle, outside.now()).await
        })
    }

    pub(super) async fn queue_nack(
        &mut self,
        context: Context,
        handle: String,
        delay: u64,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let outside = self.outside.clone();
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&handle)
            .number(delay)
            .digest();
        reserving!(self, "channels.nack", arguments, |turn| {
            let now = outside.now();
            queues::nack(&mut turn.transaction, &scope, &handle, delay, now).await
        })
    }

    pub(super) async fn queue_extend(
        &mut self,
        context: Context,
        handle: String,
        lease: u64,
    ) -> Call<()> {
        let scope = scope!(self, context);
        let outside = self.outside.clone();
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&handle)
            .number(lease)
            .digest();
        reserving!(self, "channels.extend-lease", arguments, |turn| {
            let now = outside.now();
            queues::extend(&mut turn.transaction, &scope, &handle, lease, now).await
        })
    }

    pub(super) async fn queue_length(&mut self, context: Context, queue: String) -> Call<u32> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&queue).digest();
        reserving!(self, "channels.queue-depth", arguments, |turn| {
            let depth = queues::depth(&mut turn.transaction, &scope, &queue).await;
            depth.map(|depth| u32::try_from(depth).unwrap_or(u32::MAX))
        })
    }
}

fn wait_at(
    operation: &'static str,
    scope: &Scope,
    queue: &str,
    timeout: u64,
    arguments: Arguments,
) -> Wait {
    Wait {
        operation,
        arguments: arguments.scope(scope).text(queue).number(timeout).digest(),
        timeout: Duration::from_millis(timeout),
        topic: queues::topic(scope, queue),
        wants: Some(queues::wants()),
    }
}

/// What is left when an attempt found nothing. Who stands behind would find nothing either.
fn not_yet(again: Option<Millis>) -> Tried {
    Tried::NotYet {
        again,
        pass_on: false,
    }
}

/// Looks for a message to take.
struct ForMessage {
    scope: Scope,
    queue: String,
    found: Option<Bytes>,
}

#[async_trait]
impl Attempt for ForMessage {
    async fn attempt(&mut self, turn: &mut Turn) -> Result<Tried> {
        let now = turn.time();
        match queues::receive(&mut turn.transaction, &self.scope, &self.queue, now).await? {
            Received::Message(payload) => {
                self.found = Some(payload);
                Ok(Tried::Done)
            }
            Received::Nothing { again } => Ok(not_yet(again)),
        }
    }
}

impl Gets<Option<Vec<u8>>> for ForMessage {
    fn got(self) -> Option<Vec<u8>> {
        self.found.map(Vec::from)
    }
}

/// Looks for a message to lease.
struct ForLease {
    outside: Arc<dyn Outside>,
    scope: Scope,
    queue: String,
    lease: Option<u64>,
    found: Option<records::LeasedMessage>,
}

#[async_trait]
impl Attempt for ForLease {
    async fn attempt(&mut self, turn: &mut Turn) -> Result<Tried> {
        let [high, low] = halves(turn.fresh_id());
        let (now, token) = (self.outside.now(), high ^ low);
        let (transaction, lease) = (&mut turn.transaction, self.lease);
        let got =
            queues::receive_leased(transaction, &self.scope, &self.queue, lease, token, now).await;
        match got? {
            Received::Message(message) => {
                self.found = Some(message);
                Ok(Tried::Done)
            }
            Received::Nothing { again } => Ok(not_yet(again)),
        }
    }
}

impl Gets<Option<LeasedMessage>> for ForLease {
    fn got(self) -> Option<LeasedMessage> {
        self.found.map(to_guest)
    }
}

fn halves(id: [u8; 16]) -> [u64; 2] {
    let id = u128::from_be_bytes(id);
    [(id >> 64) as u64, id as u64]
}

fn to_guest(message: records::LeasedMessage) -> LeasedMessage {
    LeasedMessage {
        handle: message.handle,
        payload: message.payload.into(),
        deliveries: message.deliveries,
        sent_ms: message.sent_ms,
        lease_until_ms: message.lease_until_ms,
    }
}

impl Recorded for Option<LeasedMessage> {
    fn to_record(&self) -> Bytes {
        let record = self.as_ref().map(|message| records::LeasedMessage {
            handle: message.handle.clone(),
            payload: message.payload.clone().into(),
            deliveries: message.deliveries,
            sent_ms: message.sent_ms,
            lease_until_ms: message.lease_until_ms,
        });
        optional_to_record(record.as_ref())
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let record = optional_from_record(&bytes, "leased message")?;
        Ok(record.map(to_guest))
    }
}
