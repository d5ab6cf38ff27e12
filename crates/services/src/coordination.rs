//! What the turns of one node share besides the store: who has reserved what, and who waits for what.

use crate::reservations::Reservations;
use crate::waiters::Waiters;
use std::sync::Arc;

/// One node's reservation table and lines of waiters, both in memory only.
#[derive(Default)]
pub struct Coordination {
    /// Who may change a key next.
    pub reservations: Arc<Reservations>,
    /// Who waits for something to appear.
    pub waiters: Arc<Waiters>,
}
