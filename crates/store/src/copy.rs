//! From one store into another, and whether they hold the same.
//!
//! Keys and values are copied, versions are not: each row gets a new one from the store that it comes into. Open that
//! store after the newest version of the other (`open_after`): then no guard from before the copy can hold by accident,
//! and no version is given twice. The memory that both take is bounded: they read a page at a time.

use crate::{Error, Order, Snapshot, Store, Versioned};
use plexspaces_core::batch::{Batch, Key, Urgency};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// How many bytes a page of rows shall have. A page of rows that are larger than those before it may have more.
const PAGE_BYTES: usize = 1 << 20;

/// The most rows of a page, and the rows of the first one. The most bound what a page of large rows after small ones
/// takes: 128 MiB of a module's rows, which have 1 MiB.
const PAGE_ROWS_MAX: usize = 128;
const PAGE_ROWS_FIRST: usize = 16;

/// How many bytes may wait for a flush.
const UNFLUSHED_BYTES_MAX: u64 = 16 << 20;

/// How much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Their keys and values, in bytes.
    pub bytes: u64,
}

impl Totals {
    fn count(&mut self, page: &[(Key, Versioned)]) {
        self.rows += page.len() as u64;
        self.bytes += page.iter().map(|row| size(row) as u64).sum::<u64>();
    }
}

/// What two equal stores hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Same {
    /// How much.
    pub totals: Totals,
    /// The SHA-256 over all rows in the order of their keys: the key's length (8 bytes, big-endian), the key, the
    /// value's length, the value. It says nothing of versions.
    pub sha256: [u8; 32],
}

/// Copies all rows of `from`, as it is now, into `to`, and flushes them. `progress` is told after each page.
///
/// # Errors
///
/// Whatever reading and writing give. What was copied until then stays in `to`.
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    mut progress: impl FnMut(Totals),
) -> Result<Totals, Error> {
    let mut pages = Pages::new(from.snapshot());
    let (mut totals, mut flushed_bytes) = (Totals::default(), 0);
    loop {
        let page = pages.next().await?;
        if page.is_empty() {
            break;
        }
        totals.count(&page);
        let mut batch = Batch {
            urgency: Urgency::Soon,
            ..Batch::new()
        };
        for (key, row) in page {
            batch.put(key, row.value);
        }
        let commit = to.commit(batch).await?;
        if totals.bytes - flushed_bytes >= UNFLUSHED_BYTES_MAX {
            to.flushed(commit).await?;
            flushed_bytes = totals.bytes;
        }
        progress(totals);
    }
    to.flushed(to.visible()).await?;
    Ok(totals)
}

/// Reads both stores, as they are now, and compares every key and every value. `progress` is told after each page.
///
/// # Errors
///
/// [`Error::Damaged`] with the first key that only one has, or that has another value in the other; whatever reading
/// gives.
pub async fn compare(
    one: &dyn Store,
    other: &dyn Store,
    mut progress: impl FnMut(Totals),
) -> Result<Same, Error> {
    let (mut one, mut other) = (Rows::new(one.snapshot()), Rows::new(other.snapshot()));
    let (mut totals, mut sha256) = (Totals::default(), Sha256::new());
    loop {
        match (one.next().await?, other.next().await?) {
            (None, None) => break,
            (Some((key, row)), Some((other_key, other_row)))
                if key == other_key && row.value == other_row.value =>
            {
                totals.rows += 1;
                totals.bytes += (key.as_bytes().len() + row.value.len()) as u64;
                for bytes in [key.as_bytes(), &row.value] {
                    sha256.update((bytes.len() as u64).to_be_bytes());
                    sha256.update(bytes);
                }
                if totals.rows.is_multiple_of(PAGE_ROWS_MAX as u64) {
                    progress(totals);
                }
            }
            (one, other) => return Err(different(one, other)),
        }
    }
    Ok(Same {
        totals,
        sha256: sha256.finalize().into(),
    })
}

/// Says where two stores part.
fn different(one: Option<(Key, Versioned)>, other: Option<(Key, Versioned)>) -> Error {
    let what = match (one, other) {
        (Some((key, _)), Some((other, _))) if key == other => {
            format!("{key:?} has another value in the copy")
        }
        (Some((key, _)), other) if other.as_ref().is_none_or(|(other, _)| key < *other) => {
            format!("{key:?} is not in the copy")
        }
        (_, Some((key, _))) => format!("{key:?} is in the copy only"),
        (Some(_), None) | (None, None) => unreachable!("these are told above or equal"),
    };
    Error::Damaged { what }
}

/// A snapshot's rows, one by one.
struct Rows {
    pages: Pages,
    page: std::vec::IntoIter<(Key, Versioned)>,
}

impl Rows {
    fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Rows {
            pages: Pages::new(snapshot),
            page: Vec::new().into_iter(),
        }
    }

    async fn next(&mut self) -> Result<Option<(Key, Versioned)>, Error> {
        if self.page.len() == 0 {
            self.page = self.pages.next().await?.into_iter();
        }
        Ok(self.page.next())
    }
}

/// A snapshot's rows, page by page.
struct Pages {
    snapshot: Arc<dyn Snapshot>,
    /// The next key that may be there.
    next: Key,
    rows: usize,
}

impl Pages {
    fn new(snapshot: Arc<dyn Snapshot>) -> Self {
        Pages {
            snapshot,
            // The lowest key that there can be.
            next: Key::from(vec![0x00]),
            rows: PAGE_ROWS_FIRST,
        }
    }

    /// The next page; empty after the last row.
    async fn next(&mut self) -> Result<Vec<(Key, Versioned)>, Error> {
        let rest = self.next.clone()..Key::from(vec![crate::key::RESERVED_BYTE]);
        let page = self.snapshot.scan(rest, self.rows, Order::Forward).await?;
        if let Some((last, _)) = page.last() {
            self.next = Key::from([last.as_bytes(), &[0]].concat());
        }
        let bytes: usize = page.iter().map(size).sum();
        if bytes > PAGE_BYTES {
            self.rows = (self.rows / 4).max(1);
        } else if bytes < PAGE_BYTES / 2 {
            self.rows = (self.rows * 2).min(PAGE_ROWS_MAX);
        }
        Ok(page)
    }
}

fn size((key, row): &(Key, Versioned)) -> usize {
    key.as_bytes().len() + row.value.len()
}
