//! A disk that is full during a commit. The caller gets an error, the node ends by itself with a coded one, and with
//! room again every acknowledged turn is there, once.

mod support;

use reqwest::RequestBuilder;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Answer, Api, Home, Node, guest};
use tokio::task::JoinSet;

/// How many actors count at a time.
const COUNTERS: usize = 8;

/// How much room there is when there is room again.
const BALLAST_MIB: u32 = 100;

/// Set in the process that has mounts of its own.
const INSIDE: &str = "PLEXSPACES_TEST_MOUNTS";

/// What keeps the node from writing.
enum Bound {
    /// A file system in memory, at the home's data folder.
    Disk(String),
    /// A limit on the size of the files that the process may write, where nothing can be mounted.
    FileSize,
}

impl Bound {
    /// A disk with so many MiB of room, or the limit.
    fn new(home: &Home, mib: u32) -> Bound {
        fs::create_dir_all(home.data()).expect("the folder can be made");
        let folder = home.data().to_str().expect("a plain path").to_owned();
        let size = format!("size={}m", mib + BALLAST_MIB);
        if succeeds("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", &folder]) {
            let bound = Bound::Disk(folder);
            bound.load(BALLAST_MIB).expect("there is room for it");
            return bound;
        }
        println!("nothing can be mounted here: the size of files is limited instead");
        Bound::FileSize
    }

    /// No room any more.
    fn close(&self, node: &Node) {
        match self {
            Bound::Disk(_) => assert!(self.load(u32::MAX).is_err(), "a disk has an end"),
            Bound::FileSize => {
                let (pid, size) = (node.pid().to_string(), "--fsize=65536");
                assert!(succeeds("prlimit", &["--pid", &pid, size]));
            }
        }
    }

    /// Room again, for the nodes that start from now on.
    fn open(&self) {
        if let Bound::Disk(folder) = self {
            fs::remove_file(ballast(folder)).expect("it is there");
        }
    }

    /// Takes so many MiB of the disk's room, or what there is.
    fn load(&self, mib: u32) -> io::Result<()> {
        let Bound::Disk(folder) = self else {
            return Ok(());
        };
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(ballast(folder))?;
        (0..mib).try_for_each(|_| file.write_all(&[0; 1 << 20]))
    }

    /// How a node is started under it.
    fn command(&self, home: &Home) -> Command {
        match self {
            Bound::Disk(_) => home.command(),
            Bound::FileSize => {
                // Else the limit is a signal that kills, and no error.
                let mut command = Command::new("sh");
                command
                    .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
                    .arg(home.command().get_program())
                    .args(home.command().get_args());
                command
            }
        }
    }
}

