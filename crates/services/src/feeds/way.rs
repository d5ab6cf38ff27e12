//! What happens to feeds between the end of a transaction and its commit, and what is held meanwhile.

use super::table::Feeds;
use super::{Feed, Subscription};
use std::sync::Arc;

/// What a transaction does to feeds, between its end and its commit.
#[derive(Default)]
pub(crate) struct OnTheirWay {
    // Starts before ends: one that ends in the turn that it starts in is there first.
    pub(super) changes: Vec<Change>,
    pub(super) publications: Vec<Publication>,
}

impl OnTheirWay {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.publications.is_empty()
    }

    /// The batch has committed.
    pub(crate) fn committed(mut self) {
        for change in &mut self.changes {
            change.committed = true;
        }
    }
}

/// A subscription that starts or ends.
pub(super) struct Change {
    pub(super) feeds: Arc<Feeds>,
    pub(super) subscription: Subscription,
    pub(super) what: What,
    pub(super) committed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Starts,
    Ends,
}

impl Drop for Change {
    fn drop(&mut self) {
        let feed = &self.subscription.feed;
        let over = self.committed == (self.what == What::Ends);
        if over {
            self.feeds.remove(&self.subscription);
        }
        self.feeds.changed(feed);
        // An end leaves something to do, and what is given up may leave an entry that nobody needs.
        if over {
            self.feeds.wake(feed);
        }
    }
}

/// A row that is on its way.
pub(super) struct Publication {
    pub(super) feeds: Arc<Feeds>,
    pub(super) feed: Feed,
    pub(super) ticket: u64,
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.feeds.arrived(&self.feed, self.ticket);
    }
}

/// Wakes a feed when it is dropped, see [`Feeds::wake_later`].
pub struct Wake {
    pub(super) feeds: Arc<Feeds>,
    pub(super) feed: Feed,
}

impl Wake {
    /// Which feed it wakes.
    #[must_use]
    pub fn feed(&self) -> &Feed {
        &self.feed
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.feeds.wake(&self.feed);
    }
}
