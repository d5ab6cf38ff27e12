//! What actors do to themselves and to each other, and that a replay after SIGKILL finds all of it again.

mod support;

use support::{Home, Node, eventually, guest};

async fn node(home: &Home) -> Node {
    let node = home.start();
    node.deploy("counter", &guest("counter")).await;
    node
}

/// SIGKILL, and a new process on the same data.
fn again(home: &Home, node: Node) -> Node {
    node.kill();
    home.start()
}

async fn count(node: &Node, actor: &str) -> i64 {
    node.ask(actor, "get", "").await.number()
}

#[tokio::test]
async fn a_failed_turn_leaves_nothing() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/f", "add", "3").await.ok();
    let answer = node.ask("counter/f", "fail_after_add", "10").await;
    let detail = answer.refused(412, "PS3001");
    assert!(detail.contains("failed after the add"), "{detail}");
    assert_eq!(count(&node, "counter/f").await, 3);
    assert_eq!(node.ask("counter/f", "tuples", "lost").await.reply(), "0");
    assert_eq!(node.ask("counter/f", "add", "1").await.reply(), "4");
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/f").await, 4);
    assert_eq!(node.ask("counter/f", "tuples", "lost").await.reply(), "0");
}

#[tokio::test]
async fn a_failed_first_turn_leaves_a_new_actor() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/first", "fail_after_add", "10")
        .await
        .refused(412, "PS3001");
    assert_eq!(count(&node, "counter/first").await, 0);
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/first").await, 0);
}

#[tokio::test]
async fn actors_ask_each_other() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/b", "add", "10").await.ok();
    assert_eq!(
        node.ask("counter/a", "ask", "counter/b get").await.reply(),
        "10"
    );
    assert_eq!(
        node.ask("counter/a", "add_ask", "5 counter/b add 1")
            .await
            .reply(),
        "11"
    );
    assert_eq!(count(&node, "counter/a").await, 5);
    // The one asked goes on, so a second run of a's turns would hear something else.
    assert_eq!(node.ask("counter/b", "add", "100").await.reply(), "111");
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/a").await, 5);
    assert_eq!(count(&node, "counter/b").await, 111);
}

#[tokio::test]
async fn an_error_of_the_one_asked_is_the_askers_result() {
    let home = Home::new();
    let node = node(&home).await;
    let detail = node
        .ask("counter/a", "ask", "counter/b fail_after_add 1")
        .await
        .refused(412, "PS3001");
    assert!(detail.contains("failed after the add"), "{detail}");
    assert_eq!(count(&node, "counter/b").await, 0);
    node.ask("counter/a", "ask", "nobody get")
        .await
        .refused(404, "PS1002");
    node.ask("counter/a", "ask", "counter/a get")
        .await
        .refused(412, "PS1011");
    assert_eq!(count(&node, "counter/a").await, 0);
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/a").await, 0);
}

#[tokio::test]
async fn two_that_ask_each_other_time_out_and_go_on() {
    let home = Home::new();
    let node = node(&home).await;
    // a asks b, which asks a: a is in its turn.
    let answer = node
        .ask("counter/a", "ask", "counter/b ask counter/a get")
        .await;
    assert!(answer.status >= 400, "{}", answer.text());
    assert_eq!(count(&node, "counter/a").await, 0);
    assert_eq!(count(&node, "counter/b").await, 0);
}

#[tokio::test]
async fn a_send_arrives_once() {
    let home = Home::new();
    let node = node(&home).await;
    for _ in 0..20 {
        assert_eq!(
            node.ask("counter/a", "send", "counter/b add 2")
                .await
                .reply(),
            "sent"
        );
    }
    let node = again(&home, node);
    let api = node.api();
    eventually("forty on the other side", || {
        let api = api.clone();
        async move { (api.ask("counter/b", "get", "").await.number() == 40).then_some(()) }
    })
    .await;
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/b").await, 40);
}

