//! One live guest.
//!
//! An instance runs one turn at a time: [`Instance::begin`] gives it a turn, a call runs a handler in it, and
//! [`Instance::end`] takes the turn back. After a trap or a crossed limit the instance is dead: drop it.

use crate::contract::Handler;
use crate::environment::Environment;
use crate::failure::{Failure, classify, instantiation};
use crate::host::{HostState, from_wit};
use crate::limits::{LimitHit, Limiter};
use crate::module::{ExportResult, MessageParams, Module, StartArgument, Transition};
use crate::outside::{Abort, Ask, Attempt, Outside, Timer, Wait};
use crate::pace;
use crate::turn::{Start as TurnStart, Turn};
use crate::wasi::Wasi;
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::limits::Limits;
use plexspaces_core::message::Message;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_services::blob::Content;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Lift, Lower};
use wasmtime::{Store, UpdateDeadline};

/// What an instance is made for.
pub struct Setup {
    /// The actor.
    pub actor: ActorId,
    /// Its limits.
    pub limits: Limits,
    /// Whether it is durable.
    pub durable: bool,
    /// The other actors.
    pub outside: Arc<dyn Outside>,
}

impl Setup {
    /// For an instance that belongs to no actor and reaches none: to try a module out, or to measure it.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn detached(memory_max: u64) -> Result<Self> {
        Ok(Setup {
            actor: ActorId::new(&Scope::new("plexspaces", "deployment")?, "trial", "")?,
            limits: Limits {
                memory_bytes: memory_max,
                ..Limits::default()
            },
            durable: false,
            outside: Arc::new(Nobody),
        })
    }
}

/// How an actor becomes active.
#[derive(Clone, Debug)]
pub enum Start {
    /// It is new: its creation arguments.
    Create(Bytes),
    /// It lives on: its checkpoint's bytes.
    Restore(Bytes),
}

/// What a handler gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The reply; empty for what nobody waits for.
    pub reply: Bytes,
    /// The state machine's new state; `None` = as it was.
    pub next_state: Option<String>,
}

/// One live guest.
pub struct Instance {
    store: Store<HostState>,
    instance: wasmtime::component::Instance,
    module: Arc<Module>,
    reply_max: u64,
}

/// After how many interruptions within a segment a guest counts as one that runs long.
const LONG_TICKS: u32 = 2;

impl HostState {
    pub(crate) fn new(module: &Module, setup: Setup) -> Self {
        let environment = Environment::new();
        let wasi = module
            .contract
            .wants_wasi()
            .then(|| Wasi::new(&setup.actor, &environment));
        HostState {
            limiter: Limiter::new(setup.limits.memory_bytes),
            wasi,
            environment,
            outside: setup.outside,
            turn: None,
            turn_limit: Duration::from_millis(setup.limits.turn_ms),
            can_checkpoint: setup.durable && module.contract.has("snapshot"),
            ticks: 0,
            actor: setup.actor,
        }
    }

    /// Lets what runs from now on run as long as a segment may.
    pub(crate) fn start_clock(&self) {
        self.environment.set_deadline(Some(self.turn_limit));
    }
}

/// Lets the ticker interrupt what runs in `store`: to yield, and to stop at the deadline.
pub(crate) fn interrupt(store: &mut Store<HostState>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        state.ticks += 1;
        if state.ticks >= LONG_TICKS {
            pace::mark();
        }
        match state.environment.deadline() {
            Some(deadline) if Instant::now() >= deadline => Err(LimitHit::Time {
                limit_ms: state.turn_limit.as_millis() as u64,
            }
            .into()),
            _ => Ok(UpdateDeadline::Yield(1)),
        }
    });
}

impl Instance {
    /// Makes an instance.
    ///
    /// # Errors
    /// A limit, a trapping start function, or no room for another instance.
    pub async fn new(module: &Arc<Module>, setup: Setup) -> Result<Self> {
        let reply_max = setup.limits.message_bytes;
        let mut store = Store::new(&module.engine.wasmtime, HostState::new(module, setup));
        store.limiter(|state| &mut state.limiter);
        interrupt(&mut store);
        store.data().start_clock();
        let instance = {
            let _running = module.engine.ticker.enter();
            module
                .pre
                .instantiate_async(&mut store)
                .await
                .map_err(|e| instantiation(&e))?
        };
        Ok(Instance {
            store,
            instance,
            module: module.clone(),
            reply_max,
        })
    }

