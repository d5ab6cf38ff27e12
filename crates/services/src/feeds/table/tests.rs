//! What is in memory of feeds, alone and against a model.

use super::*;
use plexspaces_core::Scope;
use plexspaces_core::batch::Op;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn scope() -> Scope {
    Scope::new("t", "n").expect("valid")
}

fn feed() -> Feed {
    Feed::new(&scope(), Source::Topic("t".into()))
}

fn subscription(n: u8) -> Subscription {
    Subscription {
        feed: feed(),
        actor: ActorId::new(&scope(), "a", &n.to_string()).expect("valid"),
        name: String::new(),
        id: [n; 16],
    }
}

fn publish(feeds: &Arc<Feeds>, batch: &mut Batch, count: usize) -> OnTheirWay {
    let publications = vec![(feed(), FeedRow::default()); count];
    let wanted = Wanted {
        publications,
        ..Wanted::default()
    };
    feeds.prepare(batch, "", wanted)
}

fn start(feeds: &Arc<Feeds>, subscription: Subscription) -> OnTheirWay {
    let wanted = Wanted {
        starts: vec![(subscription, Filter::Topic(Vec::new()))],
        ..Wanted::default()
    };
    feeds.prepare(&mut Batch::new(), "", wanted)
}

#[test]
fn nothing_is_written_when_nobody_subscribes() {
    let feeds = Arc::new(Feeds::default());
    let mut batch = Batch::new();
    drop(publish(&feeds, &mut batch, 3));
    assert!(batch.is_empty());
    // One whose turn fails leaves nothing behind; one that commits does.
    drop(start(&feeds, subscription(1)));
    drop(publish(&feeds, &mut batch, 1));
    assert!(batch.is_empty());
    start(&feeds, subscription(1)).committed();
    drop(publish(&feeds, &mut batch, 2));
    assert_eq!(batch.ops.len(), 2);
    let ends = Wanted {
        ends: vec![subscription(1)],
        ..Wanted::default()
    };
    feeds.prepare(&mut Batch::new(), "", ends).committed();
    let mut after = Batch::new();
    drop(publish(&feeds, &mut after, 1));
    assert!(after.is_empty());
}

#[test]
fn a_thousand_subscribers_cost_one_row() {
    let feeds = Arc::new(Feeds::default());
    for n in 0..1_000u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        let actor = ActorId::new(&scope(), "a", &n.to_string()).expect("valid");
        let subscription = Subscription {
            actor,
            id,
            ..subscription(0)
        };
        start(&feeds, subscription).committed();
    }
    let mut batch = Batch::new();
    drop(publish(&feeds, &mut batch, 1));
    assert_eq!(batch.ops.len(), 1);
}

#[tokio::test]
async fn a_feed_has_one_pump_and_none_when_there_is_nothing_to_do() {
    let feeds = Arc::new(Feeds::default());
    feeds.wake(&feed());
    feeds.wake(&feed());
    assert_eq!(feeds.next_ready().await, Some(feed()));
    feeds.wake(&feed());
    assert_eq!(feeds.pop_ready(), None, "it runs already");
    assert_eq!(feeds.rest(&feed(), false), Rest::Again);
    assert_eq!(feeds.rest(&feed(), true), Rest::Keep);
    feeds.wake(&feed());
    assert_eq!(feeds.next_ready().await, Some(feed()));
    assert_eq!(feeds.rest(&feed(), false), Rest::Forget);
    assert!(feeds.state.lock().feeds.is_empty());
    feeds.end();
    assert_eq!(feeds.next_ready().await, None);
}

#[derive(Clone, Debug)]
enum Step {
    /// A turn that publishes this many rows ends.
    End(usize),
    /// One of those on their way commits, or is given up.
    Arrive { which: usize, commits: bool },
    /// The pump looks.
    Deliver,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1usize..3).prop_map(Step::End),
        (any::<usize>(), prop::bool::weighted(0.8))
            .prop_map(|(which, commits)| Step::Arrive { which, commits }),
        Just(Step::Deliver),
    ]
}

proptest! {
    /// Whatever order publishers commit in, a subscriber gets each committed row once, in the order of the tickets.
    #[test]
    fn who_commits_late_is_not_passed_over(steps in proptest::collection::vec(step(), 1..60)) {
        let feeds = Arc::new(Feeds::default());
        start(&feeds, subscription(1)).committed();
        let mut store: BTreeMap<Key, Op> = BTreeMap::new();
        let mut on_their_way = Vec::new();
        let (mut cursor, mut delivered) = (feed().row(0), Vec::new());
        let mut deliver = |store: &BTreeMap<Key, Op>| {
            let settled = feed().row(feeds.settled(&feed()));
            let new = store.range(crate::scopes::just_after(&cursor)..settled);
            delivered.extend(new.map(|(key, _)| key.clone()));
            if let Some(last) = delivered.last() {
                cursor = last.clone();
            }
            delivered.clone()
        };
        for step in steps {
            match step {
                Step::End(rows) => {
                    let mut batch = Batch::new();
                    let way = publish(&feeds, &mut batch, rows);
                    on_their_way.push((batch, way));
                }
                Step::Arrive { which, commits } if !on_their_way.is_empty() => {
                    let (batch, way) = on_their_way.remove(which % on_their_way.len());
                    if commits {
                        store.extend(batch.ops);
                        way.committed();
                    }
                }
                Step::Arrive { .. } => {}
                Step::Deliver => drop(deliver(&store)),
            }
        }
        for (batch, way) in on_their_way {
            store.extend(batch.ops);
            way.committed();
        }
        let got = deliver(&store);
        prop_assert_eq!(got, store.into_keys().collect::<Vec<_>>());
    }
}
