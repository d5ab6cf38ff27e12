//! A turn under way: its transaction, and the journal that it writes or is answered from.
//!
//! Live, every host call that reads or changes anything is recorded: its name, a digest of its arguments, its result.
//! In a replay the same calls are answered from the record, in order; a call that differs, comes too late or does not
//! come at all stops the actor with `PS4001` and both sides. It never guesses.

use crate::environment::Environment;
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_services::records::{self, HostCall, Segment, host_call, segment};
use plexspaces_services::timers::Armed;
use plexspaces_services::tuplespace::TupleId;
use plexspaces_services::{Held, Transaction};
use plexspaces_store::Key;
use std::collections::VecDeque;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// What the guest may do in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything: handlers, `init(create(..))`, `terminate`.
    All,
    /// Reads only: `init(restore(..))`.
    Read,
    /// Nothing but logging: `snapshot-state`.
    Nothing,
}

/// A message that a turn sends: its row is in the turn's batch, and it is handed over once that has committed.
pub struct Outgoing {
    /// The receiver.
    pub to: ActorId,
    /// Its mailbox row.
    pub row: Key,
    /// The row's content.
    pub content: records::MailboxRow,
    /// The place in the receiver's mailbox that is kept for it; dropping it gives the place back.
    pub slot: Box<dyn Send>,
}

/// A turn under way.
pub struct Turn {
    /// Who runs it.
    pub actor: ActorId,
    /// Its number.
    pub sequence: u64,
    /// What is buffered since the start or the last wait.
    pub transaction: Transaction,
    /// Messages and stops to hand over after the commit.
    pub outgoing: Vec<Outgoing>,
    /// Timers to be dated by the time of the commit.
    pub armed: Vec<Armed>,
    /// The guest asked for a checkpoint.
    pub checkpoint: bool,
    /// What the guest may do.
    pub rights: Rights,
    /// The longest result of one call, in bytes.
    pub bytes_max: u64,
    /// Keeps apart what an ephemeral actor's activations make; empty in durable actors.
    pub salt: Vec<u8>,
    journaled: bool,
    /// Which segment is under way, and what the first one says of the message.
    segment: u64,
    head: Segment,
    calls: Vec<HostCall>,
    replay: Option<Replay>,
    time: Millis,
    /// Counted in the first run and in a replay alike, so that ids made from it are the same.
    host_calls: u64,
    environment: Arc<Environment>,
}

/// A recorded turn that answers.
struct Replay {
    segments: VecDeque<Segment>,
    calls: std::vec::IntoIter<HostCall>,
    end: Option<segment::End>,
    answered: usize,
    drawn: u64,
}

/// What one host call has to do.
pub(crate) enum Step {
    /// Do it.
    Live,
    /// It was done: this was the result.
    Answered(Result<Bytes>),
}

/// A segment ready to commit.
pub struct Sealed {
    /// The effects and, in a durable actor, the journal's row.
    pub batch: Batch,
    /// To be held until the batch has committed.
    pub held: Held,
    /// To hand over after the commit.
    pub outgoing: Vec<Outgoing>,
    /// The journal row's size in bytes; 0 in an ephemeral actor.
    pub journal_bytes: u64,
}

/// What a new turn is made of.
pub struct Start {
    /// Who runs it.
    pub actor: ActorId,
    /// Its number.
    pub sequence: u64,
    /// Whether it writes the journal.
    pub journaled: bool,
    /// What the guest may do.
    pub rights: Rights,
    /// Its transaction.
    pub transaction: Transaction,
    /// What the journal says of it at its beginning: message, origin, deployment.
    pub head: Segment,
    /// Its time.
    pub time: Millis,
    /// The longest result of one call, in bytes.
    pub bytes_max: u64,
    /// See [`Turn::salt`].
    pub salt: Vec<u8>,
}

impl Turn {
    pub(crate) fn begin(start: Start, environment: Arc<Environment>) -> Self {
        environment.seed(&start.actor, start.sequence, &start.salt);
        environment.set_time(start.time);
        environment.set_replaying(false);
        Turn {
            actor: start.actor,
            sequence: start.sequence,
            transaction: start.transaction,
            outgoing: Vec::new(),
            armed: Vec::new(),
            checkpoint: false,
            rights: start.rights,
            bytes_max: start.bytes_max,
            salt: start.salt,
            journaled: start.journaled,
            segment: 0,
            head: start.head,
            calls: Vec::new(),
            replay: None,
            time: start.time,
            host_calls: 0,
            environment,
        }
    }

    /// Lets the journal answer: all of a turn, or the segments before the wait that it stands in.
    pub fn answer_from(&mut self, segments: Vec<Segment>) {
        let mut segments = VecDeque::from(segments);
        if let Some(first) = segments.pop_front() {
            self.set_time(Millis(first.time_ms));
            self.environment.set_replaying(true);
            self.replay = Some(Replay {
                drawn: first.random_bytes,
                calls: first.calls.into_iter(),
                end: first.end,
                segments,
                answered: 0,
            });
        }
    }

