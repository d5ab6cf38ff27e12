//! `durability`: what a durable actor sees and steers of its own durability.

use super::{Call, HostState, to_wit};
use crate::bindings::plexspaces::actor::durability::Host;
use crate::bindings::wit::Context;
use crate::turn::Rights;
use plexspaces_core::{Code, Error};

impl Host for HostState {
    fn checkpoint(&mut self, context: Context) -> Call<()> {
        if let Err(error) = self.scope(&context) {
            return Ok(Err(to_wit(error)));
        }
        let can = self.can_checkpoint;
        match self.permitted("durability.checkpoint", Rights::All) {
            Err(error) => Ok(Err(to_wit(error))),
            Ok(_) if !can => {
                let text =
                    "durability.checkpoint needs a durable actor that exports snapshot-state";
                let mut error = Error::new(Code::InvalidArgument, text);
                error.kind = plexspaces_core::ErrorKind::FailedPrecondition;
                Ok(Err(to_wit(error)))
            }
            Ok(turn) => {
                turn.checkpoint = true;
                Ok(Ok(()))
            }
        }
    }

    fn get_sequence(&mut self, context: Context) -> Call<u64> {
        if let Err(error) = self.scope(&context) {
            return Ok(Err(to_wit(error)));
        }
        match self.permitted("durability.get-sequence", Rights::Read) {
            Ok(turn) => Ok(Ok(turn.sequence)),
            Err(error) => Ok(Err(to_wit(error))),
        }
    }

    fn is_replaying(&mut self, context: Context) -> Call<bool> {
        Ok(self
            .scope(&context)
            .map(|_| self.environment.replaying())
            .map_err(to_wit))
    }
}
