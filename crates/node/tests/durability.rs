//! Persisted values and the actor's own journal, from guest code.

mod support;

use plexspaces_store::key::Kind;
use serde_json::{Value as Json, json};
use support::{Machine, deploy, deploy_as, guest, program_node, refused, run, values};

#[tokio::test(flavor = "multi_thread")]
async fn persisted_values_are_the_actors_own_and_survive() {
    let node = program_node().await;
    let calls = json!([
        ["durability.persist", "event/1", "a"],
        [
            "durability.persist_batch",
            [["event/2", "b"], ["event/3", "c"], ["event/3", "d"]]
        ],
        ["durability.read_persisted", "event/1"],
        ["durability.read_persisted", "event/9"],
        ["durability.delete_persisted", "event/2"],
        ["durability.delete_persisted", "event/9"],
        ["durability.list_persisted", "event/", null, 10],
        ["durability.list_persisted", "", null, 1],
        ["durability.list_persisted", "", "event/1", 10],
    ]);
    let expected = json!([
        null, null, "a", null, null, null,
        {"keys": ["event/1", "event/3"], "cursor": null},
        {"keys": ["event/1"], "cursor": "event/1"},
        {"keys": ["event/3"], "cursor": null},
    ]);
    let results = values(&node, "program/a", calls).await;
    assert_eq!(Json::Array(results), expected);
    let node = node.crash(1).await;
    let read = json!([
        ["durability.read_persisted", "event/3"],
        ["durability.read_persisted", "event/2"]
    ]);
    assert_eq!(
        values(&node, "program/a", read.clone()).await,
        [json!("d"), Json::Null]
    );
    // Another actor has keys of its own.
    assert_eq!(
        values(&node, "program/b", read).await,
        [Json::Null, Json::Null]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_persists_nothing() {
    let node = program_node().await;
    let batch = json!(["durability.persist_batch", [["a", "1"], ["b", "2"]]]);
    for end in [json!(["fail", "as asked"]), json!(["trap"])] {
        let failed = run(&node, "program/a", json!([batch, end])).await;
        failed.expect_err("the turn fails");
        assert_eq!(node.rows_of(Kind::Persisted).await, 0);
    }
    // A batch with one bad key keeps none.
    let bad = json!(["durability.persist_batch", [["a", "1"], ["", "2"]]]);
    assert_eq!(refused(&node, "program/a", bad).await, "InvalidArgument");
    assert_eq!(node.rows_of(Kind::Persisted).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_reads_its_own_journal() {
    let node = program_node().await;
    for n in 1..=3 {
        let failed = run(&node, "program/a", json!([["fail", "as asked"]])).await;
        failed.expect_err("the turn fails");
        support::ask(&node, "program/a", &format!("t{n}"), &format!("p{n}"))
            .await
            .expect("replied");
    }
    let calls = json!([
        ["durability.sequence"],
        ["durability.read_journal", 0, 100, 10],
        ["durability.read_journal", 1, 2, 10],
        ["durability.read_journal", 0, 100, 2],
        ["durability.read_journal", 4, 100, 10],
        ["durability.read_journal", 1_000, u64::MAX, 10],
    ]);
    let results = values(&node, "program/a", calls).await;
    let page = |entries: Json, next: Json| json!({"entries": entries, "next": next});
    // Failed turns have left nothing, and this one is not finished.
    let all = json!([
        [0, "", true],
        [1, "t1", true],
        [2, "t2", true],
        [3, "t3", true]
    ]);
    let none = page(json!([]), Json::Null);
    assert_eq!(
        Json::Array(results),
        json!([
            4,
            page(all, Json::Null),
            page(json!([[1, "t1", true], [2, "t2", true]]), Json::Null),
            page(json!([[0, "", true], [1, "t1", true]]), json!(2)),
            none,
            none
        ])
    );
    let text = json!([["durability.read_journal_text", 1, 1, 1]]);
    let expected = json!([[["$http", "t1", "p1", "", true]]]);
    assert_eq!(
        Json::Array(values(&node, "program/a", text).await),
        expected
    );
    // The replay is answered the same, though the journal has gone on.
    let node = node.crash(2).await;
    let text = json!([["durability.read_journal", 5, 5, 1]]);
    let results = values(&node, "program/a", text).await;
    assert_eq!(results[0]["entries"], json!([[5, "run", true]]));
}

/// A turn with a wait has several rows and is one entry; one that is under way is none; one that was given up says why.
#[tokio::test(flavor = "multi_thread")]
async fn turns_that_waited_are_one_entry_each() {
    let node = program_node().await;
    let wait = json!(["messaging.ask", "program/b", "x", "", 5_000]);
    let read = json!(["durability.read_journal", 0, 100, 100]);
    let calls = json!([wait, wait, read]);
    let results = values(&node, "program/a", calls).await;
    assert_eq!(results[2]["entries"], json!([[0, "", true]]));
    let failed = run(&node, "program/a", json!([wait, ["fail", "as asked"]])).await;
    failed.expect_err("the turn fails");
    let results = values(&node, "program/a", json!([read])).await;
    let expected = json!([[0, "", true], [1, "run", true], [2, "run", false]]);
    assert_eq!(results[0]["entries"], expected);
    let text = json!([["durability.read_journal_text", 2, 2, 1]]);
    let entry = values(&node, "program/a", text).await.remove(0);
    assert_eq!(entry[0][3], "as asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_journal_has_a_bound_in_bytes_too() {
    let node = Machine::new().await;
    let config = "[actors.program.limits]\nmessage_bytes = 2000\n";
    deploy(&node, "program", config).await;
    for n in 1..=4 {
        let sent = support::ask(&node, "program/a", &format!("t{n}"), &"x".repeat(900)).await;
        sent.expect("replied");
    }
    let read = json!([["durability.read_journal", 1, 100, 100]]);
    let results = values(&node, "program/a", read).await;
    assert_eq!(
        results[0]["entries"],
        json!([[1, "t1", true], [2, "t2", true]])
    );
    assert_eq!(results[0]["next"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_that_is_gone_is_not_there() {
    let node = Machine::new().await;
    let config = "[actors.program]\ncheckpoint_turns = 4\nhistory_turns = 4\n";
    deploy(&node, "program", config).await;
    for n in 1..=40 {
        let sent = support::ask(&node, "program/a", &format!("t{n}"), "").await;
        sent.expect("replied");
    }
    let read = json!([["durability.read_journal", 0, 100, 100]]);
    let results = values(&node, "program/a", read).await;
    let entries = results[0]["entries"].as_array().expect("a list").clone();
    assert!((4..20).contains(&entries.len()), "{}", entries.len());
    assert_eq!(entries.last(), Some(&json!([40, "t40", true])));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_actor_keeps_nothing() {
    let node = Machine::new().await;
    let config = "[actors.brief]\ndurable = false\n";
    deploy_as(&node, "brief", guest("program"), config).await;
    for call in [
        json!(["durability.persist", "k", "v"]),
        json!(["durability.persist_batch", [["k", "v"]]]),
        json!(["durability.read_persisted", "k"]),
        json!(["durability.delete_persisted", "k"]),
        json!(["durability.list_persisted", "", null, 10]),
        json!(["durability.read_journal", 0, 10, 10]),
        json!(["durability.checkpoint"]),
    ] {
        assert_eq!(refused(&node, "brief/a", call).await, "FailedPrecondition");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let huge = "x".repeat(513);
    for call in [
        json!(["durability.persist", "", "v"]),
        json!(["durability.persist", huge, "v"]),
        json!(["durability.read_persisted", ""]),
        json!(["durability.delete_persisted", huge]),
        json!(["durability.list_persisted", huge, null, 10]),
        json!(["durability.list_persisted", "", "", 10]),
        json!(["durability.list_persisted", "", null, 0]),
        json!(["durability.list_persisted", "", null, 1_001]),
        json!(["durability.read_journal", 0, 10, 0]),
        json!(["durability.read_journal", 0, 10, 1_001]),
        json!(["durability.read_journal", 2, 1, 10]),
    ] {
        let shown: String = call.to_string().chars().take(80).collect();
        assert_eq!(
            refused(&node, "program/a", call).await,
            "InvalidArgument",
            "{shown}"
        );
    }
    // Over the turn's bound, which ends the turn.
    let large = json!([["durability.persist", "k", "x".repeat(3 << 20)]]);
    values(&node, "program/a", large).await;
}