    /// The module that it runs.
    #[must_use]
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// Gives it a turn.
    pub fn begin(&mut self, start: TurnStart) -> &mut Turn {
        let state = self.store.data_mut();
        let environment = state.environment.clone();
        state.turn.insert(Turn::begin(start, environment))
    }

    /// Takes the turn back.
    pub fn end(&mut self) -> Option<Turn> {
        self.store.data_mut().turn.take()
    }

    /// Runs `init`, if the module has it.
    ///
    /// # Errors
    /// A returned error or what ended the call.
    pub async fn init(&mut self, start: Start) -> Result<(), Failure> {
        let Some(export) = self.module.exports.init else {
            return Ok(());
        };
        let argument = match start {
            Start::Create(bytes) => StartArgument::Create(bytes.into()),
            Start::Restore(bytes) => StartArgument::Restore(bytes.into()),
        };
        self.call::<(StartArgument,), ()>("init", export, (argument,))
            .await
    }

    /// Runs a handler with a message.
    ///
    /// # Errors
    /// A returned error, a reply over the limit, or what ended the call.
    pub async fn handle(
        &mut self,
        handler: Handler,
        message: &Message,
        fsm_state: &str,
    ) -> Result<Answer, Failure> {
        let exports = &self.module.exports;
        let (from, msg_type, payload) = (
            message.from.as_str(),
            message.msg_type.as_str(),
            message.payload.as_ref(),
        );
        let absent = || {
            Failure::Fault(Error::new(
                Code::Internal,
                format!("the module has no {handler}"),
            ))
        };
        let answer = match handler {
            Handler::GenServer => {
                let export = exports.handle_request.ok_or_else(absent)?;
                let params = (from, msg_type, payload);
                let reply = self
                    .call::<MessageParams<'_>, Vec<u8>>("handle-request", export, params)
                    .await?;
                Answer {
                    reply: reply.into(),
                    next_state: None,
                }
            }
            Handler::GenEvent => {
                let export = exports.handle_event.ok_or_else(absent)?;
                self.call::<MessageParams<'_>, ()>(
                    "handle-event",
                    export,
                    (from, msg_type, payload),
                )
                .await?;
                Answer::default()
            }
            Handler::GenFsm => {
                let export = exports.handle_transition.ok_or_else(absent)?;
                let params = (fsm_state, from, msg_type, payload);
                let given = self
                    .call::<(&str, &str, &str, &[u8]), Transition>(
                        "handle-transition",
                        export,
                        params,
                    )
                    .await?;
                Answer {
                    reply: given.reply.into(),
                    next_state: Some(given.next).filter(|s| !s.is_empty()),
                }
            }
            Handler::MessageHandler => {
                let export = exports.handle_message.ok_or_else(absent)?;
                let params = (from, msg_type, payload);
                let reply = self
                    .call::<MessageParams<'_>, Vec<u8>>("handle-message", export, params)
                    .await?;
                Answer {
                    reply: reply.into(),
                    next_state: None,
                }
            }
        };
        self.bounded("the reply", answer.reply.len())?;
        Ok(answer)
    }

    /// Runs `snapshot-state`: `None` if the module has it not.
    ///
    /// # Errors
    /// A returned error, or what ended the call.
    pub async fn snapshot(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(export) = self.module.exports.snapshot_state else {
            return Ok(None);
        };
        let state = self
            .call::<(), Vec<u8>>("snapshot-state", export, ())
            .await?;
        Ok(Some(state.into()))
    }

    /// Runs `terminate`, if the module has it.
    ///
    /// # Errors
    /// A returned error, or what ended the call.
    pub async fn terminate(&mut self, reason: &str) -> Result<(), Failure> {
        let Some(export) = self.module.exports.terminate else {
            return Ok(());
        };
        self.call::<(&str,), ()>("terminate", export, (reason,))
            .await
    }

    fn bounded(&self, what: &str, bytes: usize) -> Result<(), Failure> {
        if bytes as u64 <= self.reply_max {
            return Ok(());
        }
        let actor = &self.store.data().actor;
        Err(Failure::Returned(Error::new(
            Code::ReplyTooLarge,
            format!(
                "{what} of {actor} has {bytes} bytes; its limit `message_bytes` is {}",
                self.reply_max
            ),
        )))
    }

    async fn call<P, R>(
        &mut self,
        what: &str,
        export: ComponentExportIndex,
        params: P,
    ) -> Result<R, Failure>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: Lift + Send + Sync + 'static,
        ExportResult<R>: ComponentNamedList + Lift,
    {
        let fault = |e: wasmtime::Error| {
            Failure::Fault(Error::new(Code::Internal, format!("{what}: {e:#}")))
        };
        let function = self
            .instance
            .get_typed_func::<P, ExportResult<R>>(&mut self.store, export)
            .map_err(fault)?;
        let replaying = self.store.data().turn.as_ref().is_some_and(Turn::replaying);
        let state = self.store.data_mut();
        state.ticks = 0;
        // A replay repeats what was within its time when it first ran.
        state
            .environment
            .set_deadline((!replaying).then_some(state.turn_limit));
        let environment = state.environment.clone();
        let limit_ms = state.turn_limit.as_millis() as u64;
        self.store.set_epoch_deadline(1);
        let module = self.module.clone();
        let called = {
            let mut call = pin!(function.call_async(&mut self.store, params));
            let mut alarm = None;
            std::future::poll_fn(|context| {
                let polled = {
                    let _running = module.engine.ticker.enter();
                    call.as_mut().poll(context)
                };
                if let Poll::Ready(result) = polled {
                    return Poll::Ready(result);
                }
                // The guest yielded or waits in WASI: the deadline must also end a sleep.
                let Some(deadline) = environment.deadline() else {
                    alarm = None;
                    return Poll::Pending;
                };
                let sleep = alarm
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
                if sleep.deadline() != deadline.into() {
                    sleep.as_mut().reset(deadline.into());
                }
                sleep
                    .as_mut()
                    .poll(context)
                    .map(|()| Err(LimitHit::Time { limit_ms }.into()))
            })
            .await
        };
        let actor = &self.store.data().actor;
        match called {
            Ok((Ok(value),)) => Ok(value),
            Ok((Err(error),)) => Err(Failure::Returned(from_wit(error))),
            Err(error) => Err(classify(actor, what, &error)),
        }
    }
}

