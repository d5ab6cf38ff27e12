//! Checkpoints: when the state is written down, what is trimmed then, and how an actor becomes passive or stops.

use super::activate::{bounds, turn_start};
use super::life::Life;
use super::{Actor, Failed, Reply};
use crate::resident::Envelope;
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::Millis;
use plexspaces_runtime::{Failure, Rights};
use plexspaces_services::records::{Checkpoint, Done, Segment, segment};
use plexspaces_services::{Held, groups, journal, locks};
use plexspaces_store::Commit;

/// A checkpoint that is part of a batch; it counts once the batch has committed.
pub(super) struct Pending {
    sequence: u64,
    oldest: u64,
}

impl Pending {
    /// The batch has committed; it has the actor's row, too.
    pub(super) fn done(self, life: &mut Life, commit: Commit) {
        life.row_version = commit.into();
        life.row.has_checkpoint = true;
        life.row.checkpoint = self.sequence;
        life.oldest = self.oldest;
        life.tail_turns = 0;
        life.tail_bytes = 0;
        // The next turn runs in an instance made from the checkpoint, so that live memory is what a replay rebuilds.
        // With a checkpoint at every turn there is nothing to replay.
        if life.deployment.checkpoint_turns > 1 {
            life.hot = None;
        }
    }
}

impl Actor {
    /// Adds a checkpoint as of turn `sequence` to `batch`. A guest that cannot give its state keeps its journal: `None`.
    pub(super) async fn snapshot(
        &mut self,
        batch: &mut Batch,
        sequence: u64,
        time: Millis,
        fsm_state: &str,
    ) -> Result<Option<Pending>, Failed> {
        let shared = self.shared.clone();
        let life = self.life.as_mut().expect("alive");
        let start = turn_start(&shared, &self.id, life, Segment::default(), Rights::Nothing);
        let Some(hot) = life.hot.as_mut() else {
            return Ok(None);
        };
        hot.instance.begin(start);
        let given = hot.instance.snapshot().await;
        drop(hot.instance.end());
        let state = match given {
            Ok(Some(state)) => state,
            Ok(None) => return Ok(None),
            Err(Failure::Fault(error)) => return Err(Failed::fault(error)),
            Err(failure) => {
                tracing::warn!(actor = %self.id, "no checkpoint, snapshot-state failed: {}", failure.error());
                life.hot = None;
                return Ok(None);
            }
        };
        let checkpoint = Checkpoint {
            sequence,
            deployment: life.deployment.hash.bytes(),
            state,
            fsm_state: fsm_state.to_owned(),
            time_ms: time.0,
        };
        journal::put_checkpoint(batch, &self.id, &checkpoint);
        let mut row = life.row.clone();
        (row.has_checkpoint, row.checkpoint, row.args) = (true, sequence, Bytes::new());
        journal::put_actor(batch, &self.id, &row);
        let snapshot = shared.store.snapshot();
        let history = life.deployment.history_turns;
        let oldest = journal::trim(
            snapshot.as_ref(),
            batch,
            &self.id,
            life.oldest,
            sequence,
            history,
        )
        .await
        .map_err(Failed::fault)?;
        Ok(Some(Pending { sequence, oldest }))
    }

    /// Writes a checkpoint of the live instance in a batch of its own.
    pub(super) async fn checkpoint_now(&mut self) -> Result<(), Failed> {
        let life = self.life.as_ref().expect("alive");
        let Some(sequence) = life.next.checked_sub(1) else {
            return Ok(());
        };
        let (time, fsm_state) = (life.time, life.fsm_state.clone());
        let mut batch = Batch::new();
        let Some(pending) = self
            .snapshot(&mut batch, sequence, time, &fsm_state)
            .await?
        else {
            return Err(Failed::attempted(plexspaces_core::Error::new(
                plexspaces_core::Code::GuestError,
                format!("{} gave no state for a checkpoint", self.id),
            )));
        };
        let commit = self.shared.commit(batch).await?;
        let life = self.life.as_mut().expect("alive");
        pending.done(life, commit);
        Ok(())
    }

