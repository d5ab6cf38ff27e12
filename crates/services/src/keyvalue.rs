//! Values by key, with an optional time to live.
//!
//! Layout: `scope / KeyValue / key` → `KeyValueRow`, and for a value with a time to live an entry in [`expiry`]. A value
//! whose time is over is invisible at once and swept in the background. `compare_and_swap` and `increment` reserve their
//! key; everything else is a plain read or a buffered write.

use crate::expiry;
use crate::records::{KeyValueRow, decode, encode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1_024;

/// The most keys that one call lists.
pub const LIST_MAX: u32 = 1_000;

/// The longest time to live: 100 years.
pub const TTL_MS_MAX: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// Some keys, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

/// The value of a key.
///
/// # Errors
/// `PS1013` for a malformed key, or a fault of the store.
pub async fn get(
    transaction: &mut Transaction,
    scope: &Scope,
    key: &str,
    now: Millis,
) -> Result<Option<Bytes>> {
    let row = row(scope, key)?;
    let found = transaction.get(&row).await?;
    Ok(live(&row, found, now)?.map(|row| row.value))
}

/// Sets a value that stays until it is deleted.
///
/// # Errors
/// `PS1013` for a malformed key, `PS3008` over the turn's bounds.
pub fn put(transaction: &mut Transaction, scope: &Scope, key: &str, value: Bytes) -> Result<()> {
    let content = KeyValueRow {
        value,
        expires_ms: 0,
    };
    transaction.put(row(scope, key)?, encode(&content))
}

/// Sets a value that goes away `ttl_ms` milliseconds after `now`.
///
/// # Errors
/// `PS1013` for a malformed key or a time to live of zero, `PS3008` over the turn's bounds.
pub fn put_with_ttl(
    transaction: &mut Transaction,
    scope: &Scope,
    key: &str,
    value: Bytes,
    ttl_ms: u64,
    now: Millis,
) -> Result<()> {
    let row = row(scope, key)?;
    let at = expires_at(ttl_ms, now)?;
    let content = KeyValueRow {
        value,
        expires_ms: at.0,
    };
    transaction.put(expiry::entry(at, &row), Bytes::new())?;
    transaction.put(row, encode(&content))
}

/// Deletes a key. One that is not there stays so.
///
/// # Errors
/// `PS1013` for a malformed key, `PS3008` over the turn's bounds.
pub fn delete(transaction: &mut Transaction, scope: &Scope, key: &str) -> Result<()> {
    transaction.delete(row(scope, key)?)
}

/// The keys that start with `prefix`, in order, after `cursor`.
///
/// # Errors
/// `PS1013` for a malformed prefix or a limit that is not 1 to [`LIST_MAX`], or a fault of the store.
pub async fn list(
    transaction: &mut Transaction,
    scope: &Scope,
    prefix: &str,
    cursor: Option<&str>,
    limit: u32,
    now: Millis,
) -> Result<Page> {
    let limit = check_limit(limit)?;
    check_length("prefix", prefix)?;
    let mut range = root(scope).prefix_string(prefix).range();
    if let Some(cursor) = cursor {
        range.start = range.start.max(just_after(&row(scope, cursor)?));
    }
    let mut page = Page::default();
    loop {
        let rows = transaction.scan(range.clone(), limit).await?;
        let full = rows.len() == limit;
        for (key, value) in rows {
            range.start = just_after(&key);
            let name = name(&key)?;
            if live(&key, Some(value), now)?.is_none() {
                continue;
            }
            page.keys.push(name);
            if page.keys.len() == limit {
                page.cursor = page.keys.last().cloned();
                return Ok(page);
            }
        }
        if !full {
            return Ok(page);
        }
    }
}

/// Sets `new` if the key's value is `expected` (`None`: if there is none), and says whether it did. The time to live
/// stays as it was.
///
/// # Errors
/// `PS1013` for a malformed key, `PS1018` and `PS4003` as [`Transaction::latest`], `PS3008`, or a fault of the store.
pub async fn compare_and_swap(
    transaction: &mut Transaction,
    scope: &Scope,
    key: &str,
    expected: Option<&[u8]>,
    new: Bytes,
    now: Millis,
) -> Result<bool> {
    let row = row(scope, key)?;
    let found = transaction.latest(&row).await?;
    let found = live(&row, found, now)?;
    if found.as_ref().map(|row| row.value.as_ref()) != expected {
        return Ok(false);
    }
    let content = KeyValueRow {
        value: new,
        expires_ms: found.map_or(0, |row| row.expires_ms),
    };
    transaction.put(row, encode(&content))?;
    Ok(true)
}

/// Adds `delta` to the number at `key` and gives the sum. A key that is not there counts as 0. The number is stored as
/// its decimal text; the time to live stays as it was.
///
/// # Errors
/// `PS1013` for a malformed key, a value that is no number, or a sum that does not fit into 64 bits; `PS1018` and
/// `PS4003` as [`Transaction::latest`], `PS3008`, or a fault of the store.
pub async fn increment(
    transaction: &mut Transaction,
    scope: &Scope,
    key: &str,
    delta: i64,
    now: Millis,
) -> Result<i64> {
    let row = row(scope, key)?;
    let found = transaction.latest(&row).await?;
    let found = live(&row, found, now)?.unwrap_or_default();
    let number = match std::str::from_utf8(&found.value) {
        Ok("") => Some(0),
        Ok(text) => text.parse::<i64>().ok(),
        Err(_) => None,
    };
    let number = number.ok_or_else(|| {
        invalid(format!(
            "the value of {key:?} is no number, so nothing can be added to it"
        ))
    })?;
    let sum = number.checked_add(delta).ok_or_else(|| {
        invalid(format!(
            "{number} + {delta} at {key:?} does not fit into a signed 64-bit number"
        ))
    })?;
    let content = KeyValueRow {
        value: sum.to_string().into(),
        expires_ms: found.expires_ms,
    };
    transaction.put(row, encode(&content))?;
    Ok(sum)
}

/// When something with this time to live expires.
///
/// # Errors
/// `PS1013` unless it is 1 to [`TTL_MS_MAX`].
pub fn expires_at(ttl_ms: u64, now: Millis) -> Result<Millis> {
    if (1..=TTL_MS_MAX).contains(&ttl_ms) {
        return Ok(Millis(now.0.saturating_add(ttl_ms)));
    }
    Err(invalid(format!(
        "the time to live is {ttl_ms} ms; it must be 1 to {TTL_MS_MAX}"
    )))
}

fn live(key: &Key, found: Option<Bytes>, now: Millis) -> Result<Option<KeyValueRow>> {
    let Some(value) = found else { return Ok(None) };
    let row: KeyValueRow = decode(key, &value)?;
    Ok((row.expires_ms == 0 || row.expires_ms > now.0).then_some(row))
}

fn root(scope: &Scope) -> Path {
    Path::scope(scope.tenant(), scope.namespace(), Kind::KeyValue)
}

fn row(scope: &Scope, key: &str) -> Result<Key> {
    if key.is_empty() {
        return Err(invalid("the key is empty".to_owned()));
    }
    check_length("key", key)?;
    Ok(root(scope).str(key).key())
}

pub(crate) fn name(key: &Key) -> Result<String> {
    let elements = key::decode(key).map_err(crate::fault)?;
    match elements.into_iter().next_back() {
        Some(Element::Str(name)) => Ok(name),
        _ => Err(Error::new(Code::Corrupt, format!("{key:?} is no key"))),
    }
}

fn check_limit(limit: u32) -> Result<usize> {
    if (1..=LIST_MAX).contains(&limit) {
        return Ok(limit as usize);
    }
    Err(invalid(format!(
        "the limit is {limit}; it must be 1 to {LIST_MAX}"
    )))
}

pub(crate) fn check_length(what: &str, text: &str) -> Result<()> {
    if text.len() <= KEY_BYTES_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "the {what} has {} bytes; at most {KEY_BYTES_MAX} are allowed",
        text.len()
    )))
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Desk;

    const NOW: Millis = Millis(1_000);

    /// Found by the node's test `serial`: the snapshot is older than what the swap has seen.
    #[tokio::test]
    async fn a_read_after_a_swap_sees_what_the_swap_saw() {
        let desk = Desk::new();
        let scope = &desk.scope;
        let mut a = desk.begin();
        assert_eq!(get(&mut a, scope, "other", NOW).await.expect("read"), None);
        let mut b = desk.begin();
        put(&mut b, scope, "k", Bytes::from_static(b"b")).expect("put");
        desk.commit(b).await;
        let swapped = compare_and_swap(&mut a, scope, "k", None, Bytes::new(), NOW).await;
        assert!(!swapped.expect("compared"), "it sees the newest");
        let found = get(&mut a, scope, "k", NOW).await.expect("read");
        assert_eq!(found.as_deref(), Some(&b"b"[..]));
    }
}
