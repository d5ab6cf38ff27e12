//! Replies to the message ids that callers gave, so that a repeated request gets the reply of the first.
//!
//! Layout: `scope / Dedup / type / key / caller's tenant / id` → `DedupRow`, with an entry in [`expiry`]. A row is written
//! by the batch of the turn that it remembers; it is never dropped early (semantics 14).

use crate::records::{DedupRow, decode, encode};
use crate::{expiry, fault};
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::message::Message;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Key, Order, Snapshot, Store};
use sha2::{Digest, Sha256};

/// How long a reply is remembered.
pub const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// How many replies one actor remembers at most.
pub const PER_ACTOR_MAX: usize = 100_000;

/// The longest message id, in bytes.
pub const ID_BYTES_MAX: usize = 256;

/// A message id that a caller gave, with the digest of what it was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerId {
    /// The caller's tenant.
    pub tenant: String,
    /// The id.
    pub id: String,
    /// SHA-256 of delivery, message type and payload.
    pub digest: [u8; 32],
}

impl CallerId {
    /// The id for `message`.
    ///
    /// # Errors
    /// `PS1005` for an id that is empty or too long.
    pub fn new(tenant: &str, id: &str, message: &Message) -> Result<Self> {
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(Error::new(
                Code::MalformedRequest,
                format!(
                    "the idempotency key has {} bytes; it must have 1 to {ID_BYTES_MAX}",
                    id.len()
                ),
            ));
        }
        let mut hash = Sha256::new();
        hash.update([message.delivery as u8]);
        hash.update((message.msg_type.len() as u64).to_be_bytes());
        hash.update(&message.msg_type);
        hash.update(&message.payload);
        Ok(CallerId {
            tenant: tenant.to_owned(),
            id: id.to_owned(),
            digest: hash.finalize().into(),
        })
    }

    /// Where its reply is kept.
    #[must_use]
    pub fn key(&self, actor: &ActorId) -> Key {
        path(actor).str(&self.tenant).str(&self.id).key()
    }
}

fn path(actor: &ActorId) -> Path {
    Path::scope(
        actor.scope().tenant(),
        actor.scope().namespace(),
        Kind::Dedup,
    )
    .str(actor.kind())
    .str(actor.key())
}

/// The stored reply, if this id was answered before.
///
/// # Errors
/// `PS1006` if the id was used for another message, a fault of the store, or `PS5004`.
pub async fn find(
    store: &dyn Store,
    actor: &ActorId,
    caller: &CallerId,
) -> Result<Option<Result<Bytes>>> {
    let key = caller.key(actor);
    let Some(found) = store.latest(&key).await.map_err(fault)? else {
        return Ok(None);
    };
    let row: DedupRow = decode(&key, &found.value)?;
    if row.digest != caller.digest.as_slice() {
        return Err(Error::new(
            Code::IdempotencyMismatch,
            format!(
                "the idempotency key {:?} was used for another request to {actor}",
                caller.id
            ),
        ));
    }
    Ok(row.outcome.map(crate::records::Outcome::into_result))
}

/// Remembers the reply to `caller`.
pub fn remember(
    batch: &mut Batch,
    actor: &ActorId,
    caller: &CallerId,
    outcome: &Result<Bytes>,
    now: Millis,
) {
    let key = caller.key(actor);
    let row = DedupRow {
        digest: Bytes::copy_from_slice(&caller.digest),
        at_ms: now.0,
        outcome: Some(outcome.into()),
    };
    batch.put(expiry::entry(Millis(now.0 + KEPT_MS), &key), Bytes::new());
    batch.put(key, encode(&row));
}

/// How many replies the actor remembers, counted up to one more than the bound.
///
/// # Errors
/// A fault of the store.
pub async fn count(snapshot: &dyn Snapshot, actor: &ActorId) -> Result<usize> {
    let rows = snapshot
        .scan(path(actor).range(), PER_ACTOR_MAX + 1, Order::Forward)
        .await
        .map_err(fault)?;
    Ok(rows.len())
}
