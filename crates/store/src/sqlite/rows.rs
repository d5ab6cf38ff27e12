//! The tables, and all the SQL that works on them. They outlive every version of this program, so a golden test fixes
//! them.
//!
//! `entries` holds the data. SQLite itself does not notice a bit that the disk has changed in a row, so each carries a
//! checksum of its key, version and value. A changed bit in the structure of a page can still hide rows from SQLite;
//! `PRAGMA integrity_check` finds that. `numbers` has two rows: up to which version any may be in use, and which one the last
//! flush covered.

use super::failure::io;
use crate::{Error, Order, Versioned};
use bytes::Bytes;
use plexspaces_core::batch::{Key, Version};
use rusqlite::{Connection, OptionalExtension as _, Params, Row, Rows, params, types::ValueRef};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The size of a page, in bytes: SQLite's default.
pub(super) const PAGE_BYTES: u64 = 4_096;

/// What a new database gets.
pub(super) const SCHEMA: &str = "\
CREATE TABLE entries (key BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE numbers (name TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// The row with the highest version that may be in use.
pub(super) const RESERVED: &str = "versions";
/// The row with the newest version at the last flush.
pub(super) const FLUSHED: &str = "flushed";

/// Reads a number; 0 if it was never set.
pub(super) fn number(connection: &Connection, name: &str) -> Result<Version, Error> {
    let found: Option<i64> = connection
        .query_row(
            "SELECT number FROM numbers WHERE name = ?1",
            [name],
            |row| row.get(0),
        )
        .optional()
        .map_err(io("read the version counter"))?;
    match u64::try_from(found.unwrap_or(0)) {
        Ok(number) => Ok(Version(number)),
        Err(_) => Err(Error::Damaged {
            what: format!("the number {name:?} is negative"),
        }),
    }
}

/// Sets a number, in a transaction of its own.
pub(super) fn set_number(
    connection: &Connection,
    name: &str,
    number: Version,
) -> Result<(), Error> {
    execute(
        connection,
        "INSERT OR REPLACE INTO numbers (name, number) VALUES (?1, ?2)",
        params![name, signed(number)],
        "write the version counter",
    )
}

/// Begins a transaction that writes.
pub(super) fn begin(connection: &Connection) -> Result<(), Error> {
    execute(connection, "BEGIN IMMEDIATE", [], "write a batch")
}

/// Ends it.
pub(super) fn commit(connection: &Connection) -> Result<(), Error> {
    execute(connection, "COMMIT", [], "write a batch")
}

/// Sets an entry.
pub(super) fn put(
    connection: &Connection,
    key: &Key,
    version: Version,
    value: &[u8],
) -> Result<(), Error> {
    execute(
        connection,
        "INSERT OR REPLACE INTO entries (key, version, value, checksum) VALUES (?1, ?2, ?3, ?4)",
        params![
            key.as_bytes(),
            signed(version),
            value,
            checksum(key, version, value)
        ],
        "write a batch",
    )
}

/// Removes an entry, if it is there.
pub(super) fn delete(connection: &Connection, key: &Key) -> Result<(), Error> {
    execute(
        connection,
        "DELETE FROM entries WHERE key = ?1",
        [key.as_bytes()],
        "write a batch",
    )
}

fn execute(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    operation: &'static str,
) -> Result<(), Error> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params))
        .map_err(io(operation))?;
    Ok(())
}

/// Reads an entry, in a transaction of its own if there is none.
pub(super) fn get(connection: &Connection, key: &Key) -> Result<Option<Versioned>, Error> {
    let failed = io("read an entry");
    let mut statement = connection
        .prepare_cached("SELECT version, value, checksum FROM entries WHERE key = ?1")
        .map_err(&failed)?;
    let mut rows = statement.query([key.as_bytes()]).map_err(&failed)?;
    match rows.next().map_err(&failed)? {
        Some(row) => versioned(key, row, 0).map(Some),
        None => Ok(None),
    }
}

/// Reads the entries of a range one by one; all are of the moment at which `read` takes the first.
pub(super) fn scan<T>(
    connection: &Connection,
    range: &Range<Key>,
    order: Order,
    read: impl FnOnce(Entries<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = io("scan a range");
    let sql = match order {
        Order::Forward => {
            "SELECT key, version, value, checksum FROM entries WHERE key >= ?1 AND key < ?2 ORDER BY key"
        }
        Order::Reverse => {
            "SELECT key, version, value, checksum FROM entries WHERE key >= ?1 AND key < ?2 ORDER BY key DESC"
        }
    };
    let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
    let rows = statement
        .query([range.start.as_bytes(), range.end.as_bytes()])
        .map_err(&failed)?;
    read(Entries(rows))
}

/// Entries as they come from the database.
pub(super) struct Entries<'a>(Rows<'a>);

impl Entries<'_> {
    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<(Key, Versioned)>, Error> {
        let Some(row) = self.0.next().map_err(io("scan a range"))? else {
            return Ok(None);
        };
        let key = Key(blob(row, 0)?);
        let entry = versioned(&key, row, 1)?;
        Ok(Some((key, entry)))
    }
}

fn versioned(key: &Key, row: &Row<'_>, first_column: usize) -> Result<Versioned, Error> {
    let number = |column| -> Result<i64, Error> { row.get(column).map_err(io("read an entry")) };
    let version = Version(number(first_column)?.cast_unsigned());
    let value = blob(row, first_column + 1)?;
    if number(first_column + 2)? != checksum(key, version, &value) {
        return Err(Error::Corrupt {
            key: key.clone(),
            what: "its checksum does not fit".into(),
        });
    }
    Ok(Versioned { version, value })
}

/// XXH3 of the value, seeded with that of the key, seeded with the version.
fn checksum(key: &Key, version: Version, value: &[u8]) -> i64 {
    let seed = xxh3_64_with_seed(key.as_bytes(), version.0);
    xxh3_64_with_seed(value, seed).cast_signed()
}

fn blob(row: &Row<'_>, column: usize) -> Result<Bytes, Error> {
    match row.get_ref(column).map_err(io("read an entry"))? {
        ValueRef::Blob(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        other => Err(Error::Damaged {
            what: format!("a column has {:?} where bytes belong", other.data_type()),
        }),
    }
}

/// SQL's integers have a sign.
fn signed(version: Version) -> i64 {
    i64::try_from(version.0).expect("2^63 commits take longer than any machine lasts")
}
