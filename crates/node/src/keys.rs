//! The bound on the message ids of callers that an actor remembers, checked without counting them at each request.
//!
//! A resident knows how many there were when they were last counted, and how many came since. That some have expired
//! is noticed when the bound seems to be reached. Requests that come at once may pass it together, by a few.

use crate::shared::Shared;
use parking_lot::Mutex;
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_services::dedup;
use std::time::{Duration, Instant};

/// How often an actor at the bound is counted again: counting reads all of them.
const COUNT_AGAIN: Duration = Duration::from_secs(1);

/// How many ids an actor remembers, once counted.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Option<Count>>);

#[derive(Clone, Copy)]
struct Count {
    keys: usize,
    at: Instant,
}

impl Keys {
    /// What is known, if that is enough.
    fn known(&self) -> Option<usize> {
        let count = (*self.0.lock())?;
        let settled = count.keys < dedup::PER_ACTOR_MAX || count.at.elapsed() < COUNT_AGAIN;
        settled.then_some(count.keys)
    }

    fn counted(&self, keys: usize) {
        let at = Instant::now();
        *self.0.lock() = Some(Count { keys, at });
    }

    fn one_more(&self) {
        if let Some(count) = self.0.lock().as_mut() {
            count.keys += 1;
        }
    }
}

impl Shared {
    /// Refuses a new id of a caller when the actor remembers as many as it may.
    pub(crate) async fn check_keys(&self, id: &ActorId) -> Result<()> {
        let resident = self.residents.get(id).map(|entry| entry.value().clone());
        let keys = match resident.as_ref().and_then(|resident| resident.keys.known()) {
            Some(keys) => keys,
            None => {
                let keys = dedup::count(self.store.snapshot().as_ref(), id).await?;
                if let Some(resident) = resident {
                    resident.keys.counted(keys);
                }
                keys
            }
        };
        if keys < dedup::PER_ACTOR_MAX {
            return Ok(());
        }
        Err(Error::new(
            Code::TooManyKeys,
            format!(
                "{id} remembers {keys} idempotency keys, as many as it may; each is kept 24 hours"
            ),
        ))
    }

    /// Says that an id was remembered: there is one more.
    pub(crate) fn key_remembered(&self, id: &ActorId) {
        if let Some(resident) = self.residents.get(id) {
            resident.keys.one_more();
        }
    }
}
