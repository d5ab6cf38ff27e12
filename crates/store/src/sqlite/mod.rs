//! The store for people who want to open it with tools that they know: one SQLite database in WAL mode, in a folder.
//!
//! Every batch is one SQLite transaction, committed with `synchronous=NORMAL`: atomic and visible at once, but not
//! synced. A flush commits one small row with `synchronous=FULL`, which syncs the write-ahead log and so everything
//! before it (<https://sqlite.org/pragma.html#pragma_synchronous>). A crash in between loses the end of the log: its
//! frames are chained by checksums, and recovery stops at the first that is not whole
//! (<https://sqlite.org/fileformat2.html#walformat>). So what is left is a prefix of the commits.
//!
//! A checkpoint moves the log into the database. With `synchronous=NORMAL` it syncs the log before and the database
//! after, and the log's new header before the log is used again (same page), so it takes nothing away from that. It is
//! made here, after a flush, and not by SQLite itself, which would keep a failed fsync to itself: the second fsync of
//! the same bytes may succeed although they are lost.
//!
//! Snapshots are not read transactions. One of those needs a connection for as long as it lasts, a node may have
//! thousands of turns under way, and the log cannot be used again while readers overlap. Instead every read is a short
//! transaction on one of a few connections, and `past.rs` keeps what the rows were that were changed since the oldest
//! snapshot.
//!
//! Read on in `file.rs` (the database, whatever state it is in), `rows.rs` (its SQL), `readers.rs`, `past.rs`,
//! `moment.rs` (snapshots), `failure.rs`.

mod failure;
mod file;
mod moment;
mod options;
mod past;
mod readers;
mod rows;

pub use options::Options;

use crate::{Backend, Embedded, Error, Snapshot, Versioned, mark::Mark};
use failure::io;
use moment::Moment;
use parking_lot::Mutex;
use past::Past;
use plexspaces_core::batch::{Key, Op, Version};
use readers::Readers;
use rusqlite::Connection;
use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

/// How many versions are set aside at a time, for the reason given in the fjall backend: the counter survives although
/// no row with it is written per batch.
const VERSIONS_AT_A_TIME: u64 = 1 << 20;

/// A store in an SQLite database.
pub struct Sqlite {
    /// The version after which the database's earlier owners cannot have gone.
    newest: Version,
    writer: Mutex<Writer>,
    shared: Arc<Shared>,
}

/// What snapshots need, also after the store was dropped. The fields go in this order: the lock last.
struct Shared {
    readers: Readers,
    past: Past,
    _lock: File,
}

/// The only connection that writes. Its page cache is always right, so guards are cheap.
struct Writer {
    connection: Connection,
    mark: Mark,
    /// Versions up to this one may be given.
    reserved: Version,
    /// The newest version given.
    applied: Version,
    /// What was written since the last checkpoint, in bytes, roughly.
    log_bytes: u64,
    checkpoint_bytes: u64,
}

impl Sqlite {
    /// Opens the store in `folder`, creating both if they are missing. Recovers from a crash if there was one.
    ///
    /// The folder is locked until the store and all its snapshots are dropped. Other programs may read the database
    /// meanwhile; one that writes keeps commits waiting, and stops the store if it takes longer than ten seconds.
    ///
    /// # Errors
    ///
    /// [`Error::InUse`] if another store has the folder open, or another program keeps the database locked;
    /// [`Error::Format`] if a newer version of PlexSpaces wrote it; [`Error::Damaged`] if what was flushed is not all
    /// there or cannot be read; [`Error::Io`] if the system refuses or the database belongs to another program.
    pub fn open(folder: impl AsRef<Path>, options: &Options) -> Result<Embedded<Sqlite>, Error> {
        Self::open_backend(folder.as_ref(), options).map(Embedded::new)
    }

    /// Does what [`open`](Sqlite::open) does, for a store that takes the place of another: its versions go on after
    /// `version`, so that none of the other's is given again.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Sqlite::open).
    pub fn open_after(
        folder: impl AsRef<Path>,
        options: &Options,
        version: Version,
    ) -> Result<Embedded<Sqlite>, Error> {
        let mut backend = Self::open_backend(folder.as_ref(), options)?;
        if backend.newest < version {
            let writer = backend.writer.get_mut();
            writer.applied = version;
            writer.reserve(version)?;
            backend.shared.past.committed(version);
            backend.newest = version;
        }
        Ok(Embedded::new(backend))
    }

