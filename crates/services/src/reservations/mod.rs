//! Who may change a key next: the node's reservation table.
//!
//! An operation whose result depends on shared data that it changes reserves the key first. On a bag (tuples, queues) a
//! reserved candidate is skipped; on a single key the operation waits in line, at most [`WAIT_MAX`], and the younger
//! turn of a deadlock is refused at once. A reservation lives until its turn commits or aborts, and is given back by
//! dropping it. The decisions are in `table.rs`.

mod table;

pub use table::Owner;

use parking_lot::Mutex;
use plexspaces_core::{Code, Error, Result};
use plexspaces_store::Key;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use table::{Answer, Table};
use tokio::sync::oneshot;

/// How long an operation waits for a key that another turn has reserved (semantics 7).
pub const WAIT_MAX: Duration = Duration::from_secs(1);

/// The keys that running turns have reserved.
#[derive(Debug, Default)]
pub struct Reservations {
    state: Mutex<State>,
    owners: AtomicU64,
    /// How many reservations also hold off plain writes.
    strict: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    table: Table,
    /// Whom to tell that it has its key, or that it is refused.
    waiting: HashMap<Owner, oneshot::Sender<bool>>,
    strict: HashSet<Key>,
}

/// One reserved key; dropping it gives the key back.
#[derive(Debug)]
pub struct Reservation {
    table: Arc<Reservations>,
    key: Key,
    strict: bool,
}

impl Reservations {
    /// A new owner, younger than all before.
    #[must_use]
    pub fn owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }

    /// Reserves `key` if it is free.
    #[must_use]
    pub fn try_reserve(self: &Arc<Self>, owner: Owner, key: &Key) -> Option<Reservation> {
        let granted = self.state.lock().table.try_reserve(owner, key);
        granted.then(|| self.reservation(key))
    }

    /// Whether somebody has reserved `key`.
    #[must_use]
    pub fn is_reserved(&self, key: &Key) -> bool {
        self.state.lock().table.is_reserved(key)
    }

    /// Reserves `key`, which `owner` must not have yet, and waits in line for it.
    ///
    /// # Errors
    /// `PS1018` after [`WAIT_MAX`], or at once for the youngest of turns that wait for each other in a circle.
    pub async fn reserve(self: &Arc<Self>, owner: Owner, key: &Key) -> Result<Reservation> {
        self.stand_in_line(owner, key, false).await
    }

    /// Reserves `key` for one that is about to commit and runs again if it is refused: it gives way first.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub async fn reserve_to_commit(
        self: &Arc<Self>,
        owner: Owner,
        key: &Key,
    ) -> Result<Reservation> {
        self.stand_in_line(owner, key, true).await
    }

    async fn stand_in_line(
        self: &Arc<Self>,
        owner: Owner,
        key: &Key,
        runs_again: bool,
    ) -> Result<Reservation> {
        let waiter = {
            let mut state = self.state.lock();
            match state.table.request(owner, key, runs_again) {
                Answer::Granted => return Ok(self.reservation(key)),
                Answer::Refused => return Err(circle()),
                Answer::Waits { refused } => {
                    if let Some(sender) = refused.and_then(|other| state.waiting.remove(&other)) {
                        let _ = sender.send(false);
                    }
                    let (sender, receiver) = oneshot::channel();
                    state.waiting.insert(owner, sender);
                    Waiter {
                        reservations: self.clone(),
                        owner,
                        key: key.clone(),
                        receiver,
                    }
                }
            }
        };
        waiter.granted().await
    }

    /// Reserves `key` so that turns which merely write it wait too: for a turn that has lost too often.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub async fn reserve_strictly(
        self: &Arc<Self>,
        owner: Owner,
        key: &Key,
    ) -> Result<Reservation> {
        let mut reservation = self.reserve(owner, key).await?;
        reservation.strict = true;
        self.state.lock().strict.insert(key.clone());
        self.strict.fetch_add(1, Ordering::SeqCst);
        Ok(reservation)
    }

    /// Whether any key is reserved strictly.
    #[must_use]
    pub fn any_strict(&self) -> bool {
        self.strict.load(Ordering::SeqCst) > 0
    }

    /// Whether this key is reserved strictly.
    #[must_use]
    pub fn is_strict(&self, key: &Key) -> bool {
        self.state.lock().strict.contains(key)
    }

    fn reservation(self: &Arc<Self>, key: &Key) -> Reservation {
        Reservation {
            table: self.clone(),
            key: key.clone(),
            strict: false,
        }
    }

    fn release(&self, key: &Key, strict: bool) {
        let mut state = self.state.lock();
        if strict {
            state.strict.remove(key);
            self.strict.fetch_sub(1, Ordering::SeqCst);
        }
        if let Some(next) = state.table.release(key)
            && let Some(sender) = state.waiting.remove(&next)
        {
            // One that is gone gives the key back in its drop, which waits for this lock.
            let _ = sender.send(true);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.table.release(&self.key, self.strict);
    }
}

