//! The host side of every interface that guests import, a file each.
//!
//! A host call checks its arguments, asks the turn whether the journal answers, and otherwise does what it says
//! through the layers of `services`. What the guest can mend is a value; what it cannot ends the turn.

mod blob;
mod channels;
mod durability;
mod keyvalue;
mod locks;
mod logging;
mod messaging;
mod process_groups;
mod queues;
mod recorded;
mod registry;
mod system;
mod timers;
mod topics;
mod tuplespace;
mod waiting;

use crate::bindings::wit;
use crate::environment::Environment;
use crate::limits::Limiter;
use crate::outside::{Abort, Outside};
use crate::turn::{Rights, Step, Turn};
use crate::wasi::Wasi;
use plexspaces_core::{ActorId, Code, Error, ErrorKind, Result, Scope};
use recorded::Recorded;
use std::sync::Arc;
use wasmtime_wasi::{WasiCtxView, WasiView};

/// What belongs to one instance.
pub(crate) struct HostState {
    pub(crate) actor: ActorId,
    pub(crate) limiter: Limiter,
    pub(crate) environment: Arc<Environment>,
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) turn: Option<Turn>,
    pub(crate) wasi: Option<Box<Wasi>>,
    pub(crate) turn_limit: std::time::Duration,
    /// Whether the actor is durable and its module exports `snapshot`.
    pub(crate) can_checkpoint: bool,
    /// How often the running segment was interrupted.
    pub(crate) ticks: u32,
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self
            .wasi
            .as_mut()
            .expect("made for every module that imports WASI");
        WasiCtxView {
            ctx: &mut wasi.context,
            table: &mut wasi.table,
        }
    }
}

/// A host call's result: the outer one ends the turn, the inner one is the guest's.
type Call<T> = wasmtime::Result<Result<T, wit::Error>>;

impl HostState {
    /// The turn, if the guest may do `operation` in it.
    fn permitted(&mut self, operation: &str, needed: Rights) -> Result<&mut Turn> {
        let refused = |when: &str| {
            Err(Error::new(
                Code::InvalidArgument,
                format!("{operation} is not allowed {when}"),
            ))
        };
        match &mut self.turn {
            None => refused("outside a turn"),
            Some(turn) if turn.rights == Rights::Nothing => refused("in snapshot-state"),
            Some(turn) if turn.rights == Rights::Read && needed == Rights::All => {
                refused("in init(restore(..))")
            }
            Some(turn) => Ok(turn),
        }
    }

    /// The scope that a context names, if the actor may touch it.
    fn scope(&self, context: &wit::Context) -> Result<Scope> {
        let own = self.actor.scope();
        let same = |named: &str, own: &str| named.is_empty() || named == own;
        if same(&context.tenant_id, own.tenant()) && same(&context.namespace, own.namespace()) {
            return Ok(own.clone());
        }
        Err(Error::new(
            Code::NotGranted,
            format!(
                "{} lives in {own} and has no capability for {:?}/{:?}",
                self.actor.local(),
                context.tenant_id,
                context.namespace
            ),
        ))
    }
}

/// Runs one journaled host call: answered from the journal, or done by `$live` and recorded.
///
/// `$live` is an expression of `Result<T>` that may use `$turn`.
macro_rules! journaled {
    ($self:ident, $operation:literal, $rights:ident, $arguments:expr, |$turn:ident| $live:expr) => {{
        let arguments: u64 = $arguments;
        match $self.permitted($operation, crate::turn::Rights::$rights) {
            Err(refused) => Ok(Err(crate::host::to_wit(refused))),
            Ok($turn) => match crate::host::answered($turn, $operation, arguments)? {
                Some(answer) => Ok(answer),
                None => {
                    let result = $live;
                    crate::host::record($turn, $operation, arguments, result)
                }
            },
        }
    }};
}
use journaled;

/// The scope that the context names; what is refused is the call's value.
macro_rules! scope {
    ($self:ident, $context:ident) => {
        match $self.scope(&$context) {
            Ok(scope) => scope,
            Err(error) => return Ok(Err(crate::host::to_wit(error))),
        }
    };
}
use scope;

/// Runs something for the guest whose time does not count as the guest's.
macro_rules! untimed {
    ($self:ident, $work:expr) => {{
        let environment = $self.environment.clone();
        let (deadline, began) = (environment.deadline(), std::time::Instant::now());
        environment.set_deadline(None);
        let result = $work;
        environment.set_deadline_at(deadline.map(|at| at + began.elapsed()));
        result
    }};
}
use untimed;

