//! Removes what has expired: one task that sleeps until the next row is due.

use crate::shared::Shared;
use plexspaces_core::time::Millis;
use plexspaces_services::{dedup, fault};
use std::sync::Arc;
use std::time::Duration;

/// How many rows one sweep takes, so that its batch stays small.
const ROWS: usize = 1_000;

/// The pause after a sweep that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Starts the task; it ends with the node.
pub(crate) fn start(shared: &Arc<Shared>) {
    let (weak, written) = (Arc::downgrade(shared), shared.expiring.clone());
    tokio::spawn(async move {
        // The node is not kept alive by the wait.
        while let Some(shared) = weak.upgrade() {
            let pause = match sweep(&shared).await {
                Ok(Some(next)) => Some(shared.until(next) + Duration::from_millis(1)),
                // Rows expire in the order of their writing, so nothing is due before the next one that is written.
                Ok(None) => None,
                Err(error) => {
                    tracing::warn!("expired rows were not removed: {error}");
                    Some(AFTER_FAILURE)
                }
            };
            drop(shared);
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => written.notified().await,
            }
        }
    });
}

async fn sweep(shared: &Arc<Shared>) -> plexspaces_core::Result<Option<Millis>> {
    let now = crate::shared::wall();
    let sweep = dedup::sweep(shared.store.snapshot().as_ref(), now, ROWS).await?;
    if !sweep.batch.is_empty() {
        shared.store.commit(sweep.batch).await.map_err(fault)?;
    }
    Ok(sweep.next)
}
