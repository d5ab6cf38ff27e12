//! A node that cannot start says why, with a code, and harms nothing; one that is told to stop ends with 0 and loses
//! nothing.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Answer, Home, eventually, guest};

#[tokio::test]
async fn two_nodes_may_not_share_a_data_folder() {
    let home = Home::new();
    let first = home.start();
    first.deploy("counter", &guest("counter")).await;
    assert_eq!(first.ask("counter", "add", "5").await.number(), 5);
    let said = home.refused(home.command(), "PS5002");
    assert!(
        said.contains(home.data().to_str().expect("a plain path")),
        "{said}"
    );
    // The first one does not notice, and its end frees the folder, however it ended.
    assert_eq!(first.ask("counter", "add", "5").await.number(), 10);
    first.kill();
    let second = home.start();
    assert_eq!(second.ask("counter", "get", "").await.number(), 10);
}

#[tokio::test]
async fn an_address_in_use_is_named_and_no_folder_made() {
    let (home, other) = (Home::new(), Home::new());
    let node = home.start();
    for (address, part) in [
        (node.address(), "in use"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("nonsense", "nonsense"),
    ] {
        let said = other.refused(other.command_at(address), "PS5003");
        assert!(said.contains(address) && said.contains(part), "{said}");
    }
    assert!(!other.data().exists());
}

#[test]
fn a_file_is_no_data_folder() {
    let home = Home::new();
    fs::write(home.data(), "hello").expect("it can be written");
    let said = home.refused(home.command(), "PS5006");
    assert!(
        said.contains(home.data().to_str().expect("a plain path")),
        "{said}"
    );
    assert_eq!(fs::read(home.data()).expect("it is there"), b"hello");
}

#[test]
fn a_file_in_place_of_the_store_or_the_cache_is_named() {
    for part in ["store", "cache"] {
        let home = Home::new();
        fs::create_dir(home.data()).expect("it can be made");
        fs::write(home.data().join(part), "hello").expect("it can be written");
        let said = home.refused(home.command(), "PS5006");
        assert!(said.contains(part), "{said}");
    }
}

/// The same command for a user who owns nothing. Where this test may not become another user, it is a user itself whom
/// permissions bind, and the command stays as it is.
fn unprivileged(command: &Command) -> Command {
    const NOBODY: [&str; 4] = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let possible = Command::new("setpriv")
        .args(NOBODY)
        .arg("true")
        .output()
        .is_ok_and(|output| output.status.success());
    let mut other = if possible {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(NOBODY).arg(command.get_program());
        setpriv
    } else {
        Command::new(command.get_program())
    };
    other.args(command.get_args());
    other
}

/// The binary may lie where nobody else may look: a copy in the home, which everybody may enter.
fn published(home: &Home) -> Command {
    let binary = home.data().with_file_name("plexspaces");
    if !binary.exists() {
        fs::copy(env!("CARGO_BIN_EXE_plexspaces"), &binary).expect("there is room");
    }
    allow(binary.parent().expect("a folder"), 0o755);
    let original = home.command();
    let mut command = Command::new(binary);
    command.args(original.get_args());
    command
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[tokio::test]
async fn a_folder_without_permission_is_named_and_untouched() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    assert_eq!(node.ask("counter", "add", "5").await.number(), 5);
    assert!(node.terminate().success());

    let store = home.data().join("store");
    for folder in [&home.data(), &store] {
        allow(folder, 0o500);
    }
    allow(&store.join("lock"), 0o400);
    let said = home.refused(unprivileged(&published(&home)), "PS5006");
    assert!(said.contains("ermission denied"), "{said}");
    assert!(
        said.contains(home.data().to_str().expect("a plain path")),
        "{said}"
    );
    for folder in [&home.data(), &store] {
        allow(folder, 0o700);
    }
    allow(&store.join("lock"), 0o600);

    let node = home.start();
    assert_eq!(node.ask("counter", "get", "").await.number(), 5);
}

#[test]
fn a_folder_that_may_not_be_made_is_named() {
    let home = Home::new();
    let command = unprivileged(&published(&home));
    let parent = home.data().parent().expect("a folder").to_owned();
    allow(&parent, 0o555);
    let said = home.refused(command, "PS5006");
    allow(&parent, 0o755);
    assert!(said.contains("ermission denied"), "{said}");
    assert!(!home.data().exists());
}

#[tokio::test]
async fn a_start_that_was_killed_is_no_hindrance() {
    let home = Home::new();
    for ms in (0..30).step_by(2) {
        let unborn = home.spawn();
        std::thread::sleep(Duration::from_millis(ms));
        unborn.kill();
    }
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    assert_eq!(node.ask("counter", "add", "1").await.number(), 1);
}

#[tokio::test]
async fn sigterm_is_an_orderly_stop() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    let config = "[actors.slow.limits]\nturn_ms = 1000\n";
    node.deploy_with("slow", &guest("misbehave"), config).await;
    assert_eq!(node.ask("counter/a", "add", "7").await.number(), 7);
    node.tell("counter/b", "add", "3").await.ok();
    let begun = |turns| {
        let node = &node;
        eventually("the turn begins", move || async move {
            (node.turns().await == turns).then_some(())
        })
    };
    begun(2).await;
    let api = node.api();
    let under_way = tokio::spawn(async move { api.ask("slow", "loop", "").await });
    begun(3).await;

    let stopped = tokio::task::spawn_blocking(|| node.terminate());
    // Its turn goes on to its end, and its caller gets the answer.
    under_way.await.expect("no panic").failed("PS3004");
    assert_eq!(stopped.await.expect("no panic").code(), Some(0));
    let log = fs::read_to_string(home.log()).expect("there is a log");
    assert!(log.contains("command::start: stopped"), "{log}");

    let node = home.start();
    assert_eq!(node.ask("counter/a", "get", "").await.number(), 7);
    assert_eq!(node.ask("counter/b", "get", "").await.number(), 3);
}

#[tokio::test]
async fn an_orderly_stop_takes_no_try_from_a_message() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    // A send that the guest refuses is tried three times, with pauses of half a second and a second.
    node.tell("counter/a", "unknown", "").await.ok();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(node.terminate().success());
    let node = home.start();
    let log = || fs::read_to_string(home.log()).expect("there is a log");
    eventually("it becomes a dead letter", || async {
        log().contains("became a dead letter").then_some(())
    })
    .await;
    assert_eq!(log().matches("became a dead letter").count(), 1);
    assert!(log().contains("tries=3"), "{}", log());
    assert_eq!(node.ask("counter/a", "get", "").await.number(), 0);
}

#[tokio::test]
async fn a_second_sigterm_stops_at_once() {
    let home = Home::new();
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    let config = "[actors.slow.limits]\nturn_ms = 60000\n";
    node.deploy_with("slow", &guest("misbehave"), config).await;
    assert_eq!(node.ask("counter/a", "add", "7").await.number(), 7);
    let api = node.api();
    let under_way = tokio::spawn(async move {
        let request = api.message("slow", "loop", "");
        Answer::try_of(request).await
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.signal();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    let stopped = tokio::task::spawn_blocking(|| node.terminate());
    assert_eq!(stopped.await.expect("no panic").code(), Some(0));
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(
        under_way.await.expect("no panic").is_err(),
        "nobody answers"
    );
    let node = home.start();
    assert_eq!(node.ask("counter/a", "get", "").await.number(), 7);
}
