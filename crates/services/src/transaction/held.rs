//! What outlives a transaction until its batch has committed.

use crate::blob::Pin;
use crate::feeds::way::OnTheirWay;
use crate::queues::Change;
use crate::reservations::Reservation;
use crate::waiters::WakeOnDrop;
use plexspaces_store::Key;
use std::collections::BTreeMap;

/// What a transaction holds until its batch has [`committed`](Held::committed), or until it is given up by dropping
/// this: gives the reservations back, and wakes who waits for what has changed.
#[derive(Default)]
pub struct Held {
    /// What becomes of queues, by their messages' path.
    pub(super) queues: BTreeMap<Key, Change>,
    // In this order: who is woken finds the reservations given back.
    pub(super) reservations: BTreeMap<Key, Reservation>,
    pub(super) wakes: Vec<WakeOnDrop>,
    pub(super) wakes_if_undone: Vec<WakeOnDrop>,
    pub(super) feeds: OnTheirWay,
    /// Blob content that a row of the batch names, or that the turn has read.
    pub(super) pin: Pin,
}

impl Held {
    /// Whether nobody could wait for what this holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reservations.is_empty() && self.wakes.is_empty() && self.feeds.is_empty()
    }

    /// The batch has committed: what was taken away is not there again.
    pub fn committed(mut self) {
        for change in std::mem::take(&mut self.queues).into_values() {
            change.committed();
        }
        for wake in self.wakes_if_undone.drain(..) {
            wake.disarm();
        }
        self.feeds.committed();
    }
}
