//! Works through an actor's messages, one at a time.

use crate::actor::Actor;
use crate::lane::Begun;
use crate::resident::{Next, Resident};
use crate::shared::Shared;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The work on a resident's messages; `actor` is the hot actor, if it is hot.
pub(crate) fn begin(
    shared: Arc<Shared>,
    resident: Arc<Resident>,
    actor: Option<Box<Actor>>,
) -> Begun {
    let lanes = shared.clone();
    lanes.lanes.begin(run(shared, resident, actor))
}

/// Waits for something that `work`, if there is any to do, may bring about, and works on that meanwhile.
pub(crate) async fn until<T>(mut work: Option<Begun>, wait: impl Future<Output = T>) -> T {
    let mut wait = pin!(wait);
    poll_fn(|context| {
        if let Some(begun) = &mut work
            && Pin::new(begun).poll(context).is_ready()
        {
            work = None;
        }
        wait.as_mut().poll(context)
    })
    .await
}

async fn run(shared: Arc<Shared>, resident: Arc<Resident>, mut actor: Option<Box<Actor>>) {
    let mut watch = Watch {
        shared: &shared,
        resident: &resident,
        done: false,
    };
    while let Next::Message {
        envelope,
        others_wait,
    } = resident.next(&mut actor)
    {
        let actor =
            actor.get_or_insert_with(|| Box::new(Actor::new(shared.clone(), resident.id.clone())));
        actor.perform(*envelope, others_wait).await;
        // A long mailbox does not keep the thread from others.
        tokio::task::consume_budget().await;
    }
    watch.done = true;
    if shared.gone.load(Ordering::SeqCst) {
        shared.residents.clear();
    }
    if shared.closing.load(Ordering::Relaxed) {
        shared.rested.notify_one();
    }
    if let Some((since, idle)) = resident.resting_since() {
        shared.look.rests_until(since + idle);
    }
}

/// Sees to it that a fault in the node's own code stops one turn, not the actor for ever.
struct Watch<'a> {
    shared: &'a Arc<Shared>,
    resident: &'a Arc<Resident>,
    done: bool,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.done {
            tracing::error!(actor = %self.resident.id, code = "PS9001", "the turn stopped by a fault in the node");
            if self.resident.crashed() {
                drop(begin(self.shared.clone(), self.resident.clone(), None));
            }
        }
    }
}
