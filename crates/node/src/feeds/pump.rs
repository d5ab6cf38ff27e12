//! The delivery of one feed: passes over its subscribers, parcels of messages, and what is left behind.

use crate::node::mailbox_row;
use crate::resident::Slot;
use crate::shared::Shared;
use plexspaces_core::batch::Batch;
use plexspaces_core::message::Message;
use plexspaces_core::{ActorId, Result};
use plexspaces_runtime::Outgoing;
use plexspaces_services::feeds::Feed;
use plexspaces_services::feeds::delivery::{self, Published, Subscriber};
use plexspaces_services::records::encode;
use plexspaces_services::{fault, mailbox};
use plexspaces_store::{Error as StoreError, Snapshot};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// How far a subscriber may lag behind, in rows. Beyond that it loses the older half.
const LAG_MAX: u64 = 10_000;

/// How many rows are read at once, and how many of them a subscriber is given in one pass.
const PAGE: usize = 64;

/// How many messages one batch delivers.
const PARCEL_MESSAGES: usize = 256;

/// After how many bytes a batch is full.
const PARCEL_BYTES: usize = 1 << 20;

/// How many rows one batch deletes.
const TRIM: usize = 1_000;

/// The delivery of one feed.
pub(super) struct Pump {
    feed: Feed,
    subscribers: Vec<Known>,
    /// Whether `subscribers` has been read, and is not known to be wrong.
    loaded: bool,
    /// All rows below this ticket are deleted.
    lowest: u64,
}

/// A subscriber, with what only matters while the node runs.
struct Known {
    /// Its cursor runs ahead of the stored one over rows that it does not get.
    subscriber: Subscriber,
    /// How many rows must have been written before its lag is counted again.
    look_at: u64,
    /// An ended subscription is over when everything below this ticket is settled and passed.
    over_at: u64,
}

/// What one batch delivers.
#[derive(Default)]
struct Parcel {
    outgoing: Vec<Outgoing>,
    bytes: usize,
    /// Which subscribers it moves, and to what cursor and number of lost messages.
    moves: Vec<(usize, u64, u64)>,
}

/// The rows of one moment that subscribers look at.
struct Pages {
    snapshot: Arc<dyn Snapshot>,
    settled: u64,
    /// How many rows were written below that since the node's start.
    rows: u64,
    read: BTreeMap<u64, Arc<Vec<Published>>>,
}

/// How many pages are kept for the next subscriber, which is likely to stand where the last one stood.
const PAGES_KEPT: usize = 4;

impl Pages {
    async fn after(&mut self, feed: &Feed, cursor: u64) -> Result<Arc<Vec<Published>>> {
        if let Some(page) = self.read.get(&cursor) {
            return Ok(page.clone());
        }
        let snapshot = self.snapshot.as_ref();
        let page = delivery::page(snapshot, feed, cursor, self.settled, PAGE).await?;
        let page = Arc::new(page);
        if self.read.len() == PAGES_KEPT {
            self.read.clear();
        }
        self.read.insert(cursor, page.clone());
        Ok(page)
    }
}

/// How far a subscriber came in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// To the end.
    Through,
    /// There is more for it.
    More,
    /// Its mailbox is full, or its type is not deployed.
    Stuck,
}

impl Pump {
    pub(super) fn new(feed: Feed) -> Self {
        Pump {
            feed,
            subscribers: Vec::new(),
            loaded: false,
            lowest: 0,
        }
    }

    /// Whether nobody subscribes.
    pub(super) fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    /// Delivers up to a page to each subscriber; `true` if there is more to do at once.
    pub(super) async fn pass(&mut self, shared: &Arc<Shared>) -> Result<bool> {
        let feeds = shared.coordination.feeds.clone();
        // In this order: what is below `settled`, and who has subscribed before it, is in the snapshot.
        let (settled, rows) = feeds.settled_rows(&self.feed);
        let changed = feeds.take_changed(&self.feed);
        let snapshot = shared.store.snapshot();
        let mut more = false;
        if changed || !self.loaded {
            self.load(snapshot.as_ref(), feeds.ticket()).await?;
            // Whether they are over is known in the next pass.
            more = self.any_ended();
        }
        let mut pages = Pages {
            snapshot,
            settled,
            rows,
            read: BTreeMap::new(),
        };
        let mut parcel = Parcel::default();
        let mut stuck = HashSet::new();
        for n in 0..self.subscribers.len() {
            let actor = self.subscribers[n].subscriber.subscription.actor.clone();
            // An actor gets the messages of its later subscription after those of its earlier one.
            if stuck.contains(&actor) {
                continue;
            }
            let came = self.pack(shared, n, &mut pages, &mut parcel).await?;
            more |= came == Came::More;
            if came == Came::Stuck {
                stuck.insert(actor);
            }
            let lags =
                came != Came::Through && feeds.written(&self.feed) >= self.subscribers[n].look_at;
            // Its cursor must not be moved by two batches.
            if parcel.is_full() || lags {
                more |= self.send(shared, std::mem::take(&mut parcel)).await?;
            }
            if lags {
                more |= self.count_lag(shared, n, &pages).await?;
            }
        }
        more |= self.send(shared, parcel).await?;
        more |= self.end_those_over(shared, settled).await?;
        more |= self.trim(shared, &pages).await?;
        Ok(more && shared.check_open().is_ok())
    }