    /// What the next host call has to do.
    pub(crate) fn step(&mut self, operation: &'static str, arguments: u64) -> Result<Step> {
        self.host_calls += 1;
        self.answer(operation, arguments)
    }

    fn answer(&mut self, operation: &'static str, arguments: u64) -> Result<Step> {
        let Some(replay) = &mut self.replay else {
            return Ok(Step::Live);
        };
        let Some(recorded) = replay.calls.next() else {
            let recorded = match &replay.end {
                // The wait that the turn stands in: the caller waits on.
                Some(segment::End::Wait(wait))
                    if wait.operation == operation && wait.arguments == arguments =>
                {
                    return self.pass_wait(operation, arguments);
                }
                Some(segment::End::Wait(wait)) => call_text(&wait.operation, wait.arguments),
                Some(segment::End::Failed(_)) => "the turn failed".to_owned(),
                _ => "the turn ended".to_owned(),
            };
            let answered = replay.answered;
            return Err(self.mismatch(answered, &recorded, &call_text(operation, arguments)));
        };
        let n = replay.answered;
        replay.answered += 1;
        if recorded.operation != operation || recorded.arguments != arguments {
            let recorded = call_text(&recorded.operation, recorded.arguments);
            return Err(self.mismatch(n, &recorded, &call_text(operation, arguments)));
        }
        Ok(Step::Answered(match recorded.result {
            Some(host_call::Result::Ok(bytes)) => Ok(bytes),
            Some(host_call::Result::Error(error)) => Err(error.into()),
            None => {
                return Err(Error::new(
                    Code::Corrupt,
                    "a recorded host call has no result",
                ));
            }
        }))
    }

    /// At a wait: on to the next recorded segment, whose first call has the wait's result, or live if there is none.
    fn pass_wait(&mut self, operation: &'static str, arguments: u64) -> Result<Step> {
        let drawn = self.environment.drawn();
        let Some(replay) = &mut self.replay else {
            return Ok(Step::Live);
        };
        if drawn != replay.drawn {
            let (n, recorded) = (replay.answered, replay.drawn);
            return Err(self.mismatch(n, &drawn_text(recorded), &drawn_text(drawn)));
        }
        let Some(next) = replay.segments.pop_front() else {
            return Ok(Step::Live);
        };
        replay.drawn = next.random_bytes;
        replay.calls = next.calls.into_iter();
        replay.end = next.end;
        self.segment += 1;
        self.set_time(Millis(next.time_ms));
        self.answer(operation, arguments)
    }

    /// Records what a live host call gave.
    pub(crate) fn record(
        &mut self,
        operation: &str,
        arguments: u64,
        result: Result<Bytes, &Error>,
    ) {
        if self.journaled {
            self.calls.push(HostCall {
                operation: operation.to_owned(),
                arguments,
                result: Some(match result {
                    Ok(bytes) => host_call::Result::Ok(bytes),
                    Err(error) => host_call::Result::Error(error.into()),
                }),
            });
        }
    }

    /// Checks, after the handler has returned, that a replayed turn is all answered and gave the recorded reply.
    ///
    /// # Errors
    /// `PS4001`.
    pub fn check_replayed(&mut self, reply: &[u8], fsm_state: &str) -> Result<()> {
        self.check_all_answered()?;
        let drawn = self.environment.drawn();
        let Some(replay) = self.replay.take() else {
            return Ok(());
        };
        let n = replay.answered;
        match &replay.end {
            Some(segment::End::Done(done))
                if done.reply == reply && done.fsm_state == fsm_state =>
            {
                if drawn == replay.drawn {
                    return Ok(());
                }
                Err(self.mismatch(n, &drawn_text(replay.drawn), &drawn_text(drawn)))
            }
            Some(segment::End::Done(done)) => {
                let text = |reply: &[u8], state: &str| {
                    format!("the reply {} and the state {state:?}", shown(reply))
                };
                Err(self.mismatch(
                    n,
                    &text(&done.reply, &done.fsm_state),
                    &text(reply, fsm_state),
                ))
            }
            Some(segment::End::Wait(wait)) => {
                let recorded = call_text(&wait.operation, wait.arguments);
                Err(self.mismatch(n, &recorded, "the turn ended"))
            }
            _ => Err(self.mismatch(n, "the turn failed", "the turn ended")),
        }
    }

    /// Checks that every recorded host call was made again.
    ///
    /// # Errors
    /// `PS4001`.
    pub fn check_all_answered(&self) -> Result<()> {
        let Some(replay) = &self.replay else {
            return Ok(());
        };
        match replay.calls.as_slice().first() {
            Some(left) => {
                let recorded = call_text(&left.operation, left.arguments);
                Err(self.mismatch(replay.answered, &recorded, "the turn ended"))
            }
            None => Ok(()),
        }
    }

