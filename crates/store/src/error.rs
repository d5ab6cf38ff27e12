//! What can go wrong in a store.

use crate::Commit;
use plexspaces_core::batch::{Key, Version};
use std::path::PathBuf;

/// Why a store did not do what it was asked.
///
/// An error can be cloned, because one failure is told to everybody who waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A guard did not hold; the batch changed nothing. Read again and try again.
    #[error("{key:?} has version {}, but the batch relied on version {}", found.0, expected.0)]
    Conflict {
        /// The first key, in key order, whose version differs.
        key: Key,
        /// The version the batch relied on.
        expected: Version,
        /// The version the key has; [`Version::ABSENT`] if it is not there.
        found: Version,
    },

    /// A batch puts or deletes an entry that no store can keep. The caller's fault; the batch changed nothing.
    #[error("an entry with a key of {} bytes was refused: {why}", key.as_bytes().len())]
    Refused {
        /// The key.
        key: Key,
        /// The rule that it breaks.
        why: &'static str,
    },

    /// Somebody waits for the flush of a commit that this store has not given. A bug in the caller.
    #[error("commit {} was never given by this store", commit.0)]
    NeverGiven {
        /// The commit that was asked for.
        commit: Commit,
    },

    /// The disk, or the engine above it, refused.
    #[error("cannot {operation}: {reason}")]
    Io {
        /// What the store was doing, as it reads after "cannot".
        operation: &'static str,
        /// What the system said.
        reason: String,
    },

    /// Another process has the data folder open.
    #[error("the data folder {} is in use by another process", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },

    /// The data folder was written by a version of PlexSpaces that this one cannot read.
    #[error("the data folder {} has format {found}, this version reads format {expected}", folder.display())]
    Format {
        /// The folder.
        folder: PathBuf,
        /// The format that this version reads and writes.
        expected: u8,
        /// The format found.
        found: u8,
    },

    /// A stored entry does not have the form that the store gives it.
    #[error("the entry of {key:?} is corrupt: {what}")]
    Corrupt {
        /// The key of the entry.
        key: Key,
        /// What is wrong with it.
        what: String,
    },

    /// What the engine finds on the disk is not what was flushed there: bytes differ or are missing.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What is wrong, and where.
        what: String,
    },

    /// The store failed to write or flush, and takes no more commits. Only a restart, which recovers from what is on
    /// the disk, can tell what was kept.
    #[error("the store has stopped: {reason}")]
    Stopped {
        /// The failure that stopped it.
        reason: String,
    },

    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}
