//! Opening the folder, whatever state it is in.

use super::{Options, failure};
use crate::{Error, mark::Mark};
use ::fjall::{Database, Keyspace};
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// fjall's own names.
const LOCK: &str = "lock";
const VERSION: &str = "version";
const FIRST_JOURNAL: &str = "0.jnl";
const KEYSPACES: &str = "keyspaces";

/// Opens the database in `folder`, or makes it there.
///
/// # Errors
///
/// [`Error::InUse`], [`Error::Damaged`] or [`Error::Io`].
pub(super) fn open(folder: &Path, options: &Options) -> Result<(Database, Keyspace), Error> {
    clear_unfinished(folder).map_err(|error| unusable(folder, &error))?;
    // fjall trusts the names and the forms of its files in places.
    match catch_unwind(AssertUnwindSafe(|| options.open(folder))) {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(::fjall::Error::Locked)) => Err(Error::InUse {
            folder: folder.into(),
        }),
        Ok(Err(error)) => Err(match failure("open the data folder", error) {
            Error::Io { operation, reason } => Error::Io {
                operation,
                reason: format!("{}: {reason}", folder.display()),
            },
            Error::Damaged { what } => Error::Damaged {
                what: format!("{}: {what}", folder.display()),
            },
            other => other,
        }),
        Err(_) => Err(Error::Damaged {
            what: format!(
                "{}: its files are not those of a store; the log has the place",
                folder.display()
            ),
        }),
    }
}

/// Removes what is left of a store whose making was killed: fjall would neither open it nor make it anew.
///
/// It goes only if nothing can ever have been written into it: it lacks fjall's version and our mark, which both come
/// before the first commit, and its only journal is empty.
fn clear_unfinished(folder: &Path) -> io::Result<()> {
    let unfinished = || {
        folder.join(FIRST_JOURNAL).exists()
            && !folder.join(VERSION).exists()
            && !Mark::exists(folder)
    };
    if !unfinished() {
        return Ok(());
    }
    // Whoever makes a store holds its lock meanwhile; then it is for fjall to say so.
    let lock = File::create(folder.join(LOCK))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(()),
        other => other?,
    }
    if unfinished() && only_zeros(&folder.join(FIRST_JOURNAL))? {
        fs::remove_dir_all(folder.join(KEYSPACES))?;
        fs::remove_file(folder.join(FIRST_JOURNAL))?;
    }
    Ok(())
}

fn only_zeros(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(true),
            read if block[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

fn unusable(folder: &Path, error: &io::Error) -> Error {
    Error::Io {
        operation: "open the data folder",
        reason: format!("{}: {error}", folder.display()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says enough by failing
mod tests {
    use super::*;

    fn unfinished(journal: &[u8]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(KEYSPACES)).unwrap();
        fs::write(folder.path().join(LOCK), "").unwrap();
        fs::write(folder.path().join(FIRST_JOURNAL), journal).unwrap();
        folder
    }

    #[test]
    fn a_store_whose_making_was_killed_is_made_anew() {
        let folder = unfinished(&[0; 100]);
        open(folder.path(), &Options::default()).unwrap();
    }

    #[test]
    fn nothing_that_was_written_is_removed() {
        let folder = unfinished(b"\0\0data");
        assert!(open(folder.path(), &Options::default()).is_err());
        assert_eq!(
            fs::read(folder.path().join(FIRST_JOURNAL)).unwrap(),
            b"\0\0data"
        );
    }
}
