//! Which store keeps a node's rows is chosen when its data folder is made, and changed by a copy.

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::{Home, Node, guest};

/// Calculates once more, and gives what the actor has kept.
async fn calculate(node: &Node, n: i64) -> Value {
    let add = json!({"operation": "add", "operands": [n, 1]});
    let reply = node.call("durable/d", add).await;
    assert_eq!(reply["result"], n + 1);
    state(node).await
}

async fn state(node: &Node) -> Value {
    node.call("durable/d", json!({"operation": "get_state"}))
        .await
}

fn copy(from: &str, to: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plexspaces"))
        .args(["store", "copy", from, to])
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn place(kind: &str, folder: &Path) -> String {
    format!("{kind}:{}", folder.display())
}

#[track_caller]
fn copied(from: &str, to: &str) -> String {
    let output = copy(from, to);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "no progress without a terminal");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[track_caller]
fn refused(from: &str, to: &str, code: &str) -> String {
    let output = copy(from, to);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(code), "{said}");
    said
}

/// The line of a report, such as `rows   71, ..., sha256 ...`.
#[track_caller]
fn line(report: &str, name: &str) -> String {
    let line = report.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {report}"))
        .to_owned()
}

#[tokio::test]
async fn an_actor_lives_on_in_sqlite_then_in_fjall_then_in_sqlite() {
    let first = Home::of("sqlite");
    first.warm_up();
    let node = first.start();
    node.deploy("durable", &guest("durable_calculator")).await;
    node.deploy("counter", &guest("counter")).await;
    for n in 1..=4 {
        calculate(&node, n).await;
        node.ask("counter/c", "add", "10").await.ok();
    }
    let before = calculate(&node, 5).await;
    assert_eq!(before["operation_count"], 5, "{before}");
    let from = place("sqlite", &first.data());
    let (second, third) = (Home::of("fjall"), Home::of("sqlite"));
    let to = place("fjall", &second.data());
    // While the node has it, nobody copies it.
    let said = refused(&from, &to, "PS5002");
    assert!(said.contains(first.data().to_str().expect("a plain path")));
    node.kill();
    assert!(first.data().join("sqlite/store.db").exists());
    assert!(!first.data().join("store").exists());

    let node = first.start();
    assert_eq!(state(&node).await, before, "after SIGKILL");
    node.kill();

    let blob = "blobs/00/11/large";
    fs::create_dir_all(first.data().join("blobs/00/11")).expect("it can be made");
    fs::write(first.data().join(blob), [7; 100_000]).expect("it can be written");
    let report = copied(&from, &to);
    assert!(report.contains("--store fjall"), "{report}");
    // It, and the one that says whose the blobs are.
    assert!(line(&report, "blobs").contains("2 files"), "{report}");
    assert!(!second.data().join("cache").exists(), "it is made again");
    second.warm_up();
    let node = second.start();
    assert_eq!(state(&node).await, before, "in fjall");
    assert_eq!(node.ask("counter/c", "get", "").await.number(), 40);
    let after = calculate(&node, 6).await;
    assert_eq!(after["operation_count"], 6, "{after}");
    node.kill();

    // The folder knows what it is.
    let folder = second.data().display().to_string();
    let there = copied(&folder, &place("sqlite", &third.data()));
    third.warm_up();
    let node = third.start();
    assert_eq!(state(&node).await, after, "in SQLite again");
    let last = calculate(&node, 7).await;
    node.kill();
    let node = third.start();
    assert_eq!(state(&node).await, last);
    assert_eq!(
        fs::read(third.data().join(blob)).expect("it came along"),
        [7; 100_000]
    );
    assert!(node.terminate().success());

    // The original is as it was: a copy of it has the same digest as the first one, and no other.
    let again = copied(
        &folder,
        &place("fjall", &third.data().with_file_name("again")),
    );
    assert_eq!(line(&again, "rows"), line(&there, "rows"));
    assert_ne!(line(&again, "rows"), line(&report, "rows"));
}

#[tokio::test]
async fn a_data_folder_remembers_its_store() {
    let home = Home::of("sqlite");
    home.start().kill();
    // The same command without the option.
    let mut command = Command::new(env!("CARGO_BIN_EXE_plexspaces"));
    let arguments: Vec<_> = home.command().get_args().map(ToOwned::to_owned).collect();
    let (store, rest): (Vec<_>, Vec<_>) = arguments
        .into_iter()
        .partition(|argument| argument == "--store" || argument == "sqlite");
    assert_eq!(store.len(), 2);
    command.args(&rest).env_remove("PLEXSPACES_STORE");
    let said = home.refused(command, "PS5008");
    assert!(said.contains("use --store sqlite"), "{said}");
    assert!(said.contains(home.data().to_str().expect("a plain path")));
    assert!(!home.data().join("store").exists());
    // The environment says it as well as the option does.
    let mut command = Command::new(env!("CARGO_BIN_EXE_plexspaces"));
    command.args(&rest).env("PLEXSPACES_STORE", "sqlite");
    home.listening(command).kill();
}

#[test]
fn a_copy_harms_nothing_that_is_there() {
    let (home, other) = (Home::of("sqlite"), Home::new());
    let (from, to) = (home.data(), other.data());
    let said = refused(&place("sqlite", &from), &place("fjall", &to), "PS5006");
    assert!(said.contains("there is no store in"), "{said}");
    assert!(!to.exists() && !from.exists());

    home.start().kill();
    let said = refused(&place("fjall", &from), &place("sqlite", &to), "PS5008");
    assert!(said.contains("--store sqlite"), "{said}");
    let from = place("sqlite", &from);
    refused(&from, to.to_str().expect("a plain path"), "fjall:");
    let inside = place("fjall", &home.data().join("inside"));
    assert!(refused(&from, &inside, "PS5006").contains("another one"));
    assert!(refused(&from, &from, "PS5006").contains("not empty"));
    fs::create_dir(&to).expect("it can be made");
    fs::write(to.join("notes"), "mine").expect("it can be written");
    let said = refused(&from, &place("fjall", &to), "PS5006");
    assert!(said.contains("is not empty"), "{said}");
    assert_eq!(fs::read(to.join("notes")).expect("it is there"), b"mine");
    fs::remove_file(to.join("notes")).expect("it is ours");

    // A copy that was killed is nothing to start a node with, and is not taken for data.
    fs::create_dir(to.join("copying")).expect("it can be made");
    let said = refused(&from, &place("fjall", &to), "PS5006");
    assert!(said.contains("not finished"), "{said}");
    let said = other.refused(other.command(), "PS5006");
    assert!(said.contains("not finished"), "{said}");
    fs::remove_dir(to.join("copying")).expect("it is empty");

    copied(&from, &place("fjall", &to));
    other.start().kill();
}

#[test]
fn what_cannot_be_copied_leaves_no_half_copy() {
    let (home, other) = (Home::of("sqlite"), Home::new());
    home.start().kill();
    fs::create_dir_all(home.data().join("blobs")).expect("it can be made");
    std::os::unix::fs::symlink("x", home.data().join("blobs/link")).expect("a link can be made");
    let from = place("sqlite", &home.data());
    let said = refused(&from, &place("fjall", &other.data()), "blobs/link");
    assert!(said.contains("neither a file nor a folder"), "{said}");
    fs::remove_file(home.data().join("blobs/link")).expect("it is ours");
    let report = copied(&from, &place("fjall", &other.data()));
    assert!(line(&report, "blobs").contains("1 files"), "{report}");
}
