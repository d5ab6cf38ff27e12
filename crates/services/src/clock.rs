//! A time that the node has not reached yet, so that a restarted one goes on after all times and tickets that were
//! given before, whatever the machine's clock says.
//!
//! Layout: `Clock` → milliseconds since the epoch, 8 bytes, big-endian. Twice a second a batch carries the row, with a
//! time a second ahead: the half second between is for batches that commit before the one with the row.

use crate::fault;
use bytes::Bytes;
use plexspaces_core::Result;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::Millis;
use plexspaces_store::Snapshot;
use plexspaces_store::key::{Kind, Path};
use std::sync::atomic::{AtomicU64, Ordering};

/// How often the row is written while there are batches.
const EVERY_MS: u64 = 500;

/// How far ahead it is.
const AHEAD_MS: u64 = 1_000;

/// Adds the clock's row to batches, twice a second.
#[derive(Debug, Default)]
pub struct Stamp {
    last: AtomicU64,
}

impl Stamp {
    /// Adds the row to `batch` when it is due.
    pub fn add(&self, batch: &mut Batch, now: Millis) {
        let last = self.last.load(Ordering::Relaxed);
        if now.0 >= last + EVERY_MS
            && self
                .last
                .compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            batch.put(
                Path::node(Kind::Clock).key(),
                Bytes::copy_from_slice(&(now.0 + AHEAD_MS).to_be_bytes()),
            );
        }
    }
}

/// A time after all that were given; 0 in an empty store.
///
/// # Errors
/// A fault of the store.
pub async fn newest(snapshot: &dyn Snapshot) -> Result<Millis> {
    let found = snapshot
        .get(&Path::node(Kind::Clock).key())
        .await
        .map_err(fault)?;
    let bytes = found.and_then(|v| <[u8; 8]>::try_from(v.value.as_ref()).ok());
    Ok(Millis(bytes.map_or(0, u64::from_be_bytes)))
}
