//! Sends, asks and spawns between actors: what guests reach through `messaging`.
//!
//! A send is a row in the receiver's mailbox, written by the sender's batch, so it is there exactly once. An ask is a
//! segment's end: what is buffered commits with the question and a wait's row; the callee's batch completes that row;
//! the asker's next segment deletes it. A crash in between repeats the wait, not the question.

use crate::node::{check_payload, no_outcome, row_bytes};
use crate::resident::{Envelope, Origin};
use crate::shared::Shared;
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::message::{self, Delivery, Message};
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_runtime::{self as runtime, Abort, Ask, Outgoing, Outside, Turn};
use plexspaces_services::blob::Content;
use plexspaces_services::records::{ActorRow, MailboxRow, Wait, WaitRow, encode, segment};
use plexspaces_services::{Bounds, journal, mailbox, waits};
use plexspaces_store::{Error as StoreError, Key};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The longest wait for a reply.
const ASK_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// `Shared` as guests see it.
#[async_trait]
impl Outside for Links {
    fn content(&self) -> Result<&Content> {
        Ok(&self.0.content)
    }

    fn ticket(&self) -> u64 {
        self.0.ticket()
    }

    fn now(&self) -> Millis {
        self.0.now()
    }

    fn send(&self, turn: &mut Turn, to: &str, msg_type: &str, payload: Bytes) -> Result<()> {
        let id = ActorId::parse(turn.actor.scope(), to)?;
        self.put_message(turn, id, msg_type, payload, Delivery::Send, None)
    }

    async fn ask(&self, turn: &mut Turn, ask: Ask) -> Result<Result<Bytes>, Abort> {
        let asker = turn.actor.clone();
        let bounds = self.bounds(&asker)?;
        if let Some(row) = turn.resumed_wait() {
            return self.resume(turn, row, bounds).await;
        }
        let to = match self.askable(turn, &ask) {
            Ok(to) => to,
            Err(refused) => return Ok(Err(refused)),
        };
        if turn.journaled() {
            self.ask_durably(turn, ask, to, bounds).await
        } else {
            self.ask_in_memory(turn, ask, to, bounds).await
        }
    }

    async fn wait(
        &self,
        turn: &mut Turn,
        wait: runtime::Wait,
        attempt: &mut dyn runtime::Attempt,
    ) -> Result<Result<bool>, Abort> {
        self.wait_for(turn, wait, attempt).await
    }

    async fn arm(&self, turn: &mut Turn, timer: runtime::Timer) -> Result<u64> {
        self.arm_timer(turn, timer).await
    }

    async fn spawn(
        &self,
        turn: &mut Turn,
        kind: &str,
        key: Option<&str>,
        args: Bytes,
    ) -> Result<ActorId> {
        let fresh;
        let key = match key {
            Some(key) => key,
            None => {
                fresh = uuid::Uuid::from_bytes(turn.fresh_id()).simple().to_string();
                &fresh
            }
        };
        let id = ActorId::new(turn.actor.scope(), kind, key)?;
        let deployment = self.0.catalog.of(&id)?;
        let exists = || {
            Error::new(
                Code::ActorExists,
                format!("the actor {} exists", id.local()),
            )
        };
        if deployment.ephemeral {
            if self
                .0
                .residents
                .get(&id)
                .is_some_and(|resident| !resident.is_empty())
            {
                return Err(exists());
            }
            self.put_message(turn, id.clone(), "", args, Delivery::Create, None)?;
            return Ok(id);
        }
        let row = journal::actor_key(&id);
        if turn.transaction.get(&row).await?.is_some() {
            return Err(exists());
        }
        let actor = ActorRow {
            args,
            created_ms: turn.time().0,
            ..ActorRow::default()
        };
        turn.transaction.put(row, encode(&actor))?;
        self.put_message(turn, id.clone(), "", Bytes::new(), Delivery::Create, None)?;
        Ok(id)
    }