    fn any_ended(&self) -> bool {
        self.subscribers
            .iter()
            .any(|known| known.subscriber.end.is_some())
    }

    /// Reads who subscribes. What is known of a cursor stays.
    async fn load(&mut self, snapshot: &dyn Snapshot, ticket: u64) -> Result<()> {
        let before: HashMap<_, _> = self
            .subscribers
            .drain(..)
            .map(|known| (known.subscriber.subscription.clone(), known))
            .collect();
        for mut subscriber in delivery::subscribers(snapshot, &self.feed).await? {
            let (mut look_at, mut over_at) = (0, ticket);
            if let Some(known) = before.get(&subscriber.subscription) {
                subscriber.cursor = subscriber.cursor.max(known.subscriber.cursor);
                subscriber.lost = known.subscriber.lost;
                look_at = known.look_at;
                if known.subscriber.end.is_some() {
                    over_at = known.over_at;
                }
            }
            self.subscribers.push(Known {
                subscriber,
                look_at,
                over_at,
            });
        }
        self.loaded = true;
        Ok(())
    }

    /// Puts what one subscriber gets into the parcel.
    async fn pack(
        &mut self,
        shared: &Arc<Shared>,
        n: usize,
        pages: &mut Pages,
        parcel: &mut Parcel,
    ) -> Result<Came> {
        let subscriber = &self.subscribers[n].subscriber;
        let actor = &subscriber.subscription.actor;
        let (mut cursor, mut lost) = (subscriber.cursor, subscriber.lost);
        let page = pages.after(&self.feed, cursor).await?;
        if page.is_empty() && lost == 0 {
            let passed = cursor.max(pages.settled - 1);
            self.subscribers[n].subscriber.cursor = passed;
            return Ok(Came::Through);
        }
        // While its type is not deployed, its messages wait; they get lost when they are too many.
        let limits = shared.catalog.of(actor).map(|d| d.limits.clone()).ok();
        let place = |max: u64| shared.reserve_slot_of(actor, max, &self.feed);
        let mut came = if page.len() < PAGE {
            Came::Through
        } else {
            Came::More
        };
        let (mut packed, mut bytes) = (0, 0);
        if lost > 0 {
            let slot = limits
                .as_ref()
                .and_then(|limits| place(limits.mailbox_messages));
            let Some(slot) = slot else {
                return Ok(Came::Stuck);
            };
            parcel.put(shared, actor, &subscriber.lost_message(), slot);
            (lost, packed) = (0, 1);
        }
        for published in page.iter() {
            if subscriber.gets(published) {
                let Some(limits) = &limits else {
                    came = Came::Stuck;
                    break;
                };
                if published.payload_bytes() as u64 > limits.message_bytes {
                    // More than it takes: it is told that there was something.
                    (lost, packed, came) = (lost + 1, packed + 1, Came::More);
                } else if bytes > PARCEL_BYTES {
                    came = Came::More;
                    break;
                } else if let Some(slot) = place(limits.mailbox_messages) {
                    parcel.put(shared, actor, &subscriber.message(published), slot);
                    (bytes, packed) = (bytes + published.payload_bytes(), packed + 1);
                } else {
                    came = Came::Stuck;
                    break;
                }
            }
            cursor = published.ticket;
        }
        if came == Came::Through {
            cursor = cursor.max(pages.settled - 1);
        }
        if packed > 0 {
            parcel.moves.push((n, cursor, lost));
        } else {
            self.subscribers[n].subscriber.cursor = cursor;
        }
        Ok(came)
    }

    /// Commits a parcel and hands it over; `true` if that has to be tried again.
    async fn send(&mut self, shared: &Arc<Shared>, parcel: Parcel) -> Result<bool> {
        if parcel.moves.is_empty() {
            return Ok(false);
        }
        let mut batch = Batch::new();
        for (n, cursor, lost) in &parcel.moves {
            let subscriber = &self.subscribers[*n].subscriber;
            subscriber.move_cursor(&mut batch, *cursor, *lost);
        }
        for sent in &parcel.outgoing {
            batch.put(sent.row.clone(), encode(&sent.content));
        }
        if !self.commit(shared, batch).await? {
            return Ok(true);
        }
        for (n, cursor, lost) in parcel.moves {
            let subscriber = &mut self.subscribers[n].subscriber;
            (subscriber.cursor, subscriber.lost) = (cursor, lost);
        }
        shared.hand_over(parcel.outgoing);
        Ok(false)
    }

