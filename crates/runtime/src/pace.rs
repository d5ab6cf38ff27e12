//! Tells the scheduler that a guest has run long.
//!
//! A guest that is interrupted several times within one turn leaves a mark on its thread; whoever polls the turn takes
//! the mark and can move the turn to where it disturbs nobody.

use std::cell::Cell;

thread_local! {
    static RAN_LONG: Cell<bool> = const { Cell::new(false) };
}

/// Leaves the mark.
pub(crate) fn mark() {
    RAN_LONG.set(true);
}

/// Takes the mark: whether the guest polled on this thread since the last call has run long.
#[must_use]
pub fn take_ran_long() -> bool {
    RAN_LONG.take()
}
