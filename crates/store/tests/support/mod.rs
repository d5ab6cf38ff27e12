//! What several tests use.

#![allow(dead_code)] // each test uses a part of it

use plexspaces_core::batch::{Batch, Key, Urgency};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A key that reads well in a test.
pub(crate) fn key(text: &str) -> Key {
    Key::from(text.as_bytes().to_vec())
}

/// A batch that puts one entry, to be flushed at once.
pub(crate) fn put(at: &str, value: impl Into<bytes::Bytes>) -> Batch {
    let mut batch = Batch {
        urgency: Urgency::Now,
        ..Batch::new()
    };
    batch.put(key(at), value);
    batch
}

/// The same, to be flushed some time.
pub(crate) fn put_soon(at: &str, value: impl Into<bytes::Bytes>) -> Batch {
    Batch {
        urgency: Urgency::Soon,
        ..put(at, value)
    }
}

/// Copies a folder that nobody commits to, like a disk taken out of a machine.
///
/// The engine may be compacting all the same, and a copy that mixes two moments is no disk that ever was. So it is made
/// again until nothing changed meanwhile.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    while !copy_of_one_moment(from, to).unwrap_or(false) {
        fs::create_dir_all(to).unwrap();
        fs::remove_dir_all(to).unwrap();
    }
}

/// Copies, and says whether nothing changed meanwhile.
fn copy_of_one_moment(from: &Path, to: &Path) -> io::Result<bool> {
    let before = list(from)?;
    copy_files(&before, from, to)?;
    Ok(list(from)? == before)
}

/// A file, and what changes when it does: length, inode, time.
type Seen = (PathBuf, u64, u64, SystemTime);

fn list(folder: &Path) -> io::Result<Vec<Seen>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_dir() {
            files.extend(list(&entry.path())?);
        } else {
            files.push((entry.path(), meta.len(), meta.ino(), meta.modified()?));
        }
    }
    files.sort();
    Ok(files)
}

fn copy_files(files: &[Seen], from: &Path, to: &Path) -> io::Result<()> {
    for (file, ..) in files {
        let to = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(to.parent().unwrap())?;
        copy_file(file, &to)?;
    }
    Ok(())
}

/// Copies a file; zeros become holes, since journals are mostly that.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let mut chunk = vec![0; 1 << 16];
    loop {
        match from.read(&mut chunk)? {
            0 => break,
            n if chunk[..n].iter().all(|byte| *byte == 0) => {
                to.seek(SeekFrom::Current(n as i64))?;
            }
            n => to.write_all(&chunk[..n])?,
        }
    }
    let length = to.stream_position()?;
    to.set_len(length)
}