    /// `false`: one of the subscriptions is gone, and those there are have to be read again.
    async fn commit(&mut self, shared: &Arc<Shared>, batch: Batch) -> Result<bool> {
        shared.check_open()?;
        match shared.commit(batch).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => {
                self.loaded = false;
                Ok(false)
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// A subscriber that is too far behind loses the older half of what it is behind.
    async fn count_lag(&mut self, shared: &Arc<Shared>, n: usize, pages: &Pages) -> Result<bool> {
        // Not what is written by now: that may be more than the snapshot has.
        let written = pages.rows;
        let known = &self.subscribers[n];
        let (snapshot, settled) = (pages.snapshot.as_ref(), pages.settled);
        let subscriber = &known.subscriber;
        let mut behind = 0;
        let mut cursor = subscriber.cursor;
        loop {
            let page = delivery::page(snapshot, &self.feed, cursor, settled, PAGE).await?;
            behind += page.len() as u64;
            match page.last() {
                Some(last) if page.len() == PAGE => cursor = last.ticket,
                _ => break,
            }
        }
        if behind <= LAG_MAX {
            self.subscribers[n].look_at = written + LAG_MAX + 1 - behind;
            return Ok(false);
        }
        let mut skipped = behind - LAG_MAX / 2;
        let (mut cursor, mut lost) = (subscriber.cursor, subscriber.lost);
        while skipped > 0 {
            let limit = PAGE.min(usize::try_from(skipped).unwrap_or(PAGE));
            let page = delivery::page(snapshot, &self.feed, cursor, settled, limit).await?;
            let Some(last) = page.last() else { break };
            cursor = last.ticket;
            skipped -= page.len() as u64;
            lost += page.iter().filter(|row| subscriber.gets(row)).count() as u64;
        }
        let mut batch = Batch::new();
        subscriber.move_cursor(&mut batch, cursor, lost);
        tracing::warn!(
            subscriber = %subscriber.subscription.actor, feed = ?self.feed, lost,
            "a subscriber is too far behind and loses messages"
        );
        if !self.commit(shared, batch).await? {
            return Ok(true);
        }
        let known = &mut self.subscribers[n];
        (known.subscriber.cursor, known.subscriber.lost) = (cursor, lost);
        known.look_at = written + LAG_MAX / 2 + 1;
        Ok(false)
    }

    /// Deletes the subscriptions that have ended and have got all.
    async fn end_those_over(&mut self, shared: &Arc<Shared>, settled: u64) -> Result<bool> {
        let over = |known: &Known| {
            let subscriber = &known.subscriber;
            subscriber.end.is_some()
                && settled >= known.over_at
                && subscriber.cursor + 1 >= known.over_at
                && subscriber.lost == 0
        };
        let mut batch = Batch::new();
        for known in self.subscribers.iter().filter(|known| over(known)) {
            known.subscriber.delete(&mut batch);
        }
        if batch.is_empty() {
            return Ok(false);
        }
        if !self.commit(shared, batch).await? {
            return Ok(true);
        }
        self.subscribers.retain(|known| !over(known));
        Ok(false)
    }

    /// Deletes the rows that nobody needs any more.
    async fn trim(&mut self, shared: &Arc<Shared>, pages: &Pages) -> Result<bool> {
        let cursors = self.subscribers.iter().map(|known| known.subscriber.cursor);
        let passed = cursors.min().unwrap_or(pages.settled - 1);
        while self.lowest <= passed {
            let (snapshot, from) = (pages.snapshot.as_ref(), self.lowest);
            let (batch, next) = delivery::trim(snapshot, &self.feed, from, passed, TRIM).await?;
            if !batch.is_empty() && !self.commit(shared, batch).await? {
                return Ok(true);
            }
            self.lowest = next.unwrap_or(passed + 1);
        }
        Ok(false)
    }
}

impl Parcel {
    fn put(&mut self, shared: &Shared, to: &ActorId, message: &Message, slot: Slot) {
        self.bytes += message.payload.len();
        self.outgoing.push(Outgoing {
            to: to.clone(),
            row: mailbox::key(to, shared.ticket()),
            content: mailbox_row(message),
            slot: Box::new(slot),
        });
    }

    fn is_full(&self) -> bool {
        self.outgoing.len() >= PARCEL_MESSAGES || self.bytes >= PARCEL_BYTES
    }
}