/// The outside of a module that is only tried out.
struct Nobody;

fn nobody<T>() -> Result<T> {
    Err(Error::new(
        Code::InvalidArgument,
        "the node's services are not there outside a turn",
    ))
}

#[async_trait]
impl Outside for Nobody {
    fn content(&self) -> Result<&Content> {
        nobody()
    }

    fn ticket(&self) -> u64 {
        0
    }

    fn now(&self) -> plexspaces_core::time::Millis {
        plexspaces_core::time::Millis(0)
    }

    fn send(&self, _: &mut Turn, _: &str, _: &str, _: Bytes) -> Result<()> {
        nobody()
    }

    async fn ask(&self, _: &mut Turn, _: Ask) -> Result<Result<Bytes>, Abort> {
        Ok(nobody())
    }

    async fn wait(
        &self,
        _: &mut Turn,
        _: Wait,
        _: &mut dyn Attempt,
    ) -> Result<Result<bool>, Abort> {
        Ok(nobody())
    }

    async fn arm(&self, _: &mut Turn, _: Timer) -> Result<u64> {
        nobody()
    }

    async fn spawn(&self, _: &mut Turn, _: &str, _: Option<&str>, _: Bytes) -> Result<ActorId> {
        nobody()
    }

    fn stop(&self, _: &mut Turn, _: &str, _: &str) -> Result<()> {
        nobody()
    }
}
