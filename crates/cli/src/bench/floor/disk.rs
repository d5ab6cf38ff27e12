//! Raw `fdatasync`: records of 200 bytes appended to a file, some at a time, each time synced.

use crate::bench::stats::Times;
use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// What a small turn writes.
const RECORD: [u8; 200] = [0x5a; 200];

/// How many syncs make a figure.
const SYNCS: usize = 100;

/// The median time, in microseconds, to append `records` and sync them.
pub(crate) fn fdatasync_us(folder: &Path, records: usize) -> Result<f64> {
    let path = folder.join("fdatasync");
    let mut file =
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let batch = RECORD.repeat(records);
    let mut times = Times::default();
    for _ in 0..SYNCS {
        let start = Instant::now();
        file.write_all(&batch)?;
        file.sync_data().context("fdatasync failed")?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(&path)?;
    times.percentile_us(50).context("nothing was synced")
}
