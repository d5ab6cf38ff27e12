//! When a task that works on what is due has to look again.
//!
//! The task sleeps until the next entry that it knows; whoever commits an earlier one wakes it. With nothing due it
//! sleeps without a timer, so an idle node does nothing.

use parking_lot::Mutex;
use plexspaces_core::time::Millis;
use std::time::Duration;
use tokio::sync::Notify;

/// One task's next look.
#[derive(Default)]
pub(crate) struct Alarm {
    /// `None` while the task looks, and when it knows of nothing.
    next: Mutex<Option<Millis>>,
    sooner: Notify,
    /// The earliest that was set since it was last asked for.
    earliest: Mutex<Option<Millis>>,
}

impl Alarm {
    /// Something is due at `at`: wakes the task if it would sleep longer. Called after the entry is committed.
    pub(crate) fn set(&self, at: Millis) {
        {
            let mut earliest = self.earliest.lock();
            *earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
        }
        if self.next.lock().is_none_or(|next| at < next) {
            self.sooner.notify_one();
        }
    }

    /// The earliest that was set since this was last called: what is due before it is where it was.
    pub(crate) fn take_earliest(&self) -> Option<Millis> {
        self.earliest.lock().take()
    }

    /// Ends the sleep: there is no node any more.
    pub(crate) fn over(&self) {
        self.sooner.notify_one();
    }

    /// Sleeps for `pause`, which ends at `next`, or until something earlier is committed. What was committed since the
    /// task has looked counts.
    pub(crate) async fn sleep(&self, next: Option<(Millis, Duration)>) {
        *self.next.lock() = next.map(|(at, _)| at);
        match next {
            Some((_, pause)) => {
                let _ = tokio::time::timeout(pause, self.sooner.notified()).await;
            }
            None => self.sooner.notified().await,
        }
        *self.next.lock() = None;
    }
}
