//! A folder of files, copied as it is, and compared with its copy.

use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Error, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// How much of a file is in memory at a time, in bytes.
const CHUNK_BYTES: usize = 1 << 16;

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Files, in it and in all folders below.
    pub(crate) files: u64,
    /// Their contents, in bytes.
    pub(crate) bytes: u64,
    /// SHA-256 over the paths and contents, in the order of the paths.
    pub(crate) sha256: [u8; 32],
}

impl Tree {
    /// Copies a folder, and syncs every file and folder of the copy. `progress` is told of each file's bytes. The
    /// folder `to` is made.
    pub(crate) fn copy(from: &Path, to: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
        fs::create_dir(to)?;
        for path in entries(from)? {
            let name = path.file_name().expect("an entry has a name");
            let (copy, kind) = (to.join(name), path.symlink_metadata()?.file_type());
            if kind.is_dir() {
                Tree::copy(&path, &copy, progress)?;
            } else if kind.is_file() {
                let mut file = File::create_new(&copy)?;
                progress(io::copy(&mut File::open(&path)?, &mut file)?);
                file.sync_all()?;
            } else {
                let what = format!("{} is neither a file nor a folder", path.display());
                return Err(Error::new(ErrorKind::InvalidInput, what));
            }
        }
        sync(to)
    }

    /// Reads all of a folder.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let (mut tree, mut sha256) = (Tree::default(), Sha256::new());
        tree.add(folder, Path::new(""), &mut sha256)?;
        tree.sha256 = sha256.finalize().into();
        Ok(tree)
    }

    fn add(&mut self, folder: &Path, below: &Path, sha256: &mut Sha256) -> io::Result<()> {
        for path in entries(folder)? {
            let name = below.join(path.file_name().expect("an entry has a name"));
            if path.is_dir() {
                self.add(&path, &name, sha256)?;
                continue;
            }
            let mut file = File::open(&path)?;
            let name = name.as_os_str().as_encoded_bytes();
            sha256.update((name.len() as u64).to_be_bytes());
            sha256.update(name);
            sha256.update(file.metadata()?.len().to_be_bytes());
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                match file.read(&mut chunk)? {
                    0 => break,
                    read => {
                        sha256.update(&chunk[..read]);
                        self.bytes += read as u64;
                    }
                }
            }
            self.files += 1;
        }
        Ok(())
    }
}

/// What lies in a folder, in the order of the names.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

/// Makes the names in a folder survive the loss of power.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match cfg!(unix) {
        true => File::open(folder)?.sync_all(),
        // Elsewhere a folder cannot be opened as a file.
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(
            folder.path().join("a/b/large"),
            vec![7; 3 * CHUNK_BYTES + 1],
        )
        .unwrap();
        fs::write(folder.path().join("a/empty"), "").unwrap();
        fs::write(folder.path().join("z"), "last").unwrap();
        folder
    }

    #[test]
    fn a_copy_is_equal_until_a_byte_differs() {
        let (from, to) = (folder(), tempfile::tempdir().unwrap());
        let to = to.path().join("copy");
        let mut told = 0;
        Tree::copy(from.path(), &to, &mut |bytes| told += bytes).unwrap();
        let tree = Tree::read(from.path()).unwrap();
        assert_eq!((tree.files, tree.bytes), (3, 3 * CHUNK_BYTES as u64 + 5));
        assert_eq!(told, tree.bytes);
        assert_eq!(Tree::read(&to).unwrap(), tree);
        fs::write(to.join("z"), "lost").unwrap();
        assert_ne!(Tree::read(&to).unwrap(), tree);
        fs::write(to.join("z"), "last").unwrap();
        fs::rename(to.join("z"), to.join("y")).unwrap();
        assert_ne!(Tree::read(&to).unwrap(), tree);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_left_out_in_silence() {
        let (from, to) = (folder(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink("z", from.path().join("link")).unwrap();
        let copied = Tree::copy(from.path(), &to.path().join("copy"), &mut |_| {});
        assert!(copied.unwrap_err().to_string().contains("link"));
    }
}
