//! `plexspaces build`: makes a component from an author's source.
//!
//! The source is a Python file or a folder with a Cargo.toml. The author writes functions or traits and knows
//! nothing of WIT: the build finds out which of the contract's interfaces the source implements, makes the world
//! that exports exactly those, and binds the source to it. Everything the build needs of PlexSpaces (the WIT
//! files, the Python SDK) is inside this binary; the language's own tools are the author's.
//!
//! * [`world`]: the contract's interfaces, and the world for a set of them.
//! * [`component`]: a core module becomes a component.
//! * [`python`], [`rust`]: one language each.
//! * [`embedded`]: the contract and the Python SDK.
//! * [`tools`]: finding and running the languages' tools.
//! * [`cache`]: a Python build whose inputs are unchanged is not run again.

mod cache;
mod component;
mod embedded;
mod python;
mod rust;
mod tools;
mod world;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

pub(crate) use world::Interface;

/// What a build made.
#[derive(Debug)]
pub(crate) struct Built {
    /// The component's size, in bytes.
    pub(crate) bytes_len: u64,
    /// The SHA-256 of its bytes in hexadecimal, which is the module's id on a node.
    pub(crate) sha256: String,
    /// The interfaces that it exports, in the order of the contract.
    pub(crate) interfaces: Vec<Interface>,
    /// Whether the bytes come from the cache of earlier builds.
    pub(crate) from_cache: bool,
}

/// A component and what is known of it.
struct Component {
    bytes: Vec<u8>,
    interfaces: Vec<Interface>,
    from_cache: bool,
}

/// Builds `source` and writes the component to `out`, which appears complete or not at all.
///
/// `progress` gets a line at a time for people. The call blocks: seconds for Python, as long as cargo takes for Rust.
pub(crate) fn build(source: &Path, out: &Path, progress: &dyn Fn(&str)) -> Result<Built> {
    let component = match kind_of(source)? {
        Kind::Python => python::build(source, progress)?,
        Kind::Rust => rust::build(source, progress)?,
    };
    write_whole(out, &component.bytes)?;
    Ok(Built {
        bytes_len: component.bytes.len() as u64,
        sha256: hex(&Sha256::digest(&component.bytes)),
        interfaces: component.interfaces,
        from_cache: component.from_cache,
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Python,
    Rust,
}

fn kind_of(source: &Path) -> Result<Kind> {
    const TAKES: &str = "`plexspaces build` takes a Python file or a folder with a Cargo.toml";
    let at = source.display();
    let metadata = fs::metadata(source).with_context(|| format!("cannot read {at}"))?;
    if metadata.is_dir() {
        if source.join("Cargo.toml").is_file() {
            return Ok(Kind::Rust);
        }
        bail!("{at} is a folder without a Cargo.toml: {TAKES}");
    }
    match source.extension().and_then(|e| e.to_str()) {
        Some("py") => Ok(Kind::Python),
        _ if source.file_name().is_some_and(|name| name == "Cargo.toml") => {
            bail!("{at} is the crate's manifest: name its folder instead")
        }
        _ => bail!("cannot tell the language of {at}: {TAKES}"),
    }
}

/// Writes beside the target and renames, so that a reader never sees half a component.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let at = path.display();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut file = tempfile::Builder::new()
        .prefix(".plexspaces-")
        .permissions(plain_file_permissions())
        .tempfile_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    std::io::Write::write_all(&mut file, bytes).with_context(|| format!("cannot write {at}"))?;
    file.persist(path)
        .with_context(|| format!("cannot write {at}"))?;
    Ok(())
}

/// A temporary file is private by default; a component is as readable as any other build product.
#[cfg(unix)]
fn plain_file_permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    fs::Permissions::from_mode(0o644)
}

#[cfg(not(unix))]
fn plain_file_permissions() -> fs::Permissions {
    // `tempfile` refuses other permissions there, so these are what it would take anyway.
    fs::metadata(std::env::temp_dir())
        .map(|m| m.permissions())
        .expect("the temporary folder is readable")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_told_by_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a.py", "a.js", "Cargo.toml"] {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at("empty")).unwrap();
        assert_eq!(kind_of(&at("a.py")).unwrap(), Kind::Python);
        assert_eq!(kind_of(dir.path()).unwrap(), Kind::Rust);
        assert!(
            kind_of(&at("a.js"))
                .unwrap_err()
                .to_string()
                .contains("cannot tell the language")
        );
        assert!(
            kind_of(&at("Cargo.toml"))
                .unwrap_err()
                .to_string()
                .contains("name its folder")
        );
        assert!(
            kind_of(&at("empty"))
                .unwrap_err()
                .to_string()
                .contains("without a Cargo.toml")
        );
        assert!(kind_of(&at("absent.py")).is_err());
    }

    #[test]
    fn a_component_replaces_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("deep/er/out.wasm");
        write_whole(&out, b"one").unwrap();
        write_whole(&out, b"two").unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"two");
        assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn hex_is_two_digits_a_byte() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
