//! A crate becomes a component.
//!
//! cargo builds it for `wasm32-unknown-unknown` with the author's own settings and keeps its own cache; the
//! `cdylib` that comes out is the core module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Component, component, tools};

pub(super) fn build(folder: &Path, progress: &dyn Fn(&str)) -> Result<Component> {
    tools::check_rust_target(folder)?;
    let manifest = folder.join("Cargo.toml");
    let manifest = fs::canonicalize(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    progress(&format!(
        "cargo build --release --target {} in {}",
        tools::RUST_TARGET,
        folder.display()
    ));

    let mut cargo = Command::new(tools::variable("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([
        "build",
        "--release",
        "--lib",
        "--target",
        tools::RUST_TARGET,
        "--message-format=json-render-diagnostics",
    ]);
    cargo
        .arg("--manifest-path")
        .arg(&manifest)
        .current_dir(folder);
    if let Some(rustc) = tools::guest_rustc() {
        cargo.env("RUSTC", rustc);
    }
    let output = tools::run(&mut cargo, &|line| {
        if is_step(line) {
            progress(line.trim_start());
        }
    })
    .context("cargo is missing, which builds Rust actors: get Rust from https://rustup.rs")?;
    if !output.success {
        let report: Vec<_> = output
            .stderr
            .lines()
            .filter(|line| !is_step(line))
            .collect();
        bail!(
            "cargo could not build {}:\n{}",
            folder.display(),
            report.join("\n").trim()
        );
    }

    let module = core_module(&output.stdout, &manifest).with_context(|| {
        format!(
            "{} makes no WebAssembly library: add `[lib]` with `crate-type = [\"cdylib\"]`",
            manifest.display()
        )
    })?;
    let core = fs::read(&module)
        .with_context(|| format!("cannot read what cargo built, {}", module.display()))?;
    let (bytes, interfaces) = component::from_core_module(&core)
        .with_context(|| format!("cannot make a component from {}", folder.display()))?;
    Ok(Component {
        bytes,
        interfaces,
        from_cache: false,
    })
}

/// Whether a line of cargo's stderr tells of progress, and not of a diagnostic.
fn is_step(line: &str) -> bool {
    const STEPS: [&str; 9] = [
        "Compiling",
        "Checking",
        "Building",
        "Downloading",
        "Downloaded",
        "Updating",
        "Locking",
        "Blocking",
        "Finished",
    ];
    let word = line.split_whitespace().next().unwrap_or_default();
    line.starts_with(' ') && STEPS.contains(&word)
}

/// The file of the manifest's `cdylib` among cargo's messages.
fn core_module(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let of_manifest = |message: &Value| {
        let path = message["manifest_path"].as_str().map(Path::new);
        message["reason"] == "compiler-artifact"
            && path.is_some_and(|path| {
                path == manifest || fs::canonicalize(path).is_ok_and(|path| path == manifest)
            })
    };
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(of_manifest)
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_that_of_the_manifest() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/d/Cargo.toml","filenames":["/t/d.wasm"]}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/t/liba.rlib","/t/a.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            core_module(messages, Path::new("/a/Cargo.toml")),
            Some("/t/a.wasm".into())
        );
        assert_eq!(
            core_module(messages, Path::new("/d/Cargo.toml")),
            Some("/t/d.wasm".into())
        );
        assert_eq!(core_module(messages, Path::new("/b/Cargo.toml")), None);
    }

    #[test]
    fn steps_are_told_from_diagnostics() {
        assert!(is_step("   Compiling anyhow v1.0.0"));
        assert!(is_step("    Finished `release` profile"));
        assert!(!is_step("error[E0425]: cannot find value"));
        assert!(!is_step("Compiling is what the message says"));
    }
}
