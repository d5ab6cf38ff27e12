//! Rows that belong to actors, read scope by scope.
//!
//! Layout: `Scope / tenant / namespace` → empty marks a scope that has, or had, an application, so that a starting
//! node knows where to look for waiting messages and waits.

use crate::fault;
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Order, Snapshot};

/// Marks `scope` as used.
pub fn mark(batch: &mut Batch, scope: &Scope) {
    let key = Path::node(Kind::Scope)
        .str(scope.tenant())
        .str(scope.namespace())
        .key();
    batch.put(key, Bytes::new());
}

/// All scopes in use.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn all(snapshot: &dyn Snapshot) -> Result<Vec<Scope>> {
    let range = Path::node(Kind::Scope).range();
    let rows = snapshot
        .scan(range, usize::MAX, Order::Forward)
        .await
        .map_err(fault)?;
    rows.iter()
        .map(|(key, _)| match elements(key)?.as_slice() {
            [.., Element::Str(tenant), Element::Str(namespace)] => Scope::new(tenant, namespace),
            _ => Err(corrupt(key)),
        })
        .collect()
}

/// How many rows one page has.
const PAGE: usize = 1_000;

/// Every row of one actor-owned kind in `scope` (`scope / kind / type / key / …`), with the actor it belongs to.
///
/// # Errors
/// A fault of the store, `PS5004`, or what `each` gives.
pub async fn each_actor_row(
    snapshot: &dyn Snapshot,
    scope: &Scope,
    kind: Kind,
    mut each: impl FnMut(Key, ActorId, Bytes) -> Result<()>,
) -> Result<()> {
    let mut range = Path::scope(scope.tenant(), scope.namespace(), kind).range();
    loop {
        let rows = snapshot
            .scan(range.clone(), PAGE, Order::Forward)
            .await
            .map_err(fault)?;
        let last = rows.last().map(|(key, _)| key.clone());
        let full = rows.len() == PAGE;
        for (key, found) in rows {
            let id = owner(scope, &key)?;
            each(key, id, found.value)?;
        }
        match last {
            Some(last) if full => range.start = just_after(&last),
            _ => return Ok(()),
        }
    }
}

/// The least key greater than `key`.
#[must_use]
pub fn just_after(key: &Key) -> Key {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    Key::from(bytes)
}

fn owner(scope: &Scope, key: &Key) -> Result<ActorId> {
    match elements(key)?.as_slice() {
        [_, _, _, Element::Str(kind), Element::Str(actor_key), ..] => {
            ActorId::new(scope, kind, actor_key)
        }
        _ => Err(corrupt(key)),
    }
}

fn elements(key: &Key) -> Result<Vec<Element>> {
    key::decode(key).map_err(|_| corrupt(key))
}

pub(crate) fn corrupt(key: &Key) -> Error {
    Error::new(Code::Corrupt, format!("the key {key:?} cannot be read"))
}
