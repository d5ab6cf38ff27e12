//! The newest time that the store knows.
//!
//! Layout: `Clock` → milliseconds since the epoch, 8 bytes, big-endian. A batch carries the row when the last one is
//! older than a second, so a restarted node goes on at most a second behind where it was, whatever the machine's clock
//! says; an actor's own time is also bounded by its last journal entry.

use crate::fault;
use bytes::Bytes;
use plexspaces_core::Result;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::Millis;
use plexspaces_store::Snapshot;
use plexspaces_store::key::{Kind, Path};
use std::sync::atomic::{AtomicU64, Ordering};

const EVERY_MS: u64 = 1_000;

/// Adds the clock's row to batches, once a second.
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
                Bytes::copy_from_slice(&now.0.to_be_bytes()),
            );
        }
    }
}

/// The newest time in the store; 0 in an empty one.
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
