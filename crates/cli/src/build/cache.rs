//! The cache of Python builds: an input's digest names the component that came out.
//!
//! It lies in `$PLEXSPACES_CACHE_DIR/build`, by default `~/.cache/plexspaces/build`. It may be deleted at any time.
//! A cache that cannot be read or written is a slower build, never a failed one. Only the newest
//! entries are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::{hex, tools, write_whole};

/// A Python component is 18 MB, so this bounds the cache at about 0.6 GB.
const ENTRIES_MAX: usize = 32;

/// The digest of everything that a build depends on, fed part by part.
pub(super) struct Key(Sha256);

impl Key {
    /// A key that tells inputs of this kind from others'.
    pub(super) fn new(kind: &str) -> Self {
        let mut key = Key(Sha256::new());
        key.add(kind, b"");
        key
    }

    /// Adds an input. Lengths go in first, so that no two lists of inputs run together.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// The key's text, a file name.
    pub(super) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// The component of an earlier build with the same inputs.
pub(super) fn get(key: &str) -> Option<Vec<u8>> {
    let path = entry(&folder()?, key);
    let bytes = fs::read(&path).ok()?;
    // Reading makes an entry young again. If that fails it is deleted earlier, no more.
    if let Ok(file) = fs::File::options().append(true).open(&path) {
        let _ = file.set_modified(SystemTime::now());
    }
    Some(bytes)
}

/// Keeps a component for the next build with the same inputs.
pub(super) fn put(key: &str, bytes: &[u8]) {
    if let Some(folder) = folder()
        && write_whole(&entry(&folder, key), bytes).is_ok()
    {
        trim(&folder, ENTRIES_MAX);
    }
}

fn folder() -> Option<PathBuf> {
    if let Some(folder) = tools::variable("PLEXSPACES_CACHE_DIR") {
        return Some(Path::new(&folder).join("build"));
    }
    let cache = tools::variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    Some(cache.join("plexspaces/build"))
}

fn entry(folder: &Path, key: &str) -> PathBuf {
    folder.join(key).with_extension("wasm")
}

/// Deletes the entries that were not used for longest.
fn trim(folder: &Path, entries_max: usize) {
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    let mut entries: Vec<_> = files
        .filter_map(Result::ok)
        .filter(|file| {
            file.path()
                .extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file.path())))
        .collect();
    entries.sort();
    let surplus = entries.len().saturating_sub(entries_max);
    for (_, path) in &entries[..surplus] {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_do_not_run_together() {
        let digest = |parts: &[(&str, &str)]| {
            let mut key = Key::new("test");
            for (name, content) in parts {
                key.add(name, content.as_bytes());
            }
            key.finish()
        };
        assert_eq!(digest(&[("a", "b")]), digest(&[("a", "b")]));
        assert_ne!(digest(&[("a", "b")]), digest(&[("ab", "")]));
        assert_ne!(digest(&[("a", "bc")]), digest(&[("a", "b"), ("c", "")]));
        assert_ne!(Key::new("one").finish(), Key::new("two").finish());
    }

    #[test]
    fn the_oldest_entries_go() {
        let dir = tempfile::tempdir().unwrap();
        for (name, age_s) in [("old", 30), ("older", 60), ("new", 0)] {
            let file = fs::File::create(entry(dir.path(), name)).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age_s))
                .unwrap();
        }
        fs::write(dir.path().join("other"), "").unwrap();
        trim(dir.path(), 2);
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["new.wasm", "old.wasm", "other"]);
    }
}
