//! Files that the disk has damaged. Data: the node refuses to start with a coded error, or it has all that was
//! acknowledged; it never serves less or something else. Compiled code: it is made again.

mod support;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Home, Node, guest, variant};

const COUNTERS: i64 = 5;

/// Counters whose turns fill some blocks of the journal, and what they must have.
async fn count(node: &Node) {
    node.deploy("counter", &guest("counter")).await;
    for round in 1..=12 {
        for counter in 0..COUNTERS {
            let (actor, amount) = (format!("counter/c{counter}"), counter + 1);
            let answer = node.ask(&actor, "add", amount.to_string()).await;
            assert_eq!(answer.number(), round * amount);
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.metadata().expect("a file").len() > 0 {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .args(["-a", "--sparse=always"])
        .args([from, to])
        .status();
    assert!(copied.expect("there is cp").success());
}

/// Does to a file what a bad disk does, and says what.
fn damage(file: &Path, random: &mut StdRng) -> String {
    let mut bytes = fs::read(file).expect("it can be read");
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(1, |last| last + 1);
    let at = random.random_range(0..used);
    let what = match random.random_range(0..4) {
        0 => {
            bytes.truncate(at);
            "cut off"
        }
        1 => {
            let end = (at + 4096).min(bytes.len());
            bytes[at..end].fill(0);
            "a page of zeros"
        }
        _ => {
            bytes[at] ^= 1 << random.random_range(0..8);
            "a flipped bit"
        }
    };
    fs::write(file, bytes).expect("it can be written");
    format!("{what} at {at} of {used} in {}", file.display())
}

#[tokio::test]
async fn a_damaged_store_is_refused_or_whole() {
    damaged_or_whole(Home::new, "store", "jnl").await;
}

#[tokio::test]
async fn a_damaged_sqlite_is_refused_or_whole() {
    damaged_or_whole(|| Home::of("sqlite"), "sqlite", "db-wal").await;
}

/// `DAMAGE_SEED=7` repeats a run, `DAMAGE_ROUNDS=1000` does more. `journal` is how the journal's name ends.
async fn damaged_or_whole(home: impl Fn() -> Home, store: &str, journal: &str) {
    let number = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse().expect("a number"))
    };
    let seed = number("DAMAGE_SEED").unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    println!("DAMAGE_SEED={seed}");

    let whole = home();
    let node = whole.start();
    count(&node).await;
    node.kill();
    let mut refused = 0;
    let rounds = number("DAMAGE_ROUNDS").unwrap_or(25);
    for round in 0..rounds {
        let home = home();
        copy(&whole.data(), &home.data());
        let files = files(&home.data().join(store));
        // Every other time the journal, where the newest commits are.
        let journal = files
            .iter()
            .find(|file| file.extension().is_some_and(|ext| ext == journal));
        let file = match round % 2 {
            0 => journal.expect("there is a journal"),
            _ => &files[random.random_range(0..files.len())],
        };
        let what = damage(file, &mut random);
        let Ok(node) = home.try_start(home.command()) else {
            refused += 1;
            let log = fs::read_to_string(home.log()).expect("there is a log");
            // The engine's version may have become that of another engine.
            let code = match log.contains("another version of the engine") {
                true => "PS5006",
                false => "PS5004",
            };
            assert!(log.contains(&format!("error {code}: ")), "{what}: {log}");
            assert!(!log.contains("panicked"), "{what}: {log}");
            // It stays so.
            home.refused(home.command(), code);
            continue;
        };
        for counter in 0..COUNTERS {
            let answer = node.ask(&format!("counter/c{counter}"), "get", "").await;
            if answer.status == 200 {
                assert_eq!(answer.number(), 12 * (counter + 1), "{what}");
            } else {
                answer.failed("PS5004");
            }
        }
        let log = fs::read_to_string(home.log()).expect("there is a log");
        assert!(!log.contains("panicked"), "{what}: {log}");
    }
    println!("{refused} of {rounds} damaged stores were refused");
    assert!(refused > 0);
}

/// The files of compiled code.
fn compiled(home: &Home) -> Vec<PathBuf> {
    let mut files = files(&home.data().join("cache"));
    files.retain(|file| file.extension().is_some_and(|ext| ext == "cwasm"));
    files
}

#[tokio::test]
async fn damaged_compiled_code_is_made_again() {
    let home = Home::new();
    let node = home.start();
    count(&node).await;
    node.kill();
    let [file] = &compiled(&home)[..] else {
        panic!("one module, one file")
    };
    let sound = fs::read(file).expect("it can be read");
    let with = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] ^= byte;
        bytes
    };
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("one byte", vec![0x7f]),
        ("no code", b"\0asm\x0d\0\x01\0".to_vec()),
        ("half", sound[..sound.len() / 2].to_vec()),
        (
            "the last byte is missing",
            sound[..sound.len() - 1].to_vec(),
        ),
        ("a byte more", [&sound[..], b"x"].concat()),
        ("a bit of the header", with(8, 1)),
        ("a bit of the code", with(sound.len() / 2, 0x10)),
        ("the last bit", with(sound.len() - 1, 0x80)),
    ] {
        fs::write(file, bytes).expect("it can be written");
        let node = home.start();
        assert_eq!(node.modules_compiled().await, 1, "{what}");
        assert_eq!(
            node.ask("counter/c1", "get", "").await.number(),
            24,
            "{what}"
        );
        node.kill();
        assert_eq!(fs::read(file).expect("it is made again"), sound, "{what}");
        let node = home.start();
        assert_eq!(node.modules_compiled().await, 0, "{what}");
        assert_eq!(
            node.ask("counter/c1", "get", "").await.number(),
            24,
            "{what}"
        );
    }
}

#[tokio::test]
async fn compiled_code_of_another_module_or_engine_is_not_used() {
    let home = Home::new();
    let node = home.start();
    count(&node).await;
    let other = variant(&guest("misbehave"), "x");
    node.deploy("misbehave", &other).await;
    node.kill();
    let files = compiled(&home);
    assert_eq!(files.len(), 2);

    // The one's content under the other's name: the checksum in the name does not fit.
    let (first, second) = (fs::read(&files[0]), fs::read(&files[1]));
    fs::write(&files[0], second.expect("it can be read")).expect("it can be written");
    fs::write(&files[1], first.expect("it can be read")).expect("it can be written");
    let node = home.start();
    assert_eq!(node.modules_compiled().await, 2);
    assert_eq!(node.ask("counter/c1", "get", "").await.number(), 24);
    node.kill();

    // Code of another engine, or of another configuration of it, lies in another folder.
    let folder = files[0].parent().expect("a folder");
    fs::rename(folder, folder.with_file_name("0123456789abcdef")).expect("it is ours");
    let node = home.start();
    assert_eq!(node.modules_compiled().await, 2);
    assert_eq!(node.ask("counter/c1", "get", "").await.number(), 24);
    node.kill();

    // No cache at all.
    fs::remove_dir_all(home.data().join("cache")).expect("it is ours");
    let node = home.start();
    assert_eq!(node.modules_compiled().await, 2);
    assert_eq!(node.ask("counter/c1", "get", "").await.number(), 24);
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_only_costs_time() {
    let home = Home::new();
    let node = home.start();
    // Its folder is gone while the node runs.
    fs::remove_dir_all(home.data().join("cache")).expect("it is ours");
    count(&node).await;
    node.kill();
    let node = home.start();
    assert_eq!(node.ask("counter/c1", "get", "").await.number(), 24);
}
