//! Queues, from guest code: who gets which message, when, and how often.

mod support;

use plexspaces_node::Node;
use plexspaces_store::key::Kind;
use plexspaces_store::testing::Lossy;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{
    Gate, Machine, ask_with, deploy, eventually, keyed, program_node, refused, run,
    stands_in_a_wait, value, values, values_later,
};
use tokio::task::JoinSet;

/// As the seeds have it: nothing is created first.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_there_when_it_is_used() {
    let node = program_node().await;
    let calls = json!([
        ["channels.queue_depth", "q"],
        ["channels.receive_from_queue", "q", 0],
        ["repeat", 3, ["channels.send_to_queue", "q", "m%"]],
        ["channels.queue_depth", "q"],
        ["channels.receive_from_queue", "q", 0],
        ["channels.create_queue", "q"],
    ]);
    let expected = json!([0, null, null, 3, "m0", null]);
    assert_eq!(
        Json::Array(values(&node, "program/a", calls).await),
        expected
    );
    let node = node.crash(1).await;
    let calls = json!([
        ["channels.queue_depth", "q"],
        ["channels.receive_from_queue", "q", 0],
        ["channels.receive_from_queue", "q", 0],
        ["channels.receive_from_queue", "q", 0],
        ["channels.queue_depth", "q"],
    ]);
    let expected = json!([2, "m1", "m2", null, 0]);
    assert_eq!(
        Json::Array(values(&node, "program/b", calls).await),
        expected
    );
    assert_eq!(node.rows_of(Kind::QueueMessage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_sends_nothing_and_gives_back_what_it_received() {
    let node = program_node().await;
    let options = json!(["channels.create_queue_with", "q", 2]);
    values(
        &node,
        "program/a",
        json!([options, ["channels.send_to_queue", "q", "1"]]),
    )
    .await;
    for end in [json!(["fail", "as asked"]), json!(["trap"])] {
        let calls = json!([
            ["channels.send_to_queue", "q", "2"],
            ["channels.receive_from_queue", "q", 0],
            ["channels.receive_leased", "q", null, 0],
            end
        ]);
        let failed = run(&node, "program/a", calls).await;
        failed.expect_err("the turn fails");
        // The room is given back as well.
        let calls = json!([
            ["channels.queue_depth", "q"],
            ["channels.send_to_queue", "q", "2"],
            ["channels.receive_from_queue", "q", 0],
        ]);
        let got = values(&node, "program/b", calls).await;
        assert_eq!(got, [json!(1), Json::Null, json!("1")]);
        let calls = json!([
            ["channels.receive_from_queue", "q", 0],
            ["channels.send_to_queue", "q", "1"]
        ]);
        assert_eq!(values(&node, "program/b", calls).await[0], "2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_receivers_are_served_in_order_and_before_newcomers() {
    let node = program_node().await;
    let mut waiting = Vec::new();
    for n in 0..4 {
        let actor = format!("program/{n}");
        let call = if n % 2 == 0 {
            json!([["channels.receive_from_queue", "q", 20_000]])
        } else {
            json!([
                ["channels.receive_leased", "q", null, 20_000],
                ["channels.ack", "#"]
            ])
        };
        waiting.push(values_later(&node, &actor, call));
        stands_in_a_wait(&node, &actor).await;
    }
    let calls = json!([["repeat", 4, ["channels.send_to_queue", "q", "%"]]]);
    values(&node, "program/sender", calls).await;
    for (n, got) in waiting.into_iter().enumerate() {
        let got = got.await.expect("no panic").remove(0);
        let payload = got.get("payload").unwrap_or(&got);
        assert_eq!(*payload, n.to_string());
    }
    eventually("nothing is left", async || {
        value(&node, "program/x", json!(["channels.queue_depth", "q"])).await == 0
    })
    .await;
    let waited = value(
        &node,
        "program/x",
        json!(["channels.receive_from_queue", "q", 30]),
    );
    assert_eq!(waited.await, Json::Null, "a wait ends with its time");
    assert!(node.rows(Kind::Wait).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_comes_back_when_its_lease_ends() {
    let node = program_node().await;
    let calls = json!([
        ["channels.send_to_queue", "q", "m"],
        ["channels.receive_leased", "q", 60, 0],
        ["channels.receive_leased", "q", 60, 0],
    ]);
    let got = values(&node, "program/slow", calls).await;
    let first = &got[1];
    assert_eq!(
        (&first["payload"], &first["deliveries"]),
        (&json!("m"), &json!(1))
    );
    assert_eq!(got[2], Json::Null, "it is hidden");
    // This one waits, and is woken by no commit but by the end of the lease.
    let leased = json!(["channels.receive_leased", "q", 60_000, 20_000]);
    let second = value(&node, "program/other", leased).await;
    assert_eq!(
        (&second["payload"], &second["deliveries"]),
        (&json!("m"), &json!(2))
    );
    for call in ["ack", "nack", "extend_lease"] {
        let call = json!([format!("channels.{call}"), first["handle"], 1]);
        assert_eq!(
            refused(&node, "program/slow", call).await,
            "FailedPrecondition"
        );
    }
    // Handles are good in other actors.
    value(
        &node,
        "program/third",
        json!(["channels.ack", second["handle"]]),
    )
    .await;
    assert_eq!(node.rows_of(Kind::QueueMessage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_extended_and_survives_a_crash() {
    let node = program_node().await;
    let calls = json!([
        ["channels.send_to_queue", "q", "m"],
        ["channels.receive_leased", "q", 3_600_000, 0]
    ]);
    let message = values(&node, "program/a", calls).await.remove(1);
    let node = node.crash(1).await;
    let nothing = json!(["channels.receive_from_queue", "q", 0]);
    assert_eq!(value(&node, "program/b", nothing.clone()).await, Json::Null);
    // Made shorter, it ends; before that the handle of the last run was good.
    let shorter = json!(["channels.extend_lease", message["handle"], 40]);
    value(&node, "program/a", shorter).await;
    let waited = json!(["channels.receive_from_queue", "q", 20_000]);
    assert_eq!(value(&node, "program/b", waited).await, "m");
    let late = json!(["channels.ack", message["handle"]]);
    assert_eq!(
        refused(&node, "program/a", late).await,
        "FailedPrecondition"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_fails_too_often_is_a_dead_letter() {
    let node = program_node().await;
    let calls = json!([
        ["channels.create_queue_with", "own", null, 2],
        ["channels.create_queue_with", "named", null, 1, "morgue"],
        ["channels.send_to_queue", "own", "o"],
        ["channels.send_to_queue", "named", "n"],
        ["channels.receive_leased", "own", null, 0],
        ["channels.nack", "#", 0],
        ["channels.receive_leased", "own", null, 0],
        ["channels.nack", "#", 0],
        ["channels.receive_from_queue", "own", 0],
        ["channels.receive_from_queue", "own/dead", 0],
    ]);
    let got = values(&node, "program/a", calls).await;
    assert_eq!(
        (&got[4]["deliveries"], &got[6]["deliveries"]),
        (&json!(1), &json!(2))
    );
    assert_eq!((&got[8], &got[9]), (&Json::Null, &json!("o")));
    // Nobody receives from it any more, and yet it moves when its last lease ends; who waits for dead letters gets it.
    let dead = values_later(
        &node,
        "program/undertaker",
        json!([["channels.receive_from_queue", "morgue", 20_000]]),
    );
    stands_in_a_wait(&node, "program/undertaker").await;
    let leased = json!(["channels.receive_leased", "named", 30, 0]);
    assert_eq!(value(&node, "program/a", leased).await["payload"], "n");
    assert_eq!(dead.await.expect("no panic"), ["n"]);
    let depth = json!([
        ["channels.queue_depth", "named"],
        ["channels.queue_depth", "morgue"]
    ]);
    assert_eq!(values(&node, "program/a", depth).await, [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_message_comes_later() {
    let node = program_node().await;
    let calls = json!([
        ["channels.send_to_queue_with", "q", "late", 80],
        ["channels.send_to_queue", "q", "now"],
        ["channels.queue_depth", "q"],
        ["channels.receive_from_queue", "q", 0],
        ["channels.receive_from_queue", "q", 0],
    ]);
    let got = values(&node, "program/a", calls).await;
    assert_eq!(got[2..], [json!(2), json!("now"), Json::Null]);
    let began = std::time::Instant::now();
    let waited = json!(["channels.receive_from_queue", "q", 20_000]);
    assert_eq!(value(&node, "program/b", waited).await, "late");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "woken by the delay's end"
    );
    // One that waits already learns of a delay that ends before its own time does.
    let waiting = values_later(
        &node,
        "program/c",
        json!([["channels.receive_from_queue", "q", 20_000]]),
    );
    stands_in_a_wait(&node, "program/c").await;
    let sent = json!(["channels.send_to_queue_with", "q", "later", 40]);
    value(&node, "program/a", sent).await;
    assert_eq!(waiting.await.expect("no panic"), ["later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_message_is_dropped() {
    let node = program_node().await;
    let calls = json!([
        [
            "channels.create_queue_with",
            "q",
            null,
            null,
            null,
            3_600_000
        ],
        ["channels.send_to_queue_with", "q", "short", 0, 30],
        ["channels.send_to_queue", "q", "long"],
        ["channels.send_to_queue_with", "q", "leased", 0, 50],
        ["channels.receive_from_queue", "q", 0],
        ["channels.receive_from_queue", "q", 0],
        ["channels.send_to_queue_with", "q", "gone", 0, 30],
        ["channels.receive_leased", "q", 3_600_000, 0],
    ]);
    let got = values(&node, "program/a", calls).await;
    assert_eq!(got[4..6], ["short", "long"]);
    assert_eq!(got[7]["payload"], "leased");
    eventually("what has expired is removed", async || {
        value(&node, "program/b", json!(["channels.queue_depth", "q"])).await == 1
    })
    .await;
    // The leased one is older than its time, and yet its work can end well.
    value(&node, "program/a", json!(["channels.ack", "#"])).await;
    assert_eq!(node.rows_of(Kind::QueueMessage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_has_no_more_messages_than_it_may() {
    let node = program_node().await;
    let calls = json!([
        ["channels.create_queue_with", "q", 3],
        ["repeat", 3, ["channels.send_to_queue", "q", "%"]],
    ]);
    values(&node, "program/a", calls).await;
    let more = json!(["channels.send_to_queue", "q", "x"]);
    assert_eq!(
        refused(&node, "program/b", more.clone()).await,
        "ResourceExhausted"
    );
    let received = json!(["channels.receive_leased", "q", null, 0]);
    value(&node, "program/a", received).await;
    assert_eq!(
        refused(&node, "program/b", more.clone()).await,
        "ResourceExhausted"
    );
    value(&node, "program/a", json!(["channels.ack", "#"])).await;
    value(&node, "program/b", more.clone()).await;
    // Many at once get exactly the room that is there.
    let received = json!([["repeat", 3, ["channels.receive_from_queue", "q", 0]]]);
    values(&node, "program/a", received).await;
    let mut sending = JoinSet::new();
    for actor in 0..12 {
        let (node, more) = (Node::clone(&node), more.clone());
        sending.spawn(async move {
            let sent = run(&node, &format!("program/{actor}"), json!([more])).await;
            u32::from(sent.expect("the turn ends")[0].get("ok").is_some())
        });
    }
    assert_eq!(sending.join_all().await.iter().sum::<u32>(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_made_once_and_deleted() {
    let node = program_node().await;
    let made = json!(["channels.create_queue_with", "q", 5]);
    let calls = json!([made, made, ["channels.create_queue", "q"]]);
    values(&node, "program/a", calls).await;
    let other = json!(["channels.create_queue_with", "q", 6]);
    assert_eq!(
        refused(&node, "program/a", other.clone()).await,
        "AlreadyExists"
    );
    let calls = json!([["repeat", 4, ["channels.send_to_queue", "q", "%"]]]);
    values(&node, "program/a", calls).await;
    let delete = json!(["channels.delete_queue", "q", false]);
    assert_eq!(
        refused(&node, "program/a", delete).await,
        "FailedPrecondition"
    );
    let calls = json!([
        ["channels.receive_leased", "q", null, 0],
        ["channels.delete_queue", "q", true],
        ["channels.queue_depth", "q"],
        ["channels.receive_from_queue", "q", 0],
    ]);
    let got = values(&node, "program/a", calls).await;
    assert_eq!(got[2..], [json!(0), Json::Null]);
    let lost = json!(["channels.ack", got[0]["handle"]]);
    assert_eq!(
        refused(&node, "program/a", lost).await,
        "FailedPrecondition"
    );
    eventually("its messages are removed", async || {
        node.rows_of(Kind::QueueMessage).await == 0
    })
    .await;
    let node = node.crash(1).await;
    let calls = json!([
        other,
        ["channels.send_to_queue", "q", "new"],
        ["channels.receive_from_queue", "q", 0]
    ]);
    assert_eq!(values(&node, "program/a", calls).await[2], "new");
}

/// One client's request, and the answers so far. A request is repeated under its key until it is answered.
#[derive(Clone)]
struct Client {
    actor: String,
    sends: bool,
    answered: Arc<Mutex<Vec<Json>>>,
}

impl Client {
    fn new(n: usize, sends: bool) -> Self {
        Client {
            actor: format!("program/{}{n}", if sends { "producer" } else { "consumer" }),
            sends,
            answered: Arc::default(),
        }
    }

    fn answers(&self) -> Vec<Json> {
        self.answered.lock().expect("no panic").clone()
    }

    /// The next request, or the one that was not answered.
    async fn one(&self, node: &Node) -> bool {
        let number = self.answers().len();
        let message = format!("{} {number}", self.actor);
        let call = if self.sends {
            json!([["channels.send_to_queue", "q", message], ["note", message]])
        } else {
            json!([
                ["channels.receive_from_queue", "q", 20],
                ["note", "received"]
            ])
        };
        let request = keyed(&message, "run", call.to_string());
        let Ok(reply) = ask_with(node, &self.actor, request).await else {
            return false;
        };
        let reply: Vec<Json> = serde_json::from_str(&reply).expect("a list");
        let answer = if self.sends {
            json!(message)
        } else {
            reply[0]["ok"].clone()
        };
        assert!(reply[0].get("ok").is_some(), "{reply:?}");
        self.answered.lock().expect("no panic").push(answer);
        true
    }
}

/// Producers and consumers go on while the power fails again and again: what was received is what was sent, each
/// message once.
#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_received_exactly_once_whatever_crashes() {
    const CRASHES: usize = 25;
    let mut random = StdRng::seed_from_u64(18);
    let mut machine = Machine::boot(Lossy::open(Duration::from_millis(2)), Gate::Kept).await;
    deploy(&machine, "program", "").await;
    value(&machine, "program/x", json!(["note", "durable"])).await;
    let clients: Vec<Client> = (0..6).map(|n| Client::new(n, n % 2 == 0)).collect();
    let mut lost = 0;
    for _ in 0..CRASHES {
        let mut working = JoinSet::new();
        for client in clients.clone() {
            let node = Node::clone(&machine);
            working.spawn(async move { while client.one(&node).await {} });
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(2..60))).await;
        // They hear nothing of what is not on the disk; their turns go on until the power fails.
        working.shutdown().await;
        machine = machine.crash(random.random()).await;
        lost += machine.lost;
    }
    // What was not answered may have happened.
    for client in &clients {
        assert!(client.one(&machine).await, "{}", client.actor);
    }
    let mut rest = Vec::new();
    while rest.last() != Some(&Json::Null) {
        let call = json!(["channels.receive_from_queue", "q", 0]);
        rest.extend(values(&machine, "program/last", Json::Array(vec![call; 50])).await);
    }
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    let producers = clients.iter().filter(|client| client.sends);
    for message in producers.flat_map(Client::answers) {
        *sent.entry(message.to_string()).or_default() += 1;
    }
    let mut received: BTreeMap<String, u32> = BTreeMap::new();
    let consumers = clients.iter().filter(|client| !client.sends);
    for message in consumers.flat_map(Client::answers).chain(rest) {
        if !message.is_null() {
            *received.entry(message.to_string()).or_default() += 1;
        }
    }
    println!(
        "{} messages, {lost} commits lost in {CRASHES} crashes",
        sent.len()
    );
    assert!(
        sent.len() > CRASHES && lost > 0,
        "{} messages, {lost} commits lost",
        sent.len()
    );
    assert_eq!(received, sent);
    assert!(received.values().all(|times| *times == 1));
    let depth = json!(["channels.queue_depth", "q"]);
    assert_eq!(value(&machine, "program/x", depth).await, 0);
    assert_eq!(machine.rows_of(Kind::QueueMessage).await, 0);
}

/// A hundred thousand messages, in order and without loss, many per turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_keeps_its_order() {
    const TURNS: usize = 100;
    const EACH: usize = 1_000;
    let node = program_node().await;
    let receive = json!(["channels.receive_from_queue", "q", 0]);
    for turn in 0..TURNS {
        let send = json!(["channels.send_to_queue", "q", format!("{turn}/%")]);
        values(&node, "program/sender", json!([["repeat", EACH, send]])).await;
    }
    let depth = json!(["channels.queue_depth", "q"]);
    assert_eq!(value(&node, "program/x", depth.clone()).await, TURNS * EACH);
    for turn in 0..TURNS {
        // The first and the last of a turn's messages, and all others between them.
        let calls = json!([receive, ["repeat", EACH - 1, receive]]);
        let got = values(&node, "program/receiver", calls).await;
        let expected = [
            json!(format!("{turn}/0")),
            json!(format!("{turn}/{}", EACH - 1)),
        ];
        assert_eq!(got, expected);
    }
    assert_eq!(value(&node, "program/x", receive).await, Json::Null);
    assert_eq!(value(&node, "program/x", depth).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_value() {
    let node = program_node().await;
    let huge = "x".repeat(513);
    let day = 24 * 60 * 60 * 1_000u64;
    let century = 100 * 365 * day;
    let mut calls = Vec::new();
    for name in ["", huge.as_str()] {
        calls.extend([
            json!(["channels.create_queue", name]),
            json!(["channels.create_queue_with", name]),
            json!(["channels.delete_queue", name, true]),
            json!(["channels.send_to_queue", name, "m"]),
            json!(["channels.send_to_queue_with", name, "m", 1]),
            json!(["channels.receive_from_queue", name, 0]),
            json!(["channels.receive_from_queue", name, 10]),
            json!(["channels.receive_leased", name, null, 0]),
            json!(["channels.queue_depth", name]),
            json!(["channels.create_queue_with", "q", 1, 1, name]),
            json!(["channels.ack", format!("0-1-1-{name}")]),
        ]);
    }
    for handle in [
        "",
        "q",
        "0-1-1",
        "0-1-x-q",
        "0-1-0-q",
        "10000000000000000-1-1-q",
        "-1-1-1-q",
    ] {
        calls.push(json!(["channels.ack", handle]));
        calls.push(json!(["channels.nack", handle, 0]));
        calls.push(json!(["channels.extend_lease", handle, 1]));
    }
    calls.extend([
        json!(["channels.create_queue_with", "q", 0]),
        json!(["channels.create_queue_with", "q", 1, 0]),
        json!(["channels.create_queue_with", "q", 1, null, "dead"]),
        json!(["channels.create_queue_with", "q", 1, 1, "q"]),
        json!(["channels.create_queue_with", "q".repeat(510), 1, 1]),
        json!(["channels.create_queue_with", "q", 1, null, null, 0]),
        json!([
            "channels.create_queue_with",
            "q",
            1,
            null,
            null,
            century + 1
        ]),
        json!(["channels.create_queue_with", "q", 1, null, null, null, 0]),
        json!([
            "channels.create_queue_with",
            "q",
            1,
            null,
            null,
            null,
            day + 1
        ]),
        json!(["channels.send_to_queue_with", "q", "m", century + 1]),
        json!(["channels.send_to_queue_with", "q", "m", u64::MAX]),
        json!(["channels.send_to_queue_with", "q", "m", 0, 0]),
        json!(["channels.send_to_queue_with", "q", "m", 0, u64::MAX]),
        json!(["channels.send_to_queue_with", "q", "m", 10, 10]),
        json!(["channels.receive_leased", "q", 0, 0]),
        json!(["channels.receive_leased", "q", day + 1, 0]),
        json!(["channels.receive_leased", "q", u64::MAX, 5]),
    ]);
    for call in calls {
        assert_eq!(refused(&node, "program/a", call).await, "InvalidArgument");
    }
    for call in ["ack", "nack", "extend_lease"] {
        let unknown = json!([format!("channels.{call}"), "0-1-1-unknown", 1]);
        assert_eq!(
            refused(&node, "program/a", unknown).await,
            "FailedPrecondition"
        );
    }
    let foreign = json!(["channels.queue_depth_of", "other", "default", "q"]);
    assert_eq!(
        refused(&node, "program/a", foreign).await,
        "PermissionDenied"
    );
    // Nothing of all that has left anything behind.
    let depth = json!(["channels.queue_depth", "q"]);
    assert_eq!(value(&node, "program/a", depth).await, 0);
    assert_eq!(node.rows_of(Kind::Queue).await, 0);
}