    /// The error of a replay that came to another end than its record.
    #[must_use]
    pub fn differs(&self, recorded: &str, replayed: &str) -> Error {
        self.mismatch(
            self.replay.as_ref().map_or(0, |replay| replay.answered),
            recorded,
            replayed,
        )
    }

    fn mismatch(&self, n: usize, recorded: &str, replayed: &str) -> Error {
        Error::new(
            Code::ReplayMismatch,
            format!(
                "the replay of turn {} of {} differs from its first run at host call {n}: \
                 recorded was {recorded}, the replay gave {replayed}",
                self.sequence, self.actor
            ),
        )
        .with("sequence", self.sequence)
        .with("host-call", n)
        .with("recorded", recorded)
        .with("replayed", replayed)
    }

    /// Whether it writes the journal.
    #[must_use]
    pub fn journaled(&self) -> bool {
        self.journaled
    }

    /// Whether the journal answers now.
    #[must_use]
    pub fn replaying(&self) -> bool {
        self.environment.replaying()
    }

    /// In a turn that is rebuilt at its wait: the wait's row.
    #[must_use]
    pub fn resumed_wait(&self) -> Option<Key> {
        match &self.replay.as_ref()?.end {
            Some(segment::End::Wait(wait)) => Some(Key::from(wait.row.to_vec())),
            _ => None,
        }
    }

    /// From here on the turn runs live: its wait is over.
    pub fn go_live(&mut self, time: Millis, transaction: Transaction) {
        if self.replay.take().is_some() {
            self.environment.set_replaying(false);
        }
        self.segment += 1;
        self.transaction = transaction;
        self.set_time(time);
    }

    /// Begins the segment that is under way again: nothing of it has happened yet.
    pub fn begin_segment_again(&mut self, time: Millis, transaction: Transaction) {
        self.transaction = transaction;
        self.set_time(time);
    }

    /// Ends the segment: gives what to commit. The turn goes on, if it does, with [`Turn::go_live`].
    pub fn seal(&mut self, transaction: Transaction, end: segment::End) -> Sealed {
        let ended = std::mem::replace(&mut self.transaction, transaction);
        let (mut batch, held) = ended.finish_as(&self.actor.local());
        let mut journal_bytes = 0;
        if self.journaled {
            let row = Segment {
                time_ms: self.time.0,
                calls: std::mem::take(&mut self.calls),
                random_bytes: self.environment.drawn(),
                end: Some(end),
                ..std::mem::take(&mut self.head)
            };
            journal_bytes = plexspaces_services::journal::put_segment(
                &mut batch,
                &self.actor,
                self.sequence,
                self.segment,
                &row,
            );
        }
        Sealed {
            batch,
            held,
            outgoing: std::mem::take(&mut self.outgoing),
            journal_bytes,
        }
    }

    /// The segment that is under way.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Takes the recorded calls: for `init(restore(..))`, whose record is not a turn's.
    #[must_use]
    pub fn take_calls(&mut self) -> Vec<HostCall> {
        std::mem::take(&mut self.calls)
    }

    /// The time of the segment.
    #[must_use]
    pub fn time(&self) -> Millis {
        self.time
    }

    fn set_time(&mut self, time: Millis) {
        self.time = time;
        self.environment.set_time(time);
    }

    /// An id for what the host call under way makes: the same when the turn runs again, and nobody else's.
    #[must_use]
    pub fn fresh_id(&self) -> TupleId {
        let mut hash = Xxh3::new();
        hash.update(self.actor.to_string().as_bytes());
        hash.update(&[0]);
        hash.update(&self.salt);
        hash.update(&self.sequence.to_be_bytes());
        hash.update(&self.host_calls.to_be_bytes());
        hash.digest128().to_be_bytes()
    }
}

fn call_text(operation: &str, arguments: u64) -> String {
    format!("{operation} with arguments {arguments:016x}")
}

fn drawn_text(bytes: u64) -> String {
    format!("{bytes} random bytes drawn")
}

fn shown(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    let cut = &bytes[..bytes.len().min(SHOWN)];
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!(
        "{:?}{more} ({} bytes)",
        String::from_utf8_lossy(cut),
        bytes.len()
    )
}

/// A digest of a host call's arguments, field by field.
pub(crate) struct Arguments(Xxh3);

impl Arguments {
    pub(crate) fn new() -> Self {
        Arguments(Xxh3::new())
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    pub(crate) fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_be_bytes());
        self
    }

    pub(crate) fn maybe(self, number: Option<u64>) -> Self {
        match number {
            Some(number) => self.number(1).number(number),
            None => self.number(0),
        }
    }

    pub(crate) fn optional(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.number(1).bytes(bytes),
            None => self.number(0),
        }
    }

    pub(crate) fn scope(self, scope: &Scope) -> Self {
        self.text(scope.tenant()).text(scope.namespace())
    }

    pub(crate) fn record(self, record: &impl prost::Message) -> Self {
        self.bytes(&record.encode_to_vec())
    }

    pub(crate) fn digest(self) -> u64 {
        self.0.digest()
    }
}