    fn stop(&self, turn: &mut Turn, id: &str, reason: &str) -> Result<()> {
        let id = ActorId::parse(turn.actor.scope(), id)?;
        self.put_message(
            turn,
            id,
            "",
            Bytes::copy_from_slice(reason.as_bytes()),
            Delivery::Stop,
            None,
        )
    }
}

/// The node's actors, as one of them reaches the others.
pub(crate) struct Links(pub(crate) Arc<Shared>);

/// Who waits for the reply to a message, and until when.
struct ReplyTo {
    wait: Key,
    deadline: Millis,
}

impl Links {
    /// Buffers a message: its row, and the handing over after the commit.
    fn put_message(
        &self,
        turn: &mut Turn,
        to: ActorId,
        msg_type: &str,
        payload: Bytes,
        delivery: Delivery,
        reply_to: Option<ReplyTo>,
    ) -> Result<()> {
        message::check_msg_type(msg_type)
            .map_err(|problem| Error::new(Code::InvalidArgument, problem))?;
        let limits = &self.0.catalog.of(&to)?.limits;
        check_payload(payload.len(), limits.message_bytes)?;
        let slot = self.0.reserve_slot(&to, limits.mailbox_messages)?;
        let message = Message {
            from: turn.actor.local(),
            msg_type: msg_type.to_owned(),
            payload,
            delivery,
        };
        let content = MailboxRow {
            message: Some((&message).into()),
            reply_to: reply_to
                .as_ref()
                .map(|r| row_bytes(&r.wait))
                .unwrap_or_default(),
            deadline_ms: reply_to.map_or(0, |r| r.deadline.0),
        };
        let row = mailbox::key(&to, self.0.ticket());
        turn.transaction.put(row.clone(), encode(&content))?;
        turn.outgoing.push(Outgoing {
            to,
            row,
            content,
            slot: Box::new(slot),
        });
        Ok(())
    }

    fn askable(&self, turn: &Turn, ask: &Ask) -> Result<ActorId> {
        let to = ActorId::parse(turn.actor.scope(), &ask.to)?;
        if to == turn.actor {
            return Err(Error::new(
                Code::AskSelf,
                format!("{} asked itself and would wait for ever", to.local()),
            ));
        }
        if turn.sequence == 0 {
            return Err(not_in_init("ask; send, or ask"));
        }
        message::check_msg_type(&ask.msg_type)
            .map_err(|problem| Error::new(Code::InvalidArgument, problem))?;
        let limits = &self.0.catalog.of(&to)?.limits;
        check_payload(ask.payload.len(), limits.message_bytes)?;
        Ok(to)
    }

    async fn ask_durably(
        &self,
        turn: &mut Turn,
        ask: Ask,
        to: ActorId,
        bounds: Bounds,
    ) -> Result<Result<Bytes>, Abort> {
        let wait = waits::key(&turn.actor, turn.sequence, turn.segment());
        let timeout = ask.timeout.min(ASK_TIMEOUT_MAX);
        let deadline = Millis(self.0.now().0 + timeout.as_millis() as u64);
        let reply_to = ReplyTo {
            wait: wait.clone(),
            deadline,
        };
        if let Err(refused) = self.put_message(
            turn,
            to.clone(),
            &ask.msg_type,
            ask.payload,
            Delivery::Ask,
            Some(reply_to),
        ) {
            return match refused.code {
                Code::EffectLimit => Err(Abort::Error(refused)),
                _ => Ok(Err(refused)),
            };
        }
        let row = WaitRow {
            callee: to.local(),
            deadline_ms: deadline.0,
            outcome: None,
        };
        turn.transaction.batch_mut().put(wait.clone(), encode(&row));
        let end = segment::End::Wait(Wait {
            operation: ask.operation.to_owned(),
            arguments: ask.arguments,
            row: row_bytes(&wait),
        });
        let waiter = self.register(&wait);
        self.commit_segment(turn, bounds, end)
            .await
            .inspect_err(|_| drop(self.0.waits.remove(&wait)))?;
        let outcome = self
            .wait(&turn.actor.clone(), &to, &wait, waiter, deadline, timeout)
            .await?;
        self.go_on(turn, bounds, Some(wait));
        Ok(outcome)
    }

