//! Where the first row of a queue may be: a lower bound, so that a scan does not walk over what was removed before.

use std::collections::{BTreeMap, HashMap};

/// Which of a queue's two orders: messages by ticket, or hidden ones by the time when they come back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line {
    Ready,
    Due,
}

/// A position before which nothing lies.
///
/// Turns under way may commit rows that a scan did not see, so what a scan finds counts only up to the first of those:
/// the rows that were being written when it began, or came to it since.
#[derive(Default)]
pub(super) struct Low {
    pub(super) low: u64,
    /// The first row that each turn under way writes, and how many write there.
    writing: BTreeMap<u64, u32>,
    /// The scans under way, and the first row that any may have missed.
    pub(super) scans: HashMap<u64, u64>,
    next_scan: u64,
}

impl Low {
    pub(super) fn write(&mut self, at: u64) {
        self.low = self.low.min(at);
        *self.writing.entry(at).or_default() += 1;
        for missed in self.scans.values_mut() {
            *missed = at.min(*missed);
        }
    }

    pub(super) fn written(&mut self, at: u64) {
        if let Some(writers) = self.writing.get_mut(&at) {
            *writers -= 1;
            if *writers == 0 {
                self.writing.remove(&at);
            }
        }
    }

    pub(super) fn begin(&mut self) -> (u64, u64) {
        let missed = self.writing.keys().next().copied().unwrap_or(u64::MAX);
        self.next_scan += 1;
        self.scans.insert(self.next_scan, missed);
        (self.next_scan, self.low)
    }

    pub(super) fn found(&mut self, scan: u64, first: u64) {
        if let Some(missed) = self.scans.get(&scan) {
            self.low = self.low.max(first.min(*missed));
        }
    }
}
