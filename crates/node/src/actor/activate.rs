//! From rows to a live instance: loading, turn 0, replay, upgrades.

use super::life::{Hot, Life};
use super::turn::CONFLICTS_MAX;
use super::{Actor, Failed};
use crate::catalog::Deployment;
use crate::messaging::Links;
use bytes::Bytes;
use plexspaces_core::batch::{Batch, Version};
use plexspaces_core::message::{Delivery, Message};
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error};
use plexspaces_runtime::{Failure, Instance, Rights, Setup, Start, Turn, TurnStart};
use plexspaces_services::applications::Hash;
use plexspaces_services::records::{
    ActorRow, Checkpoint, Done, Restored, Segment, encode, segment,
};
use plexspaces_services::{Bounds, journal};
use std::sync::Arc;

/// Keeps the random stream of a restore apart from that of the turn with the same sequence.
const RESTORE_SALT: &[u8] = b"restore";

impl Actor {
    /// Reads the actor's rows; what it runs under is what its state was made by.
    pub(super) async fn load(&mut self) -> Result<(), Failed> {
        let shared = self.shared.clone();
        let current = shared.catalog.of(&self.id).map_err(Failed::fault)?;
        let mut life = Life {
            row: ActorRow::default(),
            row_version: Version::ABSENT,
            next: 0,
            fsm_state: String::new(),
            time: Millis(0),
            tail_turns: 0,
            tail_bytes: 0,
            oldest: 0,
            tail: None,
            unfinished: None,
            hot: None,
            with_next: Vec::new(),
            salt: Vec::new(),
            refused: None,
            stopped: None,
            deployment: current,
        };
        if life.deployment.ephemeral {
            life.salt = uuid::Uuid::now_v7().as_bytes().to_vec();
        } else {
            self.load_rows(&mut life).await?;
        }
        self.life = Some(life);
        Ok(())
    }

    async fn load_rows(&mut self, life: &mut Life) -> Result<(), Failed> {
        let snapshot = self.shared.store.snapshot();
        let Some((version, row)) = journal::actor(snapshot.as_ref(), &self.id)
            .await
            .map_err(Failed::fault)?
        else {
            return Ok(());
        };
        (life.row, life.row_version) = (row, version);
        if !life.row.initialised {
            return Ok(());
        }
        let hash = Hash::read(&life.row.deployment).map_err(Failed::fault)?;
        life.deployment = self.shared.deployment(hash).await.map_err(Failed::fault)?;
        life.refused = (!life.row.refused.is_empty())
            .then(|| Hash::read(&life.row.refused))
            .transpose()
            .map_err(Failed::fault)?;
        let from = if life.row.has_checkpoint {
            life.row.checkpoint + 1
        } else {
            0
        };
        let mut tail = journal::turns(snapshot.as_ref(), &self.id, from)
            .await
            .map_err(Failed::fault)?;
        if tail.last().is_some_and(|turn| {
            matches!(
                turn.segments.last().and_then(|s| s.end.as_ref()),
                Some(segment::End::Wait(_))
            )
        }) {
            life.unfinished = tail.pop();
        }
        if life.row.has_checkpoint {
            let checkpoint = journal::checkpoint(snapshot.as_ref(), &self.id, life.row.checkpoint)
                .await
                .map_err(Failed::fault)?;
            life.fsm_state = checkpoint.fsm_state;
            life.time = Millis(checkpoint.time_ms);
        }
        life.next = tail.last().map_or(from, |turn| turn.sequence + 1);
        if let Some(unfinished) = &life.unfinished {
            life.next = unfinished.sequence;
        }
        life.tail_turns = tail.len() as u64;
        life.tail_bytes = tail.iter().map(|turn| turn.bytes).sum();
        for last in tail.iter().filter_map(|turn| turn.segments.last()) {
            life.time = life.time.max(Millis(last.time_ms));
            if let Some(segment::End::Done(done)) = &last.end {
                life.fsm_state.clone_from(&done.fsm_state);
            }
        }
        life.tail = Some(tail);
        Ok(())
    }

