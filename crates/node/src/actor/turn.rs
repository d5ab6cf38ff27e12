//! One turn: the handler runs, and everything that it did becomes one batch.

use super::activate::{bounds, failed_call, turn_start};
use super::{Actor, Failed, Reply};
use crate::resident::{Envelope, Origin};
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Urgency};
use plexspaces_core::{Code, Error};
use plexspaces_runtime::{Answer, Failure, Handler, Rights, Turn};
use plexspaces_services::records::{Dedup, Done, Segment, segment};
use plexspaces_services::{dedup, fault, waits};
use plexspaces_store::Key;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// How often a turn is run again when its batch lost against another commit; the last time with what it lost reserved.
pub(super) const CONFLICTS_MAX: u32 = 5;

/// How many turns an actor without `snapshot-state` may have, and how many bytes of journal.
const UNTRIMMED_TURNS_MAX: u64 = 10_000;
const UNTRIMMED_BYTES_MAX: u64 = 64 << 20;

/// How a run of the handler ended.
enum Run {
    Replied(Reply),
    /// It lost against another commit, for this key if that is known.
    Again {
        error: Error,
        key: Option<Key>,
    },
}

impl Actor {
    pub(super) async fn turn(&mut self, envelope: &Envelope) -> Result<Reply, Failed> {
        let mut conflict = None;
        let mut lost = BTreeSet::new();
        for run in 0..=CONFLICTS_MAX {
            self.alive(None).await?;
            let handler = self.admit(envelope).await?;
            self.heat().await?;
            // The last run has the keys that the others have lost to itself.
            let reserved = if run == CONFLICTS_MAX {
                std::mem::take(&mut lost)
            } else {
                BTreeSet::new()
            };
            match self.run(envelope, handler, &reserved).await? {
                Run::Replied(reply) => return Ok(reply),
                Run::Again { error, key } => {
                    conflict = Some(error);
                    lost.extend(key);
                }
            }
        }
        let error =
            conflict.unwrap_or_else(|| Error::new(Code::Internal, "a turn ended without outcome"));
        Err(Failed::attempted(Error::new(
            Code::TurnConflict,
            format!(
                "the turn of {} lost against other turns {CONFLICTS_MAX} times: {error}",
                self.id
            ),
        )))
    }

    /// Refuses what cannot or must not run.
    async fn admit(&mut self, envelope: &Envelope) -> Result<Handler, Failed> {
        let life = self.life.as_mut().expect("alive");
        let handler = life
            .deployment
            .module
            .contract
            .route(envelope.message.delivery)
            .map_err(Failed::refused)?;
        if !life.deployment.ephemeral
            && !life.can_checkpoint()
            && (life.tail_turns >= UNTRIMMED_TURNS_MAX || life.tail_bytes >= UNTRIMMED_BYTES_MAX)
        {
            return Err(Failed::refused(Error::new(
                Code::HistoryFull,
                format!(
                    "the journal of {} has {} turns and {} bytes and cannot be trimmed, \
                     because its module exports no snapshot-state",
                    self.id, life.tail_turns, life.tail_bytes
                ),
            )));
        }
        if envelope.caller.is_some() {
            let room = self.shared.check_keys(&self.id).await;
            room.map_err(Failed::refused)?;
        }
        Ok(handler)
    }

