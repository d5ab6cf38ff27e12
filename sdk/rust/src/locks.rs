//! Locks, one space per namespace: one holder at a time, for as long as its lease lasts.
//!
//! ```no_run
//! use plexspaces_sdk::{keyvalue, locks, Error};
//! use std::time::Duration;
//!
//! fn lead() -> Result<bool, Error> {
//!     let Some(lease) = locks::acquire("leader", Duration::from_secs(5), None)? else {
//!         return Ok(false);
//!     };
//!     keyvalue::put("leader/token", lease.token.to_string().as_bytes())?;
//!     Ok(true)
//! }
//! ```
//!
//! The holder is the actor, over all its turns. It gives its locks back when it stops; if it crashes or forgets them, they
//! are free when their leases end. A lease's token is greater than that of every holding before: give it to what the lock
//! protects.

use std::time::Duration;

use crate::bindings::plexspaces::actor::locks as host;
use crate::{Context, Error, milliseconds};

pub use crate::bindings::plexspaces::actor::locks::{Lease, LockHolder};

/// Gets the lock; if another has it, waits up to `timeout`. The lease lasts `duration`, 1 ms to a day, 30 s if `None`. A
/// holder renews its lease. To wait, what the turn did before commits first; who waits is served in the order of coming.
pub fn acquire(
    id: &str,
    timeout: Duration,
    duration: Option<Duration>,
) -> Result<Option<Lease>, Error> {
    Locks::own().acquire(id, timeout, duration)
}

/// As [`acquire`], without waiting.
pub fn try_acquire(id: &str, duration: Option<Duration>) -> Result<Option<Lease>, Error> {
    Locks::own().try_acquire(id, duration)
}

/// Gives the lock back. Errors: `failed-precondition` if the actor does not hold it any more, or with another token than
/// the given one.
pub fn release(id: &str, token: Option<u64>) -> Result<(), Error> {
    Locks::own().release(id, token)
}

/// Lets the lease end `duration` from now. Errors: as [`release`].
pub fn renew(id: &str, duration: Duration, token: Option<u64>) -> Result<Lease, Error> {
    Locks::own().renew(id, duration, token)
}

/// Who holds the lock, if anybody does.
pub fn get_lock(id: &str) -> Result<Option<LockHolder>, Error> {
    Locks::own().get_lock(id)
}

/// The locks of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Locks(Context);

impl Locks {
    /// The actor's own locks.
    pub fn own() -> Self {
        Locks(Context::own())
    }

    /// The locks that a context names.
    pub fn of(context: Context) -> Self {
        Locks(context)
    }

    /// As [`acquire`].
    pub fn acquire(
        &self,
        id: &str,
        timeout: Duration,
        duration: Option<Duration>,
    ) -> Result<Option<Lease>, Error> {
        host::acquire(
            &self.0,
            id,
            milliseconds(timeout),
            duration.map(milliseconds),
        )
    }

    /// As [`try_acquire`].
    pub fn try_acquire(
        &self,
        id: &str,
        duration: Option<Duration>,
    ) -> Result<Option<Lease>, Error> {
        host::try_acquire(&self.0, id, duration.map(milliseconds))
    }

    /// As [`release`].
    pub fn release(&self, id: &str, token: Option<u64>) -> Result<(), Error> {
        host::release(&self.0, id, token)
    }

    /// As [`renew`].
    pub fn renew(&self, id: &str, duration: Duration, token: Option<u64>) -> Result<Lease, Error> {
        host::renew(&self.0, id, milliseconds(duration), token)
    }

    /// As [`get_lock`].
    pub fn get_lock(&self, id: &str) -> Result<Option<LockHolder>, Error> {
        host::get_lock(&self.0, id)
    }
}
