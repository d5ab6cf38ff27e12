//! What is in memory of an active actor.

use super::Failed;
use crate::catalog::Deployment;
use bytes::Bytes;
use plexspaces_core::Error;
use plexspaces_core::batch::Version;
use plexspaces_core::time::Millis;
use plexspaces_runtime::Instance;
use plexspaces_services::applications::Hash;
use plexspaces_services::journal::Turn;
use plexspaces_services::records::ActorRow;
use plexspaces_store::Key;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An actor as of its newest committed turn.
pub(super) struct Life {
    /// What it runs under: the deployment that its state was made by.
    pub(super) deployment: Arc<Deployment>,
    /// Its row; the default in an ephemeral actor.
    pub(super) row: ActorRow,
    pub(super) row_version: Version,
    /// The sequence of its next turn; 0 = it is new.
    pub(super) next: u64,
    pub(super) fsm_state: String,
    /// The time of its newest turn.
    pub(super) time: Millis,
    /// Turns and journal bytes since the checkpoint.
    pub(super) tail_turns: u64,
    pub(super) tail_bytes: u64,
    /// Where the last trim ended.
    pub(super) oldest: u64,
    /// The turns since the checkpoint, once, just after loading.
    pub(super) tail: Option<Vec<Turn>>,
    /// The turn that stands in a wait.
    pub(super) unfinished: Option<Turn>,
    pub(super) hot: Option<Hot>,
    /// Rows to go with the next batch.
    pub(super) with_next: Vec<(Key, Bytes)>,
    /// Keeps an ephemeral actor's activations apart.
    pub(super) salt: Vec<u8>,
    /// A deployment that it cannot change to, so that it is not tried at each message.
    pub(super) refused: Option<Hash>,
    /// Its replay differs from its first run: it stops until a version other than this one is deployed.
    pub(super) stopped: Option<(Hash, Error)>,
}

impl Life {
    /// Whether checkpoints can be made.
    pub(super) fn can_checkpoint(&self) -> bool {
        !self.deployment.ephemeral && self.deployment.module.contract.has("snapshot")
    }

    /// What becomes of a message now that the replay has stopped the actor. It is refused; but behind a turn that
    /// stands in a wait it stays, as that turn's own message does, until the turn can go on.
    pub(super) fn stopped_by(&self, error: Error) -> Failed {
        match self.unfinished {
            Some(_) => Failed::fault(error),
            None => Failed::refused(error),
        }
    }
}

/// A live instance, counted.
pub(super) struct Hot {
    pub(super) instance: Instance,
    count: Arc<AtomicUsize>,
}

impl Hot {
    pub(super) fn new(instance: Instance, count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Hot {
            instance,
            count: count.clone(),
        }
    }
}

impl Drop for Hot {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
