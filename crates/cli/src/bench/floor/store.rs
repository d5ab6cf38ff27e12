//! The raw store: batches committed and flushed by as many tasks as there are callers, without actors.

use anyhow::Result;
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Batch, Fjall, FjallOptions, Store};
use std::path::Path as Folder;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What a small row holds.
const VALUE: [u8; 100] = [0x5a; 100];

/// How many rows a second get to the disk in batches of `rows`, each flushed before the next of its task.
pub(crate) async fn rows_per_second(
    folder: &Folder,
    tasks: usize,
    rows: u64,
    span: Duration,
) -> Result<f64> {
    let folder = tempfile::tempdir_in(folder)?;
    let store: Arc<dyn Store> = Arc::new(Fjall::open(folder.path(), &FjallOptions::default())?);
    let start = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks as u64 {
        let store = store.clone();
        running.spawn(async move {
            let mut batches = 0;
            while start.elapsed() < span {
                let mut batch = Batch::new();
                let path = || {
                    Path::scope("bench", "bench", Kind::KeyValue)
                        .u64(task)
                        .u64(batches)
                };
                for row in 0..rows {
                    batch.put(path().u64(row).key(), &VALUE[..]);
                }
                store.commit_flushed(batch).await?;
                batches += 1;
            }
            anyhow::Ok(batches)
        });
    }
    let mut batches = 0;
    while let Some(ended) = running.join_next().await {
        batches += ended??;
    }
    let rate = (batches * rows) as f64 / start.elapsed().as_secs_f64();
    store.close().await?;
    Ok(rate)
}
