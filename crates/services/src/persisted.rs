//! Values that a durable actor keeps for itself, beside its state.
//!
//! Layout: `scope / Persisted / type / key / name` → `PersistedRow`. Only the actor writes them, in its turns, so they are
//! plain reads and buffered writes. Whoever runs for the same actor beside it, as a query does, may read them.

use crate::records::{PersistedRow, decode, encode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::{ActorId, Code, Error, Result};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// The most names that one call lists.
pub const LIST_MAX: u32 = 1_000;

/// Some names, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The names.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

/// Keeps values. All names are checked before any is kept.
///
/// # Errors
/// `PS1013` for a malformed name, `PS3008` over the turn's bounds.
pub fn persist(
    transaction: &mut Transaction,
    actor: &ActorId,
    entries: impl IntoIterator<Item = (String, Bytes)>,
) -> Result<()> {
    let rows = entries
        .into_iter()
        .map(|(name, value)| Ok((row(actor, &name)?, value)))
        .collect::<Result<Vec<(Key, Bytes)>>>()?;
    for (row, value) in rows {
        transaction.put(row, encode(&PersistedRow { value }))?;
    }
    Ok(())
}

/// A value that was kept.
///
/// # Errors
/// `PS1013` for a malformed name, or a fault of the store.
pub async fn read(
    transaction: &mut Transaction,
    actor: &ActorId,
    name: &str,
) -> Result<Option<Bytes>> {
    let row = row(actor, name)?;
    let Some(found) = transaction.get(&row).await? else {
        return Ok(None);
    };
    Ok(Some(decode::<PersistedRow>(&row, &found)?.value))
}

/// Deletes a value. One that is not there stays so.
///
/// # Errors
/// `PS1013` for a malformed name, `PS3008` over the turn's bounds.
pub fn delete(transaction: &mut Transaction, actor: &ActorId, name: &str) -> Result<()> {
    transaction.delete(row(actor, name)?)
}

/// The names that start with `prefix`, in order, after `cursor`.
///
/// # Errors
/// `PS1013` for a malformed prefix or cursor or a limit that is not 1 to [`LIST_MAX`], or a fault of the store.
pub async fn list(
    transaction: &mut Transaction,
    actor: &ActorId,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page> {
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(invalid(format!(
            "the limit is {limit}; it must be 1 to {LIST_MAX}"
        )));
    }
    check_length("prefix", prefix)?;
    let mut range = path(actor).prefix_string(prefix).range();
    if let Some(cursor) = cursor {
        range.start = range.start.max(just_after(&row(actor, cursor)?));
    }
    let rows = transaction.scan(range, limit as usize).await?;
    let mut page = Page::default();
    for (key, _) in rows {
        page.keys.push(name(&key)?);
    }
    if page.keys.len() == limit as usize {
        page.cursor = page.keys.last().cloned();
    }
    Ok(page)
}

fn path(actor: &ActorId) -> Path {
    let scope = actor.scope();
    Path::scope(scope.tenant(), scope.namespace(), Kind::Persisted)
        .str(actor.kind())
        .str(actor.key())
}

fn row(actor: &ActorId, name: &str) -> Result<Key> {
    if name.is_empty() {
        return Err(invalid("the key to persist is empty".to_owned()));
    }
    check_length("key", name)?;
    Ok(path(actor).str(name).key())
}

fn name(key: &Key) -> Result<String> {
    match key::decode(key)
        .map_err(crate::fault)?
        .into_iter()
        .next_back()
    {
        Some(Element::Str(name)) => Ok(name),
        _ => Err(Error::new(
            Code::Corrupt,
            format!("the key {key:?} of a persisted value cannot be read"),
        )),
    }
}

fn check_length(what: &str, text: &str) -> Result<()> {
    if text.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "the {what} has {} bytes; at most {NAME_BYTES_MAX} are allowed",
        text.len()
    )))
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}
