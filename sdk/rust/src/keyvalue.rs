//! Values by key, one space per namespace, with an optional time to live.
//!
//! ```no_run
//! use plexspaces_sdk::{keyvalue, Error};
//! use std::time::Duration;
//!
//! fn visit(user: &str) -> Result<i64, Error> {
//!     keyvalue::put_with_ttl(&format!("seen/{user}"), b"yes", Duration::from_secs(60))?;
//!     keyvalue::increment("visits", 1)
//! }
//! ```
//!
//! Writes become visible to others when the turn commits. [`compare_and_swap`] and [`increment`] reserve their key until
//! then, and answer `conflict` if another turn keeps it for longer than a second.

use std::time::Duration;

use crate::bindings::plexspaces::actor::keyvalue as host;
use crate::{Context, Error, milliseconds};

pub use crate::bindings::plexspaces::actor::keyvalue::KeyPage;

/// The value of a key, or none.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    Keys::own().get(key)
}

/// Sets a value. It stays until it is deleted.
pub fn put(key: &str, value: &[u8]) -> Result<(), Error> {
    Keys::own().put(key, value)
}

/// Sets a value that is gone after `ttl`, which is at least a millisecond.
pub fn put_with_ttl(key: &str, value: &[u8], ttl: Duration) -> Result<(), Error> {
    Keys::own().put_with_ttl(key, value, ttl)
}

/// Deletes a key. One that is not there stays so.
pub fn delete(key: &str) -> Result<(), Error> {
    Keys::own().delete(key)
}

/// Whether the key has a value.
pub fn exists(key: &str) -> Result<bool, Error> {
    Keys::own().exists(key)
}

/// Up to `limit` (1 to 1,000) keys that start with `prefix`, in order, after `cursor`.
pub fn list_keys(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<KeyPage, Error> {
    Keys::own().list_keys(prefix, cursor, limit)
}

/// Sets `new` if the value is `expected` (`None`: if there is no value), and says whether it did.
pub fn compare_and_swap(key: &str, expected: Option<&[u8]>, new: &[u8]) -> Result<bool, Error> {
    Keys::own().compare_and_swap(key, expected, new)
}

/// Adds to the number at `key`, 0 if it is not there, and gives the sum.
///
/// Errors: `invalid-argument` if the value is no number or the sum does not fit into 64 bits, `conflict`.
pub fn increment(key: &str, delta: i64) -> Result<i64, Error> {
    Keys::own().increment(key, delta)
}

/// Tells this actor of every change of a key that starts with `prefix`, as an info, see [`Event`](crate::Event).
pub fn watch(prefix: &str) -> Result<(), Error> {
    Keys::own().watch(prefix)
}

/// Ends the watch of exactly this prefix, if there is one.
pub fn unwatch(prefix: &str) -> Result<(), Error> {
    Keys::own().unwatch(prefix)
}

/// The keys of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Keys(Context);

impl Keys {
    /// The actor's own keys.
    pub fn own() -> Self {
        Keys(Context::own())
    }

    /// The keys that a context names.
    pub fn of(context: Context) -> Self {
        Keys(context)
    }

    /// As [`get`].
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        host::get(&self.0, key)
    }

    /// As [`put`].
    pub fn put(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        host::put(&self.0, key, value)
    }

    /// As [`put_with_ttl`].
    pub fn put_with_ttl(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), Error> {
        host::put_with_ttl(&self.0, key, value, milliseconds(ttl))
    }

    /// As [`delete`].
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        host::delete(&self.0, key)
    }

    /// As [`exists`].
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        host::exists(&self.0, key)
    }

    /// As [`list_keys`].
    pub fn list_keys(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, Error> {
        host::list_keys(&self.0, prefix, cursor, limit)
    }

    /// As [`compare_and_swap`].
    pub fn compare_and_swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: &[u8],
    ) -> Result<bool, Error> {
        host::compare_and_swap(&self.0, key, expected, new)
    }

    /// As [`increment`].
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        host::increment(&self.0, key, delta)
    }

    /// As [`watch`].
    pub fn watch(&self, prefix: &str) -> Result<(), Error> {
        host::watch(&self.0, prefix)
    }

    /// As [`unwatch`].
    pub fn unwatch(&self, prefix: &str) -> Result<(), Error> {
        host::unwatch(&self.0, prefix)
    }
}
