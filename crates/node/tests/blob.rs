//! `blob`, as guests use it.

mod support;

use plexspaces_services::blob::{Content, Place};
use plexspaces_services::journal;
use plexspaces_services::records::{HostCall, host_call};
use plexspaces_store::Store as _;
use plexspaces_store::testing::Lossy;
use serde_json::json;
use std::time::{Duration, SystemTime};
use support::*;

const EVERY_TURN_IN_THE_JOURNAL: &str = "[actors.program]\ncheckpoint_turns = 1000\n";

async fn node() -> Machine {
    let node = Machine::new().await;
    deploy(&node, "program", EVERY_TURN_IN_THE_JOURNAL).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_stored_read_listed_copied_and_deleted() {
    let node = node().await;
    let calls = json!([
        ["blob.upload", "a/1", "hello", {"lang": "en"}],
        ["blob.upload", "a/2", "world"],
        ["blob.upload", "b", "other"],
        ["blob.download", "a/1"]
    ]);
    assert_eq!(values(&node, "program/w", calls).await[3], "hello");
    let calls = json!([
        ["blob.download_range", "a/1", 1, 3],
        ["blob.download_range", "a/1", 4, 100],
        ["blob.exists", "a/2"],
        ["blob.exists", "a/3"],
        ["blob.metadata", "a/1"],
        ["blob.metadata", "a/3"],
        ["blob.list_blobs", "a/", null, 10],
        ["blob.list_blobs", "", "a/1", 1],
        ["blob.copy", "a/1", "c"],
        ["blob.delete", "a/1"],
        ["blob.delete", "a/1"],
        ["blob.download", "c"]
    ]);
    let sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(
        values(&node, "program/r", calls).await,
        [
            json!("ell"),
            json!("o"),
            json!(true),
            json!(false),
            json!({"id": "a/1", "size": 5, "etag": sha, "metadata": [["lang", "en"]], "replaced": false}),
            json!(null),
            json!({"ids": ["a/1", "a/2"], "cursor": null}),
            json!({"ids": ["a/2"], "cursor": "a/2"}),
            json!(null),
            json!(true),
            json!(false),
            json!("hello"),
        ]
    );
    assert_eq!(
        refused(&node, "program/r", json!(["blob.download", "a/1"])).await,
        "NotFound"
    );
    let foreign = json!(["blob.download_of", "other", "default", "b"]);
    assert_eq!(
        refused(&node, "program/r", foreign).await,
        "PermissionDenied"
    );
    for bad in [
        json!(["blob.upload", "", "x"]),
        json!(["blob.exists", "x".repeat(513)]),
        json!(["blob.list_blobs", "", null, 0]),
        json!(["blob.list_blobs", "", null, 1_001]),
        json!(["blob.begin_upload", ""]),
    ] {
        assert_eq!(refused(&node, "program/r", bad).await, "InvalidArgument");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_leaves_no_blob_and_its_content_is_not_kept() {
    let node = node().await;
    let failing = json!([["blob.upload", "a", "gone"], ["fail", "no"]]);
    assert!(run(&node, "program/a", failing).await.is_err());
    let calls = json!([["blob.exists", "a"], ["blob.upload", "b", "kept"]]);
    assert_eq!(values(&node, "program/a", calls).await[0], false);
    assert_eq!(node.stats().blobs.chunks_stored, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_a_crash() {
    let node = node().await;
    let begun = values(
        &node,
        "program/a",
        json!([["blob.begin_upload", "big", {"n": "1"}]]),
    )
    .await;
    let upload = begun[0].as_str().expect("a name").to_owned();
    values(
        &node,
        "program/a",
        json!([["blob.upload_part", upload, "one "]]),
    )
    .await;
    let node = node.crash(7).await;
    let calls = json!([
        ["blob.exists", "big"],
        ["blob.upload_part", upload, "two"],
        ["blob.complete_upload", upload],
        ["blob.download", "big"]
    ]);
    let done = values(&node, "program/b", calls).await;
    assert_eq!(
        (&done[0], &done[1], &done[3]),
        (&json!(false), &json!(7), &json!("one two"))
    );
    assert_eq!(done[2]["metadata"], json!([["n", "1"]]));
    for over in ["upload_part", "complete_upload", "abort_upload"] {
        let call = json!([format!("blob.{over}"), upload, "x"]);
        assert_eq!(refused(&node, "program/a", call).await, "NotFound");
    }
    let begun = values(&node, "program/a", json!([["blob.begin_upload", "big"]])).await;
    values(&node, "program/a", json!([["blob.abort_upload", begun[0]]])).await;
    let call = json!(["blob.upload_part", begun[0], "x"]);
    assert_eq!(refused(&node, "program/a", call).await, "NotFound");
}

/// The journal has where the bytes were, and a replay reads them there, also if the blob has been replaced since.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_reads_again_what_was_read() {
    let node = node().await;
    let long = "x".repeat(100_000);
    values(&node, "program/w", json!([["blob.upload", "a", long]])).await;
    // What it has read becomes its state: a replay that read anything else would give another reply.
    let read = json!([
        ["blob.download", "a"],
        ["blob.download_range", "a", 5, 70_000]
    ]);
    let first = values(&node, "program/r", read.clone()).await;
    values(&node, "program/w", json!([["blob.upload", "a", "new"]])).await;
    let turns = journal::turns(node.disk.snapshot().as_ref(), &id("program/r"), 0).await;
    let calls: Vec<HostCall> = turns.expect("readable")[1].segments[0].calls.clone();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        let Some(host_call::Result::Ok(bytes)) = &call.result else {
            panic!("{call:?}");
        };
        assert!(
            bytes.len() < 64,
            "hashes and ranges only: {} bytes",
            bytes.len()
        );
    }
    let stored = node.stats().blobs.chunks_stored;
    let node = node.crash(3).await;
    let replayed = values(&node, "program/r", read).await;
    assert_eq!(replayed[0], "new");
    assert_ne!(first, replayed);
    // The writer is replayed as well, and stores nothing again.
    values(&node, "program/w", json!([["blob.exists", "a"]])).await;
    let figures = node.stats().blobs;
    assert_eq!(figures.chunks_stored, stored);
    assert_eq!(
        figures.bytes_read,
        170_000 + 3 + 170_000,
        "first run, replay, and what is new"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_do_not_move_while_the_turn_holds_a_tuple() {
    let node = node().await;
    values(
        &node,
        "program/a",
        json!([["blob.upload", "a", "x"], ["tuplespace.write", ["job"]]]),
    )
    .await;
    let calls = json!([
        ["tuplespace.take", ["job"]],
        ["blob.upload", "b", "x"],
        ["blob.download", "a"],
        ["blob.download_range", "a", 0, 1],
        ["blob.exists", "a"]
    ]);
    let results = run(&node, "program/a", calls).await.expect("the turn ends");
    for refused in &results[1..4] {
        assert_eq!(
            refused["error"]["code"], "ErrorCode::FailedPrecondition",
            "{results:?}"
        );
    }
    assert_eq!(results[4]["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_moves_no_more_than_a_message() {
    let node = Machine::new().await;
    let config = "[actors.program.limits]\nmessage_bytes = 100000\n";
    deploy(&node, "program", config).await;
    let begun = values(&node, "program/a", json!([["blob.begin_upload", "a"]])).await;
    let upload = begun[0].as_str().expect("a name");
    let too_much = json!(["blob.upload_noise", upload, 100_008, 100_008, 0]);
    assert_eq!(
        refused(&node, "program/a", too_much).await,
        "ResourceExhausted"
    );
    let calls = json!([
        ["blob.upload_noise", upload, 200_000, 100_000, 0],
        ["blob.complete_upload", upload],
        ["blob.check_noise", "a", 200_000, 100_000, 0]
    ]);
    assert_eq!(values(&node, "program/a", calls).await[2], 200_000);
    for call in [
        json!(["blob.download", "a"]),
        json!(["blob.check_noise", "a", 100_008, 100_008, 0]),
    ] {
        let results = run(&node, "program/a", json!([call]))
            .await
            .expect("the turn ends");
        let error = &results[0]["error"];
        assert_eq!(error["code"], "ErrorCode::ResourceExhausted", "{error}");
        assert!(
            error["message"]
                .as_str()
                .expect("text")
                .contains("download-range"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_has_all_of_it() {
    let node = Machine::new().await;
    deploy(&node, "blobs_python", "").await;
    assert_eq!(
        ask(&node, "blobs_python", "all", "").await.as_deref(),
        Ok("ok")
    );
}

/// The node collects at its start, and again after something has changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_collects_orphans() {
    let temp = tempfile::tempdir().expect("a folder");
    let content = Content::open(&Place::Folder(temp.path().into())).expect("usable");
    let orphan = async |byte: u8| {
        let (chunk, pin) = content.put(vec![byte; 100].into()).await.expect("stored");
        drop(pin);
        let hex = chunk.hash.to_string();
        let file = temp.path().join("chunks").join(&hex[..2]).join(&hex[2..]);
        let opened = std::fs::File::options()
            .write(true)
            .open(&file)
            .expect("there");
        let old = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
        opened.set_modified(old).expect("set");
        file
    };
    let first = orphan(1).await;
    let node = Machine::boot_with(Lossy::open(Duration::ZERO), Gate::Kept, content.clone()).await;
    eventually("the orphan of the last run is gone", || async {
        !first.exists()
    })
    .await;
    deploy(&node, "program", "").await;
    let second = orphan(2).await;
    values(&node, "program/a", json!([["blob.upload", "a", "kept"]])).await;
    eventually("the orphan of this run is gone", || async {
        !second.exists()
    })
    .await;
    assert_eq!(
        values(&node, "program/a", json!([["blob.download", "a"]])).await,
        ["kept"]
    );
}

/// A blob that is many times the guest's memory passes through it. PLEXSPACES_BLOB_MIB sets its size.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_not_bounded_by_the_guests_memory() {
    const MIB: u64 = 1 << 20;
    let size = match std::env::var("PLEXSPACES_BLOB_MIB") {
        Ok(mib) => mib.parse::<u64>().expect("a number") * MIB,
        Err(_) => 48 * MIB,
    };
    let temp = tempfile::tempdir().expect("a folder");
    let content = Content::open(&Place::Folder(temp.path().into())).expect("usable");
    let node = Machine::boot_with(Lossy::open(Duration::ZERO), Gate::Kept, content).await;
    let config = format!("[actors.program.limits]\nmemory_bytes = {}\n", 16 * MIB);
    deploy(&node, "program", &config).await;
    let begun = values(&node, "program/a", json!([["blob.begin_upload", "big"]])).await;
    let upload = begun[0].as_str().expect("a name");
    let started = std::time::Instant::now();
    // A message for every 16 MiB, parts of 1 MiB.
    let steps: Vec<u64> = (0..size).step_by(16 << 20).collect();
    for at in &steps {
        let length = (size - at).min(16 * MIB);
        let call = json!([["blob.upload_noise", upload, length, MIB, at]]);
        values(&node, "program/a", call).await;
    }
    let info = values(
        &node,
        "program/a",
        json!([["blob.complete_upload", upload]]),
    )
    .await;
    assert_eq!(info[0]["size"], size);
    let uploaded = started.elapsed();
    for at in &steps {
        let length = (size - at).min(16 * MIB);
        let call = json!([["blob.check_noise", "big", length, MIB, at]]);
        assert_eq!(values(&node, "program/b", call).await, [length]);
    }
    let all = started.elapsed();
    println!(
        "{} MiB: uploaded in {:.1} s, read and compared in {:.1} s",
        size / MIB,
        uploaded.as_secs_f64(),
        (all - uploaded).as_secs_f64()
    );
}
