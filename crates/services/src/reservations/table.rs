//! The decisions of the reservation table: who has a key, who waits for it, and who gives way in a deadlock.
//!
//! A key has one holder and a line of owners that wait for it. An owner waits for one key at a time, so who waits for
//! whom is a set of chains, and a request that would close one into a circle is seen at once: one owner in the circle is
//! refused, first of all one that merely wants to commit and can run again unnoticed, else the youngest. No clock and no threads here: requests in, decisions out.

use plexspaces_store::Key;
use std::collections::{HashMap, VecDeque};

/// Who reserves: a segment of a turn. A younger one has a greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u64);

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The owner has the key.
    Granted,
    /// The owner waits in line. If `refused` is another owner, that one waits no longer: it was the youngest of a
    /// circle.
    Waits { refused: Option<Owner> },
    /// The owner would close a circle, and is the youngest in it.
    Refused,
}

#[derive(Debug)]
struct Line {
    holder: Owner,
    waiting: VecDeque<Owner>,
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    key: Key,
    /// Nobody is told if it is refused: it runs again.
    runs_again: bool,
}

/// Who has and who wants what.
#[derive(Debug, Default)]
pub(super) struct Table {
    lines: HashMap<Key, Line>,
    waits_for: HashMap<Owner, Wanted>,
}

impl Table {
    /// Gives `key` to `owner` if it is free. A key that somebody waits for is never free.
    pub(super) fn try_reserve(&mut self, owner: Owner, key: &Key) -> bool {
        if self.lines.contains_key(key) {
            return false;
        }
        self.lines.insert(
            key.clone(),
            Line {
                holder: owner,
                waiting: VecDeque::new(),
            },
        );
        true
    }

    /// Whether `key` has a holder.
    pub(super) fn is_reserved(&self, key: &Key) -> bool {
        self.lines.contains_key(key)
    }

    /// Gives `key` to `owner`, who does not have it yet, or puts it in line.
    pub(super) fn request(&mut self, owner: Owner, key: &Key, runs_again: bool) -> Answer {
        if self.try_reserve(owner, key) {
            return Answer::Granted;
        }
        let refused = match self.weakest_of_circle(owner, key, runs_again) {
            Some(weakest) if weakest == owner => return Answer::Refused,
            Some(weakest) => {
                self.leave(weakest);
                Some(weakest)
            }
            None => None,
        };
        if let Some(line) = self.lines.get_mut(key) {
            line.waiting.push_back(owner);
        }
        let key = key.clone();
        self.waits_for.insert(owner, Wanted { key, runs_again });
        Answer::Waits { refused }
    }

    /// Takes `key` from its holder; gives the next in line, who has it now.
    pub(super) fn release(&mut self, key: &Key) -> Option<Owner> {
        let line = self.lines.get_mut(key)?;
        match line.waiting.pop_front() {
            Some(next) => {
                line.holder = next;
                self.waits_for.remove(&next);
                Some(next)
            }
            None => {
                self.lines.remove(key);
                None
            }
        }
    }

    /// Takes an owner out of the line that it waits in; `false` if it waits in none.
    pub(super) fn leave(&mut self, owner: Owner) -> bool {
        let Some(wanted) = self.waits_for.remove(&owner) else {
            return false;
        };
        if let Some(line) = self.lines.get_mut(&wanted.key) {
            line.waiting.retain(|waiting| *waiting != owner);
        }
        true
    }

