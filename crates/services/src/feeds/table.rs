//! What a node has in memory of its feeds: who subscribes, which publications are on their way to the store, and which
//! feeds have something to deliver.
//!
//! A transaction that ends draws tickets for its rows and registers them in the same moment; they count as on their way
//! until its batch has committed or is given up. So everything below [`Feeds::settled`] is in the store or never will be.
//! A subscription is known from the moment its turn ends, a little before it commits: whoever ends after that commit
//! publishes for it.

use super::filter::Filter;
use super::way::{Change, OnTheirWay, Publication, Wake, What};
use super::{Feed, Source, Subscription};
use crate::records::{FeedRow, encode};
use crate::watches;
use parking_lot::Mutex;
use plexspaces_core::ActorId;
use plexspaces_core::batch::Batch;
use plexspaces_store::Key;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Gives numbers that only grow.
pub type Tickets = Box<dyn Fn() -> u64 + Send + Sync>;

/// The feeds of a node.
pub struct Feeds {
    tickets: Tickets,
    state: Mutex<State>,
    /// How many subscriptions are in force, and how many of them to changes, so that nobody takes the lock when there are
    /// none.
    subscriptions: AtomicUsize,
    watches: AtomicUsize,
    ready: Notify,
    over: AtomicBool,
}

#[derive(Default)]
struct State {
    feeds: HashMap<Feed, Entry>,
    ready: VecDeque<Feed>,
    /// The feeds whose rows are made from the changes of batches, where anybody subscribes to them.
    watched: BTreeSet<Feed>,
    /// The groups' feeds that an actor's subscriptions are for.
    memberships: HashMap<ActorId, HashMap<Key, Feed>>,
}

#[derive(Default)]
struct Entry {
    /// Those in force, by their rows' keys. Copied when it changes while somebody matches against it.
    subscribers: Arc<HashMap<Key, Filter>>,
    /// Tickets, and how many rows were written before.
    on_their_way: BTreeMap<u64, u64>,
    /// Rows written since the node's start.
    written: u64,
    /// Subscriptions have been committed or ended since the pump last read them, or may be just now.
    changed: bool,
    changing: usize,
    pump: Pump,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pump {
    #[default]
    Idle,
    Ready,
    Running,
    /// Running, and there is something new.
    Again,
}

/// What a pump that has nothing left is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Look again: there is something new.
    Again,
    /// End, and keep what is known of the subscribers for the next one.
    Keep,
    /// End, and keep nothing: nobody subscribes.
    Forget,
}

/// What a transaction wants done to feeds when it commits.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) publications: Vec<(Feed, FeedRow)>,
    pub(crate) starts: Vec<(Subscription, Filter)>,
    pub(crate) ends: Vec<Subscription>,
}

