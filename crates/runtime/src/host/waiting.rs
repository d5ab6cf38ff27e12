//! Host calls that wait until something is there.
//!
//! What is there at once costs no wait. Otherwise the segment ends: what is buffered commits, the call waits holding
//! nothing, and what it gets belongs to the next segment. While it waits, the guest's clock stands still.

use super::recorded::Recorded;
use super::{Call, HostState, answered, record, to_wit};
use crate::outside::{Attempt, Wait};
use crate::turn::Rights;

/// An attempt that keeps what it got.
pub(super) trait Gets<T>: Attempt {
    fn got(self) -> T;
}

/// Runs a waiting host call; what the attempt got, also if that is nothing because the time was over.
pub(super) async fn wait_for<T: Recorded, A: Gets<T>>(
    state: &mut HostState,
    wait: Wait,
    mut attempt: A,
) -> Call<T> {
    let (outside, environment) = (state.outside.clone(), state.environment.clone());
    let limit = state.turn_limit;
    let (operation, arguments) = (wait.operation, wait.arguments);
    let turn = match state.permitted(operation, Rights::All) {
        Ok(turn) => turn,
        Err(refused) => return Ok(Err(to_wit(refused))),
    };
    if let Some(answer) = answered(turn, operation, arguments)? {
        return Ok(answer);
    }
    environment.set_deadline(None);
    let came = outside
        .wait(turn, wait, &mut attempt)
        .await
        .map_err(wasmtime::Error::from)?;
    environment.set_deadline(Some(limit));
    let result = record(turn, operation, arguments, came.map(|_| attempt.got()));
    state.ticks = 0;
    result
}
