//! Puts the contract and the Python SDK into the binary: lists of (path in the folder, text), made from what lies in
//! `wit/` and `sdk/python/plexspaces/`, so that a new file there needs no list here.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../..");
    let mut lists = String::new();
    list(&mut lists, "WIT_FILES", &root.join("wit"))?;
    list(&mut lists, "SDK_FILES", &root.join("sdk/python/plexspaces"))?;
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("embedded.rs"), lists)
}

fn list(text: &mut String, name: &str, folder: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    collect(folder, "", &mut files)?;
    files.sort();
    let mut rows = String::new();
    for (path, file) in files {
        let file = file.display().to_string();
        writeln!(rows, "    ({path:?}, include_str!({file:?})),").expect("text grows");
    }
    writeln!(
        text,
        "pub(crate) const {name}: &[(&str, &str)] = &[\n{rows}];"
    )
    .expect("text grows");
    Ok(())
}

fn collect(folder: &Path, inside: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = fs::canonicalize(entry.path())?;
        if path.is_dir() {
            if name != "__pycache__" {
                collect(&path, &format!("{inside}{name}/"), files)?;
            }
        } else {
            files.push((format!("{inside}{name}"), path));
        }
    }
    Ok(())
}
