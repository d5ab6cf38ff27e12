//! The mark: which version the last flush covered, kept in a file of its own.
//!
//! Engines take what they cannot read at the end of their journal for a write that a crash cut off, and go on without it.
//! After a crash that is right. When the disk has damaged what was flushed it is wrong: acknowledged commits would be
//! missing, and nobody would know. So a flush writes the newest version into the journal, as a row, and when that is on
//! the disk, into this file. A store whose row is behind its mark has lost commits, and is not opened.
//!
//! The file is overwritten in place and never synced. After a kill it is exact, after a power cut it may be old; it is
//! never ahead of what the journal had. Its bytes: the version (8 bytes, big-endian), and the same with all bits
//! inverted.

use crate::Error;
use plexspaces_core::batch::Version;
use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

/// The file's name in the store's folder.
const NAME: &str = "flushed";

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct Mark(File);

impl Mark {
    /// Whether the folder has one: whether a store in it was ever opened.
    pub(crate) fn exists(folder: &Path) -> bool {
        path(folder).exists()
    }

    /// Compares the folder's mark with `flushed`, the row that the store has, and opens it. Makes it if it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] if the store is behind its mark or the mark is unreadable; [`Error::Io`].
    pub(crate) fn open(folder: &Path, flushed: Version) -> Result<Self, Error> {
        let path = path(folder);
        let marked = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // Made, and killed before the first mark was in it.
            Ok(bytes) if bytes.is_empty() => None,
            Ok(bytes) => Some(decode(&bytes).ok_or_else(|| unreadable(&path))?),
            Err(error) => return Err(refused(&error)),
        };
        if let Some(marked) = marked.filter(|marked| *marked > flushed) {
            return Err(Error::Damaged {
                what: format!(
                    "the journal in {} ends at commit {}, but commit {} was on the disk",
                    folder.display(),
                    flushed.0,
                    marked.0
                ),
            });
        }
        let mark = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map(Mark)
            .map_err(|error| refused(&error))?;
        if marked.is_none() {
            // Takes the place on the disk now: a later write then needs none.
            mark.set(flushed)?;
        }
        Ok(mark)
    }

    /// Says that everything up to `flushed` is on the disk.
    pub(crate) fn set(&self, flushed: Version) -> Result<(), Error> {
        let write = |mut file: &File| -> io::Result<()> {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&encode(flushed))
        };
        write(&self.0).map_err(|error| refused(&error))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

fn encode(version: Version) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&version.0.to_be_bytes());
    bytes[8..].copy_from_slice(&(!version.0).to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Version> {
    let (version, inverted) = bytes.split_at_checked(8)?;
    let version = u64::from_be_bytes(version.try_into().ok()?);
    let inverted = u64::from_be_bytes(inverted.try_into().ok()?);
    (version == !inverted).then_some(Version(version))
}

fn unreadable(path: &Path) -> Error {
    Error::Damaged {
        what: format!(
            "{} does not have the 16 bytes that a flush writes",
            path.display()
        ),
    }
}

fn refused(error: &io::Error) -> Error {
    Error::Io {
        operation: "keep the mark of the last flush",
        reason: error.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says enough by failing
mod tests {
    use super::*;

    #[test]
    fn the_bytes_never_change() {
        let bytes = *b"\0\0\0\0\0\0\x01\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFE\xFD";
        assert_eq!(encode(Version(0x0102)), bytes);
        assert_eq!(decode(&bytes), Some(Version(0x0102)));
        for damaged in [&bytes[..15], &[0; 16], &[bytes, bytes].concat()] {
            assert_eq!(decode(damaged), None);
        }
    }

    #[test]
    fn a_store_behind_its_mark_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = |flushed| Mark::open(folder.path(), Version(flushed));
        open(3).unwrap().set(Version(5)).unwrap();
        assert!(matches!(open(4), Err(Error::Damaged { .. })));
        // After a power cut the mark may be old.
        open(5).unwrap();
        open(9).unwrap();
        std::fs::write(path(folder.path()), "12345678").unwrap();
        assert!(matches!(open(9), Err(Error::Damaged { .. })));
    }
}