    /// Who is to give way in the circle that `owner` closes when it waits for `key`.
    fn weakest_of_circle(&self, owner: Owner, key: &Key, runs_again: bool) -> Option<Owner> {
        let mut weakest = (runs_again, owner);
        let mut wanted = key;
        loop {
            let holder = self.lines.get(wanted)?.holder;
            if holder == owner {
                return Some(weakest.1);
            }
            let next = self.waits_for.get(&holder)?;
            weakest = weakest.max((next.runs_again, holder));
            wanted = &next.key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn key(n: u8) -> Key {
        Key::from(vec![n])
    }

    #[test]
    fn a_key_goes_down_its_line_in_order() {
        let mut table = Table::default();
        assert_eq!(table.request(Owner(1), &key(0), false), Answer::Granted);
        for n in 2..4 {
            assert_eq!(
                table.request(Owner(n), &key(0), false),
                Answer::Waits { refused: None }
            );
        }
        assert_eq!(table.release(&key(0)), Some(Owner(2)));
        assert!(
            !table.try_reserve(Owner(9), &key(0)),
            "not past those who wait"
        );
        assert_eq!(table.release(&key(0)), Some(Owner(3)));
        assert_eq!(table.release(&key(0)), None);
        assert!(table.try_reserve(Owner(9), &key(0)));
    }

    #[test]
    fn the_youngest_of_a_circle_gives_way() {
        let mut table = Table::default();
        for n in 0..3 {
            table.request(Owner(n.into()), &key(n), false);
        }
        table.request(Owner(0), &key(1), false);
        table.request(Owner(2), &key(0), false);
        // 1 -> 2's key closes 1 -> 2 -> 0 -> 1.
        assert_eq!(
            table.request(Owner(1), &key(2), false),
            Answer::Waits {
                refused: Some(Owner(2))
            }
        );
        // And now 2 would close it again.
        assert_eq!(table.request(Owner(2), &key(0), false), Answer::Refused);
    }

    #[test]
    fn one_that_runs_again_gives_way_before_the_youngest() {
        let mut table = Table::default();
        table.request(Owner(0), &key(0), false);
        table.request(Owner(1), &key(1), false);
        table.request(Owner(0), &key(1), true);
        assert_eq!(
            table.request(Owner(1), &key(0), false),
            Answer::Waits {
                refused: Some(Owner(0))
            }
        );
    }

    proptest! {
        /// Whatever is asked, somebody can go on: no circle ever stands, and all who wait are served when holders let go.
        #[test]
        fn nobody_waits_for_ever(requests in proptest::collection::vec((0u64..6, 0u8..5), 1..200)) {
            let mut table = Table::default();
            let mut held: HashMap<Owner, HashSet<Key>> = HashMap::new();
            let mut waiting: HashMap<Owner, Key> = HashMap::new();
            for (owner, n) in requests {
                let (owner, key) = (Owner(owner), key(n));
                if waiting.contains_key(&owner) {
                    continue;
                }
                if held.get(&owner).is_some_and(|keys| keys.contains(&key)) {
                    continue;
                }
                match table.request(owner, &key, owner.0 == 3) {
                    Answer::Granted => drop(held.entry(owner).or_default().insert(key)),
                    Answer::Waits { refused } => {
                        waiting.insert(owner, key);
                        if let Some(refused) = refused {
                            prop_assert!(waiting.remove(&refused).is_some(), "only who waits is refused");
                        }
                    }
                    Answer::Refused => {}
                }
                let waits_for: HashMap<Owner, Key> =
                    table.waits_for.iter().map(|(owner, wanted)| (*owner, wanted.key.clone())).collect();
                prop_assert_eq!(&waits_for, &waiting);
                let holders = held.values().map(HashSet::len).sum::<usize>();
                prop_assert_eq!(table.lines.len(), holders);
            }
            // Who does not wait lets go of everything, until nobody holds anything.
            while !held.is_empty() {
                let free: Vec<Owner> = held.keys().copied().filter(|o| !waiting.contains_key(o)).collect();
                prop_assert!(!free.is_empty(), "a circle stands");
                for owner in free {
                    for key in held.remove(&owner).into_iter().flatten() {
                        if let Some(next) = table.release(&key) {
                            prop_assert_eq!(waiting.remove(&next), Some(key.clone()));
                            held.entry(next).or_default().insert(key);
                        }
                    }
                }
            }
            prop_assert!(waiting.is_empty());
            prop_assert!(table.lines.is_empty() && table.waits_for.is_empty());
        }
    }
}
