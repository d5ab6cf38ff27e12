//! The default store: an LSM tree (fjall 3, pure Rust) in a folder.
//!
//! All data lies in one fjall keyspace, since fjall flushes several of them one by one and a power cut in between
//! would tear a batch. All reads go through a fjall snapshot, since a plain read can see half of a batch that is being
//! applied. A commit goes to fjall's journal, in memory first; a flush writes it out and syncs it. What a crash leaves
//! is a prefix of the journal, checked by checksums, and so a prefix of the commits.
//!
//! The layout of what is on the disk is in `layout.rs`.

mod layout;
mod moment;
mod options;

pub use options::Options;

use crate::{Backend, Embedded, Error, Snapshot, Versioned};
use ::fjall::{Database, Keyspace, PersistMode};
use moment::Moment;
use plexspaces_core::batch::{Key, Op, Version};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many versions are set aside at a time.
///
/// The version counter must survive a restart even if the rows that carried the last versions are gone. A counter row
/// in every batch would cost a write per commit to one hot key. Instead, one row says "versions up to N may be in use",
/// and is on the disk before the first of them is given: one more flush per million commits. A restart goes on after
/// N and skips what was left; at one restart per second the 64 bits last half a million years.
const VERSIONS_AT_A_TIME: u64 = 1 << 20;

/// A store in a folder.
pub struct Fjall {
    db: Database,
    data: Keyspace,
    /// The version after which the folder's earlier owners cannot have gone.
    newest: Version,
    /// Versions up to this one may be given. Only the writer thread changes it.
    reserved: AtomicU64,
}

impl Fjall {
    /// Opens the store in `folder`, creating both if they are missing. Recovers from a crash if there was one.
    ///
    /// The folder is locked until the store and all its snapshots are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another store has the folder open; [`Error::Format`] if another version of PlexSpaces wrote
    /// it; [`Error::Io`] or [`Error::Corrupt`] if it cannot be read.
    pub fn open(folder: impl AsRef<Path>, options: &Options) -> Result<Embedded<Fjall>, Error> {
        Self::open_backend(folder.as_ref(), options).map(Embedded::new)
    }

    fn open_backend(folder: &Path, options: &Options) -> Result<Fjall, Error> {
        let (db, data) = options.open(folder)?;
        let entry = Moment::new(&db, &data).get_raw(&layout::versions_key())?;
        let newest = match entry {
            None => Version::ABSENT,
            Some(entry) => layout::decode_versions(entry, folder)?,
        };
        Ok(Fjall {
            db,
            data,
            newest,
            reserved: AtomicU64::new(newest.0),
        })
    }

    /// Sets aside the next versions, `version` being the first.
    fn reserve(&self, version: Version) -> Result<(), Error> {
        let last = version.0 + (VERSIONS_AT_A_TIME - 1);
        let mut batch = self.db.batch();
        batch.insert(
            &self.data,
            layout::versions_key().0,
            layout::encode_versions(Version(last)),
        );
        batch.commit().map_err(io("write the version counter"))?;
        self.flush()?;
        self.reserved.store(last, Ordering::Relaxed);
        Ok(())
    }
}

impl Backend for Fjall {
    fn newest(&self) -> Version {
        self.newest
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(Moment::new(&self.db, &self.data))
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        Moment::new(&self.db, &self.data).read(key)
    }

    fn apply(&self, version: Version, ops: BTreeMap<Key, Op>) -> Result<(), Error> {
        if version.0 > self.reserved.load(Ordering::Relaxed) {
            self.reserve(version)?;
        }
        let mut batch = ::fjall::OwnedWriteBatch::with_capacity(self.db.clone(), ops.len());
        for (key, op) in ops {
            match op {
                Op::Put(value) => {
                    batch.insert(&self.data, key.0, layout::encode_value(version, &value))
                }
                Op::Delete => batch.remove(&self.data, key.0),
            }
        }
        batch.commit().map_err(io("write a batch"))
    }

    fn flush(&self) -> Result<(), Error> {
        self.db
            .persist(PersistMode::SyncData)
            .map_err(io("flush the journal"))
    }
}

impl std::fmt::Debug for Fjall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fjall")
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}

/// Turns fjall's error into ours.
fn io(operation: &'static str) -> impl Fn(::fjall::Error) -> Error {
    move |error| Error::Io {
        operation,
        reason: error.to_string(),
    }
}
