//! The author's files that a build sees: the source, and those modules of its folder that it imports, directly or not.
//!
//! Also which imports there are. A component has no file system, so an import inside a function must be done when the
//! component is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::scan::{Import, Scan};
use super::{RESERVED, tools};

/// Bounds a mistake, such as a source beside which lies a whole library.
const FILES_MAX: usize = 2_000;

/// The files and what was read from them.
pub(super) struct Stage {
    /// The source's module name.
    pub(super) module: String,
    /// What the source defines and imports.
    pub(super) scan: Scan,
    /// The source and the modules that it uses, by name.
    pub(super) files: Vec<File>,
    /// Every import of every file, absolute: the module, and the names taken from it.
    pub(super) imports: BTreeMap<String, BTreeSet<String>>,
}

/// One file, by its path within the source's folder, with `/`.
pub(super) struct File {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

impl Stage {
    /// Reads `source` and follows its imports.
    pub(super) fn collect(source: &Path) -> Result<Stage> {
        let module = source.file_stem().and_then(|stem| stem.to_str());
        let module = module
            .with_context(|| format!("the name of {} is no text", source.display()))?
            .to_owned();
        if RESERVED.contains(&module.as_str()) {
            bail!(
                "{} has a name that the build uses itself: rename it",
                source.display()
            );
        }
        let folder = source.parent().unwrap_or(Path::new("")).to_owned();
        let mut walk = Walk {
            folder,
            files: BTreeMap::new(),
            imports: BTreeMap::new(),
        };
        let scan = walk.read(&format!("{module}.py"), &module)?;
        walk.follow(&scan, &module, false)?;
        let files = walk
            .files
            .into_iter()
            .map(|(name, content)| File { name, content })
            .collect();
        Ok(Stage {
            module,
            scan,
            files,
            imports: walk.imports,
        })
    }

    /// The folder of installed packages, if the files import any from there.
    pub(super) fn installed_packages(&self, componentize_py: &Path) -> Option<PathBuf> {
        let active = tools::variable("VIRTUAL_ENV").map(PathBuf::from);
        let of_tool = componentize_py
            .parent()
            .and_then(Path::parent)
            .map(Path::to_owned);
        let packages = active
            .into_iter()
            .chain(of_tool)
            .find_map(|root| tools::site_packages(&root))?;
        let own: BTreeSet<_> = self
            .files
            .iter()
            .filter_map(|file| file.name.split(['/', '.']).next())
            .collect();
        let tops: BTreeSet<_> = self
            .imports
            .keys()
            .filter_map(|module| module.split('.').next())
            .collect();
        let is_installed = |top: &&str| {
            !own.contains(top)
                && !RESERVED.contains(top)
                && (packages.join(top).is_dir() || packages.join(format!("{top}.py")).is_file())
        };
        let uses_any = tops.iter().any(is_installed);
        uses_any.then_some(packages)
    }
}

/// What is installed in a folder of packages: each distribution's name with its list of files and their digests.
pub(super) fn installed_versions(packages: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(packages) else {
        return Vec::new();
    };
    let mut versions: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .filter(|(name, _)| name.ends_with(".dist-info"))
        .map(|(name, path)| (name, fs::read(path.join("RECORD")).unwrap_or_default()))
        .collect();
    versions.sort();
    versions
}

struct Walk {
    folder: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
    imports: BTreeMap<String, BTreeSet<String>>,
}

impl Walk {
    /// Takes a file in and scans it.
    fn read(&mut self, name: &str, module: &str) -> Result<Scan> {
        let path = self.folder.join(name);
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if self.files.len() >= FILES_MAX {
            bail!(
                "the modules beside {module} import more than {FILES_MAX} files of that folder: move the actor into a folder of its own"
            );
        }
        let scan = Scan::of(&String::from_utf8_lossy(&content));
        self.files.insert(name.to_owned(), content);
        Ok(scan)
    }

    fn follow(&mut self, scan: &Scan, module: &str, is_package: bool) -> Result<()> {
        for import in &scan.imports {
            let Some(target) = absolute(import, module, is_package) else {
                continue;
            };
            self.imports
                .entry(target.clone())
                .or_default()
                .extend(import.names.iter().cloned());
            self.take(&target)?;
            for name in &import.names {
                self.take(&format!("{target}.{name}"))?;
            }
        }
        Ok(())
    }

