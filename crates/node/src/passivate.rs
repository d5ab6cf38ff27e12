//! Idle actors become passive: a checkpoint, and nothing stays in memory.
//!
//! One task sleeps until the first hot actor can have been idle long enough, and without any hot actor until one comes
//! to rest: an idle node has no timer. When there is no room for another instance, the longest idle actors go first.

use crate::drive;
use crate::resident::Resident;
use crate::shared::Shared;
use futures_util::future::join_all;
use parking_lot::Mutex;
use plexspaces_runtime::INSTANCES_MAX;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Live instances at which idle actors begin to make room.
const ROOM: usize = INSTANCES_MAX as usize * 9 / 10;

/// How many actors make room at once.
const AT_ONCE: usize = INSTANCES_MAX as usize / 20;

/// The shortest pause between two looks at the hot actors.
const PAUSE: Duration = Duration::from_millis(50);

/// When the task looks next; an actor that comes to rest wakes it if that is too late.
#[derive(Default)]
pub(crate) struct Look {
    /// `None` while it looks, and without any hot actor.
    next: Mutex<Option<Instant>>,
    sooner: Notify,
}

impl Look {
    /// An actor rests, and can be made passive at `due`.
    pub(crate) fn rests_until(&self, due: Instant) {
        if self.next.lock().is_none_or(|next| due < next) {
            self.sooner.notify_one();
        }
    }

    /// Ends the wait: there is no node any more.
    pub(crate) fn over(&self) {
        self.sooner.notify_one();
    }

    /// Waits until `next`, or until somebody rests who is due before that.
    async fn again(&self, next: Option<Instant>) {
        *self.next.lock() = next;
        let pause = tokio::time::sleep(PAUSE);
        match next {
            Some(at) => drop(tokio::time::timeout_at(at.into(), self.sooner.notified()).await),
            None => self.sooner.notified().await,
        }
        pause.await;
        *self.next.lock() = None;
    }
}

/// Starts the task; it ends with the node.
pub(crate) fn start(shared: &Arc<Shared>) {
    let (weak, look) = (Arc::downgrade(shared), shared.look.clone());
    tokio::spawn(async move {
        // The node is not kept alive by the wait.
        while let Some(shared) = weak.upgrade() {
            let next = idle(&shared).await;
            drop(shared);
            look.again(next).await;
        }
    });
}

/// Makes passive what has been idle long enough; gives when to look again.
async fn idle(shared: &Arc<Shared>) -> Option<Instant> {
    let now = Instant::now();
    let mut due = Vec::new();
    let mut next = None;
    for entry in &shared.residents {
        let Some((since, idle)) = entry.resting_since() else {
            continue;
        };
        if since + idle <= now {
            due.push((entry.value().clone(), now - idle));
        } else {
            next = Some(next.map_or(since + idle, |at: Instant| at.min(since + idle)));
        }
    }
    for (resident, before) in due {
        passivate(shared, &resident, before).await;
    }
    next
}

async fn passivate(shared: &Arc<Shared>, resident: &Arc<Resident>, before: Instant) {
    let Some(actor) = resident.take_idle(before) else {
        return;
    };
    actor.passivate().await;
    // A message that came meanwhile is worked on now; it loads the actor anew.
    if resident.crashed() {
        drop(drive::begin(shared.clone(), resident.clone(), None));
    } else {
        shared.forget(&resident.id);
    }
}

/// Makes every resting actor passive; `true` if others were running, so that one has to look again.
pub(crate) async fn all(shared: &Arc<Shared>) -> bool {
    let residents: Vec<Arc<Resident>> = shared
        .residents
        .iter()
        .map(|entry| entry.value().clone())
        .collect();
    let running = residents.iter().any(|resident| resident.is_running());
    for chunk in residents.chunks(64) {
        join_all(
            chunk
                .iter()
                .map(|resident| passivate(shared, resident, Instant::now())),
        )
        .await;
    }
    running
}

impl Shared {
    /// Sees to it that there is room for one more instance.
    pub(crate) async fn make_room(self: &Arc<Self>) {
        if self.hot.load(Ordering::Relaxed) < ROOM {
            return;
        }
        let mut resting: Vec<(Instant, Arc<Resident>)> = self
            .residents
            .iter()
            .filter_map(|entry| Some((entry.resting_since()?.0, entry.value().clone())))
            .collect();
        resting.sort_by_key(|(since, _)| *since);
        resting.truncate(AT_ONCE);
        let now = Instant::now();
        join_all(
            resting
                .iter()
                .map(|(_, resident)| passivate(self, resident, now)),
        )
        .await;
    }
}
