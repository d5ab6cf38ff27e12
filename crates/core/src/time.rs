//! Wall time that never goes back, and numbers that follow it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

/// How many tickets one millisecond has room for.
const TICKETS_PER_MS: u64 = 1 << 20;

/// Gives times and tickets that only grow, whatever the machine's clock does. The caller passes the machine's time in.
#[derive(Debug, Default)]
pub struct Timeline {
    last_ticket: AtomicU64,
}

impl Timeline {
    /// Goes on after `last`, the newest time that the store knows.
    #[must_use]
    pub fn after(last: Millis) -> Self {
        Timeline {
            last_ticket: AtomicU64::new(last.0.saturating_add(1).saturating_mul(TICKETS_PER_MS)),
        }
    }

    /// The time of a turn: the machine's, or the last one given where that is later.
    pub fn now(&self, wall: Millis) -> Millis {
        Millis(self.ticket(wall) / TICKETS_PER_MS)
    }

    /// A number greater than every one before it; its order is the order of the calls.
    pub fn ticket(&self, wall: Millis) -> u64 {
        let floor = wall.0.saturating_mul(TICKETS_PER_MS);
        let next = |last: u64| floor.max(last + 1);
        let last = self
            .last_ticket
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            })
            .expect("the update always gives a value");
        next(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back_when_the_clock_does() {
        let timeline = Timeline::default();
        assert_eq!(timeline.now(Millis(1_000)), Millis(1_000));
        assert_eq!(timeline.now(Millis(400)), Millis(1_000));
        assert!(timeline.now(Millis(1_001)) >= Millis(1_001));
    }

    #[test]
    fn tickets_grow_across_a_restart() {
        let before = Timeline::default();
        let ticket = before.ticket(Millis(5_000));
        let after = Timeline::after(Millis(5_000));
        assert!(after.ticket(Millis(10)) > ticket);
    }
}
