//! A node's data folder: which store lies in it, and how it is opened.
//!
//! ```text
//! store/     the rows, if the folder was made with fjall
//! sqlite/    the rows, if it was made with SQLite
//! blobs/     what is too large for a row, if there is any
//! cache/     compiled code, which is made again when it is missing
//! copying/   a copy of another data folder that is under way, or was broken off
//! ```
//!
//! A folder keeps the kind of store that it was made with; opening it with the other is an error and not a new start.

mod tree;

pub(crate) use tree::{Tree, sync};

use clap::ValueEnum;
use plexspaces_core::{Code, Error, batch::Version};
use plexspaces_store::{Error as StoreError, Fjall, FjallOptions, Sqlite, SqliteOptions, Store};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where blobs lie in a data folder.
pub(crate) const BLOBS: &str = "blobs";

/// Where a copy is made.
pub(crate) const COPYING: &str = "copying";

/// What keeps the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// An LSM tree; the fastest
    Fjall,
    /// An SQLite database, which common tools open and back up
    Sqlite,
}

impl Kind {
    /// Its folder in the data folder.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            // As it was before there was a second one.
            Kind::Fjall => "store",
            Kind::Sqlite => "sqlite",
        }
    }

    /// Opens the store in `folder`, or makes it; its versions go on after `version`.
    fn open(self, folder: &Path, version: Version) -> Result<Arc<dyn Store>, Error> {
        let opened: Result<Arc<dyn Store>, StoreError> = match self {
            Kind::Fjall => Fjall::open_after(folder, &FjallOptions::default(), version)
                .map(|store| Arc::new(store) as _),
            Kind::Sqlite => Sqlite::open_after(folder, &SqliteOptions::default(), version)
                .map(|store| Arc::new(store) as _),
        };
        opened.map_err(|error| unopened(&error))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Fjall => "fjall",
            Kind::Sqlite => "sqlite",
        })
    }
}

/// Opens a node's store in its data folder, and makes both if they are missing.
pub(crate) fn open(folder: &Path, kind: Kind) -> Result<Arc<dyn Store>, Error> {
    fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
    if folder.join(COPYING).exists() {
        return Err(Error::new(
            Code::DataFolderUnusable,
            format!(
                "{} holds a copy that was not finished: remove the folder and copy again",
                folder.display()
            ),
        ));
    }
    match recognise(folder)? {
        Some(found) if found != kind => Err(other(folder, found, kind)),
        _ => kind.open(&folder.join(kind.folder()), Version::ABSENT),
    }
}

/// Opens the store of a data folder that must have one, of this kind if it is given. Says which it is.
pub(crate) fn open_existing(
    folder: &Path,
    kind: Option<Kind>,
) -> Result<(Kind, Arc<dyn Store>), Error> {
    match recognise(folder)? {
        None => Err(Error::new(
            Code::DataFolderUnusable,
            format!("there is no store in the data folder {}", folder.display()),
        )),
        Some(found) => {
            let kind = kind.unwrap_or(found);
            Ok((kind, open(folder, kind)?))
        }
    }
}

/// Opens the store of a copy, which lies in a folder of its own; its versions go on after `version`.
pub(crate) fn open_copy(
    folder: &Path,
    kind: Kind,
    version: Version,
) -> Result<Arc<dyn Store>, Error> {
    kind.open(&folder.join(kind.folder()), version)
}

/// The store that lies in a data folder; `None` if there is none yet.
fn recognise(folder: &Path) -> Result<Option<Kind>, Error> {
    let made = |kind: Kind| {
        let path = folder.join(kind.folder());
        let empty = is_empty(&path).map_err(|error| unusable(&path, &error))?;
        Ok::<_, Error>(!empty)
    };
    match (made(Kind::Fjall)?, made(Kind::Sqlite)?) {
        (true, true) => Err(Error::new(
            Code::OtherStore,
            format!(
                "the data folder {} holds two stores, `store` of fjall and `sqlite` of SQLite: move the one away that \
                 is not wanted",
                folder.display()
            ),
        )),
        (true, false) => Ok(Some(Kind::Fjall)),
        (false, true) => Ok(Some(Kind::Sqlite)),
        (false, false) => Ok(None),
    }
}

