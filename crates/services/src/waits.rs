//! Actors that wait for a reply.
//!
//! Layout: `scope / Wait / type / key / sequence / n` → `WaitRow`, owned by the asker. The asker's segment writes it;
//! the callee's batch, or the timeout, completes it, whoever is first; the asker's next segment deletes it. So a crash
//! repeats the wait, never the question.

use crate::fault;
use crate::records::{WaitRow, decode, encode};
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::{ActorId, Error, Result};
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Key, Store};

/// Where the `n`th wait of a turn stands.
#[must_use]
pub fn key(id: &ActorId, sequence: u64, n: u64) -> Key {
    Path::scope(id.scope().tenant(), id.scope().namespace(), Kind::Wait)
        .str(id.kind())
        .str(id.key())
        .u64(sequence)
        .u64(n)
        .key()
}

/// Adds the completion of a wait to `batch`, guarded, if somebody still waits. `false`: nobody does.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn complete(
    store: &dyn Store,
    batch: &mut Batch,
    key: &Key,
    outcome: &Result<Bytes, Error>,
) -> Result<bool> {
    let Some(found) = store.latest(key).await.map_err(fault)? else {
        return Ok(false);
    };
    let mut row: WaitRow = decode(key, &found.value)?;
    if row.outcome.is_some() {
        return Ok(false);
    }
    row.outcome = Some(outcome.into());
    batch.guard(key.clone(), found.version);
    batch.put(key.clone(), encode(&row));
    Ok(true)
}

/// The outcome of a wait, if it has one already.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn outcome(store: &dyn Store, key: &Key) -> Result<Option<Result<Bytes, Error>>> {
    let Some(found) = store.latest(key).await.map_err(fault)? else {
        return Ok(None);
    };
    let row: WaitRow = decode(key, &found.value)?;
    Ok(row.outcome.map(crate::records::Outcome::into_result))
}
