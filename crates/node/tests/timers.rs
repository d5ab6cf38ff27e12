//! Timers and reminders, from guest code.

mod support;

use plexspaces_services::journal;
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Order, Store as _};
use serde_json::{Value as Json, json};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{
    Gate, Machine, deploy, deploy_as, eventually, guest, id, program_node, refused, run, values,
};

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_millis() as u64
}

/// A message that has its receiver write a tuple.
fn write(text: &str) -> Json {
    json!(json!([["tuplespace.write", ["fired", text]]]).to_string())
}

/// What such messages have written, in order.
async fn written(node: &Machine) -> Vec<String> {
    let calls = json!([["tuplespace.read_all", ["fired", "*"]]]);
    let found = values(node, "program/reader", calls).await.remove(0);
    let tuples = found.as_array().expect("a list").iter();
    let text = |tuple: &Json| tuple[1].as_str().expect("a text").to_owned();
    tuples.map(text).collect()
}

/// Due entries and timers that are left.
async fn left(node: &Machine) -> (usize, usize) {
    let range = Path::node(Kind::Due).range();
    let snapshot = node.disk.snapshot();
    let entries = snapshot.scan(range, usize::MAX, Order::Forward).await;
    (
        entries.expect("readable").len(),
        node.rows_of(Kind::Timer).await,
    )
}

async fn heard(node: &Machine, actor: &str, msg_type: &str) -> usize {
    let heard = node.heard(actor).await;
    heard.iter().filter(|heard| *heard == msg_type).count()
}

