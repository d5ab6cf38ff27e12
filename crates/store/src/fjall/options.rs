//! How fjall is set up, and why.

use ::fjall::{Database, Keyspace, KeyspaceCreateOptions};
use std::path::Path;

/// The sizes of a store in a folder. The default suits a node with two cores and a gigabyte or two of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Memory for blocks read from the disk, in bytes. 64 MiB: the journal tails and mailboxes that are read again and
    /// again still lie in the write buffers; the cache serves activations and scans.
    pub cache_bytes: u64,
    /// How large one write buffer grows before it becomes a file, in bytes, at least 64 KiB. 32 MiB: up to four wait
    /// for the disk behind the one being filled, so writes take 160 MiB of memory at the worst.
    pub write_buffer_bytes: u64,
    /// How much journal may be kept, in bytes, at least 64 MiB. 256 MiB: it bounds what a start after a crash reads.
    pub journal_bytes: u64,
    /// Threads that write buffers out and compact files, at least 1. They sleep when there is nothing to do. 1: with
    /// two, fjall keeps the first for write buffers, and that one spins while the other compacts; on two cores the
    /// actors need that core more.
    pub worker_threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Options {
            cache_bytes: 64 * MIB,
            write_buffer_bytes: 32 * MIB,
            journal_bytes: 256 * MIB,
            worker_threads: 1,
        }
    }
}

impl Options {
    /// Opens the database in `folder` and its one keyspace.
    pub(super) fn open(&self, folder: &Path) -> ::fjall::Result<(Database, Keyspace)> {
        let db = Database::builder(folder)
            .cache_size(self.cache_bytes)
            .max_journaling_size(self.journal_bytes.max(64 << 20))
            .worker_threads(self.worker_threads.max(1))
            // A commit then goes no further than fjall's own buffer: a system call less, since the flush that makes it
            // durable writes the buffer out anyway.
            .manual_journal_persist(true)
            .open()?;
        let data = db.keyspace("data", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(self.write_buffer_bytes.max(64 << 10))
        })?;
        Ok((db, data))
    }
}