    async fn run(
        &mut self,
        envelope: &Envelope,
        handler: Handler,
        reserved: &BTreeSet<Key>,
    ) -> Result<Run, Failed> {
        let shared = self.shared.clone();
        shared.turns.fetch_add(1, Ordering::Relaxed);
        let life = self.life.as_mut().expect("alive");
        let start = turn_start(
            &shared,
            &self.id,
            life,
            head(envelope, life.deployment.hash.bytes()),
            Rights::All,
        );
        let unfinished = life.unfinished.take();
        let instance = &mut life.hot.as_mut().expect("hot").instance;
        let turn = instance.begin(start);
        if let Some(unfinished) = unfinished {
            turn.answer_from(unfinished.segments);
        }
        let mut refused = Ok(());
        for key in reserved {
            refused = refused.and(turn.transaction.reserve_strictly(key).await);
        }
        let handled = match refused {
            Ok(()) => {
                instance
                    .handle(handler, &envelope.message, &life.fsm_state)
                    .await
            }
            Err(error) => Err(Failure::Conflict(error)),
        };
        let mut turn = instance.end().expect("begun above");
        match handled {
            Ok(answer) if turn.replaying() => {
                // It ended before the wait that its record says it stands in.
                let state = answer.next_state.as_deref().unwrap_or(&life.fsm_state);
                let error = turn
                    .check_replayed(&answer.reply, state)
                    .err()
                    .unwrap_or_else(|| turn.differs("a wait", "the turn ended"));
                Err(self.stop_on_mismatch(error).await)
            }
            Ok(answer) => self.commit_turn(envelope, turn, answer).await,
            Err(failure) => self.discard(turn, failure).await,
        }
    }

    /// A failed turn leaves nothing behind: buffer and reservations go with the turn, memory with the instance.
    async fn discard(&mut self, turn: Turn, failure: Failure) -> Result<Run, Failed> {
        let committed_segments = turn.segment() > 0;
        let lost = turn.transaction.lost().cloned();
        drop(turn);
        let life = self.life.as_mut().expect("alive");
        let keeps_instance = life.deployment.ephemeral && matches!(failure, Failure::Returned(_));
        if !keeps_instance {
            life.hot = None;
        }
        let died = life.deployment.ephemeral && matches!(failure, Failure::Died(_));
        if died {
            self.let_go_now().await;
        }
        let life = self.life.as_mut().expect("alive");
        if committed_segments && !life.deployment.ephemeral {
            // The rows say how far the turn has come.
            self.life = None;
        }
        match failure {
            Failure::Conflict(error) => {
                self.life = None;
                Ok(Run::Again { error, key: lost })
            }
            Failure::Mismatch(error) => Err(self.stop_on_mismatch(error).await),
            other => Err(failed_call(other)),
        }
    }

    async fn commit_turn(
        &mut self,
        envelope: &Envelope,
        mut turn: Turn,
        answer: Answer,
    ) -> Result<Run, Failed> {
        let shared = self.shared.clone();
        let life = self.life.as_ref().expect("alive");
        let sequence = turn.sequence;
        let time = turn.time();
        let fsm_state = answer.next_state.unwrap_or_else(|| life.fsm_state.clone());
        let due = life.can_checkpoint()
            && (turn.checkpoint
                || life.tail_turns + 1 >= life.deployment.checkpoint_turns
                || life.tail_bytes >= life.deployment.checkpoint_bytes);
        if let Err(error) = turn.transaction.pass_strict().await {
            let key = turn.transaction.lost().cloned();
            self.life = None;
            return Ok(Run::Again { error, key });
        }
        let life = self.life.as_ref().expect("alive");
        let end = segment::End::Done(Done {
            reply: answer.reply.clone(),
            fsm_state: fsm_state.clone(),
        });
        let sealed = shared.seal(&mut turn, bounds(&life.deployment), end);
        let sealed = sealed.map_err(Failed::fault)?;
        let mut batch = sealed.batch;
        let checkpoint = if due {
            self.snapshot(&mut batch, sequence, time, &fsm_state)
                .await?
        } else {
            None
        };
        let life = self.life.as_mut().expect("alive");
        for (key, value) in &life.with_next {
            batch.put(key.clone(), value.clone());
        }
        let reply = answer.reply;
        let outcome = Ok(reply.clone());
        let reply_to = self
            .acknowledge(&mut batch, envelope, &outcome, time)
            .await?;
        let committed = if let Some(wait) = reply_to {
            match shared.commit(batch.clone()).await {
                Err(plexspaces_store::Error::Conflict { key, .. }) if key == *wait => {
                    // The asker has given up waiting; everything else of the turn stands.
                    batch.guards.remove(&key);
                    batch.ops.remove(&key);
                    shared.commit(batch).await
                }
                other => other,
            }
        } else if matches!(envelope.origin, Origin::Outside(_))
            && !self.others_wait
            && sealed.held.is_empty()
            && sealed.outgoing.is_empty()
        {
            // Nobody but the caller waits for this turn, and the caller waits for the flush.
            shared.commit_flushed(batch).await
        } else {
            shared.commit(batch).await
        };
        let commit = match committed {
            Ok(commit) => {
                sealed.held.committed();
                commit
            }
            Err(plexspaces_store::Error::Conflict {
                key,
                expected,
                found,
            }) => {
                self.life = None;
                let lost = Some(key.clone());
                let error = fault(plexspaces_store::Error::Conflict {
                    key,
                    expected,
                    found,
                });
                return Ok(Run::Again { error, key: lost });
            }
            Err(error) => {
                self.life = None;
                return Err(error.into());
            }
        };
        shared.hand_over(sealed.outgoing);
        let life = self.life.as_mut().expect("alive");
        life.with_next.clear();
        life.next = sequence + 1;
        life.time = time;
        life.fsm_state = fsm_state;
        life.tail = None;
        life.tail_turns += 1;
        life.tail_bytes += sealed.journal_bytes;
        if envelope.caller.is_some() {
            shared.key_remembered(&self.id);
        }
        if let Some(checkpoint) = checkpoint {
            checkpoint.done(life, commit);
        }
        Ok(Run::Replied(Reply {
            bytes: reply,
            seen: commit,
        }))
    }

