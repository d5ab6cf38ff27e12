//! Time and randomness from the runtime: in a durable actor both are the same when a turn is replayed.
//!
//! `std::time` and the `rand` crates' own entropy do not work in a guest without WASI; seed them from here.

use std::time::Duration;

use crate::Error;
use crate::bindings::plexspaces::actor::system;

/// The time since the Unix epoch, to the millisecond. Constant within a turn's segment.
pub fn now() -> Result<Duration, Error> {
    system::now().map(Duration::from_millis)
}

/// A time that never goes back within the actor's life. Constant within a turn's segment.
pub fn monotonic() -> Result<Duration, Error> {
    system::monotonic().map(Duration::from_nanos)
}

/// `length` bytes (at most 65,536) of the turn's random stream. Good for ids and shuffles, not for keys and
/// secrets: who knows the actor's id and sequence can compute them.
pub fn random_bytes(length: u32) -> Result<Vec<u8>, Error> {
    system::random_bytes(length)
}

/// A random number, as [`random_bytes`].
pub fn random_u64() -> Result<u64, Error> {
    let bytes = random_bytes(8)?;
    let bytes = <[u8; 8]>::try_from(bytes)
        .map_err(|b| Error::internal(format!("8 random bytes asked for, {} given", b.len())))?;
    Ok(u64::from_le_bytes(bytes))
}
