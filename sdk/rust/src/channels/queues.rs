//! Queues, one space per namespace: each message goes to one receiver.
//!
//! ```no_run
//! use plexspaces_sdk::{channels, Error};
//! use std::time::Duration;
//!
//! fn work() -> Result<(), Error> {
//!     channels::send_to_queue("jobs", b"one")?;
//!     while let Some(job) = channels::receive_from_queue("jobs", Duration::from_secs(5))? {
//!         plexspaces_sdk::info!("{} bytes to work on", job.len());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A message is sent, or taken away, when the turn commits; a turn that fails gives back what it received. For work that
//! is longer than a turn there is [`receive_leased`]. A queue is there when it is used; [`create_queue_with`] gives it
//! options.

use std::time::Duration;

use crate::bindings::plexspaces::actor::channels as host;
use crate::{Context, Error, milliseconds};

pub use crate::bindings::plexspaces::actor::channels::LeasedMessage;

/// How a queue is to be; what is `None` has its default.
#[derive(Clone, Debug, Default)]
pub struct QueueOptions {
    /// How many messages it may have, delayed and leased ones included; 1,000,000 by default.
    pub max_length: Option<u64>,
    /// After so many leased deliveries a message is a dead letter; without end by default.
    pub max_deliveries: Option<u32>,
    /// Where dead letters go; into the queue `NAME/dead` by default. Needs `max_deliveries`.
    pub dead_letter_queue: Option<String>,
    /// After what time a message that nobody has received is dropped; never by default.
    pub ttl: Option<Duration>,
    /// How long a lease lasts if the call does not say, 1 ms to a day; 30 s by default.
    pub lease: Option<Duration>,
}

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendOptions {
    /// For how long nobody receives it.
    pub delay: Duration,
    /// After what time it is dropped; as the queue says by default. It must be longer than the delay.
    pub ttl: Option<Duration>,
}

/// Makes sure that a queue is there, whatever its options.
pub fn create_queue(queue: &str) -> Result<(), Error> {
    Queues::own().create_queue(queue)
}

/// Makes a queue with these options. Errors: `already-exists` if it was made with others.
pub fn create_queue_with(queue: &str, options: &QueueOptions) -> Result<(), Error> {
    Queues::own().create_queue_with(queue, options)
}

/// Deletes a queue with its options. Errors: `failed-precondition` if it has messages, unless `with_messages`.
pub fn delete_queue(queue: &str, with_messages: bool) -> Result<(), Error> {
    Queues::own().delete_queue(queue, with_messages)
}

/// Adds a message. Errors: `resource-exhausted` if the queue is full.
pub fn send_to_queue(queue: &str, message: &[u8]) -> Result<(), Error> {
    Queues::own().send_to_queue(queue, message)
}

/// As [`send_to_queue`], with a delay or a time to live.
pub fn send_to_queue_with(queue: &str, message: &[u8], options: SendOptions) -> Result<(), Error> {
    Queues::own().send_to_queue_with(queue, message, options)
}

/// Takes the next message away; if there is none, waits up to `timeout`. If the turn fails, the message is there again.
/// To wait, what the turn did before commits first.
pub fn receive_from_queue(queue: &str, timeout: Duration) -> Result<Option<Vec<u8>>, Error> {
    Queues::own().receive_from_queue(queue, timeout)
}

/// As [`receive_from_queue`], but the message stays in the queue, hidden for `lease` (`None`: as the queue says), until it
/// is acknowledged. When the lease ends it is received again, or it is a dead letter.
pub fn receive_leased(
    queue: &str,
    lease: Option<Duration>,
    timeout: Duration,
) -> Result<Option<LeasedMessage>, Error> {
    Queues::own().receive_leased(queue, lease, timeout)
}

/// Removes a leased message: its work is done. Errors: `failed-precondition` if the lease has ended.
pub fn ack(handle: &str) -> Result<(), Error> {
    Queues::own().ack(handle)
}

/// Gives a leased message back, to be received again after `delay`. Errors: as [`ack`].
pub fn nack(handle: &str, delay: Duration) -> Result<(), Error> {
    Queues::own().nack(handle, delay)
}

/// Lets a lease end `lease` from now. Errors: as [`ack`].
pub fn extend_lease(handle: &str, lease: Duration) -> Result<(), Error> {
    Queues::own().extend_lease(handle, lease)
}

/// How many messages the queue has, delayed and leased ones included.
pub fn queue_depth(queue: &str) -> Result<u32, Error> {
    Queues::own().queue_depth(queue)
}

/// The queues of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Queues(Context);

impl Queues {
    /// The actor's own queues.
    pub fn own() -> Self {
        Queues(Context::own())
    }

    /// The queues that a context names.
    pub fn of(context: Context) -> Self {
        Queues(context)
    }

    /// As [`create_queue`].
    pub fn create_queue(&self, queue: &str) -> Result<(), Error> {
        host::create_queue(&self.0, queue)
    }

    /// As [`create_queue_with`].
    pub fn create_queue_with(&self, queue: &str, options: &QueueOptions) -> Result<(), Error> {
        let options = host::QueueOptions {
            max_length: options.max_length,
            max_deliveries: options.max_deliveries,
            dead_letter_queue: options.dead_letter_queue.clone(),
            ttl: options.ttl.map(milliseconds),
            lease: options.lease.map(milliseconds),
        };
        host::create_queue_with(&self.0, queue, &options)
    }

    /// As [`delete_queue`].
    pub fn delete_queue(&self, queue: &str, with_messages: bool) -> Result<(), Error> {
        host::delete_queue(&self.0, queue, with_messages)
    }

    /// As [`send_to_queue`].
    pub fn send_to_queue(&self, queue: &str, message: &[u8]) -> Result<(), Error> {
        host::send_to_queue(&self.0, queue, message)
    }

    /// As [`send_to_queue_with`].
    pub fn send_to_queue_with(
        &self,
        queue: &str,
        message: &[u8],
        options: SendOptions,
    ) -> Result<(), Error> {
        let options = host::SendOptions {
            delay: milliseconds(options.delay),
            ttl: options.ttl.map(milliseconds),
        };
        host::send_to_queue_with(&self.0, queue, message, options)
    }

    /// As [`receive_from_queue`].
    pub fn receive_from_queue(
        &self,
        queue: &str,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, Error> {
        host::receive_from_queue(&self.0, queue, milliseconds(timeout))
    }

    /// As [`receive_leased`].
    pub fn receive_leased(
        &self,
        queue: &str,
        lease: Option<Duration>,
        timeout: Duration,
    ) -> Result<Option<LeasedMessage>, Error> {
        host::receive_leased(
            &self.0,
            queue,
            lease.map(milliseconds),
            milliseconds(timeout),
        )
    }

    /// As [`ack`].
    pub fn ack(&self, handle: &str) -> Result<(), Error> {
        host::ack(&self.0, handle)
    }

    /// As [`nack`].
    pub fn nack(&self, handle: &str, delay: Duration) -> Result<(), Error> {
        host::nack(&self.0, handle, milliseconds(delay))
    }

    /// As [`extend_lease`].
    pub fn extend_lease(&self, handle: &str, lease: Duration) -> Result<(), Error> {
        host::extend_lease(&self.0, handle, milliseconds(lease))
    }

    /// As [`queue_depth`].
    pub fn queue_depth(&self, queue: &str) -> Result<u32, Error> {
        host::queue_depth(&self.0, queue)
    }
}