async fn hears(node: &Machine, actor: &str, msg_type: &str, times: usize) {
    let what = format!("{actor} hears {msg_type} {times} times");
    eventually(&what, async || heard(node, actor, msg_type).await >= times).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_once_and_not_early() {
    let node = program_node().await;
    let before = wall_ms();
    let calls = json!([
        ["messaging.send_after", "program/b", "later", "x", 200],
        ["messaging.send_after", "program/b", "sooner", "y", 0],
    ]);
    values(&node, "program/a", calls).await;
    hears(&node, "program/b", "later", 1).await;
    let turns = journal::turns(node.disk.snapshot().as_ref(), &id("program/b"), 0).await;
    let turns = turns.expect("readable");
    let last = &turns.last().expect("a turn").segments[0];
    let late = last.time_ms - before - 200;
    println!("{late} ms after it was due, counted from before it was set");
    assert!(last.time_ms >= before + 200, "it came early");
    // Whatever was set before this has fired before it.
    let end = json!([["messaging.send_after", "program/b", "end", "", 1]]);
    values(&node, "program/a", end).await;
    hears(&node, "program/b", "end", 1).await;
    assert_eq!(
        node.heard("program/b").await,
        ["", "sooner", "later", "end"]
    );
    let inbox = values(&node, "program/b", json!([["inbox"]])).await;
    let expected = json!([
        ["program/a", "sooner", "y"],
        ["program/a", "later", "x"],
        ["program/a", "end", ""],
    ]);
    assert_eq!(inbox[0], expected);
    assert_eq!(left(&node).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_survives_a_crash_and_fires_once() {
    let mut node = program_node().await;
    for seed in 1..=6 {
        let text = format!("{seed}");
        let calls = json!([["messaging.send_after", "program/b", "run", write(&text), 40]]);
        values(&node, "program/a", calls).await;
        if seed % 2 == 0 {
            // With the message on its way.
            let fired = async || written(&node).await.contains(&text);
            eventually("it has fired", fired).await;
        }
        node = node.crash(seed).await;
        eventually("it fires", async || written(&node).await.contains(&text)).await;
    }
    node.quiet().await;
    assert_eq!(written(&node).await, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(left(&node).await, (0, 0));
}

/// Whenever the power goes, what was acknowledged fires, and nothing fires twice.
#[tokio::test(flavor = "multi_thread")]
async fn none_is_lost_and_none_comes_twice_over_crashes_at_any_moment() {
    let mut node = program_node().await;
    let acknowledged = Mutex::new(Vec::new());
    for seed in 1..=12_u64 {
        let setting = async {
            for n in 0..40_u64 {
                let text = format!("{seed:02}-{n:02}");
                let delay = (seed * 7 + n * 13) % 25;
                let call = ["messaging.send_after", "program/b", "run"];
                let calls = json!([[call[0], call[1], call[2], write(&text), delay]]);
                values(&node, "program/a", calls).await;
                acknowledged.lock().expect("no panic").push(text);
            }
        };
        let power = Duration::from_millis(10 + seed * 11 % 60);
        drop(tokio::time::timeout(power, setting).await);
        node = node.crash(seed).await;
    }
    let end = json!([["messaging.send_after", "program/b", "run", write("end"), 30]]);
    values(&node, "program/a", end).await;
    let fired = async || written(&node).await.contains(&"end".to_owned());
    eventually("the last one has fired", fired).await;
    node.quiet().await;
    let written = written(&node).await;
    let mut once = written.clone();
    once.dedup();
    assert_eq!(once, written, "something came twice");
    let acknowledged = acknowledged.into_inner().expect("no panic");
    for text in &acknowledged {
        assert!(written.contains(text), "{text} was acknowledged and lost");
    }
    assert!(!acknowledged.is_empty());
    assert_eq!(left(&node).await, (0, 0));
}

async fn due_ms(node: &Machine) -> u64 {
    let calls = json!([["messaging.list_reminders", null, 10]]);
    let page = values(node, "program/a", calls).await.remove(0);
    page["reminders"][0]["due_ms"].as_u64().expect("a time")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_keeps_its_phase_and_does_not_catch_up_after_downtime() {
    let node = program_node().await;
    let set = json!([["messaging.set_reminder", "r", "tick", "x", 300, 50]]);
    values(&node, "program/a", set).await;
    let first = due_ms(&node).await;
    hears(&node, "program/a", "tick", 3).await;
    assert_eq!((due_ms(&node).await - first) % 50, 0);
    let (left_over, before) = (node.disk.crash(5), heard(&node, "program/a", "tick").await);
    drop(node);
    // The downtime: 20 times are missed.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let boot = wall_ms();
    let node = Machine::boot(left_over, Gate::Kept).await;
    // The crash may have taken some away.
    let at_boot = heard(&node, "program/a", "tick").await.min(before);
    hears(&node, "program/a", "tick", at_boot + 2).await;
    let heard = heard(&node, "program/a", "tick").await - at_boot;
    let room = (wall_ms() - boot) / 50 + 2;
    assert!(heard as u64 <= room, "{heard} ticks, room for {room}");
    assert_eq!((due_ms(&node).await - first) % 50, 0);
    let inbox = values(&node, "program/a", json!([["inbox"]])).await;
    assert_eq!(inbox[0][0], json!(["$timer", "tick", "x"]));
    let cancel = json!([
        ["messaging.cancel_reminder", "r"],
        ["messaging.cancel_reminder", "r"]
    ]);
    assert_eq!(values(&node, "program/a", cancel).await, [true, false]);
    assert_eq!(left(&node).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_are_replaced_by_name_and_listed() {
    let node = program_node().await;
    let calls = json!([
        ["messaging.set_reminder", "b", "old", "", 3_600_000, 0],
        ["messaging.set_reminder", "b", "new", "", 7_200_000, 1_000],
        ["messaging.set_reminder", "a", "x", "", 3_600_000, 0],
        ["messaging.send_after", "program/a", "timer", "", 3_600_000],
    ]);
    values(&node, "program/a", calls).await;
    let before = due_ms(&node).await;
    // Again in another turn, under the same name.
    let again = json!([["messaging.set_reminder", "a", "x", "", 10, 0]]);
    values(&node, "program/a", again).await;
    hears(&node, "program/a", "x", 1).await;
    assert!(wall_ms() < before, "the replaced time counts no more");
    let list = json!([
        ["messaging.set_reminder", "c", "x", "", 3_600_000, 0],
        ["messaging.list_reminders", null, 1],
        ["messaging.list_reminders", "b", 10],
    ]);
    let pages = values(&node, "program/a", list).await;
    assert_eq!(pages[1]["reminders"][0]["name"], "b");
    assert_eq!(pages[1]["reminders"][0]["msg_type"], "new");
    assert_eq!(pages[1]["reminders"][0]["period"], 1_000);
    assert_eq!(pages[1]["cursor"], "b");
    assert_eq!(pages[2]["reminders"][0]["name"], "c");
    assert_eq!(pages[2]["cursor"], Json::Null);
    assert_eq!(left(&node).await, (3, 3));
    // The same calls are answered from the journal.
    let node = node.crash(3).await;
    let list = json!([["messaging.list_reminders", null, 10]]);
    let page = values(&node, "program/a", list).await.remove(0);
    assert_eq!(page["reminders"].as_array().expect("a list").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_timer_does_not_fire() {
    let node = program_node().await;
    let calls = json!([
        ["messaging.send_after", "program/b", "no", "", 3_600_000],
        ["messaging.send_after", "program/b", "fired", "", 1],
        ["messaging.send_after_cancelled", "program/b", "no", 0],
        ["messaging.cancel_timer", 12345],
    ]);
    let set = values(&node, "program/a", calls).await;
    assert_eq!(set[2], json!([true, false]));
    assert_eq!(set[3], false);
    hears(&node, "program/b", "fired", 1).await;
    // Another actor's number says nothing.
    let other = json!([["messaging.cancel_timer", set[0]]]);
    assert_eq!(values(&node, "program/b", other).await, [false]);
    // A turn that fails has cancelled nothing.
    let failing = json!([["messaging.cancel_timer", set[0]], ["fail", "as asked"]]);
    let failed = run(&node, "program/a", failing).await;
    failed.expect_err("the turn fails");
    let cancel = json!([
        ["messaging.cancel_timer", set[0]],
        ["messaging.cancel_timer", set[0]],
        ["messaging.cancel_timer", set[1]],
    ]);
    assert_eq!(
        values(&node, "program/a", cancel).await,
        [true, false, false]
    );
    assert_eq!(left(&node).await, (0, 0));
    assert_eq!(heard(&node, "program/b", "no").await, 0);
}

/// Cancelling at the very moment when it fires: either it is cancelled, or it has fired, and whoever cancels is told which.
#[tokio::test(flavor = "multi_thread")]
async fn a_timer_is_cancelled_or_fires_and_never_both() {
    let node = program_node().await;
    let (mut fires, mut cancelled) = (Vec::new(), 0);
    for round in 0..120_u64 {
        let text = format!("{round:03}");
        let set = ["messaging.send_after", "program/b", "run"];
        let calls = json!([[set[0], set[1], set[2], write(&text), round % 4 / 3]]);
        let timer = values(&node, "program/a", calls).await.remove(0);
        let cancel = json!([["messaging.cancel_timer", timer]]);
        match values(&node, "program/a", cancel).await[0] == true {
            true => cancelled += 1,
            false => fires.push(text),
        }
    }
    eventually("all others have fired", async || {
        left(&node).await == (0, 0)
    })
    .await;
    node.quiet().await;
    assert_eq!(written(&node).await, fires);
    println!("{cancelled} of 120 were cancelled");
}

/// A turn may take its time: what it sets counts from its commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_delay_counts_from_the_commit() {
    let node = program_node().await;
    values(&node, "program/a", json!([["note", "warm"]])).await;
    let calls = json!([
        ["messaging.set_reminder", "r", "t", "", 3_600_000, 0],
        ["repeat", 30_000, ["keyvalue.get", "k"]],
    ]);
    let before = wall_ms();
    values(&node, "program/a", calls).await;
    let took = wall_ms() - before;
    assert!(took > 20, "the turn took {took} ms only: it shows nothing");
    let set = due_ms(&node).await - 3_600_000;
    assert!(set - before > took / 2, "{} of {took} ms", set - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_sets_nothing() {
    let node = program_node().await;
    for end in [json!(["fail", "as asked"]), json!(["trap"])] {
        let calls = json!([
            ["messaging.send_after", "program/b", "no", "", 0],
            ["messaging.set_reminder", "r", "no", "", 0, 10],
            end
        ]);
        let failed = run(&node, "program/a", calls).await;
        failed.expect_err("the turn fails");
        assert_eq!(left(&node).await, (0, 0));
    }
    let calls = json!([["messaging.send_after", "program/b", "yes", "", 20]]);
    values(&node, "program/a", calls).await;
    hears(&node, "program/b", "yes", 1).await;
    assert_eq!(node.heard("program/b").await, ["", "yes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_that_are_due_at_once_all_fire_once() {
    let node = program_node().await;
    for half in ["a", "b"] {
        let text = write(&format!("{half}%"));
        let set = ["messaging.send_after", "program/b", "run"];
        let call = json!([set[0], set[1], set[2], text, 1_500]);
        values(&node, "program/a", json!([["repeat", 5_000, call]])).await;
    }
    eventually("all have fired", async || left(&node).await == (0, 0)).await;
    node.quiet().await;
    let mut written = written(&node).await;
    assert_eq!(written.len(), 10_000);
    written.dedup();
    assert_eq!(written.len(), 10_000, "some came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_has_a_bound_on_its_timers() {
    let node = program_node().await;
    let set = json!(["messaging.send_after", "program/b", "no", "", 3_600_000]);
    let half = json!([["repeat", 4_999, set]]);
    values(&node, "program/a", half.clone()).await;
    values(&node, "program/a", half).await;
    let calls = json!([
        ["messaging.set_reminder", "r", "no", "", 3_600_000, 0],
        set,
        set,
        // One that replaces itself is none more.
        ["messaging.set_reminder", "r", "no", "", 3_600_000, 0],
    ]);
    let results = run(&node, "program/a", calls).await.expect("the turn ends");
    assert_eq!(results[2]["error"]["code"], "ErrorCode::ResourceExhausted");
    assert!(results[3].get("ok").is_some());
    assert_eq!(
        refused(&node, "program/a", set.clone()).await,
        "ResourceExhausted"
    );
    let calls = json!([["messaging.cancel_reminder", "r"], set]);
    values(&node, "program/a", calls).await;
    assert_eq!(
        refused(&node, "program/a", set.clone()).await,
        "ResourceExhausted"
    );
    // Another actor has its own bound.
    values(&node, "program/b", json!([set])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_mailbox_has_no_room_for_stays_due_and_keeps_its_order() {
    let node = Machine::new().await;
    deploy(&node, "program", "").await;
    let config = "[actors.small.limits]\nmailbox_messages = 4\n";
    deploy_as(&node, "small", guest("program"), config).await;
    let wait = json!([["tuplespace.take_blocking", ["go"], 60_000]]);
    support::tell(&node, "small/b", "run", &wait.to_string()).await;
    support::stands_in_a_wait(&node, "small/b").await;
    let set = json!(["messaging.send_after", "small/b", "t%", "", 0]);
    let other = json!(["messaging.send_after", "program/b", "passes", "", 5]);
    values(&node, "program/a", json!([["repeat", 10, set], other])).await;
    // Others pass by.
    hears(&node, "program/b", "passes", 1).await;
    eventually("the mailbox is full", async || {
        node.rows_of(Kind::Mailbox).await == 5 && left(&node).await == (6, 6)
    })
    .await;
    let go = json!([["tuplespace.write", ["go"]]]);
    values(&node, "program/a", go).await;
    eventually("all have fired", async || left(&node).await == (0, 0)).await;
    node.quiet().await;
    let mut expected = vec![String::new(), "run".to_owned()];
    expected.extend((0..10).map(|n| format!("t{n}")));
    assert_eq!(node.heard("small/b").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_waits_until_its_receivers_type_is_deployed_again() {
    let node = program_node().await;
    deploy_as(&node, "other", guest("program"), "").await;
    let calls = json!([
        ["messaging.send_after", "other/b", "run", write("1"), 100],
        [
            "messaging.send_after",
            "other/b",
            "run",
            write("2"),
            3_600_000
        ],
        ["messaging.send_after", "program/a", "after", "", 150],
    ]);
    let set = values(&node, "program/a", calls).await;
    node.undeploy("other-app").await.expect("undeployed");
    hears(&node, "program/a", "after", 1).await;
    assert_eq!(left(&node).await, (2, 2));
    let node = node.crash(1).await;
    assert_eq!(left(&node).await, (2, 2));
    deploy_as(&node, "other", guest("program"), "").await;
    eventually("it fires", async || written(&node).await == ["1"]).await;
    // The other one was not due, and can be cancelled.
    let cancel = json!([["messaging.cancel_timer", set[1]]]);
    assert_eq!(values(&node, "program/a", cancel).await, [true]);
    assert_eq!(left(&node).await, (0, 0));
}

/// A timer belongs to the actor's id, not to an instance.
#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_actors_timer_survives_it() {
    let node = program_node().await;
    let config = "[actors.brief]\ndurable = false\n";
    deploy_as(&node, "brief", guest("program"), config).await;
    let calls = json!([
        [
            "messaging.send_after",
            "brief/a",
            "run",
            write("timer"),
            300
        ],
        [
            "messaging.set_reminder",
            "r",
            "run",
            write("reminder"),
            300,
            0
        ],
        ["messaging.send_after_cancelled", "brief/a", "no", 300],
    ]);
    values(&node, "brief/a", calls).await;
    // Its reply does not wait for the disk: a later one of a durable actor covers it.
    values(&node, "program/a", json!([["note", "x"]])).await;
    let node = node.crash(9).await;
    eventually("both fire", async || {
        written(&node).await == ["reminder", "timer"]
    })
    .await;
    node.quiet().await;
    assert_eq!(left(&node).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let huge = "x".repeat(513);
    let (too_long, payload) = (315_360_000_001_u64, "x".repeat(101));
    let config = "[actors.small.limits]\nmessage_bytes = 100\n";
    deploy_as(&node, "small", guest("program"), config).await;
    for (call, expected) in [
        (
            json!(["messaging.send_after", "program/b", "t", "", too_long]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.send_after", "program/b", "t", "", u64::MAX]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.send_after", "", "t", "", 1]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.send_after", "program/b", "$t", "", 1]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.send_after", "nobody", "t", "", 1]),
            "NotFound",
        ),
        (
            json!(["messaging.send_after", "small/b", "t", payload, 1]),
            "ResourceExhausted",
        ),
        (
            json!(["messaging.set_reminder", "", "t", "", 1, 0]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.set_reminder", huge, "t", "", 1, 0]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.set_reminder", "r", "t", "", 1, 9]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.set_reminder", "r", "t", "", 1, u64::MAX]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.set_reminder", "r", "t", "", u64::MAX, 10]),
            "InvalidArgument",
        ),
        (json!(["messaging.cancel_reminder", ""]), "InvalidArgument"),
        (
            json!(["messaging.list_reminders", null, 0]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.list_reminders", null, 1_001]),
            "InvalidArgument",
        ),
        (
            json!(["messaging.list_reminders", "", 1]),
            "InvalidArgument",
        ),
    ] {
        let shown: String = call.to_string().chars().take(80).collect();
        assert_eq!(refused(&node, "program/a", call).await, expected, "{shown}");
    }
    assert_eq!(left(&node).await, (0, 0));
    // Nobody would take it.
    deploy(&node, "calculator_rust", "").await;
    let call = json!(["messaging.send_after", "calculator_rust/x", "t", "", 1]);
    assert_eq!(
        refused(&node, "program/a", call).await,
        "FailedPrecondition"
    );
}
