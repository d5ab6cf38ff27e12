//! How a guest's call can fail, told apart.

use crate::limits::LimitHit;
use crate::outside::Abort;
use plexspaces_core::{ActorId, Code, Error};
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// Why a call gave no answer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The guest returned an error. The instance is alive.
    Returned(Error),
    /// The guest trapped or crossed a limit. The instance is dead.
    Died(Error),
    /// The segment lost against another commit. Discard the instance and run again.
    Conflict(Error),
    /// The replay differs from the first run. The actor stops.
    Mismatch(Error),
    /// The store or the node cannot go on.
    Fault(Error),
}

impl Failure {
    /// The error to tell.
    #[must_use]
    pub fn error(&self) -> &Error {
        match self {
            Failure::Returned(e)
            | Failure::Died(e)
            | Failure::Conflict(e)
            | Failure::Mismatch(e)
            | Failure::Fault(e) => e,
        }
    }
}

/// Tells what ended a call, and logs the guest's backtrace.
pub(crate) fn classify(actor: &ActorId, what: &str, error: &wasmtime::Error) -> Failure {
    if let Some(abort) = error.downcast_ref::<Abort>() {
        return match abort.clone() {
            Abort::Conflict(e) => Failure::Conflict(e),
            Abort::Mismatch(e) => Failure::Mismatch(e),
            Abort::Error(e) if e.code == Code::EffectLimit => Failure::Died(e),
            Abort::Error(e) => Failure::Fault(e),
        };
    }
    let (code, reason) = reason(error);
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::warn!(%actor, code = %code, "{what} failed: {reason}\n{backtrace}");
    Failure::Died(Error::new(
        code,
        format!("{what} of {actor} failed: {reason}"),
    ))
}

/// The error of an instance that could not be made.
pub(crate) fn instantiation(error: &wasmtime::Error) -> Error {
    let (code, reason) = reason(error);
    Error::new(
        code,
        format!("the component cannot be instantiated: {reason}"),
    )
}

fn reason(error: &wasmtime::Error) -> (Code, String) {
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        let code = match hit {
            LimitHit::Time { .. } => Code::TimeLimit,
            LimitHit::Memory { .. } | LimitHit::Table { .. } => Code::MemoryLimit,
        };
        return (code, format!("over the limit of {hit}"));
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return (Code::NoRoom, format!("the node is full: {full}"));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => (Code::StackLimit, "the stack is exhausted".to_owned()),
        Some(trap) => (Code::Trap, format!("trap: {trap}")),
        None => (Code::Trap, format!("{:#}", error.root_cause())),
    }
}
