//! Opening the folder, whatever state it is in: its lock, its database, its settings.
//!
//! ```text
//! lock        locked (flock) by the store that has the folder open
//! store.db    the database; beside it, while it is open or after a crash, store.db-wal and store.db-shm
//! flushed     the mark of the last flush
//! ```

use super::{
    Options,
    failure::{self, failure, io},
    rows,
};
use crate::Error;
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

/// "PlxS": what our databases say they are, where `file` and other programs look.
pub(super) const APPLICATION_ID: i32 = 0x506C_7853;

/// The format that this program reads and writes, in `user_version`.
pub(super) const FORMAT: i32 = 1;

const LOCK: &str = "lock";
const DATABASE: &str = "store.db";

/// How long a commit waits for another program that writes, and an open for one that has the database for itself.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_AT_OPEN: Duration = Duration::from_millis(500);

/// Memory for pages in each connection that reads, in KiB. Little, since it is dropped at every commit.
const READER_CACHE_KIB: i64 = 2_048;

/// The size to which a log that had to grow is cut back when it is used again, in bytes.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// Where the database lies.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Locks the folder and opens the database in it for writing, or makes both.
///
/// # Errors
///
/// [`Error::InUse`], [`Error::Format`], [`Error::Damaged`] or [`Error::Io`].
pub(super) fn open(folder: &Path, options: &Options) -> Result<(File, Connection), Error> {
    let lock = lock(folder)?;
    let connection = connect(&path(folder), OpenFlags::SQLITE_OPEN_CREATE)
        .map_err(|error| unopened(folder, &error))?;
    tidy_on_close(&connection, false)?;
    set_up(&connection, options).map_err(|error| unopened(folder, &error))?;
    check_format(&connection, folder)?;
    connection
        .busy_timeout(PATIENCE)
        .map_err(|error| unopened(folder, &error))?;
    Ok((lock, connection))
}

/// Opens the database once more, for reads.
pub(super) fn open_reader(database: &Path) -> Result<Connection, Error> {
    let open = || {
        // With the right to write, since a reader may have to set up the shared memory; it uses it for nothing else.
        let connection = connect(database, OpenFlags::empty())?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    };
    open().map_err(io("open the database for reading"))
}

fn connect(database: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // One thread at a time has a connection, so SQLite needs no locks of its own.
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    connection.set_prepared_statement_cache_capacity(32);
    // Notices a damaged page when it is read, not when it has misled somebody.
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// The lock goes with the process, also after SIGKILL.
fn lock(folder: &Path) -> Result<File, Error> {
    let unusable = |error: std::io::Error| Error::Io {
        operation: "open the data folder",
        reason: format!("{}: {error}", folder.display()),
    };
    let made = !folder.exists();
    fs::create_dir_all(folder).map_err(unusable)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK))
        .map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::InUse {
                folder: folder.into(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    if made {
        sync_parent(folder).map_err(unusable)?;
    }
    Ok(lock)
}

/// SQLite syncs the folder that its files lie in, but not the folder which that one lies in.
fn sync_parent(folder: &Path) -> std::io::Result<()> {
    match folder.parent() {
        #[cfg(unix)] // elsewhere a folder cannot be opened as a file
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        #[cfg(unix)]
        Some(_) => File::open(".")?.sync_all(),
        _ => Ok(()),
    }
}

/// Whether the last connection to close moves the log into the database and removes it. Not before it is known that
/// the log is whole: somebody may still need the rest of it.
pub(super) fn tidy_on_close(connection: &Connection, tidy: bool) -> Result<(), Error> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !tidy)
        .map_err(io("open the data folder"))?;
    Ok(())
}

fn set_up(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE_AT_OPEN)?;
    connection.pragma_update(None, "page_size", rows::PAGE_BYTES as i64)?;
    let cache_kib = i64::try_from(options.cache_bytes >> 10).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // The first that looks into the file: a hot journal or a log is recovered here.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(())
}

/// Makes the tables in a new database; refuses one that is not ours or of a newer format.
fn check_format(connection: &Connection, folder: &Path) -> Result<(), Error> {
    let number = |name: &str| -> rusqlite::Result<i32> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let read = || -> rusqlite::Result<(i32, i32, i64)> {
        let tables =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    match read().map_err(|error| unopened(folder, &error))? {
        (APPLICATION_ID, FORMAT, _) => Ok(()),
        // New, or its making was killed: there was nothing in it yet.
        (0, 0, 0) => connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; \
                 PRAGMA user_version = {FORMAT}; {} COMMIT",
                rows::SCHEMA
            ))
            .map_err(|error| unopened(folder, &error)),
        (APPLICATION_ID, found, _) => Err(Error::Format {
            folder: folder.into(),
            expected: FORMAT as u8,
            // More than a byte is a format that nobody has written.
            found: u8::try_from(found).unwrap_or(u8::MAX),
        }),
        _ => Err(Error::Io {
            operation: "open the data folder",
            reason: format!(
                "{} is the database of another program",
                path(folder).display()
            ),
        }),
    }
}

/// How much a commit does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Synchronous {
    /// It is visible.
    Normal,
    /// It, and all before it, is on the disk.
    Full,
}

/// Sets what the next commits do.
pub(super) fn synchronous(connection: &Connection, level: Synchronous) -> Result<(), Error> {
    // Not prepared once for all: this pragma takes effect when it is compiled.
    connection
        .execute_batch(match level {
            Synchronous::Normal => "PRAGMA synchronous = NORMAL",
            Synchronous::Full => "PRAGMA synchronous = FULL",
        })
        .map_err(io("flush the log"))
}

fn unopened(folder: &Path, error: &rusqlite::Error) -> Error {
    if failure::is_busy(error) {
        return Error::InUse {
            folder: folder.into(),
        };
    }
    named(folder, failure("open the data folder", error))
}

/// An error that names the folder.
pub(super) fn named(folder: &Path, error: Error) -> Error {
    match error {
        Error::Io { operation, reason } => Error::Io {
            operation,
            reason: format!("{}: {reason}", folder.display()),
        },
        Error::Damaged { what } => Error::Damaged {
            what: format!("{}: {what}", folder.display()),
        },
        other => other,
    }
}