    /// Takes in a module with the packages around it, as far as it lies in the folder.
    fn take(&mut self, module: &str) -> Result<()> {
        let parts: Vec<_> = module.split('.').collect();
        if RESERVED.contains(&parts[0]) {
            return Ok(());
        }
        for len in 1..=parts.len() {
            let stem = parts[..len].join("/");
            let candidates = [
                (format!("{stem}/__init__.py"), true),
                (format!("{stem}.py"), false),
            ];
            let found = candidates
                .into_iter()
                .find(|(name, _)| self.folder.join(name).is_file());
            let Some((name, is_package)) = found else {
                // A folder without `__init__.py` is a package too, but has nothing to read.
                if self.folder.join(&stem).is_dir() {
                    continue;
                }
                return Ok(());
            };
            if !self.files.contains_key(&name) {
                let module = parts[..len].join(".");
                let scan = self.read(&name, &module)?;
                self.follow(&scan, &module, is_package)?;
            }
        }
        Ok(())
    }
}

/// The absolute name of an import's module; none if it climbs out of the folder.
fn absolute(import: &Import, module: &str, is_package: bool) -> Option<String> {
    if import.level == 0 {
        return Some(import.module.clone());
    }
    let mut package: Vec<_> = module.split('.').collect();
    let up = if is_package {
        import.level - 1
    } else {
        import.level
    };
    package.truncate(package.len().checked_sub(up)?);
    package.extend(Some(import.module.as_str()).filter(|name| !name.is_empty()));
    Some(package.join(".")).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn only_what_is_imported_is_taken() {
        let dir = folder(&[
            (
                "a.py",
                "import json, b\nfrom p.q import r\nfrom plexspaces import host\n",
            ),
            ("b.py", "def f():\n  import c\n"),
            ("c.py", "import a\n"),
            ("other.py", ""),
            ("plexspaces.py", ""),
            ("p/__init__.py", "from . import s\n"),
            ("p/s.py", "from .q import t\n"),
            ("p/q/r.py", "from ...x import y\n"),
            ("p/q/t.py", ""),
            ("p/unused.py", ""),
        ]);
        let stage = Stage::collect(&dir.path().join("a.py")).unwrap();
        let names: Vec<_> = stage.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "a.py",
                "b.py",
                "c.py",
                "p/__init__.py",
                "p/q/r.py",
                "p/q/t.py",
                "p/s.py"
            ]
        );
        let imports: Vec<_> = stage.imports.keys().map(String::as_str).collect();
        assert_eq!(
            imports,
            ["a", "b", "c", "json", "p", "p.q", "plexspaces", "x"]
        );
        assert_eq!(stage.module, "a");
    }

    #[test]
    fn names_of_the_build_are_refused() {
        let dir = folder(&[("plexspaces.py", "")]);
        assert!(
            Stage::collect(&dir.path().join("plexspaces.py"))
                .err()
                .unwrap()
                .to_string()
                .contains("rename")
        );
    }

    #[test]
    fn relative_imports_start_at_their_package() {
        let import = |level, module: &str| Import {
            level,
            module: module.into(),
            names: vec![],
        };
        assert_eq!(
            absolute(&import(1, "x"), "p.m", false).as_deref(),
            Some("p.x")
        );
        assert_eq!(absolute(&import(1, "x"), "p", true).as_deref(), Some("p.x"));
        assert_eq!(
            absolute(&import(2, "x"), "p.m", false).as_deref(),
            Some("x")
        );
        assert_eq!(absolute(&import(1, ""), "m", false), None);
        assert_eq!(absolute(&import(3, "x"), "m", false), None);
    }

    #[test]
    fn packages_are_used_only_if_imported() {
        let dir = folder(&[
            ("a.py", "import yaml\n"),
            ("b.py", "import json\n"),
            ("env/pyvenv.cfg", ""),
            ("env/bin/componentize-py", ""),
            ("env/lib/python3.11/site-packages/yaml/__init__.py", ""),
            (
                "env/lib/python3.11/site-packages/yaml-1.dist-info/RECORD",
                "r",
            ),
        ]);
        let tool = dir.path().join("env/bin/componentize-py");
        let of = |name: &str| {
            Stage::collect(&dir.path().join(name))
                .unwrap()
                .installed_packages(&tool)
        };
        // An active environment would come first; the test suite may run inside one.
        if tools::variable("VIRTUAL_ENV").is_none() {
            let packages = of("a.py").unwrap();
            assert_eq!(
                installed_versions(&packages),
                [("yaml-1.dist-info".to_owned(), b"r".to_vec())]
            );
            assert_eq!(of("b.py"), None);
        }
    }
}
