//! What several tests use.

#![allow(dead_code)] // each test uses a part of it

use plexspaces_core::batch::{Batch, Key, Urgency};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

/// A key that reads well in a test.
pub(crate) fn key(text: &str) -> Key {
    Key::from(text.as_bytes().to_vec())
}

/// A batch that puts one entry, to be flushed at once.
pub(crate) fn put(at: &str, value: impl Into<bytes::Bytes>) -> Batch {
    let mut batch = Batch { urgency: Urgency::Now, ..Batch::new() };
    batch.put(key(at), value);
    batch
}

/// The same, to be flushed some time.
pub(crate) fn put_soon(at: &str, value: impl Into<bytes::Bytes>) -> Batch {
    Batch { urgency: Urgency::Soon, ..put(at, value) }
}

/// Copies a folder as it is now, like a disk taken out of a running machine. Zeros become holes, since journals are
/// mostly that.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => copy_file(&entry.path(), &to),
        }
    }
}

fn copy_file(from: &Path, to: &Path) {
    let (mut from, mut to) = (File::open(from).unwrap(), File::create(to).unwrap());
    let mut chunk = vec![0; 1 << 16];
    loop {
        match from.read(&mut chunk).unwrap() {
            0 => break,
            n if chunk[..n].iter().all(|byte| *byte == 0) => drop(to.seek(SeekFrom::Current(n as i64)).unwrap()),
            n => to.write_all(&chunk[..n]).unwrap(),
        }
    }
    let length = to.stream_position().unwrap();
    to.set_len(length).unwrap();
}
