//! What the turns of one node share besides the store: who has reserved what, who waits for what, who subscribes, how
//! long queues are.

use crate::feeds::Feeds;
use crate::feeds::table::Tickets;
use crate::queues::Tallies;
use crate::reservations::Reservations;
use crate::waiters::Waiters;
use std::sync::Arc;

/// One node's reservation table, lines of waiters, feeds and queues' tallies, all in memory only.
#[derive(Default)]
pub struct Coordination {
    /// Who may change a key next.
    pub reservations: Arc<Reservations>,
    /// Who waits for something to appear.
    pub waiters: Arc<Waiters>,
    /// Who is told of what is published.
    pub feeds: Arc<Feeds>,
    /// How many messages queues have, and where the first one is.
    pub tallies: Arc<Tallies>,
}

impl Coordination {
    /// `tickets` gives numbers greater than all before, also than those before a restart.
    #[must_use]
    pub fn new(tickets: Tickets) -> Self {
        Coordination {
            feeds: Arc::new(Feeds::new(tickets)),
            ..Coordination::default()
        }
    }
}