impl Default for Feeds {
    /// Feeds with tickets that are counted.
    fn default() -> Self {
        let next = AtomicU64::new(1);
        Feeds::new(Box::new(move || next.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Feeds {
    /// No feeds yet. `tickets` gives numbers greater than all before, also than those before a restart.
    #[must_use]
    pub fn new(tickets: Tickets) -> Self {
        Feeds {
            tickets,
            state: Mutex::default(),
            subscriptions: AtomicUsize::new(0),
            watches: AtomicUsize::new(0),
            ready: Notify::new(),
            over: AtomicBool::new(false),
        }
    }

    /// Adds a subscription that is in the store.
    pub fn load(&self, subscription: &Subscription, filter: Filter) {
        self.add(subscription, filter);
    }

    /// Everything in `feed` with a ticket below this is in the store or never will be. Read it before the snapshot.
    #[must_use]
    pub fn settled(&self, feed: &Feed) -> u64 {
        self.settled_rows(feed).0
    }

    /// As [`Self::settled`], and how many rows were written with tickets below it since the node's start.
    #[must_use]
    pub fn settled_rows(&self, feed: &Feed) -> (u64, u64) {
        let state = self.state.lock();
        let entry = state.feeds.get(feed);
        match entry.and_then(|entry| entry.on_their_way.first_key_value()) {
            Some((first, before)) => (*first, *before),
            None => ((self.tickets)(), entry.map_or(0, |entry| entry.written)),
        }
    }

    /// A number greater than the tickets of everything published before.
    #[must_use]
    pub fn ticket(&self) -> u64 {
        (self.tickets)()
    }

    /// How many rows were written to `feed` since the node's start.
    #[must_use]
    pub fn written(&self, feed: &Feed) -> u64 {
        let state = self.state.lock();
        state.feeds.get(feed).map_or(0, |entry| entry.written)
    }

    /// Whether subscriptions were committed or ended since this was asked last, or may be in the snapshot that is taken
    /// after this.
    #[must_use]
    pub fn take_changed(&self, feed: &Feed) -> bool {
        let mut state = self.state.lock();
        let entry = state.feeds.get_mut(feed);
        entry.is_some_and(|entry| std::mem::take(&mut entry.changed) || entry.changing > 0)
    }

    /// The groups' feeds that an actor subscribes to.
    #[must_use]
    pub fn memberships(&self, actor: &ActorId) -> BTreeSet<Feed> {
        if self.subscriptions.load(Ordering::SeqCst) == 0 {
            return BTreeSet::new();
        }
        let state = self.state.lock();
        let found = state.memberships.get(actor);
        found.map_or_else(BTreeSet::new, |feeds| feeds.values().cloned().collect())
    }

    /// Says that `feed` may have something to deliver.
    pub fn wake(&self, feed: &Feed) {
        let mut state = self.state.lock();
        let entry = state.feeds.entry(feed.clone()).or_default();
        match entry.pump {
            Pump::Idle => {
                entry.pump = Pump::Ready;
                state.ready.push_back(feed.clone());
                self.ready.notify_one();
            }
            Pump::Running => entry.pump = Pump::Again,
            Pump::Ready | Pump::Again => {}
        }
    }

    /// Wakes every feed that anybody subscribes to.
    pub fn wake_all(&self) {
        let feeds: Vec<Feed> = self.state.lock().feeds.keys().cloned().collect();
        for feed in feeds {
            self.wake(&feed);
        }
    }

    /// Wakes `feed` when it is dropped.
    #[must_use]
    pub fn wake_later(self: &Arc<Self>, feed: &Feed) -> Wake {
        Wake {
            feeds: self.clone(),
            feed: feed.clone(),
        }
    }

    /// The next feed that has something to deliver, for one pump. `None`: [`Self::end`] was called.
    pub async fn next_ready(&self) -> Option<Feed> {
        loop {
            let told = self.ready.notified();
            if self.over.load(Ordering::SeqCst) {
                return None;
            }
            if let Some(feed) = self.pop_ready() {
                return Some(feed);
            }
            told.await;
        }
    }

    fn pop_ready(&self) -> Option<Feed> {
        let mut state = self.state.lock();
        let feed = state.ready.pop_front()?;
        let entry = state.feeds.entry(feed.clone()).or_default();
        entry.pump = Pump::Running;
        Some(feed)
    }

    /// A pump has nothing left; `served` says whether it has subscribers.
    #[must_use]
    pub fn rest(&self, feed: &Feed, served: bool) -> Rest {
        let mut state = self.state.lock();
        let Some(entry) = state.feeds.get_mut(feed) else {
            return Rest::Forget;
        };
        if entry.pump == Pump::Again {
            entry.pump = Pump::Running;
            return Rest::Again;
        }
        entry.pump = Pump::Idle;
        let kept = served || entry.changing > 0;
        if kept || !entry.subscribers.is_empty() || !entry.on_their_way.is_empty() {
            return Rest::Keep;
        }
        state.feeds.remove(feed);
        Rest::Forget
    }

    /// No pump is wanted any more.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.ready.notify_one();
    }

    /// Adds to `batch` what the changes in it publish to watchers; `from` is who made them. Hold what this gives until
    /// the batch has committed.
    #[must_use]
    pub fn attach(self: &Arc<Self>, batch: &mut Batch, from: &str) -> impl Send + use<> {
        self.prepare(batch, from, Wanted::default())
    }

    /// A transaction ends: adds the rows that somebody wants to its batch.
    pub(crate) fn prepare(
        self: &Arc<Self>,
        batch: &mut Batch,
        from: &str,
        wanted: Wanted,
    ) -> OnTheirWay {
        let mut way = OnTheirWay::default();
        if self.subscriptions.load(Ordering::SeqCst) > 0 {
            let mut publications = wanted.publications;
            if self.watches.load(Ordering::SeqCst) > 0 {
                let watched = self.state.lock().watched.clone();
                for feed in watched {
                    let rows = watches::changes(&feed, batch, from);
                    publications.extend(rows.into_iter().map(|row| (feed.clone(), row)));
                }
            }
            for (feed, row) in publications {
                self.put(batch, feed, &row, &mut way);
            }
        }
        // After the rows: a subscription does not get what its own turn publishes.
        for (subscription, filter) in wanted.starts {
            self.add(&subscription, filter);
            way.changes.push(self.change(subscription, What::Starts));
        }
        for subscription in wanted.ends {
            way.changes.push(self.change(subscription, What::Ends));
        }
        way
    }

    fn change(self: &Arc<Self>, subscription: Subscription, what: What) -> Change {
        let mut state = self.state.lock();
        let entry = state.feeds.entry(subscription.feed.clone()).or_default();
        entry.changing += 1;
        Change {
            feeds: self.clone(),
            subscription,
            what,
            committed: false,
        }
    }

    /// Writes a row if anybody wants it.
    fn put(self: &Arc<Self>, batch: &mut Batch, feed: Feed, row: &FeedRow, way: &mut OnTheirWay) {
        let subscribers = {
            let state = self.state.lock();
            state
                .feeds
                .get(&feed)
                .map(|entry| entry.subscribers.clone())
        };
        let matches = |subscribers: Arc<HashMap<Key, Filter>>| {
            subscribers.values().any(|filter| filter.matches(row))
        };
        if !subscribers.is_some_and(matches) {
            return;
        }
        let mut state = self.state.lock();
        let entry = state.feeds.entry(feed.clone()).or_default();
        // Drawn under the lock: a pump sees either no ticket, or this one on its way.
        let ticket = (self.tickets)();
        entry.on_their_way.insert(ticket, entry.written);
        entry.written += 1;
        drop(state);
        batch.put(feed.row(ticket), encode(row));
        way.publications.push(Publication {
            feeds: self.clone(),
            feed,
            ticket,
        });
    }

    fn add(&self, subscription: &Subscription, filter: Filter) {
        let key = subscription.key();
        let mut state = self.state.lock();
        let entry = state.feeds.entry(subscription.feed.clone()).or_default();
        let subscribers = Arc::make_mut(&mut entry.subscribers);
        let new = subscribers.insert(key.clone(), filter).is_none();
        if new {
            self.subscriptions.fetch_add(1, Ordering::SeqCst);
        }
        if new && subscription.feed.is_of_changes() {
            state.watched.insert(subscription.feed.clone());
            self.watches.fetch_add(1, Ordering::SeqCst);
        }
        if matches!(subscription.feed.source(), Source::Group(_)) {
            let memberships = state.memberships.entry(subscription.actor.clone());
            let feeds = memberships.or_default();
            feeds.insert(key, subscription.feed.clone());
        }
    }

    /// Takes a subscription away.
    pub(super) fn remove(&self, subscription: &Subscription) {
        let key = subscription.key();
        let mut state = self.state.lock();
        let entry = state.feeds.entry(subscription.feed.clone()).or_default();
        let subscribers = Arc::make_mut(&mut entry.subscribers);
        let (removed, nobody) = (subscribers.remove(&key).is_some(), subscribers.is_empty());
        if removed {
            self.subscriptions.fetch_sub(1, Ordering::SeqCst);
        }
        if removed && subscription.feed.is_of_changes() {
            self.watches.fetch_sub(1, Ordering::SeqCst);
            if nobody {
                state.watched.remove(&subscription.feed);
            }
        }
        if let Some(feeds) = state.memberships.get_mut(&subscription.actor) {
            feeds.remove(&key);
            if feeds.is_empty() {
                state.memberships.remove(&subscription.actor);
            }
        }
    }

    /// A change that [`Self::change`] has announced is done, or is not done.
    pub(super) fn changed(&self, feed: &Feed) {
        let mut state = self.state.lock();
        let entry = state.feeds.entry(feed.clone()).or_default();
        entry.changing -= 1;
        entry.changed = true;
    }

    pub(super) fn arrived(&self, feed: &Feed, ticket: u64) {
        {
            let mut state = self.state.lock();
            if let Some(entry) = state.feeds.get_mut(feed) {
                entry.on_their_way.remove(&ticket);
            }
        }
        self.wake(feed);
    }
}

#[cfg(test)]
mod tests;