    /// Adds what tells the world of the turn's outcome: the mailbox's acknowledgement, the asker's reply, the stored reply.
    pub(super) async fn acknowledge<'e>(
        &mut self,
        batch: &mut Batch,
        envelope: &'e Envelope,
        outcome: &Result<Bytes, Error>,
        time: plexspaces_core::time::Millis,
    ) -> Result<Option<&'e plexspaces_store::Key>, Failed> {
        let mut wait = None;
        match &envelope.origin {
            Origin::Outside(_) => batch.urgency = Urgency::Now,
            Origin::Here(_) | Origin::Nobody | Origin::WakeUp => {}
            Origin::Row { row, reply_to } => {
                batch.delete(row.clone());
                if let Some(key) = reply_to {
                    waits::complete(self.shared.store.as_ref(), batch, key, outcome)
                        .await
                        .map_err(Failed::fault)?;
                    wait = Some(key);
                }
            }
        }
        if let Some(caller) = &envelope.caller {
            dedup::remember(batch, &self.id, caller, outcome, time);
        }
        Ok(wait)
    }

    /// A spawned actor: it becomes active, and that is all.
    pub(super) async fn create(&mut self, envelope: &Envelope) -> Result<Reply, Failed> {
        let args = Some(envelope.message.payload.clone()).filter(|args| !args.is_empty());
        match envelope.origin {
            // Whoever spawns from a turn has looked, and the turn's batch has the actor's row.
            Origin::Row { .. } => self.alive(args).await?,
            _ => self.make(args).await?,
        }
        let mut batch = Batch::new();
        let time = self.shared.now();
        self.acknowledge(&mut batch, envelope, &Ok(Bytes::new()), time)
            .await?;
        let seen = self.shared.commit(batch).await?;
        Ok(Reply {
            bytes: Bytes::new(),
            seen,
        })
    }
}

/// What the journal says of a turn at its beginning.
pub(super) fn head(envelope: &Envelope, deployment: Bytes) -> Segment {
    let (origin, reply_to) = match &envelope.origin {
        Origin::Row { row, reply_to } => (
            row.0.clone(),
            reply_to
                .as_ref()
                .map(|key| key.0.clone())
                .unwrap_or_default(),
        ),
        Origin::Here(_) | Origin::Outside(_) | Origin::Nobody | Origin::WakeUp => {
            (Bytes::new(), Bytes::new())
        }
    };
    Segment {
        message: Some((&envelope.message).into()),
        origin,
        reply_to,
        dedup: envelope.caller.as_ref().map(|caller| Dedup {
            tenant: caller.tenant.clone(),
            id: caller.id.clone(),
            digest: Bytes::copy_from_slice(&caller.digest),
        }),
        deployment,
        ..Segment::default()
    }
}
