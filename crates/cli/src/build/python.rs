//! A Python file becomes a component.
//!
//! The functions that the file defines at its top level say which interfaces it implements. The file, the modules of its
//! folder that it imports, the SDK and a small generated module go into a temporary folder, and componentize-py makes
//! the component of that. Since it sees nothing else, the cache's key covers everything that it sees.
//!
//! WASI stays in (no `--stub-wasi`): the runtime serves it, so that clocks and randomness are the node's and not those of
//! the build.

mod report;
mod scan;
mod stage;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache::{self, Key};
use super::embedded::{SDK_FILES, WIT_FILES};
use super::world::{self, Interface};
use super::{Component, tools};
use scan::Scan;
use stage::Stage;

/// The generated module, which componentize-py takes as the application.
const APP: &str = "plexspaces_app";

/// Names in the temporary folder that are not the author's.
const RESERVED: [&str; 7] = [
    "plexspaces",
    APP,
    "wit_world",
    "componentize_py_types",
    "componentize_py_runtime",
    "componentize_py_async_support",
    "poll_loop",
];

pub(super) fn build(source: &Path, progress: &dyn Fn(&str)) -> Result<Component> {
    let stage = Stage::collect(source)?;
    let interfaces = interfaces(&stage.scan, source)?;
    let program = tools::componentize_py()?;
    let version = tools::componentize_py_version(&program)?;
    let packages = stage.installed_packages(&program);

    let app = app(&stage, &interfaces);
    let key = key(&stage, &app, &interfaces, &version, packages.as_deref());
    if let Some(bytes) = cache::get(&key) {
        progress("nothing changed since an earlier build");
        return Ok(Component {
            bytes,
            interfaces,
            from_cache: true,
        });
    }

    let folder = tempfile::Builder::new()
        .prefix("plexspaces-build-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let inputs = write_inputs(folder.path(), &stage, &app, &interfaces)?;
    let out = folder.path().join("out.wasm");
    progress(&format!(
        "componentize-py {} (takes about 10 s)",
        source.display()
    ));
    let output = tools::run(
        &mut command(&program, &inputs, packages.as_deref(), &out),
        &|_| {},
    )?;
    if !output.success {
        bail!(
            "{}",
            report::explain(&output.stderr, &output.stdout, source)
        );
    }
    let bytes = fs::read(&out).context("componentize-py ended well but wrote no component")?;
    cache::put(&key, &bytes);
    Ok(Component {
        bytes,
        interfaces,
        from_cache: false,
    })
}

/// The author's name for an interface's function, which is its WIT name in Python's spelling.
fn function_name(interface: Interface) -> String {
    interface.function().replace('-', "_")
}

/// The interfaces that the file implements.
fn interfaces(scan: &Scan, source: &Path) -> Result<Vec<Interface>> {
    let found: Vec<_> = Interface::ALL
        .into_iter()
        .filter(|interface| scan.defines(&function_name(*interface)))
        .collect();
    if found.iter().any(|interface| interface.is_handler()) {
        return Ok(found);
    }
    let at = source.display();
    if let Some((line, opening)) = scan.unclosed {
        bail!("{at}:{line}: {opening} is never closed, so the rest of the file defines no handler");
    }
    let handlers = Interface::ALL
        .into_iter()
        .filter(|interface| interface.is_handler());
    let names: Vec<_> = handlers.map(function_name).collect();
    bail!(
        "{at} defines no handler: define at least one of {} at its top level",
        names.join(", ")
    );
}

/// The generated module: it binds the author's functions to the exports.
fn app(stage: &Stage, interfaces: &[Interface]) -> String {
    // JSON's strings and lists are Python's too.
    let literal = |value: serde_json::Value| value.to_string();
    let functions: Vec<_> = interfaces
        .iter()
        .map(|interface| function_name(*interface))
        .collect();
    let mut text = String::from(
        "\"\"\"Made by `plexspaces build`.\"\"\"\n\nfrom plexspaces import _adapter\n\n_actor = _adapter.load(\n",
    );
    for argument in [
        literal(stage.module.clone().into()),
        literal(functions.into()),
        literal(
            stage
                .imports
                .iter()
                .map(|(module, names)| serde_json::json!([module, names]))
                .collect(),
        ),
        literal(stage.files.iter().map(|file| file.name.clone()).collect()),
    ] {
        writeln!(text, "    {argument},").expect("a String takes every write");
    }
    text.push_str(")\n");
    for interface in interfaces {
        let factory = interface.name().replace('-', "_");
        writeln!(
            text,
            "{} = _adapter.{factory}(_actor)",
            class_name(interface.name())
        )
        .expect("a String takes every write");
    }
    text
}

/// The class that componentize-py looks for: `gen-server` is `GenServer`.
fn class_name(interface: &str) -> String {
    let capital = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    interface.split('-').map(capital).collect()
}

fn key(
    stage: &Stage,
    app: &str,
    interfaces: &[Interface],
    version: &str,
    packages: Option<&Path>,
) -> String {
    let mut key = Key::new("python 1");
    key.add("componentize-py", version.as_bytes());
    key.add("world", world::source(interfaces).as_bytes());
    for (name, text) in WIT_FILES.iter().chain(SDK_FILES) {
        key.add(name, text.as_bytes());
    }
    key.add("app", app.as_bytes());
    for file in &stage.files {
        key.add(&file.name, &file.content);
    }
    if let Some(packages) = packages {
        for (name, record) in stage::installed_versions(packages) {
            key.add(&name, &record);
        }
    }
    key.finish()
}

/// The folders that componentize-py reads.
struct Inputs {
    wit: PathBuf,
    python: PathBuf,
    /// A virtual environment with nothing in it.
    environment: PathBuf,
}

fn write_inputs(
    folder: &Path,
    stage: &Stage,
    app: &str,
    interfaces: &[Interface],
) -> Result<Inputs> {
    let inputs = Inputs {
        wit: folder.join("wit"),
        python: folder.join("python"),
        environment: folder.join("environment"),
    };
    let write = |path: PathBuf, content: &[u8]| {
        let parent = path.parent().expect("every path here has a folder");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .with_context(|| format!("cannot write {}", path.display()))
    };
    for (name, text) in WIT_FILES {
        write(inputs.wit.join(name), text.as_bytes())?;
    }
    write(
        inputs.wit.join("built.wit"),
        world::source(interfaces).as_bytes(),
    )?;
    for (name, text) in SDK_FILES {
        write(inputs.python.join("plexspaces").join(name), text.as_bytes())?;
    }
    for file in &stage.files {
        write(inputs.python.join(&file.name), &file.content)?;
    }
    write(inputs.python.join(APP).with_extension("py"), app.as_bytes())?;
    let empty = inputs.environment.join("lib/python3/site-packages");
    fs::create_dir_all(&empty).with_context(|| format!("cannot make {}", empty.display()))?;
    Ok(inputs)
}

fn command(program: &Path, inputs: &Inputs, packages: Option<&Path>, out: &Path) -> Command {
    let mut arguments: Vec<OsString> = vec![
        "-q".into(),
        "-d".into(),
        inputs.wit.clone().into(),
        "-w".into(),
        world::WORLD.into(),
    ];
    arguments.extend([
        "componentize".into(),
        "-p".into(),
        inputs.python.clone().into(),
    ]);
    if let Some(packages) = packages {
        arguments.extend(["-p".into(), packages.into()]);
    }
    arguments.extend([APP.into(), "-o".into(), out.into()]);
    let mut command = Command::new(program);
    // It would add the packages of whatever environment it finds.
    command
        .args(arguments)
        .env("VIRTUAL_ENV", &inputs.environment);
    // Its own stack is no part of the report.
    command
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces_of(text: &str) -> Result<Vec<Interface>> {
        interfaces(&Scan::of(text), Path::new("a.py"))
    }

    #[test]
    fn interfaces_follow_from_the_functions() {
        let text = "def init(s): pass\ndef handle_request(f, t, p): pass\ndef snapshot_state(): pass\ndef helper(): pass\n";
        assert_eq!(
            interfaces_of(text).unwrap(),
            [
                Interface::Activation,
                Interface::GenServer,
                Interface::Snapshot
            ]
        );
    }

    #[test]
    fn a_file_without_handler_is_told_so() {
        let error =
            interfaces_of("def init(s): pass\nclass A:\n  def handle_request(self): pass\n")
                .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("a.py defines no handler: define at least one of handle_request, "),
            "{error}"
        );
        let error = interfaces_of("x = (1,\ndef handle_request(f, t, p): pass\n").unwrap_err();
        assert!(
            error.to_string().contains("a.py:1: '(' is never closed"),
            "{error}"
        );
    }

    #[test]
    fn classes_are_named_as_the_bindings_expect() {
        assert_eq!(class_name("gen-server"), "GenServer");
        assert_eq!(class_name("snapshot"), "Snapshot");
    }
}