#[tokio::test]
async fn a_spawned_actor_starts_with_its_arguments() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/parent", "add", "7").await.ok();
    assert_eq!(
        node.ask("counter/parent", "spawn", "child").await.reply(),
        "counter/child"
    );
    let unnamed = node.ask("counter/parent", "spawn", "").await.reply();
    assert_eq!(count(&node, "counter/child").await, 7);
    assert_eq!(count(&node, &unnamed).await, 7);
    assert_eq!(
        node.ask("counter/child", "self", "").await.reply(),
        "counter/child"
    );
    node.ask("counter/parent", "spawn", "child")
        .await
        .refused(409, "PS1014");
    assert_eq!(node.ask("counter/child", "add", "1").await.reply(), "8");
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/child").await, 8);
    assert_eq!(count(&node, &unnamed).await, 7);
    assert_eq!(count(&node, "counter/parent").await, 7);
}

#[tokio::test]
async fn a_stopped_actor_answers_first_and_keeps_its_state() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/s", "add", "9").await.ok();
    assert_eq!(node.ask("counter/s", "stop", "").await.reply(), "stopping");
    assert_eq!(
        count(&node, "counter/s").await,
        9,
        "the next message makes it active again"
    );
    let log = std::fs::read_to_string(home.log()).expect("a log");
    assert_eq!(
        log.matches("stopping at 9: asked to").count(),
        1,
        "terminate is called, once: {log}"
    );
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/s").await, 9);
}

#[tokio::test]
async fn two_hundred_turns_cross_their_checkpoints() {
    let home = Home::new();
    let mut node = node(&home).await;
    for n in 1..=200 {
        assert_eq!(node.ask("counter/c", "add", "1").await.number(), n);
        if n % 60 == 0 {
            node = again(&home, node);
        }
    }
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/c").await, 200);
}

#[tokio::test]
async fn a_checkpoint_that_the_actor_asks_for_holds() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/k", "add", "4").await.ok();
    let before = node.ask("counter/k", "checkpoint", "").await.number();
    node.ask("counter/k", "add", "4").await.ok();
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/k").await, 8);
    let after = node.ask("counter/k", "sequence", "").await.reply();
    let (number, replaying) = after.split_once(' ').expect("two words");
    assert!(
        number.parse::<i64>().is_ok_and(|number| number > before),
        "{before}, then {after}"
    );
    assert_eq!(replaying, "false", "a turn of its own is no replay");
}

#[tokio::test]
async fn a_replay_that_differs_stops_that_actor_only() {
    let home = Home::new();
    let node = node(&home).await;
    node.ask("counter/other", "add", "1").await.ok();
    node.ask("counter/liar", "add", "1").await.ok();
    // The reply says whether it is a replay, which no reply may depend on.
    assert!(
        node.ask("counter/liar", "sequence", "")
            .await
            .reply()
            .ends_with("false")
    );
    let mut node = node;
    for _ in 0..2 {
        node = again(&home, node);
        for _ in 0..2 {
            let detail = node
                .ask("counter/liar", "get", "")
                .await
                .refused(412, "PS4001");
            for part in ["counter/liar", "false", "true"] {
                assert!(detail.contains(part), "{part:?} is missing in {detail:?}");
            }
        }
        assert_eq!(count(&node, "counter/other").await, 1);
    }
}

#[tokio::test]
async fn a_checkpoint_at_every_turn_gives_the_same() {
    let home = Home::new();
    let node = home.start();
    node.deploy_with(
        "counter",
        &guest("counter"),
        "[actors.counter]\ncheckpoint_turns = 1\n",
    )
    .await;
    for n in 1..=10 {
        assert_eq!(node.ask("counter/e", "add", "1").await.number(), n);
    }
    node.ask("counter/e", "fail_after_add", "1")
        .await
        .refused(412, "PS3001");
    assert_eq!(count(&node, "counter/e").await, 10);
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/e").await, 10);
}