/// Runs a journaled host call that changes something depending on what it is: as [`journaled!`], but the time that it
/// waits in line for another turn does not count as the guest's.
macro_rules! reserving {
    ($self:ident, $operation:literal, $arguments:expr, |$turn:ident| $live:expr) => {
        crate::host::untimed!(
            $self,
            crate::host::journaled!($self, $operation, All, $arguments, |$turn| $live)
        )
    };
}
use reserving;

/// The journal's answer, if it has one.
fn answered<T: Recorded>(
    turn: &mut Turn,
    operation: &'static str,
    arguments: u64,
) -> wasmtime::Result<Option<Result<T, wit::Error>>> {
    match turn.step(operation, arguments) {
        Ok(Step::Live) => Ok(None),
        Ok(Step::Answered(Ok(bytes))) => Ok(Some(Ok(T::from_record(bytes).map_err(abort)?))),
        Ok(Step::Answered(Err(error))) => Ok(Some(Err(to_wit(error)))),
        Err(error) => Err(abort(error)),
    }
}

/// Records a live result and gives it to the guest.
fn record<T: Recorded>(
    turn: &mut Turn,
    operation: &str,
    arguments: u64,
    result: Result<T>,
) -> Call<T> {
    match result {
        Ok(value) => {
            turn.record(operation, arguments, Ok(value.to_record()));
            Ok(Ok(value))
        }
        Err(error) if ends_the_turn(&error) => Err(abort(error)),
        Err(error) => Ok(Err(record_error(turn, operation, arguments, error))),
    }
}

/// Records an error that is a value, whatever its code: that of another actor.
fn record_error(turn: &mut Turn, operation: &str, arguments: u64, error: Error) -> wit::Error {
    turn.record(operation, arguments, Err(&error));
    to_wit(error)
}

fn ends_the_turn(error: &Error) -> bool {
    use Code::{
        Corrupt, EffectLimit, Internal, ReplayMismatch, ShuttingDown, StoreStopped, TurnConflict,
    };
    matches!(
        error.code,
        Corrupt
            | EffectLimit
            | Internal
            | ReplayMismatch
            | ShuttingDown
            | StoreStopped
            | TurnConflict
    )
}

fn abort(error: Error) -> wasmtime::Error {
    wasmtime::Error::from(match error.code {
        Code::ReplayMismatch => Abort::Mismatch(error),
        Code::TurnConflict => Abort::Conflict(error),
        _ => Abort::Error(error),
    })
}

/// An error as the guest sees it; the stable code is a detail.
pub(crate) fn to_wit(error: Error) -> wit::Error {
    let mut details = error.details;
    details.push(("code".to_owned(), error.code.to_string()));
    wit::Error {
        code: kind_to_wit(error.kind),
        message: error.message,
        details,
    }
}

/// A guest's error as callers see it. One that the guest passes on keeps its stable code.
pub(crate) fn from_wit(error: wit::Error) -> Error {
    let passed_on = error
        .details
        .iter()
        .find(|(name, _)| name == "code")
        .and_then(|(_, code)| Code::parse(code));
    Error {
        code: passed_on.unwrap_or(Code::GuestError),
        kind: kind_from_wit(error.code),
        message: error.message,
        details: error
            .details
            .into_iter()
            .filter(|(name, _)| name != "code")
            .collect(),
    }
}

fn kind_to_wit(kind: ErrorKind) -> wit::ErrorCode {
    match kind {
        ErrorKind::InvalidArgument => wit::ErrorCode::InvalidArgument,
        ErrorKind::NotFound => wit::ErrorCode::NotFound,
        ErrorKind::AlreadyExists => wit::ErrorCode::AlreadyExists,
        ErrorKind::PermissionDenied => wit::ErrorCode::PermissionDenied,
        ErrorKind::Timeout => wit::ErrorCode::Timeout,
        ErrorKind::Conflict => wit::ErrorCode::Conflict,
        ErrorKind::ResourceExhausted => wit::ErrorCode::ResourceExhausted,
        ErrorKind::Unavailable => wit::ErrorCode::Unavailable,
        ErrorKind::FailedPrecondition => wit::ErrorCode::FailedPrecondition,
        ErrorKind::Internal => wit::ErrorCode::Internal,
    }
}

fn kind_from_wit(code: wit::ErrorCode) -> ErrorKind {
    ErrorKind::ALL
        .into_iter()
        .find(|kind| kind_to_wit(*kind) == code)
        .unwrap_or(ErrorKind::Internal)
}

impl wit::Host for HostState {}
