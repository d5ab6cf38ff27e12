//! Works through an actor's messages, one at a time.

use crate::actor::Actor;
use crate::resident::{Next, Resident};
use crate::shared::Shared;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Starts to work on a resident's messages; `actor` is the hot actor, if it is hot.
pub(crate) fn start(shared: Arc<Shared>, resident: Arc<Resident>, actor: Option<Box<Actor>>) {
    let lanes = shared.clone();
    lanes.lanes.spawn(run(shared, resident, actor));
}

async fn run(shared: Arc<Shared>, resident: Arc<Resident>, mut actor: Option<Box<Actor>>) {
    let mut watch = Watch {
        shared: &shared,
        resident: &resident,
        done: false,
    };
    while let Next::Message(envelope) = resident.next(&mut actor) {
        let actor =
            actor.get_or_insert_with(|| Box::new(Actor::new(shared.clone(), resident.id.clone())));
        actor.perform(*envelope).await;
    }
    watch.done = true;
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
                start(self.shared.clone(), self.resident.clone(), None);
            }
        }
    }
}