#[tokio::test]
async fn an_idle_actor_comes_back_as_it_was() {
    let home = Home::new();
    let node = home.start();
    node.deploy_with(
        "counter",
        &guest("counter"),
        "[actors.counter]\nidle_ms = 1\n",
    )
    .await;
    for n in 1..=20 {
        assert_eq!(node.ask("counter/i", "add", "1").await.number(), n);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_ephemeral_actor_forgets() {
    let home = Home::new();
    let node = home.start();
    node.deploy_with(
        "counter",
        &guest("counter"),
        "[actors.counter]\ndurable = false\n",
    )
    .await;
    assert_eq!(node.ask("counter/e", "add", "3").await.reply(), "3");
    assert_eq!(count(&node, "counter/e").await, 3);
    let node = again(&home, node);
    assert_eq!(count(&node, "counter/e").await, 0);
}

#[tokio::test]
async fn time_and_chance_replay_as_they_were() {
    let home = Home::new();
    let node = home.start();
    node.deploy("misbehave", &guest("misbehave")).await;
    let mut before = Vec::new();
    for _ in 0..5 {
        before.push(node.ask("misbehave/r", "random", "16").await.ok().body);
    }
    let now = node.ask("misbehave/r", "now", "").await.number();
    let monotonic = node.ask("misbehave/r", "monotonic", "").await.number();
    let node = again(&home, node);
    let next = node.ask("misbehave/r", "random", "16").await.ok().body;
    assert!(
        before
            .iter()
            .all(|bytes| bytes.len() == 16 && *bytes != next),
        "chance repeats itself"
    );
    before.dedup();
    assert_eq!(before.len(), 5);
    assert!(node.ask("misbehave/r", "now", "").await.number() >= now);
    assert!(node.ask("misbehave/r", "monotonic", "").await.number() >= monotonic);
}

#[tokio::test]
async fn a_state_machine_keeps_its_state_and_its_data() {
    let home = Home::new();
    let node = home.start();
    node.deploy("fsm", &guest("fsm")).await;
    for (message, reply) in [
        ("state", ""),
        ("push", "closed"),
        ("coin", "thanks"),
        ("state", "open"),
        ("push", "go"),
        ("state", "locked"),
        ("passed", "1"),
        ("coin", "thanks"),
    ] {
        assert_eq!(
            node.ask("fsm/gate", message, "").await.reply(),
            reply,
            "{message}"
        );
    }
    node.ask("fsm/gate", "kick", "")
        .await
        .refused(412, "PS3001");
    let node = again(&home, node);
    for (message, reply) in [
        ("state", "open"),
        ("passed", "1"),
        ("push", "go"),
        ("passed", "2"),
        ("state", "locked"),
    ] {
        assert_eq!(
            node.ask("fsm/gate", message, "").await.reply(),
            reply,
            "{message}"
        );
    }
    assert_eq!(node.tell("fsm/gate", "coin", "").await.ok().status, 202);
    assert_eq!(node.ask("fsm/gate", "state", "").await.reply(), "open");
}

#[tokio::test]
async fn an_ask_without_a_handler_says_what_would_take_it() {
    let home = Home::new();
    let node = home.start();
    node.deploy("event", &guest("event")).await;
    let detail = node
        .ask("event/e", "hello", "x")
        .await
        .refused(412, "PS1010");
    assert!(detail.contains("gen-server"), "{detail}");
    for message in ["hello", "fail", "panic", "hello"] {
        assert_eq!(node.tell("event/e", message, "x").await.ok().status, 202);
    }
    let node = again(&home, node);
    node.ask("event/e", "hello", "x")
        .await
        .refused(412, "PS1010");
    assert_eq!(node.tell("event/e", "hello", "x").await.ok().status, 202);
}

#[tokio::test]
async fn many_actors_at_once_survive_together() {
    let home = Home::new();
    let node = node(&home).await;
    for round in 1..=3 {
        let mut asks = tokio::task::JoinSet::new();
        for n in 0..100 {
            let api = node.api();
            asks.spawn(async move {
                api.ask(&format!("counter/m{n}"), "add", n.to_string())
                    .await
                    .number()
                    == round * n
            });
        }
        assert!(asks.join_all().await.into_iter().all(|right| right));
    }
    let node = again(&home, node);
    for n in 0..100 {
        assert_eq!(count(&node, &format!("counter/m{n}")).await, 3 * n);
    }
}
