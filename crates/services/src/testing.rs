//! What the layers' own tests share.

use crate::{Bounds, Coordination, Transaction};
use plexspaces_core::Scope;
use plexspaces_store::{Memory, Store};
use std::sync::Arc;

/// A store in memory, and what its transactions share.
pub(crate) struct Desk {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) coordination: Arc<Coordination>,
    pub(crate) scope: Scope,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Desk {
            store: Arc::new(Memory::open()),
            coordination: Arc::default(),
            scope: Scope::new("t", "n").expect("valid"),
        }
    }

    /// A transaction that may change more than any test does.
    pub(crate) fn begin(&self) -> Transaction {
        let bounds = Bounds {
            effects: 1_000_000,
            batch_bytes: 64 << 20,
            reads_hold: true,
        };
        Transaction::new(self.store.clone(), self.coordination.clone(), bounds)
    }

    pub(crate) async fn commit(&self, transaction: Transaction) {
        let (batch, held) = transaction.finish();
        self.store.commit(batch).await.expect("no conflict");
        held.committed();
    }
}
