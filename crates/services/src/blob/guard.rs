//! Keeps what is being stored or read apart from what is being collected.
//!
//! A chunk is an orphan when no row names it. But a turn that stores the very bytes of an old orphan names it only when
//! it commits, and a turn that has read a chunk has it in its journal only then. Both pin the chunk until their commit.
//! A collection is told every chunk that was pinned at any time since it began, before it looked at the rows: so it
//! sees the row, or the pin, or both. While a chunk is being deleted, whoever wants to pin it waits until it is gone, and
//! then stores it anew or finds it missing.

use crate::applications::Hash;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Guard {
    state: Mutex<State>,
    /// Told when a deletion is over.
    deleted: Notify,
}

#[derive(Debug, Default)]
struct State {
    pinned: HashMap<Hash, usize>,
    /// What was pinned since the collection under way began.
    touched: Option<HashSet<Hash>>,
    /// What is being deleted.
    condemned: HashSet<Hash>,
}

/// Chunks that are not collected until this is dropped.
#[derive(Debug, Default)]
pub struct Pin {
    held: Vec<(Arc<Guard>, Vec<Hash>)>,
}

impl Pin {
    /// One pin for both.
    pub fn join(&mut self, other: Pin) {
        let mut other = other;
        self.held.append(&mut other.held);
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        for (guard, hashes) in &self.held {
            let mut state = guard.state.lock();
            for hash in hashes {
                if let Some(n) = state.pinned.get_mut(hash) {
                    *n -= 1;
                    if *n == 0 {
                        state.pinned.remove(hash);
                    }
                }
            }
        }
    }
}

impl Guard {
    /// Pins chunks. Waits for deletions of them that are under way.
    pub(super) async fn pin(self: &Arc<Self>, hashes: Vec<Hash>) -> Pin {
        loop {
            let over = self.deleted.notified();
            tokio::pin!(over);
            // From here on no end of a deletion is missed.
            over.as_mut().enable();
            if self.try_pin(&hashes) {
                return Pin {
                    held: vec![(self.clone(), hashes)],
                };
            }
            over.await;
        }
    }

    fn try_pin(&self, hashes: &[Hash]) -> bool {
        let state = &mut *self.state.lock();
        if hashes.iter().any(|hash| state.condemned.contains(hash)) {
            return false;
        }
        for hash in hashes {
            *state.pinned.entry(*hash).or_default() += 1;
            if let Some(touched) = &mut state.touched {
                touched.insert(*hash);
            }
        }
        true
    }

    /// Begins a collection; there is one at a time.
    pub(super) fn begin(self: &Arc<Self>) -> Collection {
        let mut state = self.state.lock();
        assert!(state.touched.is_none(), "one collection at a time");
        state.touched = Some(state.pinned.keys().copied().collect());
        Collection(self.clone())
    }
}

/// A collection under way.
pub(super) struct Collection(Arc<Guard>);

impl Collection {
    /// Those of `orphans` that may be deleted; nobody can pin them until what this gives is dropped.
    pub(super) fn condemn(&self, orphans: Vec<Hash>) -> Condemned {
        let state = &mut *self.0.state.lock();
        let touched = state.touched.as_ref().expect("set while this lives");
        let hashes: Vec<Hash> = orphans
            .into_iter()
            .filter(|hash| !touched.contains(hash))
            .collect();
        state.condemned.extend(hashes.iter().copied());
        Condemned {
            guard: self.0.clone(),
            hashes,
        }
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        self.0.state.lock().touched = None;
    }
}

/// Chunks that are being deleted.
pub(super) struct Condemned {
    guard: Arc<Guard>,
    pub(super) hashes: Vec<Hash>,
}

impl Drop for Condemned {
    fn drop(&mut self) {
        let mut state = self.guard.state.lock();
        for hash in &self.hashes {
            state.condemned.remove(hash);
        }
        drop(state);
        self.guard.deleted.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn hash(n: u8) -> Hash {
        Hash([n; 32])
    }

    #[tokio::test]
    async fn what_was_pinned_since_the_collection_began_is_not_condemned() {
        let guard = Arc::new(Guard::default());
        let before = guard.pin(vec![hash(1)]).await;
        let over = guard.pin(vec![hash(2)]).await;
        drop(over);
        let collection = guard.begin();
        drop(before);
        drop(guard.pin(vec![hash(3)]).await);
        let condemned = collection.condemn((1..5).map(hash).collect());
        assert_eq!(condemned.hashes, [hash(2), hash(4)]);
        drop((condemned, collection));
        let next = guard.begin();
        assert_eq!(next.condemn(vec![hash(1)]).hashes, [hash(1)]);
    }

    #[tokio::test]
    async fn a_pin_waits_for_the_deletion_under_way() {
        let guard = Arc::new(Guard::default());
        let collection = guard.begin();
        let condemned = collection.condemn(vec![hash(1)]);
        let waiting = guard.pin(vec![hash(1), hash(2)]);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(condemned);
        let pin = waiting.now_or_never().expect("nothing to wait for");
        assert!(collection.condemn(vec![hash(1), hash(2)]).hashes.is_empty());
        drop((pin, collection));
        assert!(guard.state.lock().pinned.is_empty());
    }

    #[tokio::test]
    async fn two_pins_of_a_chunk_are_two() {
        let guard = Arc::new(Guard::default());
        let mut one = guard.pin(vec![hash(1)]).await;
        let two = guard.pin(vec![hash(1)]).await;
        one.join(guard.pin(vec![hash(2)]).await);
        drop(one);
        assert!(guard.begin().condemn(vec![hash(1)]).hashes.is_empty());
        drop(two);
        assert_eq!(
            guard.begin().condemn(vec![hash(1), hash(2)]).hashes,
            [hash(1), hash(2)]
        );
    }
}
