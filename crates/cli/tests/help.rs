//! What the command says about itself is true: each help has an example, each example works as it is typed in the
//! repository's root, and each error code has a page that `explain` prints.

mod support;

use plexspaces_store::{Fjall, FjallOptions};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Home, guest};

/// A node's address in the examples.
const ADDRESS: &str = "localhost:8001";

fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("it is there")
}

fn plexspaces(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_plexspaces"))
        .args(arguments)
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The subcommands, in the help's order, and "" for the command itself.
fn subcommands() -> Vec<String> {
    let help = plexspaces(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let (list, _) = list.split_once("\n\n").expect("an end of the list");
    let names = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help").map(str::to_owned);
    names.chain([String::new()]).collect()
}

/// The commands under `Example:`, each on one line.
fn examples(subcommand: &str) -> Vec<String> {
    let arguments = [subcommand, "--help"];
    let help = plexspaces(if subcommand.is_empty() {
        &arguments[1..]
    } else {
        &arguments
    });
    let (_, examples) = help
        .split_once("\nExample:\n")
        .unwrap_or_else(|| panic!("no example in the help of {subcommand:?}"));
    let examples = examples.replace("\\\n", " ");
    examples
        .lines()
        .map(|line| line.trim().to_owned())
        .collect()
}

#[tokio::test]
async fn the_examples_of_all_helps_work() {
    let home = Home::warm();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    // A folder that is to the examples what the repository's root is.
    let root = repository();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["examples", "sdk", "wit"] {
        symlink(root.join(name), folder.path().join(name)).expect("a link can be made");
    }
    // The data of a node that was stopped.
    let data = folder.path().join("plexspaces-data/store");
    drop(Fjall::open(data, &FjallOptions::default()).expect("a store can be made"));
    let request = r#"{"operation": "add", "operands": [2, 3]}"#;
    fs::write(folder.path().join("request.json"), request).expect("it can be written");
    let binary = Path::new(env!("CARGO_BIN_EXE_plexspaces"));
    let path = std::env::join_paths(
        [binary.parent().expect("a folder").to_owned()]
            .into_iter()
            .chain(std::env::split_paths(
                &std::env::var_os("PATH").expect("a PATH"),
            )),
    );
    let path = path.expect("a PATH");
    let run = |line: &str| -> Output {
        let mut command = Command::new("sh");
        command
            .args(["-c", &line.replace(ADDRESS, node.address())])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("PLEXSPACES_NODE", node.address())
            .env(
                "PLEXSPACES_COMPONENTIZE_PY",
                root.join("target/venv/bin/componentize-py"),
            )
            .env("CARGO_TARGET_DIR", root.join("target/guests-rust"));
        let rustc = root.join("target/guest-toolchain/bin/rustc");
        if rustc.exists() {
            command.env("PLEXSPACES_GUEST_RUSTC", rustc);
        }
        command.output().expect("there is sh")
    };

    let mut lines: Vec<String> = subcommands()
        .iter()
        .flat_map(|name| examples(name))
        .collect();
    // What is built is deployed, and what is deployed is asked; what is removed is removed last.
    let order = [
        "build", "inspect", "deploy", "list", "invoke", "explain", "undeploy",
    ];
    let place = |line: &String| {
        order
            .iter()
            .position(|name| line.contains(&format!("plexspaces {name} ")))
    };
    // A bench takes minutes and has a test of its own.
    let apart = ["plexspaces start", "plexspaces bench"];
    lines.retain(|line| !apart.iter().any(|name| line.starts_with(name)));
    lines.sort_by_key(place);
    lines.dedup();
    assert!(lines.len() >= 10, "{lines:?}");
    for line in lines {
        let output = run(&line);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{line}: {output:?}");
        println!("$ {line}\n{said}");
        if line.contains("invoke") && !line.contains("--tell") {
            assert_eq!(
                said.trim(),
                r#"{"result": 5, "operation": "add"}"#,
                "{line}"
            );
        }
    }
    // The one command that stays: its example parses, and fails only for the address that this machine may have in use.
    for line in examples("start") {
        let line = line.replace("127.0.0.1:8001", node.address());
        let output = run(&line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("PS5003"), "{line}: {said}");
    }
}

#[test]
fn every_page_is_explained_and_no_other_code() {
    let pages = fs::read_dir(repository().join("docs/errors")).expect("there are pages");
    let mut known = 0;
    for page in pages {
        let path = page.expect("an entry").path();
        let code = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a code");
        let text = fs::read_to_string(&path).expect("it can be read");
        assert_eq!(plexspaces(&["explain", code]).trim_end(), text.trim_end());
        assert_eq!(
            plexspaces(&["explain", &code.to_lowercase()]).trim_end(),
            text.trim_end()
        );
        known += 1;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_plexspaces"))
        .args(["explain", "PS0000"])
        .output()
        .expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said.matches("\n  PS").count(),
        known,
        "it lists all: {said}"
    );
}
