//! Locks, from guest code: one holder at a time, tokens that only grow, and who is next.

mod support;

use plexspaces_node::Node;
use plexspaces_services::journal;
use plexspaces_services::records::{LockRow, decode, host_call};
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::testing::Lossy;
use plexspaces_store::{Order, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};
use support::{
    Gate, Machine, ask, deploy, eventually, program_node, refused, run, stands_in_a_wait, value,
    values, values_later,
};
use tokio::task::JoinSet;

const HOUR: u64 = 3_600_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_has_one_holder() {
    let node = program_node().await;
    let calls = json!([
        ["locks.get_lock", "l"],
        ["locks.acquire", "l", 0],
        ["locks.try_acquire", "l", HOUR],
        ["locks.get_lock", "l"],
    ]);
    let held = json!(["program/a", 1]);
    assert_eq!(
        values(&node, "program/a", calls).await,
        [Json::Null, json!(1), json!(1), held.clone()]
    );
    // Over a crash as well.
    let node = node.crash(1).await;
    let calls = json!([
        ["locks.try_acquire", "l"],
        ["locks.acquire", "l", 0],
        ["locks.acquire", "l", 20],
        ["locks.get_lock", "l"],
    ]);
    assert_eq!(
        values(&node, "program/b", calls).await,
        [Json::Null, Json::Null, Json::Null, held]
    );
    for call in [
        json!(["locks.release", "l"]),
        json!(["locks.renew", "l", 1_000]),
        json!(["locks.release", "l", 1]),
    ] {
        assert_eq!(
            refused(&node, "program/b", call).await,
            "FailedPrecondition"
        );
    }
    let wrong = json!(["locks.release", "l", 2]);
    assert_eq!(
        refused(&node, "program/a", wrong).await,
        "FailedPrecondition"
    );
    let calls = json!([
        ["locks.renew", "l", HOUR / 2, 1],
        ["locks.lease_left", "l"],
        ["locks.release", "l", 1],
        ["locks.get_lock", "l"],
    ]);
    let got = values(&node, "program/a", calls).await;
    let left = got[1].as_u64().expect("milliseconds");
    assert!(
        (HOUR / 2 - 60_000..=HOUR / 2 + 1_000).contains(&left),
        "{left}"
    );
    assert_eq!((&got[0], &got[3]), (&json!(1), &Json::Null));
    assert_eq!(
        value(&node, "program/b", json!(["locks.try_acquire", "l"])).await,
        2
    );
    let default = value(&node, "program/b", json!(["locks.lease_left", "l"])).await;
    assert!(
        (10_000..=31_000).contains(&default.as_u64().expect("milliseconds")),
        "{default}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_free_when_its_lease_ends() {
    let node = program_node().await;
    assert_eq!(
        value(&node, "program/a", json!(["locks.acquire", "l", 0, 60])).await,
        1
    );
    // Nobody gives it back; the end of the lease wakes who waits.
    let began = Instant::now();
    let got = value(
        &node,
        "program/b",
        json!(["locks.acquire", "l", 20_000, HOUR]),
    )
    .await;
    assert_eq!(got, 2);
    assert!(began.elapsed() < Duration::from_secs(15));
    for call in [
        json!(["locks.release", "l"]),
        json!(["locks.renew", "l", 1_000]),
        json!(["locks.release", "l", 1]),
    ] {
        assert_eq!(
            refused(&node, "program/a", call).await,
            "FailedPrecondition"
        );
    }
    assert_eq!(node.rows_of(Kind::LockHeld).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_has_no_lock() {
    let node = program_node().await;
    for end in [json!(["fail", "as asked"]), json!(["trap"])] {
        let id = &end[0];
        let calls = json!([["locks.acquire", id, 0, HOUR], end]);
        run(&node, "program/a", calls).await.expect_err("fails");
        // Given back, and no token was used up.
        let got = value(&node, "program/b", json!(["locks.try_acquire", id, HOUR])).await;
        assert_eq!(got, 1);
        let calls = json!([["locks.release", id], end]);
        run(&node, "program/b", calls).await.expect_err("fails");
        let held = value(&node, "program/a", json!(["locks.get_lock", id])).await;
        assert_eq!(held, json!(["program/b", 1]));
    }
}

async fn token(node: &Machine, key: &plexspaces_store::Key) -> u64 {
    let row = node.disk.latest(key).await.expect("readable");
    let token = |value| decode::<LockRow>(key, &value).expect("a lock").token;
    row.map_or(0, |row| token(row.value))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_lock_in_order_and_before_newcomers() {
    let node = program_node().await;
    value(
        &node,
        "program/first",
        json!(["locks.acquire", "l", 0, HOUR]),
    )
    .await;
    let mut waiting = Vec::new();
    for n in 0..4 {
        let actor = format!("program/{n}");
        let calls = json!([["locks.acquire", "l", 20_000, HOUR], ["locks.release", "l"]]);
        waiting.push(values_later(&node, &actor, calls));
        stands_in_a_wait(&node, &actor).await;
    }
    // One that gives it back and wants it again stands behind.
    let calls = json!([
        ["locks.release", "l"],
        ["locks.try_acquire", "l"],
        ["locks.acquire", "l", 20_000]
    ]);
    let got = values(&node, "program/first", calls).await;
    assert_eq!(got, [Json::Null, Json::Null, json!(6)]);
    for (n, got) in waiting.into_iter().enumerate() {
        assert_eq!(got.await.expect("no panic")[0], n + 2);
    }
    assert!(node.rows(Kind::Wait).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_lock_goes_on_after_a_crash() {
    let node = program_node().await;
    value(&node, "program/a", json!(["locks.acquire", "l", 0, HOUR])).await;
    let lost = tokio::spawn({
        let node = Node::clone(&node);
        let calls = json!([["locks.acquire", "l", 60_000, HOUR]]);
        async move { drop(run(&node, "program/b", calls).await) }
    });
    stands_in_a_wait(&node, "program/b").await;
    let node = node.crash(1).await;
    lost.abort();
    value(&node, "program/a", json!(["locks.release", "l"])).await;
    eventually("the one that waited has it", async || {
        value(&node, "program/x", json!(["locks.get_lock", "l"])).await == json!(["program/b", 2])
    })
    .await;
}

/// Each holds what the other wants: both waits end with their time, and both turns go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_ends_in_timeouts() {
    let node = program_node().await;
    let mut turns = Vec::new();
    for (actor, first, second) in [("program/a", "1", "2"), ("program/b", "2", "1")] {
        let calls = json!([
            ["locks.acquire", first, 20_000, HOUR],
            ["tuplespace.take_blocking", ["go"], 20_000],
            ["locks.acquire", second, 50, HOUR],
            ["locks.release", first],
        ]);
        turns.push(values_later(&node, actor, calls));
        stands_in_a_wait(&node, actor).await;
    }
    let go = json!([["tuplespace.write", ["go"]], ["tuplespace.write", ["go"]]]);
    values(&node, "program/x", go).await;
    let mut got = Vec::new();
    for turn in turns {
        got.push(turn.await.expect("no panic")[2].clone());
    }
    // If one wakes a good while after the other it gets the lock that was given back.
    assert!(got.contains(&Json::Null), "{got:?}");
    let free = json!([["locks.try_acquire", "1"], ["locks.try_acquire", "2"]]);
    let calls = values(&node, "program/x", free).await;
    assert_eq!(
        calls.iter().filter(|lease| lease.is_null()).count(),
        got.iter().filter(|l| !l.is_null()).count()
    );
}

/// The leader stops, in whatever way, and the next one leads at once, with a higher token.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_leads_when_the_leader_stops() {
    let node = program_node().await;
    let mut candidates = Vec::new();
    for n in 0..4 {
        let actor = format!("program/{n}");
        let calls = json!([
            ["locks.acquire", "leader", 60_000, HOUR],
            ["locks.acquire", format!("mine/{n}"), 0, HOUR],
        ]);
        candidates.push(values_later(&node, &actor, calls));
        if n == 0 {
            eventually("the first one leads", async || {
                !value(&node, "program/x", json!(["locks.get_lock", "leader"]))
                    .await
                    .is_null()
            })
            .await;
        } else {
            stands_in_a_wait(&node, &actor).await;
        }
    }
    // Without a last turn of its own; with one that writes, with one that takes a lock, with one that fails.
    let reasons = [
        "",
        "[[\"keyvalue.put\", \"last\", \"1\"], [\"locks.try_acquire\", \"more\", 3600000]]",
        "[[\"trap\"]]",
    ];
    for (n, candidate) in candidates.into_iter().enumerate() {
        assert_eq!(candidate.await.expect("no panic"), [json!(n + 1), json!(1)]);
        let Some(reason) = reasons.get(n) else { break };
        let stop = json!(["locks.stop_holder", format!("program/{n}"), reason]);
        value(&node, "program/x", stop).await;
        eventually("the next one leads", async || {
            let leads = json!([format!("program/{}", n + 1), n + 2]);
            value(&node, "program/x", json!(["locks.get_lock", "leader"])).await == leads
        })
        .await;
    }
    assert_eq!(
        value(&node, "program/x", json!(["keyvalue.get", "last"])).await,
        "1"
    );
    let free = json!([
        ["locks.try_acquire", "more"],
        ["locks.try_acquire", "mine/2"],
        ["locks.try_acquire", "mine/3"]
    ]);
    assert_eq!(
        values(&node, "program/x", free).await,
        [json!(2), json!(2), Json::Null]
    );
    // Stopped actors are there again with their next message, without the lock.
    assert_eq!(
        value(&node, "program/0", json!(["locks.try_acquire", "leader"])).await,
        Json::Null
    );
    ask(&node, "program/0", "any", "").await.expect("alive");
}

/// How long each holding lasts in the test with crashes, in milliseconds.
const LEASE_MS: u64 = 25;

/// Several actors acquire and release one lock while the power fails again and again. The journals say what each got and
/// when; their rows' versions say in which order the store has it.
#[tokio::test(flavor = "multi_thread")]
async fn holders_never_overlap_and_tokens_only_grow_whatever_crashes() {
    const CRASHES: usize = 80;
    const ACTORS: usize = 4;
    let mut random = StdRng::seed_from_u64(19);
    let mut machine = Machine::boot(Lossy::open(Duration::from_millis(2)), Gate::Kept).await;
    deploy(
        &machine,
        "program",
        "[actors.program]\nhistory_turns = 1000000\n",
    )
    .await;
    value(&machine, "program/x", json!(["note", "durable"])).await;
    let (mut newest_told, mut lost) = (0, 0);
    for life in 0..CRASHES {
        let mut working = JoinSet::new();
        let told = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        for actor in 0..ACTORS {
            let (node, told) = (Node::clone(&machine), told.clone());
            let gives_back = random.random_bool(0.7);
            working.spawn(async move {
                let mut calls = vec![json!(["locks.acquire", "l", 40, LEASE_MS])];
                if gives_back {
                    calls.push(json!(["locks.release", "l"]));
                }
                while let Ok(got) = run(
                    &node,
                    &format!("program/{actor}"),
                    Json::Array(calls.clone()),
                )
                .await
                {
                    if let Some(token) = got[0]["ok"].as_u64() {
                        told.fetch_max(token, std::sync::atomic::Ordering::SeqCst);
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(2..40))).await;
        working.shutdown().await;
        newest_told = newest_told.max(told.load(std::sync::atomic::Ordering::SeqCst));
        machine = machine.crash(random.random()).await;
        lost += machine.lost;
        let key = Path::scope("default", "default", Kind::Lock).str("l").key();
        let kept = token(&machine, &key).await;
        assert!(
            kept >= newest_told,
            "life {life}: the token went back from {newest_told} to {kept}"
        );
    }
    eventually("no turn waits", async || {
        machine.rows(Kind::Wait).await.is_empty()
    })
    .await;
    let history = history(&machine, ACTORS).await;
    let (mut tokens, mut holder) = (0, None::<(usize, u64)>);
    for event in &history {
        match *event {
            Event::Released { actor } => {
                assert_eq!(holder.map(|(holder, _)| holder), Some(actor));
                holder = None;
            }
            Event::Acquired {
                actor,
                token,
                until,
            } => {
                let now = until - LEASE_MS;
                match holder {
                    Some((before, its_until)) if its_until > now => {
                        assert_eq!(
                            before, actor,
                            "at {now} the lock was held until {its_until}"
                        );
                        assert_eq!(token, tokens, "renewed");
                    }
                    _ => {
                        assert_eq!(token, tokens + 1);
                        tokens = token;
                    }
                }
                holder = Some((actor, until));
            }
        }
    }
    println!("{tokens} holdings, {lost} commits lost in {CRASHES} crashes");
    assert!(
        tokens as usize > CRASHES && lost > 0,
        "{tokens} holdings, {lost} commits lost"
    );
}

enum Event {
    Acquired {
        actor: usize,
        token: u64,
        until: u64,
    },
    Released {
        actor: usize,
    },
}

/// What the actors did with the lock, in the order of the commits.
async fn history(machine: &Machine, actors: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let snapshot = machine.disk.snapshot();
    for actor in 0..actors {
        let id = support::id(&format!("program/{actor}"));
        let range = Path::scope("default", "default", Kind::Journal)
            .str(id.kind())
            .str(id.key())
            .range();
        let rows = snapshot
            .scan(range, usize::MAX, Order::Forward)
            .await
            .expect("rows");
        let turns = journal::turns(snapshot.as_ref(), &id, 0)
            .await
            .expect("turns");
        let segments: Vec<_> = turns.into_iter().flat_map(|turn| turn.segments).collect();
        assert_eq!(rows.len(), segments.len(), "the whole history is there");
        for ((key, row), segment) in rows.into_iter().zip(segments) {
            // A turn that was given up keeps its committed segments.
            for (n, call) in segment.calls.into_iter().enumerate() {
                let Some(host_call::Result::Ok(result)) = call.result else {
                    continue;
                };
                let event = match (call.operation.as_str(), result.first()) {
                    ("locks.acquire", Some(1)) => {
                        let lease: LockRow = decode(&key, &result.slice(1..)).expect("a lease");
                        Event::Acquired {
                            actor,
                            token: lease.token,
                            until: lease.until_ms,
                        }
                    }
                    ("locks.release", _) => Event::Released { actor },
                    _ => continue,
                };
                events.push(((row.version, n), event));
            }
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let huge = "x".repeat(513);
    let day = 24 * HOUR;
    let mut calls = Vec::new();
    for id in ["", huge.as_str()] {
        calls.extend([
            json!(["locks.acquire", id, 0]),
            json!(["locks.acquire", id, 10]),
            json!(["locks.try_acquire", id]),
            json!(["locks.release", id]),
            json!(["locks.renew", id, 1]),
            json!(["locks.get_lock", id]),
        ]);
    }
    for lease in [0, day + 1, u64::MAX] {
        calls.extend([
            json!(["locks.acquire", "l", 10, lease]),
            json!(["locks.try_acquire", "l", lease]),
            json!(["locks.renew", "l", lease]),
        ]);
    }
    for call in calls {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
    for call in [
        json!(["locks.release", "unknown"]),
        json!(["locks.renew", "unknown", 1]),
    ] {
        assert_eq!(
            refused(&node, "program/a", call).await,
            "FailedPrecondition"
        );
    }
    let foreign = json!(["locks.try_acquire_of", "other", "default", "l"]);
    assert_eq!(
        refused(&node, "program/a", foreign).await,
        "PermissionDenied"
    );
    assert_eq!(node.rows_of(Kind::Lock).await, 0);
}