    /// Becomes passive: a checkpoint if there is a tail, and nothing stays in memory.
    pub(crate) async fn passivate(mut self: Box<Self>) {
        let Some(life) = &self.life else { return };
        if life.deployment.ephemeral {
            self.let_go_now().await;
            return;
        }
        if life.can_checkpoint()
            && life.tail_turns > 0
            && life.hot.is_some()
            && life.unfinished.is_none()
            && let Err(failed) = self.checkpoint_now().await
        {
            // Its journal has everything; the next activation replays it.
            tracing::warn!(actor = %self.id, "passive without a checkpoint: {}", failed.error);
        }
    }

    /// Adds to `batch` that the actor is no member of any group any more, and holds no locks.
    async fn let_go(&mut self, batch: &mut Batch) -> Result<Held, Failed> {
        let deployment = self.life.as_ref().expect("loaded").deployment.clone();
        let mut transaction = self.shared.transaction(bounds(&deployment));
        let released = locks::release_all(&mut transaction, &self.id).await;
        released.map_err(Failed::fault)?;
        // What waits for an ephemeral one is not for the next that comes to life under its id.
        let left = groups::leave_all(&mut transaction, &self.id, deployment.ephemeral).await;
        left.map_err(Failed::fault)?;
        let (leaving, held) = transaction.finish();
        batch.ops.extend(leaving.ops);
        batch.guards.extend(leaving.guards);
        Ok(held)
    }

    /// An ephemeral actor's life is over, and with it its memberships and locks.
    pub(super) async fn let_go_now(&mut self) {
        let mut batch = Batch::new();
        let left = match self.let_go(&mut batch).await {
            Ok(held) => self.shared.commit(batch).await.map(|_| held.committed()),
            Err(failed) => return tracing::warn!(actor = %self.id, "{}", failed.error),
        };
        if let Err(error) = left {
            tracing::warn!(actor = %self.id, "it is still a member of its groups and holds its locks: {error}");
        }
    }

    /// Stops in an orderly way: `terminate`, its locks and memberships given back, checkpoint, nothing in memory. An actor
    /// that is not there has stopped.
    pub(super) async fn stop(&mut self, envelope: &Envelope) -> Result<Reply, Failed> {
        let shared = self.shared.clone();
        if self.life.is_none() {
            self.load().await?;
        }
        let life = self.life.as_ref().expect("loaded");
        let exists = life.row.initialised || (life.deployment.ephemeral && life.hot.is_some());
        let mut batch = Batch::new();
        let time = shared.now();
        let mut outgoing = Vec::new();
        let mut held = Held::default();
        if exists && life.deployment.module.contract.has("termination") {
            self.heat().await?;
            let life = self.life.as_mut().expect("loaded");
            let head = super::turn::head(envelope, life.deployment.hash.bytes());
            let start = turn_start(&shared, &self.id, life, head, Rights::All);
            let sequence = start.sequence;
            let instance = &mut life.hot.as_mut().expect("hot").instance;
            instance.begin(start);
            let reason = String::from_utf8_lossy(&envelope.message.payload).into_owned();
            let done = instance.terminate(&reason).await;
            let mut turn = instance.end().expect("begun above");
            match done {
                Ok(()) => {
                    // Those that `terminate` itself has touched are in its own batch only.
                    let released = locks::release_all(&mut turn.transaction, &self.id).await;
                    released.map_err(Failed::fault)?;
                    let fsm_state = life.fsm_state.clone();
                    let end = segment::End::Done(Done {
                        reply: Bytes::new(),
                        fsm_state,
                    });
                    let sealed = shared.seal(&mut turn, bounds(&life.deployment), end);
                    let sealed = sealed.map_err(Failed::fault)?;
                    batch = sealed.batch;
                    outgoing = sealed.outgoing;
                    held = sealed.held;
                    life.next = sequence + 1;
                    life.tail_turns += 1;
                    life.tail_bytes += sealed.journal_bytes;
                }
                Err(failure) => {
                    // Stopping goes on: what `terminate` did is undone, and the state is that before it.
                    tracing::warn!(actor = %self.id, "terminate failed: {}", failure.error());
                    life.hot = None;
                }
            }
        }
        let left = self.let_go(&mut batch).await?;
        self.acknowledge(&mut batch, envelope, &Ok(Bytes::new()), time)
            .await?;
        let seen = shared.commit(batch).await?;
        held.committed();
        left.committed();
        shared.hand_over(outgoing);
        let stopped = std::mem::replace(self, Actor::new(shared, self.id.clone()));
        Box::new(stopped).passivate().await;
        Ok(Reply {
            bytes: Bytes::new(),
            seen,
        })
    }
}