    /// A wait that is rebuilt after a restart or a failure: its row says how it stands.
    async fn resume(
        &self,
        turn: &mut Turn,
        wait: Key,
        bounds: Bounds,
    ) -> Result<Result<Bytes>, Abort> {
        let waiter = self.register(&wait);
        let found = self
            .0
            .store
            .latest(&wait)
            .await
            .map_err(plexspaces_services::fault)
            .map_err(Abort::Error)?;
        let Some(found) = found else {
            let error = Error::new(
                Code::Corrupt,
                format!(
                    "the wait of turn {} of {} is missing",
                    turn.sequence, turn.actor
                ),
            );
            return Err(Abort::Error(error));
        };
        let row: WaitRow =
            plexspaces_services::records::decode(&wait, &found.value).map_err(Abort::Error)?;
        let outcome = match row.outcome {
            Some(outcome) => {
                self.0.waits.remove(&wait);
                outcome.into_result()
            }
            None => {
                let deadline = Millis(row.deadline_ms);
                let to = ActorId::parse(turn.actor.scope(), &row.callee).map_err(Abort::Error)?;
                let timeout = self.0.until(deadline);
                self.wait(&turn.actor.clone(), &to, &wait, waiter, deadline, timeout)
                    .await?
            }
        };
        self.go_on(turn, bounds, Some(wait));
        Ok(outcome)
    }

