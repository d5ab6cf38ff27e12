//! Finding the languages' tools and running them.
//!
//! A tool that is missing is told in one line: what, and how to get it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// The version of componentize-py that the Python SDK is written for.
pub(super) const COMPONENTIZE_PY_VERSION: &str = "0.25.1";

/// The target of Rust guests.
pub(super) const RUST_TARGET: &str = "wasm32-unknown-unknown";

/// componentize-py: `$PLEXSPACES_COMPONENTIZE_PY`, else in the active virtual environment, else on the PATH.
pub(super) fn componentize_py() -> Result<PathBuf> {
    const NAME: &str = "componentize-py";
    const VARIABLE: &str = "PLEXSPACES_COMPONENTIZE_PY";
    if let Some(path) = variable(VARIABLE) {
        let path = PathBuf::from(path);
        if is_program(&path) {
            return Ok(path);
        }
        bail!("{VARIABLE} names {}, which is no program", path.display());
    }
    let scripts = if cfg!(windows) { "Scripts" } else { "bin" };
    let environment = variable("VIRTUAL_ENV").map(|root| Path::new(&root).join(scripts));
    let path = variable("PATH").unwrap_or_default();
    environment
        .into_iter()
        .chain(env::split_paths(&path))
        .find_map(|folder| program_in(&folder, NAME))
        .with_context(|| {
            format!("componentize-py is missing, which builds Python actors: run `pip install {NAME}=={COMPONENTIZE_PY_VERSION}`")
        })
}

/// Checks that componentize-py is the version that the SDK is written for, and returns it.
pub(super) fn componentize_py_version(program: &Path) -> Result<String> {
    let version = match installed_version(program) {
        Some(version) => version,
        None => {
            let output = run(Command::new(program).arg("--version"), &|_| {})?;
            if !output.success {
                bail!(
                    "{} does not run:\n{}",
                    program.display(),
                    output.stderr.trim()
                );
            }
            output
                .stdout
                .trim()
                .trim_start_matches("componentize-py ")
                .to_owned()
        }
    };
    if version != COMPONENTIZE_PY_VERSION {
        bail!(
            "{} is version {version}, and this `plexspaces` needs {COMPONENTIZE_PY_VERSION}: \
             run `pip install componentize-py=={COMPONENTIZE_PY_VERSION}`",
            program.display(),
        );
    }
    Ok(version)
}

/// The version that pip recorded in the program's virtual environment. Asking the program takes half a second.
fn installed_version(program: &Path) -> Option<String> {
    let packages = site_packages(program.parent()?.parent()?)?;
    let mut versions = fs::read_dir(packages).ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        Some(
            name.strip_prefix("componentize_py-")?
                .strip_suffix(".dist-info")?
                .to_owned(),
        )
    });
    versions.next()
}

/// The folder of a virtual environment's packages.
pub(super) fn site_packages(environment: &Path) -> Option<PathBuf> {
    if !environment.join("pyvenv.cfg").is_file() {
        return None;
    }
    let windows = environment.join("Lib/site-packages");
    if windows.is_dir() {
        return Some(windows);
    }
    let entries = fs::read_dir(environment.join("lib"))
        .ok()?
        .filter_map(Result::ok);
    let mut folders: Vec<_> = entries
        .map(|entry| entry.path().join("site-packages"))
        .collect();
    folders.sort();
    folders.into_iter().find(|folder| folder.is_dir())
}

/// The compiler for guests, if one is named: `$PLEXSPACES_GUEST_RUSTC`. Else cargo's own choice (`$RUSTC`, the
/// crate's rust-toolchain.toml, the default) holds.
pub(super) fn guest_rustc() -> Option<PathBuf> {
    variable("PLEXSPACES_GUEST_RUSTC").map(PathBuf::from)
}

/// Checks that the compiler which cargo will use in `folder` can build for guests.
pub(super) fn check_rust_target(folder: &Path) -> Result<()> {
    let rustc = guest_rustc()
        .or_else(|| variable("RUSTC").map(PathBuf::from))
        .unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(&rustc);
    command
        .args(["--print", "target-libdir", "--target", RUST_TARGET])
        .current_dir(folder);
    let output = run(&mut command, &|_| {}).with_context(|| {
        format!(
            "{} is missing, which builds Rust actors: get Rust from https://rustup.rs",
            rustc.display()
        )
    })?;
    let library = PathBuf::from(output.stdout.trim());
    let has_std = fs::read_dir(&library).is_ok_and(|mut files| {
        files.any(|file| {
            file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
        })
    });
    if !output.success || !has_std {
        bail!(
            "{} cannot build for WebAssembly: run `rustup target add {RUST_TARGET}`, or name a compiler that can in PLEXSPACES_GUEST_RUSTC",
            rustc.display()
        );
    }
    Ok(())
}

/// A tool's answer.
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs a tool to its end and gives each line that it writes to stderr to `on_line` as it comes.
pub(super) fn run(command: &mut Command, on_line: &dyn Fn(&str)) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {program}"))?;
    let mut stdout = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    // Both pipes are read at once: a tool that fills one while we read only the other would never end.
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut errors = String::new();
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .with_context(|| format!("cannot read from {program}"))?
        > 0
    {
        let text = String::from_utf8_lossy(&line);
        on_line(text.trim_end());
        errors.push_str(&text);
        line.clear();
    }
    let status = child
        .wait()
        .with_context(|| format!("cannot wait for {program}"))?;
    let stdout = reader
        .join()
        .expect("reading a pipe does not panic")
        .with_context(|| format!("cannot read from {program}"))?;
    Ok(Output {
        success: status.success(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: errors,
    })
}

/// An environment variable that is set to something.
pub(super) fn variable(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn program_in(folder: &Path, name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let mut file = name.as_ref().to_owned();
    file.push(env::consts::EXE_SUFFIX);
    Some(folder.join(file)).filter(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_an_executable_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plain"), "").unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(!is_program(&dir.path().join("folder")));
        assert!(!is_program(&dir.path().join("absent")));
        assert!(cfg!(windows) || !is_program(&dir.path().join("plain")));
        assert!(is_program(&env::current_exe().unwrap()));
    }

    #[test]
    fn a_run_gives_both_streams_and_the_lines_as_they_come() {
        let lines = std::cell::RefCell::new(Vec::new());
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo one >&2; echo two >&2; exit 3"]);
        let output = run(&mut command, &|line| {
            lines.borrow_mut().push(line.to_owned())
        })
        .unwrap();
        assert!(!output.success);
        assert_eq!(output.stdout, "out\n");
        assert_eq!(output.stderr, "one\ntwo\n");
        assert_eq!(lines.into_inner(), ["one", "two"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("/nowhere/tool"), &|_| {})
            .err()
            .unwrap();
        assert!(error.to_string().contains("/nowhere/tool"), "{error}");
    }
}
