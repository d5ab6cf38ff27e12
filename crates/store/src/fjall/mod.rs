//! The default store: an LSM tree (fjall 3, pure Rust) in a folder.
//!
//! All data lies in one fjall keyspace, since fjall flushes several of them one by one and a power cut in between
//! would tear a batch. All reads go through a fjall snapshot, since a plain read can see half of a batch that is being
//! applied. A commit goes to fjall's journal, in memory first; a flush writes it out and syncs it. What a crash leaves
//! is a prefix of the journal, checked by checksums, and so a prefix of the commits.
//!
//! The layout of what is on the disk is in `layout.rs`. The crate's `mark.rs` notices when flushed commits are missing.

mod folder;
mod layout;
mod moment;
mod options;

pub use options::Options;

use crate::{Backend, Embedded, Error, Snapshot, Versioned, mark::Mark};
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
    /// The newest version given. Only the writer thread changes it.
    applied: AtomicU64,
    mark: Mark,
}

impl Fjall {
    /// Opens the store in `folder`, creating both if they are missing. Recovers from a crash if there was one.
    ///
    /// The folder is locked until the store and all its snapshots are dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another store has the folder open; [`Error::Format`] if another version of PlexSpaces wrote
    /// it; [`Error::Damaged`] if what was flushed is not all there or cannot be read; [`Error::Io`] if the system
    /// refuses.
    pub fn open(folder: impl AsRef<Path>, options: &Options) -> Result<Embedded<Fjall>, Error> {
        Self::open_backend(folder.as_ref(), options).map(Embedded::new)
    }

    /// Does what [`open`](Fjall::open) does, for a store that takes the place of another: its versions go on after
    /// `version`, so that none of the other's is given again.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Fjall::open).
    pub fn open_after(
        folder: impl AsRef<Path>,
        options: &Options,
        version: Version,
    ) -> Result<Embedded<Fjall>, Error> {
        let mut backend = Self::open_backend(folder.as_ref(), options)?;
        if backend.newest < version {
            backend.applied.store(version.0, Ordering::Relaxed);
            backend.reserve(version)?;
            backend.newest = version;
        }
        Ok(Embedded::new(backend))
    }

    fn open_backend(folder: &Path, options: &Options) -> Result<Fjall, Error> {
        let (db, data) = folder::open(folder, options)?;
        let moment = Moment::new(&db, &data);
        let newest = match moment.get_raw(&layout::versions_key())? {
            None => Version::ABSENT,
            Some(entry) => layout::decode_versions(entry, folder)?,
        };
        let flushed = match moment.get_raw(&layout::flushed_key())? {
            None => Version::ABSENT,
            Some(entry) => layout::decode_flushed(entry)?,
        };
        Ok(Fjall {
            db,
            data,
            newest,
            reserved: AtomicU64::new(newest.0),
            applied: AtomicU64::new(newest.0),
            mark: Mark::open(folder, flushed)?,
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
        batch.commit().map_err(io("write a batch"))?;
        self.applied.store(version.0, Ordering::Relaxed);
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        let flushed = Version(self.applied.load(Ordering::Relaxed));
        let mut batch = ::fjall::OwnedWriteBatch::with_capacity(self.db.clone(), 1);
        batch.insert(
            &self.data,
            layout::flushed_key().0,
            layout::encode_flushed(flushed),
        );
        batch.commit().map_err(io("write a batch"))?;
        self.db
            .persist(PersistMode::SyncData)
            .map_err(io("flush the journal"))?;
        self.mark.set(flushed)
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
    move |error| failure(operation, error)
}

/// What fjall could not do, and whether it is the system that refused or the bytes that are wrong.
fn failure(operation: &'static str, error: ::fjall::Error) -> Error {
    use std::io::ErrorKind;
    let reason = match (&error, system(&error)) {
        (::fjall::Error::Poisoned, _) => {
            "the engine has failed to write before; the log has the system's words".to_owned()
        }
        (_, Some(cause)) => match cause.kind() {
            ErrorKind::NotFound
            | ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData
            | ErrorKind::InvalidInput => {
                let what = format!("a file is missing, cut off or changed ({cause})");
                return Error::Damaged { what };
            }
            _ => cause.to_string(),
        },
        (::fjall::Error::InvalidVersion(Some(_)), None) => {
            "it was written by another version of the engine".to_owned()
        }
        (_, None) => {
            return Error::Damaged {
                what: format!("cannot {operation}: {error}"),
            };
        }
    };
    Error::Io { operation, reason }
}

/// What the system said, if it was the system.
fn system<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    match error.downcast_ref() {
        Some(cause) => Some(cause),
        None => system(error.source()?),
    }
}
