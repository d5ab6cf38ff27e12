//! A store in memory that loses at a crash what a store may lose.
//!
//! Killing a process proves little: the kernel keeps its page cache, and a store that never calls fsync would pass.
//! This one drops, at a crash, a random suffix of the commits that no completed flush covers. Its flush takes real time,
//! so that there are such commits.

use crate::{Backend, Commit, Embedded, Error, Memory, Snapshot, Store, Versioned, memory::Map};
use async_trait::async_trait;
use parking_lot::Mutex;
use plexspaces_core::batch::{Batch, Key, Op, Version};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The backend of [`Lossy`].
#[derive(Debug)]
pub struct LossyBackend {
    memory: Memory,
    disk: Mutex<Disk>,
    flush_time: Duration,
}

/// What a crash would find.
#[derive(Debug)]
struct Disk {
    /// The state that the last completed flush covers.
    kept: Map,
    /// The state after each commit since then.
    at_risk: Vec<(Version, Map)>,
    newest: Version,
    crashed: bool,
}

impl LossyBackend {
    fn new(kept: Map, newest: Version, flush_time: Duration) -> Self {
        let memory = Memory::resume(kept.clone(), newest);
        let disk = Disk {
            kept,
            at_risk: Vec::new(),
            newest,
            crashed: false,
        };
        LossyBackend {
            memory,
            disk: Mutex::new(disk),
            flush_time,
        }
    }
}

impl Backend for LossyBackend {
    fn newest(&self) -> Version {
        self.memory.newest()
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.memory.snapshot()
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.memory.get(key)
    }

    fn apply(&self, version: Version, ops: BTreeMap<Key, Op>) -> Result<(), Error> {
        let mut disk = self.disk.lock();
        disk.check()?;
        self.memory.apply(version, ops)?;
        disk.at_risk.push((version, self.memory.map()));
        disk.newest = version;
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        // This stands for the disk, on the writer's own thread, as an fsync does. Nothing is kept until it is over.
        std::thread::sleep(self.flush_time);
        let mut disk = self.disk.lock();
        disk.check()?;
        if let Some((_, newest)) = disk.at_risk.pop() {
            disk.kept = newest;
            disk.at_risk.clear();
        }
        Ok(())
    }
}

impl Disk {
    fn check(&self) -> Result<(), Error> {
        match self.crashed {
            true => Err(Error::Io {
                operation: "reach the disk",
                reason: "the power is off".into(),
            }),
            false => Ok(()),
        }
    }
}

/// An in-memory store whose [`crash`](Lossy::crash) loses commits that were not flushed.
#[derive(Debug)]
pub struct Lossy {
    store: Embedded<LossyBackend>,
    lost: usize,
}

/// How far versions jump at a crash, as they do in the store on disk, so that nobody relies on a sequence without gaps.
const VERSION_GAP: u64 = 1_000;

impl Lossy {
    /// An empty store whose flush takes `flush_time`.
    #[must_use]
    pub fn open(flush_time: Duration) -> Lossy {
        Lossy {
            store: Embedded::new(LossyBackend::new(Map::new(), Version::ABSENT, flush_time)),
            lost: 0,
        }
    }

    /// Turns the power off, and gives the store that comes up afterwards.
    ///
    /// Of the commits that no completed flush covers, the last few are lost: none, all, or any number between, as
    /// `seed` has it. Whoever still uses this store gets [`Error::Stopped`].
    #[must_use]
    pub fn crash(&self, seed: u64) -> Lossy {
        let backend = self.store.backend();
        let mut disk = backend.disk.lock();
        disk.crashed = true;
        let at_risk = disk.at_risk.len();
        let survive = usize::try_from(scramble(seed) % (at_risk as u64 + 1))
            .expect("at most the length of a Vec");
        let left = match survive {
            0 => disk.kept.clone(),
            n => disk.at_risk[n - 1].1.clone(),
        };
        let newest = Version(disk.newest.0 + VERSION_GAP);
        Lossy {
            store: Embedded::new(LossyBackend::new(left, newest, backend.flush_time)),
            lost: at_risk - survive,
        }
    }

    /// How many commits were lost in the crash that this store came up from. A test that wants to have tested
    /// something adds them up.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost
    }
}

/// One step of SplitMix64: turns consecutive seeds into unrelated numbers.
fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[async_trait]
impl Store for Lossy {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.store.snapshot()
    }

    async fn latest(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        self.store.latest(key).await
    }

    async fn commit(&self, batch: Batch) -> Result<Commit, Error> {
        self.store.commit(batch).await
    }

    async fn commit_flushed(&self, batch: Batch) -> Result<Commit, Error> {
        self.store.commit_flushed(batch).await
    }

    async fn flushed(&self, commit: Commit) -> Result<(), Error> {
        self.store.flushed(commit).await
    }

    fn visible(&self) -> Commit {
        self.store.visible()
    }

    async fn stopped(&self) -> Error {
        self.store.stopped().await
    }

    async fn close(&self) -> Result<(), Error> {
        self.store.close().await
    }
}
