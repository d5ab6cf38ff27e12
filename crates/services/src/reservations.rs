//! Who may change a key next: the node's reservation table.
//!
//! An operation whose result depends on shared data that it changes reserves the key first. A reservation lives until
//! its turn commits or aborts, and is given back by dropping it.

use parking_lot::Mutex;
use plexspaces_store::Key;
use std::collections::HashSet;
use std::sync::Arc;

/// The keys that running turns have reserved.
#[derive(Debug, Default)]
pub struct Reservations {
    keys: Mutex<HashSet<Key>>,
}

/// One reserved key; dropping it gives the key back.
#[derive(Debug)]
pub struct Reservation {
    table: Arc<Reservations>,
    key: Key,
}

impl Reservations {
    /// Reserves `key`, or says `None` when another turn has it.
    #[must_use]
    pub fn try_reserve(self: &Arc<Self>, key: &Key) -> Option<Reservation> {
        self.keys.lock().insert(key.clone()).then(|| Reservation {
            table: self.clone(),
            key: key.clone(),
        })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.table.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_has_a_key_until_it_lets_go() {
        let table = Arc::new(Reservations::default());
        let key = Key::from(b"k".to_vec());
        let first = table.try_reserve(&key).expect("free");
        assert!(table.try_reserve(&key).is_none());
        drop(first);
        assert!(table.try_reserve(&key).is_some());
    }
}
