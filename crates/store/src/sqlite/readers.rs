//! A few connections for reads, made when they are needed and lent out for one read each.
//!
//! A read runs on its caller's thread and never waits for anything but the disk, so whoever finds all connections lent
//! out gets one soon.

use super::file;
use crate::Error;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::{ops::Deref, path::PathBuf};

/// The most connections. As many threads read at the same time; more than a node's threads need would only take memory
/// and file descriptors, two each.
const READERS_MAX: usize = 8;

/// The connections.
pub(super) struct Readers {
    database: PathBuf,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
    /// The store is gone: what comes back is closed.
    closing: bool,
}

impl Readers {
    /// None yet, for this database.
    pub(super) fn new(database: PathBuf) -> Self {
        Readers {
            database,
            pool: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Lends a connection.
    pub(super) fn take(&self) -> Result<Reader<'_>, Error> {
        let mut pool = self.pool.lock();
        loop {
            if let Some(connection) = pool.idle.pop() {
                return Ok(self.lend(connection));
            }
            if pool.open < READERS_MAX {
                break;
            }
            self.freed.wait(&mut pool);
        }
        pool.open += 1;
        drop(pool);
        match file::open_reader(&self.database) {
            Ok(connection) => Ok(self.lend(connection)),
            Err(error) => {
                self.pool.lock().open -= 1;
                self.freed.notify_one();
                Err(error)
            }
        }
    }

    /// Closes the idle ones, and from now on each that comes back.
    pub(super) fn close_idle(&self) {
        let mut pool = self.pool.lock();
        pool.closing = true;
        pool.open -= pool.idle.len();
        pool.idle.clear();
    }

    fn lend(&self, connection: Connection) -> Reader<'_> {
        Reader {
            readers: self,
            connection: Some(connection),
        }
    }
}

/// A connection on loan.
pub(super) struct Reader<'a> {
    readers: &'a Readers,
    /// There until it is dropped.
    connection: Option<Connection>,
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let connection = self.connection.take();
        let mut pool = self.readers.pool.lock();
        match pool.closing {
            true => pool.open -= 1,
            false => pool.idle.extend(connection),
        }
        drop(pool);
        self.readers.freed.notify_one();
    }
}
