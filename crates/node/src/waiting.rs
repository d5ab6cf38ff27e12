//! Turns that wait until something is there: a tuple, a message in a queue, a lock.
//!
//! First the turn tries at once. If there is nothing, its segment commits with a wait's row, and the turn stands in line
//! ([`plexspaces_services::waiters`]) holding nothing. Whenever it is woken it tries again in a new transaction; what it
//! gets is reserved before the guest goes on, and belongs to the next segment, whose batch deletes the row. So a crash
//! repeats the wait, and what was taken is still there.

use crate::messaging::{Links, not_in_init};
use crate::node::row_bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result};
use plexspaces_runtime::{Abort, Attempt, Tried, Turn, Wait};
use plexspaces_services::records::{self, WaitRow, decode, encode, segment};
use plexspaces_services::{Bounds, waits};
use plexspaces_store::Key;
use std::time::Duration;

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl Links {
    /// `true` when the attempt got what it wanted, `false` when the time was over.
    pub(crate) async fn wait_for(
        &self,
        turn: &mut Turn,
        wait: Wait,
        attempt: &mut dyn Attempt,
    ) -> Result<Result<bool>, Abort> {
        let bounds = self.bounds(&turn.actor)?;
        let (deadline, row) = match turn.resumed_wait() {
            Some(row) => (self.deadline(&row).await?, Some(row)),
            None => {
                match attempt.attempt(turn).await {
                    Ok(Tried::Done) => return Ok(Ok(true)),
                    Ok(Tried::NotYet { .. }) if wait.timeout.is_zero() => return Ok(Ok(false)),
                    Ok(Tried::NotYet { .. }) if turn.sequence == 0 => {
                        return Ok(Err(not_in_init("wait; wait")));
                    }
                    Ok(Tried::NotYet { .. }) => {}
                    Err(error) => return Ok(Err(error)),
                }
                self.end_segment(turn, &wait, bounds).await?
            }
        };
        let place = self.0.coordination.waiters.line_up(wait.topic, wait.wants);
        // The row goes with the segment that has what was waited for.
        self.go_on(turn, bounds, row.clone());
        loop {
            turn.transaction.try_for(place.number());
            let (again, pass_on) = match attempt.attempt(turn).await {
                Ok(Tried::Done) => return Ok(Ok(true)),
                Ok(Tried::NotYet { again, pass_on }) => (again, pass_on),
                Err(error) => return Ok(Err(error)),
            };
            if pass_on {
                place.pass_on();
            }
            let until = again.map_or(deadline, |again| again.min(deadline));
            let stopped = self.stopped(turn);
            tokio::select! {
                biased;
                () = place.woken() => {}
                () = stopped => {
                    let text = format!("{} is to stop and waits no longer", turn.actor);
                    return Ok(Err(Error::new(Code::AskTimeout, text)));
                }
                () = tokio::time::sleep(self.0.until(until)) => {
                    if until == deadline {
                        return Ok(Ok(false));
                    }
                }
            }
            let time = self.0.now().max(turn.time());
            turn.begin_segment_again(time, self.0.transaction(bounds));
            if let Some(row) = &row {
                turn.transaction.batch_mut().delete(row.clone());
            }
        }
    }

    /// Commits the segment before the wait, with the wait's row if the actor is durable.
    async fn end_segment(
        &self,
        turn: &mut Turn,
        wait: &Wait,
        bounds: Bounds,
    ) -> Result<(Millis, Option<Key>), Abort> {
        let timeout = wait.timeout.min(WAIT_MAX);
        let deadline = Millis(self.0.now().0 + timeout.as_millis() as u64);
        let mut end = records::Wait::default();
        let mut row = None;
        if turn.journaled() {
            let key = waits::key(&turn.actor, turn.sequence, turn.segment());
            let content = WaitRow {
                callee: String::new(),
                deadline_ms: deadline.0,
                outcome: None,
            };
            turn.transaction
                .batch_mut()
                .put(key.clone(), encode(&content));
            end = records::Wait {
                operation: wait.operation.to_owned(),
                arguments: wait.arguments,
                row: row_bytes(&key),
            };
            row = Some(key);
        }
        self.commit_segment(turn, bounds, segment::End::Wait(end))
            .await?;
        Ok((deadline, row))
    }

    async fn deadline(&self, row: &Key) -> Result<Millis, Abort> {
        let found = self.0.store.latest(row).await;
        let found = found
            .map_err(plexspaces_services::fault)
            .map_err(Abort::Error)?;
        let missing = || Error::new(Code::Corrupt, format!("the wait at {row:?} is missing"));
        let found = found.ok_or_else(missing).map_err(Abort::Error)?;
        let content: WaitRow = decode(row, &found.value).map_err(Abort::Error)?;
        Ok(Millis(content.deadline_ms))
    }

    /// Resolves when the actor of this turn is told to stop.
    fn stopped(&self, turn: &Turn) -> impl Future<Output = ()> + use<> {
        let resident = self.0.residents.get(&turn.actor);
        let resident = resident.map(|entry| entry.value().clone());
        async move {
            let Some(resident) = resident else {
                return std::future::pending().await;
            };
            let mut told = std::pin::pin!(resident.interrupt.notified());
            // Listens before it looks, so that no word is missed between two waits.
            told.as_mut().enable();
            if !resident.is_to_stop() {
                told.await;
            }
        }
    }
}
