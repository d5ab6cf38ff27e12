//! Removes what has expired: one task that sleeps until the next row is due.

use crate::shared::Shared;
use plexspaces_core::time::Millis;
use plexspaces_services::{Bounds, expiry, fault, queues, watches};
use plexspaces_store::{Error as StoreError, Key};
use std::sync::Arc;
use std::time::Duration;

/// How many rows one sweep takes, so that its batch stays small.
const ROWS: usize = 1_000;

/// The shortest pause between two sweeps: nobody sees an expired row, so they may gather.
const PAUSE: Duration = Duration::from_millis(50);

/// The pause after a sweep that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Starts the task; it ends with the node.
pub(crate) fn start(shared: &Arc<Shared>) {
    let (weak, alarm) = (Arc::downgrade(shared), shared.expiring.clone());
    tokio::spawn(async move {
        // The node is not kept alive by the wait.
        while let Some(shared) = weak.upgrade() {
            let next = match sweep(&shared).await {
                Ok(next) => next.map(|at| (at, shared.until(at).max(PAUSE))),
                Err(error) => {
                    tracing::warn!("expired rows were not removed: {error}");
                    Some((Millis(0), AFTER_FAILURE))
                }
            };
            drop(shared);
            alarm.sleep(next).await;
        }
    });
}

async fn sweep(shared: &Arc<Shared>) -> plexspaces_core::Result<Option<Millis>> {
    let now = crate::shared::wall();
    let mut sweep = expiry::sweep(shared.store.snapshot().as_ref(), now, ROWS).await?;
    let queued = std::mem::take(&mut sweep.queued);
    let mut left = !queued.is_empty() && sweep_queues(shared, queued, now).await?;
    if !sweep.batch.is_empty() {
        let feeds = &shared.coordination.feeds;
        let held = feeds.attach(&mut sweep.batch, watches::FROM_EXPIRY);
        match shared.store.commit(sweep.batch).await {
            Ok(_) => {}
            // A row was written again meanwhile: the next sweep sees it.
            Err(StoreError::Conflict { .. }) => left = true,
            Err(error) => return Err(fault(error)),
        }
        drop(held);
    }
    if sweep.uploads {
        shared.content.changed();
    }
    Ok(if left { Some(now) } else { sweep.next })
}

/// As [`sweep`], of messages in queues. `true`: something is left for the next time.
async fn sweep_queues(
    shared: &Arc<Shared>,
    queued: Vec<(Key, Key)>,
    now: Millis,
) -> plexspaces_core::Result<bool> {
    let mut transaction = shared.transaction(Bounds {
        effects: u64::MAX,
        batch_bytes: u64::MAX,
        reads_hold: true,
    });
    let left = queues::sweep(&mut transaction, queued, now).await?;
    let (batch, held) = transaction.finish();
    match shared.commit(batch).await {
        Ok(_) => {
            held.committed();
            Ok(left)
        }
        Err(StoreError::Conflict { .. }) => Ok(true),
        Err(error) => Err(fault(error)),
    }
}
