//! Who waits for something to appear: a tuple, a message in a queue, a lock.
//!
//! Waiters of one topic stand in a line. Whoever changes what the topic is about wakes the line after its commit, and
//! also when it aborts, since what it had reserved is free again. The first in line is woken; it looks, and passes the
//! word on to the next. A newcomer leaves what somebody in line wants ([`Waiters::is_wanted`]), so the line is served
//! first. Nobody polls. The lines are in memory only: after a restart the interrupted turns take their places again, in
//! the order in which their actors become active.

use parking_lot::Mutex;
use plexspaces_store::Key;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Notify;

/// Whether a waiter wants what is in a row.
pub type Wants = Box<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// The lines of all topics.
#[derive(Default)]
pub struct Waiters {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    lines: HashMap<Key, BTreeMap<u64, Waiting>>,
}

struct Waiting {
    notify: Arc<Notify>,
    /// `None`: it takes nothing away from others.
    wants: Option<Wants>,
}

/// A place in a line; dropping it leaves the line and passes the word on.
pub struct Place {
    waiters: Arc<Waiters>,
    topic: Key,
    number: u64,
    notify: Arc<Notify>,
}

impl Waiters {
    /// Takes the last place in the line of `topic`. `wants` says which rows this one would take away; a mere reader has
    /// none.
    #[must_use]
    pub fn line_up(self: &Arc<Self>, topic: Key, wants: Option<Wants>) -> Place {
        let notify = Arc::new(Notify::new());
        let mut state = self.state.lock();
        state.next += 1;
        let number = state.next;
        let waiting = Waiting {
            notify: notify.clone(),
            wants,
        };
        state
            .lines
            .entry(topic.clone())
            .or_default()
            .insert(number, waiting);
        Place {
            waiters: self.clone(),
            topic,
            number,
            notify,
        }
    }

    /// Wakes the first in the line of `topic`.
    pub fn wake(&self, topic: &Key) {
        self.wake_after(topic, 0);
    }

    /// Whether somebody in the line of `topic`, before the place `before` if there is one, would take this row.
    #[must_use]
    pub fn is_wanted(&self, topic: &Key, before: Option<u64>, row: &[u8]) -> bool {
        let state = self.state.lock();
        state.lines.get(topic).is_some_and(|line| {
            line.range(..before.unwrap_or(u64::MAX))
                .any(|(_, waiting)| waiting.wants.as_ref().is_some_and(|wants| wants(row)))
        })
    }

    /// How many stand in the line of `topic` to take something, before the place `before` if there is one.
    #[must_use]
    pub fn ahead(&self, topic: &Key, before: Option<u64>) -> usize {
        let state = self.state.lock();
        state.lines.get(topic).map_or(0, |line| {
            let takers = line.range(..before.unwrap_or(u64::MAX));
            takers
                .filter(|(_, waiting)| waiting.wants.is_some())
                .count()
        })
    }

    fn wake_after(&self, topic: &Key, number: u64) {
        let state = self.state.lock();
        if let Some(line) = state.lines.get(topic)
            && let Some((_, next)) = line.range(number + 1..).next()
        {
            next.notify.notify_one();
        }
    }
}

impl Place {
    /// Its number: lower ones are before it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns when there may be something for this one; also if that was said before the call.
    pub async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Lets the next in line look too.
    pub fn pass_on(&self) {
        self.waiters.wake_after(&self.topic, self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        {
            let mut state = self.waiters.state.lock();
            if let Some(line) = state.lines.get_mut(&self.topic) {
                line.remove(&self.number);
                if line.is_empty() {
                    state.lines.remove(&self.topic);
                }
            }
        }
        self.pass_on();
    }
}

/// Wakes a topic's line when it is dropped: with the commit, or with the abort.
pub struct WakeOnDrop {
    waiters: Arc<Waiters>,
    topic: Key,
    armed: bool,
}

impl WakeOnDrop {
    pub(crate) fn new(waiters: &Arc<Waiters>, topic: Key) -> Self {
        WakeOnDrop {
            waiters: waiters.clone(),
            topic,
            armed: true,
        }
    }

    pub(crate) fn topic(&self) -> &Key {
        &self.topic
    }

    /// Wakes nobody.
    pub(crate) fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.waiters.wake(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn topic() -> Key {
        Key::from(b"t".to_vec())
    }

    fn is_woken(place: &Place) -> bool {
        place.woken().now_or_never().is_some()
    }

    #[test]
    fn the_word_goes_down_the_line() {
        let waiters = Arc::new(Waiters::default());
        let a = waiters.line_up(topic(), None);
        let b = waiters.line_up(topic(), None);
        assert!(!is_woken(&a));
        waiters.wake(&topic());
        assert!(!is_woken(&b));
        assert!(is_woken(&a));
        a.pass_on();
        assert!(is_woken(&b));
        waiters.wake(&topic());
        drop(a);
        assert!(is_woken(&b), "one that leaves takes no word with it");
        drop(b);
        assert!(waiters.state.lock().lines.is_empty());
    }

    #[test]
    fn newcomers_leave_what_the_line_wants() {
        let waiters = Arc::new(Waiters::default());
        let reader = waiters.line_up(topic(), None);
        assert!(!waiters.is_wanted(&topic(), None, b"x"));
        let taker = waiters.line_up(topic(), Some(Box::new(|row| row == b"x")));
        assert!(waiters.is_wanted(&topic(), None, b"x"));
        assert!(!waiters.is_wanted(&topic(), None, b"y"));
        assert!(!waiters.is_wanted(&topic(), Some(taker.number()), b"x"));
        drop((reader, taker));
    }
}