    /// An ephemeral asker: its wait lives and dies with it.
    async fn ask_in_memory(
        &self,
        turn: &mut Turn,
        ask: Ask,
        to: ActorId,
        bounds: Bounds,
    ) -> Result<Result<Bytes>, Abort> {
        let max = self
            .0
            .catalog
            .of(&to)
            .map_err(Abort::Error)?
            .limits
            .mailbox_messages;
        let slot = match self.0.reserve_slot(&to, max) {
            Ok(slot) => slot,
            Err(full) => return Ok(Err(full)),
        };
        self.commit_segment(turn, bounds, segment::End::Wait(Wait::default()))
            .await?;
        let (sender, receiver) = oneshot::channel();
        let message = Message {
            from: turn.actor.local(),
            msg_type: ask.msg_type,
            payload: ask.payload,
            delivery: Delivery::Ask,
        };
        self.0.deliver(
            &to,
            Envelope {
                message,
                origin: Origin::Here(sender),
                caller: None,
                deadline: None,
            },
        );
        drop(slot);
        let _asking = self.asking(&turn.actor, &to);
        let outcome = match tokio::time::timeout(ask.timeout.min(ASK_TIMEOUT_MAX), receiver).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(no_outcome(&to)),
            Err(_) => Err(self.0.ask_timeout(Some(&turn.actor), &to, ask.timeout)),
        };
        self.go_on(turn, bounds, None);
        Ok(outcome)
    }

    /// Waits for the reply, the deadline or a stop, whichever changes the wait's row first.
    async fn wait(
        &self,
        asker: &ActorId,
        to: &ActorId,
        wait: &Key,
        mut waiter: oneshot::Receiver<Result<Bytes>>,
        deadline: Millis,
        timeout: Duration,
    ) -> Result<Result<Bytes>, Abort> {
        let _asking = self.asking(asker, to);
        let resident = self
            .0
            .residents
            .get(asker)
            .map(|entry| entry.value().clone());
        let stopped = async {
            match &resident {
                Some(resident) => resident.interrupt.notified().await,
                None => std::future::pending().await,
            }
        };
        let given_up = tokio::select! {
            biased;
            Ok(outcome) = &mut waiter => return Ok(outcome),
            () = stopped => Error::new(Code::AskTimeout, format!("{asker} is to stop and waits no longer for {to}")),
            () = tokio::time::sleep(self.0.until(deadline)) => self.0.ask_timeout(Some(asker), to, timeout),
        };
        self.0.waits.remove(wait);
        let outcome = Err(given_up);
        let mut batch = Batch::new();
        let mine = waits::complete(self.0.store.as_ref(), &mut batch, wait, &outcome)
            .await
            .map_err(Abort::Error)?;
        if mine {
            match self.0.commit(batch).await {
                Ok(_) => return Ok(outcome),
                Err(plexspaces_store::Error::Conflict { .. }) => {}
                Err(error) => return Err(Abort::Error(plexspaces_services::fault(error))),
            }
        }
        // The reply was first.
        match waits::outcome(self.0.store.as_ref(), wait)
            .await
            .map_err(Abort::Error)?
        {
            Some(outcome) => Ok(outcome),
            None => Err(Abort::Error(Error::new(
                Code::Corrupt,
                format!("the wait at {wait:?} is lost"),
            ))),
        }
    }

    /// Ends a segment at a wait: commits what is buffered, and hands over what was sent.
    pub(crate) async fn commit_segment(
        &self,
        turn: &mut Turn,
        bounds: Bounds,
        end: segment::End,
    ) -> Result<(), Abort> {
        let passed = turn.transaction.pass_strict().await;
        passed.map_err(Abort::Conflict)?;
        let sealed = self.0.seal(turn, bounds, end).map_err(Abort::Error)?;
        match self.0.commit(sealed.batch).await {
            Ok(_) => {
                sealed.held.committed();
                self.0.hand_over(sealed.outgoing);
                Ok(())
            }
            Err(StoreError::Conflict {
                key,
                expected,
                found,
            }) => {
                turn.transaction.set_lost(key.clone());
                let error = StoreError::Conflict {
                    key,
                    expected,
                    found,
                };
                Err(Abort::Conflict(plexspaces_services::fault(error)))
            }
            Err(error) => Err(Abort::Error(plexspaces_services::fault(error))),
        }
    }

    /// The wait is over: the turn runs on in a new segment, which will delete the wait's row.
    pub(crate) fn go_on(&self, turn: &mut Turn, bounds: Bounds, wait: Option<Key>) {
        let time = self.0.now().max(turn.time());
        turn.go_live(time, self.0.transaction(bounds));
        if let Some(wait) = wait {
            turn.transaction.batch_mut().delete(wait);
        }
    }

    fn register(&self, wait: &Key) -> oneshot::Receiver<Result<Bytes>> {
        let (sender, receiver) = oneshot::channel();
        self.0.waits.insert(wait.clone(), sender);
        receiver
    }

    pub(crate) fn bounds(&self, asker: &ActorId) -> Result<Bounds, Abort> {
        let deployment = self.0.catalog.of(asker).map_err(Abort::Error)?;
        Ok(Bounds {
            effects: deployment.limits.effects,
            batch_bytes: deployment.limits.batch_bytes,
            reads_hold: !deployment.ephemeral,
        })
    }

    fn asking(&self, asker: &ActorId, to: &ActorId) -> Asking {
        self.0.asking.insert(asker.clone(), to.clone());
        Asking {
            shared: self.0.clone(),
            asker: asker.clone(),
        }
    }
}

/// Turn 0 is one segment, so nothing can be waited for in it.
pub(crate) fn not_in_init(what: &str) -> Error {
    let mut error = Error::new(
        Code::InvalidArgument,
        format!("init may not {what} in the first message"),
    );
    error.kind = plexspaces_core::ErrorKind::FailedPrecondition;
    error
}

/// While this lives, an actor waits for another.
struct Asking {
    shared: Arc<Shared>,
    asker: ActorId,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.shared.asking.remove(&self.asker);
    }
}