fn ballast(folder: &str) -> PathBuf {
    Path::new(folder).join("ballast")
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Bound::Disk(folder) = self {
            succeeds("umount", &["--lazy", folder]);
        }
    }
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs the test of this name in a process that may mount, if this one may not and the system has such.
fn elsewhere(test: &str) -> bool {
    let may_mount = tempfile::tempdir().is_ok_and(|folder| {
        let folder = folder.path().to_str().expect("a plain path");
        succeeds("mount", &["-t", "tmpfs", "tmpfs", folder]) && succeeds("umount", &[folder])
    });
    let inside = std::env::var_os(INSIDE).is_some();
    if may_mount || inside || !succeeds("unshare", &["-Urm", "true"]) {
        return false;
    }
    let status = Command::new("unshare")
        .arg("-Urm")
        .arg(std::env::current_exe().expect("a test is a program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("there is unshare").success());
    true
}

/// What the clients know: how many adds of each counter were acknowledged.
type Acknowledged = [i64; COUNTERS];

/// The `n`th add of a counter, whose payload takes some place on the disk.
fn add(api: &Api, counter: usize, n: i64, padding: usize) -> RequestBuilder {
    // The guest reads a number and does not mind the zeros before it.
    let payload = format!("{}1", "0".repeat(padding));
    api.message(&format!("counter/c{counter}"), "add", payload)
        .header("Idempotency-Key", format!("add{n}"))
}

/// All counters count until the store refuses. Who was under way is told so; who comes later may find nobody.
async fn count_until_refused(node: &Node, acknowledged: &mut Acknowledged, padding: usize) {
    let mut clients = JoinSet::new();
    for (counter, &begin) in acknowledged.iter().enumerate() {
        let api = node.api();
        clients.spawn(async move {
            let mut n = begin;
            loop {
                match Answer::try_of(add(&api, counter, n, padding)).await {
                    Ok(answer) if answer.status == 200 => {
                        assert_eq!(answer.text(), (n + 1).to_string())
                    }
                    Ok(answer) => {
                        answer.refused(503, "PS5001");
                        return (counter, n, true);
                    }
                    Err(_) => return (counter, n, false),
                }
                n += 1;
            }
        });
    }
    let mut told = 0;
    for (counter, n, refused) in clients.join_all().await {
        acknowledged[counter] = n;
        told += usize::from(refused);
    }
    println!("acknowledged: {acknowledged:?}; {told} of {COUNTERS} clients got the error");
    assert!(told > 0, "nobody was told");
}

/// The node ended by itself, and said why.
fn ended_with_the_code(home: &Home, node: Node) {
    assert_eq!(node.ended().code(), Some(1));
    let log = fs::read_to_string(home.log()).expect("there is a log");
    assert!(log.contains("error PS5001: "), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// Each counter has what was acknowledged, or the one more that was under way; asking for that again does it once.
async fn nothing_lost(node: &Node, acknowledged: &Acknowledged, padding: usize) {
    for (counter, &acknowledged) in acknowledged.iter().enumerate() {
        let actor = format!("counter/c{counter}");
        let count = node.ask(&actor, "get", "").await.number();
        assert!(
            count == acknowledged || count == acknowledged + 1,
            "{actor} has {count}, {acknowledged} were acknowledged"
        );
        for _ in 0..2 {
            let again = Answer::of(add(node, counter, acknowledged, padding)).await;
            assert_eq!(again.number(), acknowledged + 1, "{actor}");
        }
        let first = Answer::of(add(node, counter, 0, padding)).await;
        assert_eq!(first.number(), 1, "the first reply of {actor}");
    }
}

/// Counts until there is no room, starts without room, makes room, starts.
async fn no_room(home: &Home, bound: &Bound, padding: usize, full_at_once: bool) {
    let mut acknowledged = [1; COUNTERS];
    let node = home.listening(bound.command(home));
    node.deploy("counter", &guest("counter")).await;
    for counter in 0..COUNTERS {
        let first = Answer::of(add(&node, counter, 0, padding)).await;
        assert_eq!(first.number(), 1);
    }
    if full_at_once {
        bound.close(&node);
    }
    count_until_refused(&node, &mut acknowledged, padding).await;
    ended_with_the_code(home, node);

    // Without room a node serves until something has to be written, or refuses to start. Neither loses anything.
    if let Ok(node) = home.try_start(bound.command(home)) {
        let answer = node.ask("counter/c0", "get", "").await;
        if answer.status == 200 {
            assert!(answer.number() >= acknowledged[0]);
        } else {
            answer.refused(503, "PS5001");
        }
        node.kill();
    }

    bound.open();
    let node = home.start();
    nothing_lost(&node, &acknowledged, padding).await;
    assert!(node.terminate().success());
}

#[tokio::test]
async fn a_disk_that_others_have_filled() {
    if !elsewhere("a_disk_that_others_have_filled") {
        let home = Home::new();
        let bound = Bound::new(&home, 40);
        no_room(&home, &bound, 1, true).await;
    }
}

#[tokio::test]
async fn a_disk_that_the_node_fills_itself() {
    if !elsewhere("a_disk_that_the_node_fills_itself") {
        let home = Home::new();
        // More than a write buffer, less than buffer and journal: what fails is the engine's own thread.
        let bound = Bound::new(&home, 50);
        let full_at_once = matches!(bound, Bound::FileSize);
        no_room(&home, &bound, 100_000, full_at_once).await;
    }
}

#[tokio::test]
async fn files_that_may_not_grow() {
    let home = Home::new();
    no_room(&home, &Bound::FileSize, 1, true).await;
}

#[tokio::test]
async fn a_disk_that_others_have_filled_under_sqlite() {
    if !elsewhere("a_disk_that_others_have_filled_under_sqlite") {
        let home = Home::of("sqlite");
        let bound = Bound::new(&home, 40);
        no_room(&home, &bound, 1, true).await;
    }
}

#[tokio::test]
async fn a_disk_that_sqlite_fills_itself() {
    if !elsewhere("a_disk_that_sqlite_fills_itself") {
        let home = Home::of("sqlite");
        // More than the log before it is moved into the database: what fails may be that.
        let bound = Bound::new(&home, 50);
        let full_at_once = matches!(bound, Bound::FileSize);
        no_room(&home, &bound, 100_000, full_at_once).await;
    }
}
