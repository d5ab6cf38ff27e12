//! A turnstile. The runtime holds the state's name: "" (new) and "locked" let nobody through, "open" lets one.
//!
//! | message | in | next | reply |
//! |---|---|---|---|
//! | `coin` | any state | `open` | `thanks` |
//! | `push` | `open` | `locked` | `go` |
//! | `push` | else | stays | `closed` |
//! | `state` | any | stays | the state's name |
//! | `passed` | any | stays | how many went through |
//! | others | any | error `failed-precondition` | |

use plexspaces_sdk::prelude::*;

#[derive(Default)]
struct Turnstile {
    passed: u64,
}

impl Activation for Turnstile {
    fn create(_args: &[u8]) -> Result<Self, Error> {
        Ok(Turnstile::default())
    }

    fn restore(state: &[u8]) -> Result<Self, Error> {
        let bytes = <[u8; 8]>::try_from(state).map_err(Error::internal)?;
        Ok(Turnstile {
            passed: u64::from_le_bytes(bytes),
        })
    }
}

impl GenFsm for Turnstile {
    fn handle_transition(
        &mut self,
        state: &str,
        _: &str,
        msg_type: &str,
        _: &[u8],
    ) -> Result<Transition, Error> {
        Ok(match (state, msg_type) {
            (_, "coin") => Transition::to("open").reply("thanks"),
            ("open", "push") => {
                self.passed += 1;
                Transition::to("locked").reply("go")
            }
            (_, "push") => Transition::stay().reply("closed"),
            (state, "state") => Transition::stay().reply(state),
            (_, "passed") => Transition::stay().reply(self.passed.to_string()),
            (state, other) => {
                return Err(Error::failed_precondition(format!(
                    "no {other:?} in state {state:?}"
                )));
            }
        })
    }
}

impl Snapshot for Turnstile {
    fn snapshot_state(&self) -> Result<Vec<u8>, Error> {
        Ok(self.passed.to_le_bytes().into())
    }
}

actor!(Turnstile: Activation, GenFsm, Snapshot);
