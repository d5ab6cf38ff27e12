//! Queues against a model, and the rules that one turn at a time cannot show.

use super::*;
use crate::records::LeasedMessage;
use crate::{Bounds, Coordination};
use plexspaces_store::{Memory, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Place {
    store: Arc<dyn Store>,
    coordination: Arc<Coordination>,
    scope: Scope,
    now: u64,
    ticket: u64,
}

impl Place {
    fn new() -> Self {
        Place {
            store: Arc::new(Memory::open()),
            coordination: Arc::default(),
            scope: Scope::new("t", "n").expect("valid"),
            now: 1_000,
            ticket: 0,
        }
    }

    fn begin(&self) -> Transaction {
        let bounds = Bounds {
            effects: 1_000_000,
            batch_bytes: 64 << 20,
            reads_hold: true,
        };
        Transaction::new(self.store.clone(), self.coordination.clone(), bounds)
    }

    async fn commit(&self, transaction: Transaction) {
        let (batch, held) = transaction.finish();
        self.store.commit(batch).await.expect("no conflict");
        held.committed();
    }

    async fn send(&mut self, t: &mut Transaction, text: &str, options: SendOptions) -> Result<()> {
        self.ticket += 1;
        let (scope, now) = (self.scope.clone(), Millis(self.now));
        let payload = Bytes::copy_from_slice(text.as_bytes());
        send(t, &scope, "q", payload, options, self.ticket, now).await
    }

    async fn receive(&self, t: &mut Transaction) -> Option<String> {
        let now = Millis(self.now);
        match receive(t, &self.scope, "q", now).await.expect("received") {
            Received::Message(payload) => Some(String::from_utf8(payload.into()).expect("text")),
            Received::Nothing { .. } => None,
        }
    }

    async fn lease(&mut self, t: &mut Transaction, lease_ms: u64) -> Option<LeasedMessage> {
        self.ticket += 1;
        let (now, token) = (Millis(self.now), self.ticket);
        let got = receive_leased(t, &self.scope, "q", Some(lease_ms), token, now).await;
        match got.expect("received") {
            Received::Message(message) => Some(message),
            Received::Nothing { .. } => None,
        }
    }

    async fn depth_of(&self, name: &str) -> u64 {
        let depth = depth(&mut self.begin(), &self.scope, name).await;
        depth.expect("counted")
    }

    /// As the node does it, until nothing is due.
    async fn sweep(&self) {
        loop {
            let found = expiry::sweep(self.store.snapshot().as_ref(), Millis(self.now), 100).await;
            let found = found.expect("swept");
            let (any, mut t) = (!found.queued.is_empty(), self.begin());
            let left = sweep(&mut t, found.queued, Millis(self.now)).await;
            self.store.commit(found.batch).await.expect("committed");
            self.commit(t).await;
            if !left.expect("swept") && !any {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_turn_that_fails_gives_its_message_back() {
    let mut place = Place::new();
    let mut t = place.begin();
    for text in ["1", "2", "3"] {
        place
            .send(&mut t, text, SendOptions::default())
            .await
            .expect("sent");
    }
    place.commit(t).await;
    let mut a = place.begin();
    let mut b = place.begin();
    assert_eq!(place.receive(&mut a).await.as_deref(), Some("1"));
    assert_eq!(place.receive(&mut b).await.as_deref(), Some("2"));
    drop(a);
    let mut c = place.begin();
    assert_eq!(place.receive(&mut c).await.as_deref(), Some("1"));
    assert_eq!(place.receive(&mut c).await.as_deref(), Some("3"));
    assert_eq!(place.receive(&mut c).await, None);
    drop(b);
    // It looks before the place where it was, too.
    assert_eq!(place.receive(&mut c).await.as_deref(), Some("2"));
    place.commit(c).await;
    assert_eq!(place.depth_of("q").await, 0);
}

#[tokio::test]
async fn a_deleted_queue_is_empty_at_once_and_removed_later() {
    let mut place = Place::new();
    let mut t = place.begin();
    for n in 0..2_500 {
        let options = SendOptions {
            delay_ms: n % 2,
            ttl_ms: None,
        };
        place.send(&mut t, "x", options).await.expect("sent");
    }
    place.commit(t).await;
    let mut t = place.begin();
    let handle = place.lease(&mut t, 1_000).await.expect("leased").handle;
    place.commit(t).await;
    let mut t = place.begin();
    let refused = delete(&mut t, &place.scope, "q", false, Millis(place.now)).await;
    assert_eq!(
        refused.expect_err("not empty").kind,
        ErrorKind::FailedPrecondition
    );
    delete(&mut t, &place.scope, "q", true, Millis(place.now))
        .await
        .expect("deleted");
    place.commit(t).await;
    assert_eq!(place.depth_of("q").await, 0);
    let mut t = place.begin();
    let lost = ack(&mut t, &place.scope, &handle, Millis(place.now)).await;
    assert_eq!(lost.expect_err("gone").code, Code::LeaseLost);
    // A new one of the same name has nothing of it.
    place
        .send(&mut t, "new", SendOptions::default())
        .await
        .expect("sent");
    place.commit(t).await;
    place.sweep().await;
    let all =
        plexspaces_store::key::Path::scope("t", "n", plexspaces_store::key::Kind::QueueMessage)
            .range();
    assert_eq!(
        place.begin().scan(all, 10_000).await.expect("rows").len(),
        1
    );
    let mut t = place.begin();
    assert_eq!(place.receive(&mut t).await.as_deref(), Some("new"));
}

/// The first of two that wait is not passed by, neither by the second nor by a newcomer, unless there is enough for all.
#[tokio::test]
async fn who_stands_in_line_comes_first() {
    let mut place = Place::new();
    let waiters = place.coordination.waiters.clone();
    let first = waiters.line_up(topic(&place.scope, "q"), Some(wants()));
    let second = waiters.line_up(topic(&place.scope, "q"), Some(wants()));
    let mut t = place.begin();
    for text in ["1", "2"] {
        place
            .send(&mut t, text, SendOptions::default())
            .await
            .expect("sent");
    }
    place.commit(t).await;
    let mut newcomer = place.begin();
    assert_eq!(place.receive(&mut newcomer).await, None);
    let mut t = place.begin();
    place
        .send(&mut t, "3", SendOptions::default())
        .await
        .expect("sent");
    place.commit(t).await;
    assert_eq!(place.receive(&mut newcomer).await.as_deref(), Some("3"));
    let mut two = place.begin();
    two.try_for(second.number());
    assert_eq!(place.receive(&mut two).await, None);
    let mut one = place.begin();
    one.try_for(first.number());
    assert_eq!(place.receive(&mut one).await.as_deref(), Some("1"));
    drop(first);
    assert_eq!(place.receive(&mut two).await.as_deref(), Some("2"));
}

/// The sweep leaves a dead letter for the next time while a turn deletes the queue that it is for.
#[tokio::test]
async fn a_dead_letter_waits_for_its_queue() {
    let mut place = Place::new();
    let mut t = place.begin();
    let options = Options {
        max_deliveries: Some(1),
        dead_letter_queue: Some("d".into()),
        ..Options::default()
    };
    let made = create(&mut t, &place.scope, "q", Some(options)).await;
    made.expect("created");
    place
        .send(&mut t, "x", SendOptions::default())
        .await
        .expect("sent");
    place.commit(t).await;
    let mut t = place.begin();
    place.lease(&mut t, 10).await.expect("leased");
    place.commit(t).await;
    place.now += 10;
    let mut deletes = place.begin();
    let deleted = delete(&mut deletes, &place.scope, "d", false, Millis(place.now)).await;
    deleted.expect("it is empty");
    let found = expiry::sweep(place.store.snapshot().as_ref(), Millis(place.now), 10).await;
    let mut t = place.begin();
    let left = sweep(&mut t, found.expect("swept").queued, Millis(place.now)).await;
    assert!(left.expect("no failure"), "left for the next time");
    place.commit(t).await;
    drop(deletes);
    assert_eq!(
        (place.depth_of("q").await, place.depth_of("d").await),
        (1, 0)
    );
    place.sweep().await;
    assert_eq!(
        (place.depth_of("q").await, place.depth_of("d").await),
        (0, 1)
    );
}

/// A receive starts where the first message is, and not at the beginning of all that were there before.
#[tokio::test]
async fn the_low_marks_follow_the_messages() {
    let mut place = Place::new();
    let mut t = place.begin();
    for _ in 0..100 {
        place
            .send(&mut t, "x", SendOptions::default())
            .await
            .expect("sent");
    }
    place.commit(t).await;
    let queue = Queue::find(&mut place.begin(), &place.scope, "q")
        .await
        .expect("found");
    for n in 1..=50 {
        let mut t = place.begin();
        assert!(place.receive(&mut t).await.is_some());
        place.commit(t).await;
        assert_eq!(queue.tally().scan(Line::Ready).from, n);
    }
    for n in 0..50 {
        let mut t = place.begin();
        let leased = place.lease(&mut t, 10).await.expect("leased");
        place.commit(t).await;
        assert!(queue.tally().scan(Line::Due).from >= place.now);
        let mut t = place.begin();
        if n % 2 == 0 {
            ack(&mut t, &place.scope, &leased.handle, Millis(place.now))
                .await
                .expect("acknowledged");
        } else {
            nack(&mut t, &place.scope, &leased.handle, 0, Millis(place.now))
                .await
                .expect("given back");
            assert!(
                place.receive(&mut t).await.is_some(),
                "before all that come after it"
            );
        }
        place.commit(t).await;
        place.now += 1;
    }
    let mut t = place.begin();
    assert_eq!(place.receive(&mut t).await, None);
    assert_eq!(queue.tally().scan(Line::Ready).from, u64::MAX);
    assert_eq!(queue.tally().scan(Line::Due).from, u64::MAX);
    place
        .send(&mut t, "x", SendOptions::default())
        .await
        .expect("sent");
    assert_eq!(queue.tally().scan(Line::Ready).from, place.ticket);
}

#[derive(Clone, Debug)]
enum Step {
    Send { delay: u64, ttl: Option<u64> },
    Receive,
    Lease(u64),
    Ack(usize),
    Nack(usize, u64),
    Extend(usize, u64),
    Pass(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (prop_oneof![2 => Just(0), 1 => 1u64..40], proptest::option::weighted(0.2, 41u64..90))
            .prop_map(|(delay, ttl)| Step::Send { delay, ttl }),
        2 => Just(Step::Receive),
        4 => (1u64..60).prop_map(Step::Lease),
        2 => (0usize..6).prop_map(Step::Ack),
        2 => (0usize..6, prop_oneof![Just(0), 1u64..30]).prop_map(|(n, delay)| Step::Nack(n, delay)),
        1 => (0usize..6, 1u64..60).prop_map(|(n, ms)| Step::Extend(n, ms)),
        3 => (1u64..50).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
    ]
}

/// A message as the model has it.
#[derive(Clone, Debug, Default)]
struct Modelled {
    deliveries: u32,
    /// When it can be received, and whether it is leased until then.
    visible: u64,
    leased: Option<String>,
    expires: u64,
}

#[derive(Clone, Debug, Default)]
struct Model {
    /// By ticket, which is the payload as well.
    queue: BTreeMap<u64, Modelled>,
    dead: Vec<u64>,
    handles: Vec<(u64, String)>,
}

const MAX_DELIVERIES: u32 = 2;

impl Model {
    fn next(&self, now: u64) -> Option<u64> {
        let is_next = |(_, m): &(&u64, &Modelled)| {
            let dies = m.leased.is_some() && m.deliveries >= MAX_DELIVERIES;
            m.visible <= now && (m.expires == 0 || m.expires > now) && !dies
        };
        self.queue.iter().find(is_next).map(|(ticket, _)| *ticket)
    }

    /// What the sweep does.
    fn sweep(&mut self, now: u64) {
        self.queue.retain(|ticket, m| {
            let over = m.visible <= now;
            let expired = m.expires > 0 && m.expires <= now;
            let dies = m.leased.is_some() && m.deliveries >= MAX_DELIVERIES;
            if over && dies && !expired {
                self.dead.push(*ticket);
            }
            !(over && (expired || dies))
        });
    }

    fn held(&mut self, n: usize, now: u64) -> Option<(u64, &mut Modelled)> {
        let (ticket, handle) = self.handles.get(n)?.clone();
        let message = self.queue.get_mut(&ticket)?;
        let holds = message.leased.as_ref() == Some(&handle) && message.visible > now;
        holds.then_some((ticket, message))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever comes, committed or undone: what is received, what is refused and how many there are is as in a model
    /// without keys, tallies or low marks, and at the end nothing is lost.
    #[test]
    fn a_queue_is_as_its_model(steps in proptest::collection::vec((step(), prop::bool::weighted(0.8)), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let mut place = Place::new();
            let mut t = place.begin();
            let options = Options { max_deliveries: Some(MAX_DELIVERIES), dead_letter_queue: Some("d".into()), ..Options::default() };
            create(&mut t, &place.scope, "q", Some(options)).await.expect("created");
            place.commit(t).await;
            let mut model = Model::default();
            for (step, commits) in steps {
                let mut t = place.begin();
                let mut after = model.clone();
                let now = place.now;
                match step {
                    Step::Pass(by) => place.now += by,
                    Step::Sweep => {
                        place.sweep().await;
                        model.sweep(now);
                        after = model.clone();
                    }
                    Step::Send { delay, ttl } => {
                        let text = (place.ticket + 1).to_string();
                        place.send(&mut t, &text, SendOptions { delay_ms: delay, ttl_ms: ttl }).await.expect("sent");
                        after.queue.insert(place.ticket, Modelled {
                            visible: now + delay,
                            expires: ttl.map_or(0, |ttl| now + ttl),
                            ..Modelled::default()
                        });
                    }
                    Step::Receive => {
                        let got = place.receive(&mut t).await;
                        let expected = model.next(now);
                        prop_assert_eq!(got, expected.map(|ticket| ticket.to_string()));
                        if let Some(ticket) = expected { after.queue.remove(&ticket); }
                    }
                    Step::Lease(ms) => {
                        let got = place.lease(&mut t, ms).await;
                        let expected = model.next(now);
                        prop_assert_eq!(got.as_ref().map(|m| m.payload.clone()), expected.map(|ticket| Bytes::from(ticket.to_string())));
                        if let (Some(got), Some(ticket)) = (got, expected) {
                            let message = after.queue.get_mut(&ticket).expect("there");
                            message.deliveries += 1;
                            (message.visible, message.leased) = (now + ms, Some(got.handle.clone()));
                            prop_assert_eq!(got.deliveries, message.deliveries);
                            after.handles.push((ticket, got.handle));
                        }
                    }
                    Step::Ack(n) => if let Some((_, handle)) = model.handles.get(n).cloned() {
                        let done = ack(&mut t, &place.scope, &handle, Millis(now)).await;
                        let held = after.held(n, now).map(|(ticket, _)| ticket);
                        prop_assert_eq!(done.is_ok(), held.is_some(), "{:?}", done);
                        if let Some(ticket) = held { after.queue.remove(&ticket); }
                    },
                    Step::Nack(n, delay) => if let Some((_, handle)) = model.handles.get(n).cloned() {
                        let done = nack(&mut t, &place.scope, &handle, delay, Millis(now)).await;
                        let mut dead = None;
                        let held = after.held(n, now).map(|(ticket, message)| {
                            (message.leased, message.visible) = (None, now + delay);
                            if message.deliveries >= MAX_DELIVERIES { dead = Some(ticket); }
                        });
                        prop_assert_eq!(done.is_ok(), held.is_some(), "{:?}", done);
                        if let Some(ticket) = dead { after.queue.remove(&ticket); after.dead.push(ticket); }
                    },
                    Step::Extend(n, ms) => if let Some((_, handle)) = model.handles.get(n).cloned() {
                        let done = extend(&mut t, &place.scope, &handle, ms, Millis(now)).await;
                        let held = after.held(n, now).map(|(_, message)| message.visible = now + ms);
                        prop_assert_eq!(done.is_ok(), held.is_some(), "{:?}", done);
                    },
                }
                if commits {
                    place.commit(t).await;
                    model = after;
                }
                prop_assert_eq!(place.depth_of("q").await, model.queue.len() as u64);
                prop_assert_eq!(place.depth_of("d").await, model.dead.len() as u64);
            }
            // A node that starts now counts the same.
            place.coordination = Arc::default();
            prop_assert_eq!(place.depth_of("q").await, model.queue.len() as u64);
            // When all leases are over, all that may be received is.
            place.now += 1_000;
            place.sweep().await;
            model.sweep(place.now);
            let mut t = place.begin();
            let mut got = Vec::new();
            while let Some(text) = place.receive(&mut t).await { got.push(text); }
            let expected: Vec<String> = model.queue.keys().map(u64::to_string).collect();
            prop_assert_eq!(got, expected);
            prop_assert_eq!(place.depth_of("d").await, model.dead.len() as u64);
            place.commit(t).await;
            prop_assert_eq!(place.depth_of("q").await, 0);
            place.sweep().await;
            let all = plexspaces_store::key::Path::node(plexspaces_store::key::Kind::Expiry).range();
            prop_assert!(place.begin().scan(all, 10).await.expect("rows").is_empty(), "an entry is left");
            Ok(())
        })?;
    }
}