/// Whether there is nothing, or a folder with nothing in it.
pub(crate) fn is_empty(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        // Whoever opens it says what is wrong with that.
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

fn other(folder: &Path, found: Kind, asked: Kind) -> Error {
    Error::new(
        Code::OtherStore,
        format!(
            "the data folder {} was made with --store {found}, and not with --store {asked}: use --store {found}, or \
             copy it with `plexspaces store copy {} {asked}:NEW_FOLDER`",
            folder.display(),
            folder.display()
        ),
    )
}

/// A folder that the system refuses.
pub(crate) fn unusable(folder: &Path, error: &io::Error) -> Error {
    Error::new(
        Code::DataFolderUnusable,
        format!(
            "the data folder {} cannot be used: {error}",
            folder.display()
        ),
    )
}

fn unopened(error: &StoreError) -> Error {
    let code = match error {
        StoreError::InUse { .. } => Code::DataFolderInUse,
        StoreError::Corrupt { .. } | StoreError::Damaged { .. } => Code::Corrupt,
        _ => Code::DataFolderUnusable,
    };
    Error::new(code, error.to_string())
}

/// A data folder as it is named on the command line: `fjall:FOLDER`, `sqlite:FOLDER`, or `FOLDER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which store; `None` if that is left to the folder.
    pub(crate) kind: Option<Kind>,
    pub(crate) folder: PathBuf,
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, folder) = match text.split_once(':') {
            Some(("fjall", folder)) => (Some(Kind::Fjall), folder),
            Some(("sqlite", folder)) => (Some(Kind::Sqlite), folder),
            _ => (None, text),
        };
        match folder.is_empty() {
            true => Err(format!("{text:?} names no folder")),
            false => Ok(Place {
                kind,
                folder: folder.into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_or_unusable_is_told_apart() {
        for kind in [Kind::Fjall, Kind::Sqlite] {
            let dir = tempfile::tempdir().unwrap();
            let first = open(dir.path(), kind).unwrap();
            let code = |folder: &Path| open(folder, kind).err().unwrap().code;
            assert_eq!(code(dir.path()), Code::DataFolderInUse);
            drop(first);
            let file = dir.path().join("file");
            fs::write(&file, "").unwrap();
            assert_eq!(code(&file), Code::DataFolderUnusable);
        }
    }

    #[test]
    fn a_folder_remembers_its_store() {
        for (kind, wrong) in [(Kind::Fjall, Kind::Sqlite), (Kind::Sqlite, Kind::Fjall)] {
            let dir = tempfile::tempdir().unwrap();
            // What a start that was killed at once leaves is no store yet.
            fs::create_dir(dir.path().join(wrong.folder())).unwrap();
            drop(open(dir.path(), kind).unwrap());
            let refused = open(dir.path(), wrong).err().unwrap();
            assert_eq!(refused.code, Code::OtherStore);
            let option = format!("use --store {kind}");
            assert!(refused.message.contains(&option), "{}", refused.message);
            assert_eq!(open_existing(dir.path(), None).unwrap().0, kind);

            fs::write(dir.path().join(wrong.folder()).join("x"), "").unwrap();
            let both = open(dir.path(), kind).err().unwrap();
            assert_eq!(both.code, Code::OtherStore);
        }
    }

    #[test]
    fn an_unfinished_copy_is_no_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(COPYING)).unwrap();
        let refused = open(dir.path(), Kind::Sqlite).err().unwrap();
        assert_eq!(refused.code, Code::DataFolderUnusable);
        assert!(refused.message.contains("not finished"));
        assert!(!dir.path().join(Kind::Sqlite.folder()).exists());
    }

    #[test]
    fn places_are_read() {
        let read = |text: &str| text.parse::<Place>();
        let place = |kind, folder: &str| {
            Ok(Place {
                kind,
                folder: folder.into(),
            })
        };
        assert_eq!(read("fjall:./a"), place(Some(Kind::Fjall), "./a"));
        assert_eq!(read("sqlite:/a:b"), place(Some(Kind::Sqlite), "/a:b"));
        assert_eq!(read("redis:a"), place(None, "redis:a"));
        assert_eq!(read("./a"), place(None, "./a"));
        assert!(read("sqlite:").is_err() && read("").is_err());
    }
}