    /// Makes the actor active under the version that is deployed today, if its state allows; turn 0 is done after this.
    pub(super) async fn alive(&mut self, args: Option<Bytes>) -> Result<(), Failed> {
        // While its type is not deployed its messages wait.
        let current = self.shared.catalog.of(&self.id).map_err(Failed::fault)?;
        if let Some(life) = &self.life
            && let Some((hash, error)) = &life.stopped
        {
            if *hash == current.hash {
                return Err(life.stopped_by(error.clone()));
            }
            // It tries again, from its rows.
            self.life = None;
        }
        if self.life.is_none() {
            self.load().await?;
        }
        let life = self.life.as_mut().expect("loaded");
        if life.next == 0 && !life.row.initialised {
            return self.begin(&current, args).await;
        }
        if life.deployment.hash != current.hash
            && life.refused != Some(current.hash)
            && life.unfinished.is_none()
        {
            self.upgrade(current).await?;
        }
        Ok(())
    }

    /// Turn 0 of an actor that must not exist yet.
    pub(super) async fn make(&mut self, args: Option<Bytes>) -> Result<(), Failed> {
        let mut conflicts = 0;
        loop {
            let current = self.shared.catalog.of(&self.id).map_err(Failed::refused)?;
            if self.life.is_none() {
                self.load().await?;
            }
            let life = self.life.as_mut().expect("loaded");
            if life.next > 0 || life.row_version != Version::ABSENT {
                return Err(Failed::refused(Error::new(
                    Code::ActorExists,
                    format!("the actor {} exists", self.id),
                )));
            }
            life.deployment = current;
            match self.first_turn(args.clone()).await {
                // What it read has changed, or somebody has spawned it: its rows will tell.
                Err(failed)
                    if failed.error.code == Code::TurnConflict && conflicts < CONFLICTS_MAX =>
                {
                    conflicts += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Turn 0, and again if it lost against another turn, or if somebody has spawned the actor meanwhile.
    async fn begin(
        &mut self,
        current: &Arc<Deployment>,
        args: Option<Bytes>,
    ) -> Result<(), Failed> {
        let mut conflicts = 0;
        loop {
            self.life.as_mut().expect("loaded").deployment = current.clone();
            match self.first_turn(args.clone()).await {
                Err(failed) if failed.error.code == Code::TurnConflict => {
                    conflicts += 1;
                    if conflicts > CONFLICTS_MAX {
                        return Err(Failed::attempted(failed.error));
                    }
                    self.load().await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Turn 0: `init(create(..))`, atomic and journaled like any other.
    async fn first_turn(&mut self, args: Option<Bytes>) -> Result<(), Failed> {
        let shared = self.shared.clone();
        self.make_instance().await?;
        let life = self.life.as_mut().expect("loaded");
        let args = args.unwrap_or_else(|| life.row.args.clone());
        let message = Message {
            from: String::new(),
            msg_type: String::new(),
            payload: args.clone(),
            delivery: Delivery::Create,
        };
        let head = Segment {
            message: Some((&message).into()),
            deployment: life.deployment.hash.bytes(),
            ..Segment::default()
        };
        let start = turn_start(&shared, &self.id, life, head, Rights::All);
        let instance = &mut life.hot.as_mut().expect("just made").instance;
        instance.begin(start);
        let done = instance.init(Start::Create(args)).await;
        let turn = instance.end();
        if let Err(failure) = done {
            life.hot = None;
            return Err(activation_failed(&self.id, failure));
        }
        let mut turn = turn.expect("begun above");
        let time = turn.time();
        let end = segment::End::Done(Done::default());
        let sealed = shared.seal(&mut turn, bounds(&life.deployment), end);
        let sealed = sealed.map_err(Failed::fault)?;
        let mut batch = sealed.batch;
        if !life.deployment.ephemeral {
            life.row = ActorRow {
                deployment: life.deployment.hash.bytes(),
                created_ms: time.0,
                initialised: true,
                ..ActorRow::default()
            };
            batch.guard(journal::actor_key(&self.id), life.row_version);
            journal::put_actor(&mut batch, &self.id, &life.row);
        }
        match shared.commit(batch).await {
            Ok(commit) => {
                life.row_version = Version(commit.0);
                life.next = 1;
                life.time = time;
                life.tail_turns = 1;
                life.tail_bytes = sealed.journal_bytes;
                sealed.held.committed();
                shared.hand_over(sealed.outgoing);
                Ok(())
            }
            Err(error) => {
                // Nothing of this is there.
                self.life = None;
                Err(error.into())
            }
        }
    }

    /// Makes sure that there is a live instance with the actor's state.
    pub(super) async fn heat(&mut self) -> Result<(), Failed> {
        if self.life.as_ref().is_some_and(|life| life.hot.is_some()) {
            return Ok(());
        }
        self.make_instance().await?;
        match self.rebuild().await {
            Ok(()) => Ok(()),
            Err(failed) if failed.error.code == Code::ReplayMismatch => {
                Err(self.stop_on_mismatch(failed.error).await)
            }
            Err(failed) => {
                if let Some(life) = self.life.as_mut() {
                    life.hot = None;
                }
                Err(failed)
            }
        }
    }

    /// Stops the actor until another version is deployed. Its rows stay as they are, so what a turn has taken from
    /// memory is read again.
    pub(super) async fn stop_on_mismatch(&mut self, error: Error) -> Failed {
        tracing::error!(actor = %self.id, code = "PS4001", "{error}");
        let current = match self.shared.catalog.of(&self.id) {
            Ok(current) => current.hash,
            Err(error) => return Failed::fault(error),
        };
        if let Err(failed) = self.load().await {
            return failed;
        }
        let life = self.life.as_mut().expect("just loaded");
        life.stopped = Some((current, error.clone()));
        life.stopped_by(error)
    }

    /// Brings a new instance to the actor's state: the checkpoint, then the turns after it.
    async fn rebuild(&mut self) -> Result<(), Failed> {
        let shared = self.shared.clone();
        let life = self.life.as_mut().expect("loaded");
        if life.deployment.ephemeral {
            // It has lost its state; it begins anew.
            life.salt = uuid::Uuid::now_v7().as_bytes().to_vec();
            life.next = 0;
            life.hot = None;
            life.fsm_state.clear();
            return self.first_turn(None).await;
        }
        let snapshot = shared.store.snapshot();
        let mut fsm_state = String::new();
        if life.row.has_checkpoint {
            let checkpoint = journal::checkpoint(snapshot.as_ref(), &self.id, life.row.checkpoint)
                .await
                .map_err(Failed::fault)?;
            fsm_state.clone_from(&checkpoint.fsm_state);
            self.restore(&checkpoint).await?;
        }
        let life = self.life.as_mut().expect("loaded");
        let tail = match life.tail.take() {
            Some(tail) => tail,
            None => {
                let from = if life.row.has_checkpoint {
                    life.row.checkpoint + 1
                } else {
                    0
                };
                let mut turns = journal::turns(snapshot.as_ref(), &self.id, from)
                    .await
                    .map_err(Failed::fault)?;
                turns.retain(|turn| turn.sequence < life.next);
                turns
            }
        };
        for turn in tail {
            fsm_state = self.replay(turn, fsm_state).await?;
        }
        Ok(())
    }

    /// Runs one recorded turn again, answered by its record; gives the state machine's state after it.
    async fn replay(
        &mut self,
        recorded: journal::Turn,
        fsm_state: String,
    ) -> Result<String, Failed> {
        if matches!(
            recorded.segments.last().and_then(|s| s.end.as_ref()),
            Some(segment::End::Failed(_))
        ) {
            return Ok(fsm_state);
        }
        let shared = self.shared.clone();
        let life = self.life.as_mut().expect("loaded");
        let corrupt = || {
            Failed::fault(Error::new(
                Code::Corrupt,
                format!("turn {} has no message", recorded.sequence),
            ))
        };
        let first = recorded.segments.first().ok_or_else(corrupt)?;
        let message: Message = first
            .message
            .clone()
            .ok_or_else(corrupt)?
            .try_into()
            .map_err(Failed::fault)?;
        let mut start = turn_start(&shared, &self.id, life, Segment::default(), Rights::All);
        start.sequence = recorded.sequence;
        let route = life.deployment.module.contract.route(message.delivery);
        let instance = &mut life.hot.as_mut().expect("made before").instance;
        instance.begin(start).answer_from(recorded.segments);
        let (reply, next_state) = match message.delivery {
            Delivery::Create => (
                instance
                    .init(Start::Create(message.payload))
                    .await
                    .map(|()| Bytes::new()),
                None,
            ),
            Delivery::Stop => {
                let reason = String::from_utf8_lossy(&message.payload).into_owned();
                (
                    instance.terminate(&reason).await.map(|()| Bytes::new()),
                    None,
                )
            }
            _ => match instance
                .handle(route.map_err(Failed::refused)?, &message, &fsm_state)
                .await
            {
                Ok(answer) => (Ok(answer.reply), answer.next_state),
                Err(failure) => (Err(failure), None),
            },
        };
        let mut turn = instance.end().expect("begun above");
        let fsm_state = next_state.unwrap_or(fsm_state);
        match reply {
            Ok(reply) => turn
                .check_replayed(&reply, &fsm_state)
                .map_err(Failed::refused)?,
            Err(failure @ (Failure::Returned(_) | Failure::Died(_))) => {
                let text = format!("the turn failed: {}", failure.error());
                return Err(Failed::refused(turn.differs("the turn's reply", &text)));
            }
            Err(failure) => return Err(failed_call(failure)),
        }
        Ok(fsm_state)
    }

    /// `init(restore(..))`: may read; what it was answered the first time, it is answered ever after.
    async fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Failed> {
        let shared = self.shared.clone();
        let snapshot = shared.store.snapshot();
        let before = journal::restored(snapshot.as_ref(), &self.id, checkpoint.sequence)
            .await
            .map_err(Failed::fault)?;
        let life = self.life.as_mut().expect("loaded");
        let mut start = turn_start(&shared, &self.id, life, Segment::default(), Rights::Read);
        start.sequence = checkpoint.sequence;
        start.time = Millis(checkpoint.time_ms);
        start.salt = RESTORE_SALT.to_vec();
        let instance = &mut life.hot.as_mut().expect("made before").instance;
        let turn = instance.begin(start);
        let known = before.is_some();
        if let Some(Restored { calls, time_ms }) = before {
            turn.answer_from(vec![Segment {
                calls,
                time_ms,
                ..Segment::default()
            }]);
        }
        let done = instance
            .init(Start::Restore(checkpoint.state.clone()))
            .await;
        let turn: Option<Turn> = instance.end();
        done.map_err(|failure| activation_failed(&self.id, failure))?;
        let mut turn = turn.expect("begun above");
        turn.check_all_answered().map_err(Failed::refused)?;
        let calls = turn.take_calls();
        if !known && !calls.is_empty() {
            let row = Restored {
                time_ms: checkpoint.time_ms,
                calls,
            };
            life.with_next.push((
                journal::restored_key(&self.id, checkpoint.sequence),
                encode(&row),
            ));
        }
        Ok(())
    }

    /// Changes to another deployment, from a checkpoint made under the old one. Where that is not possible the actor
    /// stays as it is, and says so.
    async fn upgrade(&mut self, to: Arc<Deployment>) -> Result<(), Failed> {
        let life = self.life.as_ref().expect("loaded");
        let old = life.deployment.clone();
        if old.ephemeral {
            self.let_go_now().await;
            self.life = None;
            return Box::pin(self.alive(None)).await;
        }
        if life.tail_turns > 0 {
            if !life.can_checkpoint() {
                let why = "its old version exports no snapshot-state, so its state cannot be carried over";
                return self.stay(&to, why).await;
            }
            self.heat().await?;
            self.checkpoint_now().await?;
        }
        let snapshot = self.shared.store.snapshot();
        let life = self.life.as_mut().expect("loaded");
        let sequence = life.row.checkpoint;
        let checkpoint = journal::checkpoint(snapshot.as_ref(), &self.id, sequence)
            .await
            .map_err(Failed::fault)?;
        life.hot = None;
        life.deployment = to.clone();
        let tried = match self.make_instance().await {
            Ok(()) => self.restore(&checkpoint).await,
            Err(failed) => Err(failed),
        };
        let life = self.life.as_mut().expect("loaded");
        if let Err(failed) = tried {
            life.hot = None;
            life.deployment = old;
            life.with_next.clear();
            return self.stay(&to, &failed.error.to_string()).await;
        }
        life.row.deployment = to.hash.bytes();
        life.row.refused = Bytes::new();
        tracing::info!(actor = %self.id, from = %old.hash, to = %to.hash, "upgraded");
        self.commit_row().await
    }

    async fn stay(&mut self, to: &Deployment, why: &str) -> Result<(), Failed> {
        tracing::warn!(actor = %self.id, version = %to.hash, "stays on its old version: {why}");
        let life = self.life.as_mut().expect("loaded");
        life.refused = Some(to.hash);
        life.row.refused = to.hash.bytes();
        self.commit_row().await
    }

    async fn commit_row(&mut self) -> Result<(), Failed> {
        let life = self.life.as_mut().expect("loaded");
        let mut batch = Batch::new();
        batch.guard(journal::actor_key(&self.id), life.row_version);
        journal::put_actor(&mut batch, &self.id, &life.row);
        match self.shared.commit(batch).await {
            Ok(commit) => {
                life.row_version = Version(commit.0);
                Ok(())
            }
            Err(error) => {
                self.life = None;
                Err(error.into())
            }
        }
    }

    async fn make_instance(&mut self) -> Result<(), Failed> {
        let shared = self.shared.clone();
        shared.make_room().await;
        let life = self.life.as_mut().expect("loaded");
        let setup = Setup {
            actor: self.id.clone(),
            limits: life.deployment.limits.clone(),
            durable: !life.deployment.ephemeral,
            outside: Arc::new(Links(shared.clone())),
        };
        let instance = Instance::new(&life.deployment.module, setup)
            .await
            .map_err(Failed::attempted)?;
        life.hot = Some(Hot::new(instance, &shared.hot));
        Ok(())
    }
}

/// What every turn of the actor starts with.
pub(super) fn turn_start(
    shared: &crate::shared::Shared,
    id: &plexspaces_core::ActorId,
    life: &Life,
    head: Segment,
    rights: Rights,
) -> TurnStart {
    TurnStart {
        actor: id.clone(),
        sequence: life.next,
        journaled: !life.deployment.ephemeral,
        rights,
        transaction: shared.transaction(bounds(&life.deployment)),
        head,
        time: shared.now().max(life.time),
        bytes_max: life.deployment.limits.message_bytes,
        salt: life.salt.clone(),
    }
}

pub(super) fn bounds(deployment: &Deployment) -> Bounds {
    Bounds {
        effects: deployment.limits.effects,
        batch_bytes: deployment.limits.batch_bytes,
        reads_hold: !deployment.ephemeral,
    }
}

fn activation_failed(id: &plexspaces_core::ActorId, failure: Failure) -> Failed {
    match failure {
        Failure::Returned(error) | Failure::Died(error) => Failed::attempted(
            Error::new(
                Code::ActivationFailed,
                format!("{id} cannot become active: {error}"),
            )
            .with("cause", error.code),
        ),
        other => failed_call(other),
    }
}

/// A failure that is not the guest's.
pub(super) fn failed_call(failure: Failure) -> Failed {
    match failure {
        Failure::Returned(error) | Failure::Died(error) => Failed::attempted(error),
        Failure::Mismatch(error) => Failed::refused(error),
        Failure::Conflict(error) | Failure::Fault(error) => Failed::fault(error),
    }
}
