//! What the rows were that have changed since the oldest snapshot.
//!
//! A snapshot reads the database as it is now, and then asks here what is newer than it and what was there before. The
//! writer says what a batch is about to change *before* it commits, so whoever sees a change in the database finds the
//! old value here. What no snapshot needs any more goes at once: without snapshots nothing is kept, and with one, what
//! was overwritten since it was taken.

use crate::Versioned;
use parking_lot::Mutex;
use plexspaces_core::batch::{Key, Version};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

/// The values before the changes that some snapshot must not see.
pub(super) struct Past(Mutex<Inner>);

/// What a key had before a commit; `None` if it was absent.
type Before = Option<Versioned>;

struct Inner {
    /// The newest commit that everybody can see.
    newest: Version,
    /// The moments that snapshots show, and how many show each.
    held: BTreeMap<Version, usize>,
    /// What each key had before the commits that changed it, oldest first.
    changed: BTreeMap<Key, VecDeque<(Version, Before)>>,
    /// Which keys each commit changed, oldest first.
    commits: VecDeque<(Version, Vec<Key>)>,
}

impl Past {
    /// Nothing has changed since `newest`.
    pub(super) fn new(newest: Version) -> Self {
        Past(Mutex::new(Inner {
            newest,
            held: BTreeMap::new(),
            changed: BTreeMap::new(),
            commits: VecDeque::new(),
        }))
    }

    /// Gives the newest moment, and keeps it until [`release`](Past::release).
    pub(super) fn hold(&self) -> Version {
        let mut inner = self.0.lock();
        let newest = inner.newest;
        *inner.held.entry(newest).or_default() += 1;
        newest
    }

    /// A snapshot of `moment` is gone.
    pub(super) fn release(&self, moment: Version) {
        let mut inner = self.0.lock();
        if let Some(count) = inner.held.get_mut(&moment) {
            *count -= 1;
            if *count == 0 {
                inner.held.remove(&moment);
                inner.forget();
            }
        }
    }

    /// `commit` is about to change these keys, which have had this.
    pub(super) fn remember(&self, commit: Version, before: Vec<(Key, Before)>) {
        let mut inner = self.0.lock();
        let mut keys = Vec::with_capacity(before.len());
        for (key, before) in before {
            let changes = inner.changed.entry(key.clone()).or_default();
            changes.push_back((commit, before));
            keys.push(key);
        }
        inner.commits.push_back((commit, keys));
    }

    /// Everybody can see `commit`.
    pub(super) fn committed(&self, commit: Version) {
        let mut inner = self.0.lock();
        inner.newest = commit;
        inner.forget();
    }

    /// What `key` had at `moment`, if that is not what it had in the database a moment ago.
    pub(super) fn at(&self, moment: Version, key: &Key) -> Option<Before> {
        let inner = self.0.lock();
        first_after(moment, inner.changed.get(key)?)
    }

    /// The keys in `range` that had something else at `moment` than in the database a moment ago, and what. The range
    /// is not empty.
    pub(super) fn within(&self, moment: Version, range: &Range<Key>) -> BTreeMap<Key, Before> {
        let inner = self.0.lock();
        inner
            .changed
            .range(range.start.clone()..range.end.clone())
            .filter_map(|(key, changes)| Some((key.clone(), first_after(moment, changes)?)))
            .collect()
    }
}

/// What there was before the first change after `moment`.
fn first_after(moment: Version, changes: &VecDeque<(Version, Before)>) -> Option<Before> {
    let (_, before) = changes.iter().find(|(commit, _)| *commit > moment)?;
    Some(before.clone())
}

impl Inner {
    /// Lets go of what lies before every snapshot that there is or that may still be taken.
    fn forget(&mut self) {
        let oldest = self.held.keys().next().copied().unwrap_or(self.newest);
        while let Some((commit, _)) = self.commits.front() {
            if *commit > oldest {
                break;
            }
            let (_, keys) = self.commits.pop_front().expect("just seen");
            for key in keys {
                // Oldest first, in both: the first one is this commit's.
                if let Some(changes) = self.changed.get_mut(&key) {
                    changes.pop_front();
                    if changes.is_empty() {
                        self.changed.remove(&key);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key::from(vec![n])
    }

    fn value(version: u64) -> Before {
        Some(Versioned {
            version: Version(version),
            value: vec![7].into(),
        })
    }

    #[test]
    fn a_moment_is_before_the_first_change_after_it() {
        let past = Past::new(Version(5));
        let five = past.hold();
        past.remember(Version(6), vec![(key(1), None), (key(2), value(3))]);
        past.committed(Version(6));
        let six = past.hold();
        past.remember(Version(7), vec![(key(1), value(6))]);
        assert_eq!(past.at(five, &key(1)), Some(None));
        assert_eq!(past.at(five, &key(2)), Some(value(3)));
        assert_eq!(past.at(five, &key(3)), None);
        // The seventh may be in the database already, though nobody is told so yet.
        assert_eq!(past.at(six, &key(1)), Some(value(6)));
        assert_eq!(past.at(six, &key(2)), None);
        let all = past.within(six, &(key(0)..key(9)));
        assert_eq!(all.into_iter().collect::<Vec<_>>(), [(key(1), value(6))]);
    }

    #[test]
    fn what_no_snapshot_needs_is_let_go() {
        let past = Past::new(Version(0));
        let kept = || past.0.lock().changed.len();
        let change = |commit: u64, n| {
            past.remember(Version(commit), vec![(key(n), None)]);
            past.committed(Version(commit));
        };
        change(1, 1);
        assert_eq!(kept(), 0);
        let (one, again) = (past.hold(), past.hold());
        change(2, 2);
        let two = past.hold();
        change(3, 3);
        assert_eq!(kept(), 2);
        past.release(one);
        assert_eq!(kept(), 2, "the moment is shown once more");
        past.release(again);
        assert_eq!(kept(), 1);
        past.release(two);
        assert_eq!(kept(), 0);
        assert!(past.0.lock().commits.is_empty());
    }
}
