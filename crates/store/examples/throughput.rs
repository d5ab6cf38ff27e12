//! How many commits per second reach the disk, next to what the disk itself can do.
//!
//! ```text
//! cargo run --release -p plexspaces-store --example throughput -- [folder] [seconds]
//! ```
//!
//! Each committer writes one entry of 200 bytes under a new key, guarded by the key's absence, and waits until it is
//! flushed before it goes on. The folder (the system's temporary one by default) has to lie on the disk in question.

use plexspaces_core::batch::{Batch, Urgency, Version};
use plexspaces_store::{
    Fjall, FjallOptions, Memory, Sqlite, SqliteOptions, Store,
    key::{Kind, Path},
};
use std::{
    fs::OpenOptions,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(std::env::temp_dir, Into::into);
    let time = Duration::from_secs_f64(args.next().map_or(Ok(2.0), |seconds| seconds.parse())?);
    let folder = tempfile::tempdir_in(folder)?;

    let syncs = raw_syncs(&folder.path().join("raw"), time)?;
    println!(
        "raw fdatasync, 200 bytes each: {syncs:>9.0}/s, {:.0} us",
        1e6 / syncs
    );

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    for committers in [1, 64, 1_024] {
        let folder = folder.path().join(committers.to_string());
        let store = Arc::new(Fjall::open(folder.join("fjall"), &FjallOptions::default())?);
        report(
            "fjall",
            committers,
            runtime.block_on(commits(store, committers, time)),
        );
        let store = Arc::new(Sqlite::open(
            folder.join("sqlite"),
            &SqliteOptions::default(),
        )?);
        report(
            "sqlite",
            committers,
            runtime.block_on(commits(store, committers, time)),
        );
    }
    report(
        "memory",
        64,
        runtime.block_on(commits(Arc::new(Memory::open()), 64, time)),
    );
    Ok(())
}

fn report(store: &str, committers: u64, per_second: f64) {
    let wait = committers as f64 * 1e6 / per_second;
    println!("{store:>6}, {committers:>5} committers:     {per_second:>9.0}/s, {wait:.0} us each");
}

/// Appends as the journal does: into a file that has its length already.
fn raw_syncs(path: &std::path::Path, time: Duration) -> std::io::Result<f64> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)?;
    file.set_len(64 << 20)?;
    file.sync_all()?;
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < time {
        file.write_all(&[7; 200])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

async fn commits(store: Arc<impl Store>, committers: u64, time: Duration) -> f64 {
    let start = Instant::now();
    let tasks: Vec<_> = (0..committers)
        .map(|committer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut count = 0u64;
                while start.elapsed() < time {
                    let key = Path::scope("t", "n", Kind::Journal)
                        .u64(committer)
                        .u64(count)
                        .key();
                    let mut batch = Batch {
                        urgency: Urgency::Now,
                        ..Batch::new()
                    };
                    batch
                        .guard(key.clone(), Version::ABSENT)
                        .put(key, vec![7; 200]);
                    let commit = store
                        .commit(batch)
                        .await
                        .expect("nobody else writes the key");
                    store.flushed(commit).await.expect("the disk works");
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("no task panics");
    }
    count as f64 / start.elapsed().as_secs_f64()
}
