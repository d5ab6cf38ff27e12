//! What the turns of one node share besides the store: who has reserved what, who waits for what, how long queues are.

use crate::queues::Tallies;
use crate::reservations::Reservations;
use crate::waiters::Waiters;
use std::sync::Arc;

/// One node's reservation table, lines of waiters and queues' tallies, all in memory only.
#[derive(Default)]
pub struct Coordination {
    /// Who may change a key next.
    pub reservations: Arc<Reservations>,
    /// Who waits for something to appear.
    pub waiters: Arc<Waiters>,
    /// How many messages queues have, and where the first one is.
    pub tallies: Arc<Tallies>,
}
