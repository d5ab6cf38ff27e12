//! Those who wait for a flush, in the order of their commits, so that one flush wakes all that it covers in one pass.

use crate::Commit;
use std::collections::VecDeque;
use tokio::sync::oneshot;

/// One who waits; dropping it without a word means that the store has ended.
pub(super) type Waiter = oneshot::Sender<()>;

/// The waiters, lowest commit first.
#[derive(Debug, Default)]
pub(super) struct Waiters(VecDeque<(Commit, Waiter)>);

impl Waiters {
    /// Adds one. Nearly all come in the order of their commits, so the place is found at the back.
    pub(super) fn add(&mut self, commit: Commit, waiter: Waiter) {
        let behind = self
            .0
            .iter()
            .rev()
            .take_while(|(other, _)| *other > commit)
            .count();
        self.0.insert(self.0.len() - behind, (commit, waiter));
    }

    /// Takes out all that a flush up to `durable` covers.
    pub(super) fn take_covered(&mut self, durable: Commit) -> VecDeque<(Commit, Waiter)> {
        if self.0.back().is_none_or(|(commit, _)| *commit <= durable) {
            return std::mem::take(&mut self.0);
        }
        let covered = self.0.partition_point(|(commit, _)| *commit <= durable);
        self.0.drain(..covered).collect()
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_takes_out_what_it_covers_in_order() {
        let mut waiters = Waiters::default();
        for commit in [3, 5, 4, 1, 5] {
            waiters.add(Commit(commit), oneshot::channel().0);
        }
        let commits = |taken: VecDeque<(Commit, Waiter)>| {
            taken.iter().map(|(commit, _)| commit.0).collect::<Vec<_>>()
        };
        assert_eq!(commits(waiters.take_covered(Commit(0))), [0; 0]);
        assert_eq!(commits(waiters.take_covered(Commit(4))), [1, 3, 4]);
        assert!(!waiters.is_empty());
        assert_eq!(commits(waiters.take_covered(Commit(9))), [5, 5]);
        assert!(waiters.is_empty());
    }
}