/// An owner in line. Dropping it leaves the line, or gives back a key that was granted and not fetched.
struct Waiter {
    reservations: Arc<Reservations>,
    owner: Owner,
    key: Key,
    receiver: oneshot::Receiver<bool>,
}

impl Waiter {
    async fn granted(mut self) -> Result<Reservation> {
        match tokio::time::timeout(WAIT_MAX, &mut self.receiver).await {
            Ok(Ok(true)) => Ok(self.reservations.reservation(&self.key)),
            Ok(_) => Err(circle()),
            Err(_) => Err(Error::new(
                Code::Contended,
                format!(
                    "another turn has held what this one needs for {} ms",
                    WAIT_MAX.as_millis()
                ),
            )),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.reservations.state.lock();
        state.waiting.remove(&self.owner);
        let waited = state.table.leave(self.owner);
        drop(state);
        // Granted while nobody listened any more.
        if !waited && matches!(self.receiver.try_recv(), Ok(true)) {
            self.reservations.release(&self.key, false);
        }
    }
}

fn circle() -> Error {
    Error::new(
        Code::Contended,
        "turns wait for each other in a circle; this one is the youngest and gives way",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> (Arc<Reservations>, Key) {
        (Arc::default(), Key::from(b"k".to_vec()))
    }

    #[test]
    fn one_turn_has_a_key_until_it_lets_go() {
        let (table, key) = table();
        let first = table.try_reserve(table.owner(), &key).expect("free");
        assert!(table.try_reserve(table.owner(), &key).is_none());
        drop(first);
        assert!(table.try_reserve(table.owner(), &key).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_bounded() {
        let (table, key) = table();
        let first = table.reserve(table.owner(), &key).await.expect("free");
        let second = table.reserve(table.owner(), &key).await;
        assert_eq!(second.expect_err("held").code, Code::Contended);
        drop(first);
        assert!(table.try_reserve(table.owner(), &key).is_some());
    }

    #[tokio::test]
    async fn a_key_granted_to_one_who_left_goes_on() {
        let (table, key) = table();
        let first = table.reserve(table.owner(), &key).await.expect("free");
        let mut second = Box::pin(table.reserve(table.owner(), &key));
        assert!(futures_util::poll!(&mut second).is_pending());
        let mut third = Box::pin(table.reserve(table.owner(), &key));
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(first); // granted to the second,
        drop(second); // which does not want it any more
        drop(third.await.expect("the third gets it"));
        assert!(table.try_reserve(table.owner(), &key).is_some());
    }

    #[tokio::test]
    async fn a_deadlock_ends_for_the_younger() {
        let (table, a) = table();
        let b = Key::from(b"l".to_vec());
        let (old, young) = (table.owner(), table.owner());
        let old_a = table.reserve(old, &a).await.expect("free");
        let young_b = table.reserve(young, &b).await.expect("free");
        let mut young_a = Box::pin(table.reserve(young, &a));
        assert!(futures_util::poll!(&mut young_a).is_pending());
        let mut old_b = Box::pin(table.reserve(old, &b));
        assert!(futures_util::poll!(&mut old_b).is_pending());
        assert_eq!(young_a.await.expect_err("refused").code, Code::Contended);
        drop(young_b);
        drop(old_b.await.expect("now free"));
        drop(old_a);
    }
}
