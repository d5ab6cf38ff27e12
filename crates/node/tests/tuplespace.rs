//! The tuple space, from guest code: waiting, expiry, who gets what.

mod support;

use plexspaces_node::Node;
use plexspaces_store::key::Kind;
use serde_json::{Value as Json, json};
use support::{eventually, program_node, refused, run, stands_in_a_wait, values, values_later};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_taker_waits_and_gets_what_is_written() {
    let node = program_node().await;
    let taken = values_later(
        &node,
        "program/taker",
        json!([
            ["note", "before"],
            ["keyvalue.put", "k", "v"],
            ["tuplespace.take_blocking", ["job", "*"], 20_000]
        ]),
    );
    stands_in_a_wait(&node, "program/taker").await;
    // What was buffered before the wait is committed.
    let calls = json!([
        ["keyvalue.get", "k"],
        ["tuplespace.write", ["other", 1]],
        ["tuplespace.write", ["job", 1]],
        ["tuplespace.write", ["job", 2]],
    ]);
    assert_eq!(values(&node, "program/writer", calls).await[0], "v");
    assert_eq!(taken.await.expect("no panic")[2], json!(["job", 1]));
    assert_eq!(node.tuples().await, 2);
    assert!(node.rows(Kind::Wait).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_its_time() {
    let node = program_node().await;
    let calls = json!([
        ["tuplespace.take_blocking", ["no"], 30],
        ["tuplespace.read_blocking", ["no"], 0],
        ["keyvalue.put", "k", "v"]
    ]);
    let got = values(&node, "program/a", calls).await;
    assert_eq!(got, [Json::Null, Json::Null, Json::Null]);
    assert!(node.rows(Kind::Wait).await.is_empty());
}

/// The wait's row outlives the process; the tuple comes after the restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_goes_on_after_a_crash() {
    let node = program_node().await;
    let calls = json!([
        ["note", "waited"],
        ["tuplespace.take_blocking", ["job", "*"], 60_000],
        ["keyvalue.increment", "got", 1]
    ]);
    let lost = tokio::spawn({
        let node = Node::clone(&node);
        async move { drop(run(&node, "program/a", calls).await) }
    });
    stands_in_a_wait(&node, "program/a").await;
    let node = node.crash(1).await;
    lost.abort();
    values(
        &node,
        "program/b",
        json!([["tuplespace.write", ["job", 1]]]),
    )
    .await;
    eventually("the turn has ended", async || {
        node.rows(Kind::Wait).await.is_empty()
    })
    .await;
    let read = json!([["keyvalue.get", "got"], ["tuplespace.count", ["job", "*"]]]);
    assert_eq!(
        values(&node, "program/b", read).await,
        [json!("1"), json!(0)]
    );
    assert_eq!(
        values(&node, "program/a", json!([["notes"]])).await,
        [json!(["waited"])]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_takers_are_served_in_order_and_before_newcomers() {
    let node = program_node().await;
    let mut waiting = Vec::new();
    for n in 0..4 {
        let actor = format!("program/{n}");
        waiting.push(values_later(
            &node,
            &actor,
            json!([["tuplespace.take_blocking", ["job", "*"], 20_000]]),
        ));
        stands_in_a_wait(&node, &actor).await;
    }
    for n in 0..4 {
        // A newcomer in the very turn that writes does not get it past the line.
        let calls = json!([["tuplespace.write", ["job", n]]]);
        values(&node, "program/writer", calls).await;
    }
    for (n, taken) in waiting.into_iter().enumerate() {
        assert_eq!(taken.await.expect("no panic"), [json!(["job", n])]);
    }
}

/// A tuple that a failing turn had taken goes to who waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_take_wakes_the_line() {
    let node = program_node().await;
    values(
        &node,
        "program/w",
        json!([["tuplespace.write", ["job", 1]]]),
    )
    .await;
    // It takes the tuple and waits for another: the take is committed with the segment and not undone.
    let holder = values_later(
        &node,
        "program/holder",
        json!([
            ["tuplespace.take", ["job", "*"]],
            ["tuplespace.take_blocking", ["go"], 20_000]
        ]),
    );
    stands_in_a_wait(&node, "program/holder").await;
    let taker = values_later(
        &node,
        "program/taker",
        json!([["tuplespace.take_blocking", ["job", "*"], 20_000]]),
    );
    stands_in_a_wait(&node, "program/taker").await;
    // Takes what it writes itself and fails; then one that is left alone.
    run(
        &node,
        "program/x",
        json!([
            ["tuplespace.write", ["job", 2]],
            ["tuplespace.take", ["job", "*"]],
            ["fail", "asked"]
        ]),
    )
    .await
    .expect_err("fails");
    values(
        &node,
        "program/x",
        json!([
            ["tuplespace.write", ["job", 3]],
            ["tuplespace.write", ["go"]]
        ]),
    )
    .await;
    assert_eq!(taker.await.expect("no panic"), [json!(["job", 3])]);
    assert_eq!(
        holder.await.expect("no panic"),
        [json!(["job", 1]), json!(["go"])]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tuple_goes_to_one_taker() {
    /// After all others in the order of the fields.
    const LAST: u64 = 1_000_000;
    let node = program_node().await;
    let mut taking = JoinSet::new();
    for actor in 0..8 {
        let node = Node::clone(&node);
        taking.spawn(async move {
            let mut got = Vec::new();
            while let [Json::Array(tuple)] = values(
                &node,
                &format!("program/{actor}"),
                json!([["tuplespace.take_blocking", ["job", "*"], 2_000]]),
            )
            .await
            .as_slice()
            {
                if tuple[1] == LAST {
                    break;
                }
                got.push(tuple[1].as_u64().expect("a number"));
            }
            got
        });
    }
    for n in 0..100 {
        values(
            &node,
            "program/writer",
            json!([["tuplespace.write", ["job", n]]]),
        )
        .await;
    }
    let ends: Vec<Json> = (0..8)
        .map(|_| json!(["tuplespace.write", ["job", LAST]]))
        .collect();
    values(&node, "program/writer", Json::Array(ends)).await;
    let mut got: Vec<u64> = taking.join_all().await.concat();
    got.sort_unstable();
    assert_eq!(got.len(), 100, "{got:?}");
    got.dedup();
    assert_eq!(got.len(), 100, "one was taken twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_tuple_is_gone() {
    let node = program_node().await;
    let calls = json!([
        ["tuplespace.write_with_ttl", ["a"], 30],
        ["tuplespace.write_with_ttl", ["b"], 3_600_000],
        ["tuplespace.count", ["*"]]
    ]);
    assert_eq!(values(&node, "program/a", calls).await[2], 2);
    eventually("the expired row is removed", async || {
        node.tuples().await == 1
    })
    .await;
    let read = json!([
        ["tuplespace.read", ["a"]],
        ["tuplespace.take", ["a"]],
        ["tuplespace.count", ["*"]]
    ]);
    assert_eq!(
        values(&node, "program/a", read).await,
        [Json::Null, Json::Null, json!(1)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let wide: Vec<u8> = vec![0; 65];
    for call in [
        json!(["tuplespace.write", []]),
        json!(["tuplespace.write", wide]),
        json!(["tuplespace.write_with_ttl", ["a"], 0]),
        json!(["tuplespace.take", []]),
        json!(["tuplespace.take_blocking", wide, 10]),
        json!(["tuplespace.read_blocking", [], 10]),
        json!(["tuplespace.count", []]),
    ] {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
}