    fn open_backend(folder: &Path, options: &Options) -> Result<Sqlite, Error> {
        let (lock, connection) = file::open(folder, options)?;
        let number =
            |name| rows::number(&connection, name).map_err(|error| file::named(folder, error));
        let (newest, flushed) = (number(rows::RESERVED)?, number(rows::FLUSHED)?);
        let mark = Mark::open(folder, flushed)?;
        file::tidy_on_close(&connection, true)?;
        Ok(Sqlite {
            newest,
            writer: Mutex::new(Writer {
                connection,
                mark,
                reserved: newest,
                applied: newest,
                log_bytes: 0,
                checkpoint_bytes: options.checkpoint_bytes,
            }),
            shared: Arc::new(Shared {
                readers: Readers::new(file::path(folder)),
                past: Past::new(newest),
                _lock: lock,
            }),
        })
    }
}

impl Writer {
    /// Commits `ops` in one transaction. `past` learns what the rows were before anybody can see what they become.
    fn apply(
        &mut self,
        version: Version,
        ops: BTreeMap<Key, Op>,
        past: &Past,
    ) -> Result<(), Error> {
        if version > self.reserved {
            self.reserve(version)?;
        }
        let connection = &self.connection;
        rows::begin(connection)?;
        let mut before = Vec::with_capacity(ops.len());
        for (key, op) in ops {
            let old = rows::get(connection, &key)?;
            self.log_bytes += rows::PAGE_BYTES + key.as_bytes().len() as u64;
            match op {
                Op::Put(value) => {
                    self.log_bytes += value.len() as u64;
                    rows::put(connection, &key, version, &value)?;
                }
                Op::Delete => rows::delete(connection, &key)?,
            }
            before.push((key, old));
        }
        past.remember(version, before);
        rows::commit(connection)?;
        past.committed(version);
        self.applied = version;
        Ok(())
    }

    /// Sets aside the next versions, `version` being the first, before any of them is given.
    fn reserve(&mut self, version: Version) -> Result<(), Error> {
        let last = Version(version.0 + (VERSIONS_AT_A_TIME - 1));
        rows::set_number(&self.connection, rows::RESERVED, last)?;
        self.flush()?;
        self.reserved = last;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        file::synchronous(&self.connection, file::Synchronous::Full)?;
        rows::set_number(&self.connection, rows::FLUSHED, self.applied)?;
        file::synchronous(&self.connection, file::Synchronous::Normal)?;
        self.mark.set(self.applied)?;
        self.log_bytes += rows::PAGE_BYTES;
        if self.log_bytes >= self.checkpoint_bytes {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Moves the log into the database. Where a reader still needs the log it goes as far as it can.
    fn checkpoint(&mut self) -> Result<(), Error> {
        let (frames, moved): (i64, i64) = self
            .connection
            .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
            .and_then(|mut pragma| pragma.query_row([], |row| Ok((row.get(1)?, row.get(2)?))))
            .map_err(io("move the log into the database"))?;
        // The rest goes with the next one, not with every flush until then.
        self.log_bytes = match moved < frames {
            true => self.checkpoint_bytes / 2,
            false => 0,
        };
        Ok(())
    }
}

impl Backend for Sqlite {
    fn newest(&self) -> Version {
        self.newest
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::new(Moment::new(Arc::clone(&self.shared)))
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, Error> {
        // The writer thread asks for the guards, and finds its own connection free.
        match self.writer.try_lock() {
            Some(writer) => rows::get(&writer.connection, key),
            None => rows::get(&*self.shared.readers.take()?, key),
        }
    }

    fn apply(&self, version: Version, ops: BTreeMap<Key, Op>) -> Result<(), Error> {
        self.writer.lock().apply(version, ops, &self.shared.past)
    }

    fn flush(&self) -> Result<(), Error> {
        self.writer.lock().flush()
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // The last connection to close leaves no log behind, and it should be the one that always works.
        self.shared.readers.close_idle();
    }
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite")
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}
