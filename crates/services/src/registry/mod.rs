//! Services by name, with labels, an optional time to live, and how they say they are.
//!
//! Layout: `scope / Registration / name` → `RegistrationRow`, and for an entry with a time to live one in [`expiry`]. An
//! entry whose time is over is invisible at once and swept in the background. Whatever changes an entry reserves its name,
//! because who may do it depends on whose the entry is.

mod pattern;

use crate::expiry;
use crate::records::{Detail, Registration, RegistrationRow, decode, encode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use pattern::matches;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest name and the longest pattern, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// The longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 2_048;

/// The most metadata of one entry.
pub const METADATA_MAX: usize = 64;

/// The longest name of a piece of metadata, in bytes.
pub const METADATA_NAME_BYTES_MAX: usize = 256;

/// The longest value of a piece of metadata, in bytes.
pub const METADATA_VALUE_BYTES_MAX: usize = 4_096;

/// The most entries that one call gives.
pub const LIST_MAX: u32 = 1_000;

/// The most names that one call looks at.
pub const LOOK_MAX: usize = 10_000;

/// How a service is. The numbers are on disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// It works.
    Healthy = 0,
    /// It works, but not as it should.
    Degraded = 1,
    /// It does not work.
    Unhealthy = 2,
}

impl Health {
    /// The health with this number; what a newer version has written counts as unhealthy.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Health::Healthy,
            1 => Health::Degraded,
            _ => Health::Unhealthy,
        }
    }
}

/// What a service says of itself.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where it is.
    pub address: String,
    /// Names and values, each name once.
    pub metadata: Vec<(String, String)>,
    /// How long its entry lives without a heartbeat, in milliseconds; `None` = for ever.
    pub ttl_ms: Option<u64>,
}

/// Registers `name` for `owner`, or replaces what that has registered.
///
/// # Errors
/// `PS1021` if another actor has the name, `PS1013` for malformed input, `PS1018` and `PS4003` as
/// [`Transaction::latest`], `PS3008`, or a fault of the store.
pub async fn register(
    transaction: &mut Transaction,
    owner: &ActorId,
    scope: &Scope,
    name: &str,
    service: Service,
    now: Millis,
) -> Result<()> {
    let row = row(scope, name)?;
    let metadata = check(&service)?;
    let expires = service
        .ttl_ms
        .map(|ttl| crate::keyvalue::expires_at(ttl, now))
        .transpose()?;
    let found = transaction.latest(&row).await?;
    let before = live(&row, found, now)?;
    if let Some(before) = &before
        && before.owner != text_of(owner, scope)
    {
        let text = format!(
            "the name {name:?} is registered by {}; choose another one, or have that actor unregister it",
            before.owner
        );
        return Err(Error::new(Code::EntryExists, text).with("owner", &before.owner));
    }
    let content = RegistrationRow {
        address: service.address,
        metadata,
        owner: text_of(owner, scope),
        ttl_ms: service.ttl_ms.unwrap_or(0),
        expires_ms: expires.map_or(0, |at| at.0),
        health: Health::Healthy as u32,
        registered_ms: before.as_ref().map_or(now.0, |before| before.registered_ms),
        heartbeat_ms: now.0,
    };
    write(transaction, row, before.as_ref(), &content)
}

/// The entry of a name.
///
/// # Errors
/// `PS1013` for a malformed name, or a fault of the store.
pub async fn lookup(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    now: Millis,
) -> Result<Option<RegistrationRow>> {
    let row = row(scope, name)?;
    let found = transaction.get(&row).await?;
    live(&row, found, now)
}

/// Takes an entry away, whoever has registered it; whether there was one.
///
/// # Errors
/// `PS1013` for a malformed name, `PS1018` and `PS4003` as [`Transaction::latest`], `PS3008`, or a fault of the store.
pub async fn unregister(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
    now: Millis,
) -> Result<bool> {
    let row = row(scope, name)?;
    let found = transaction.latest(&row).await?;
    let Some(before) = live(&row, found, now)? else {
        return Ok(false);
    };
    forget_expiry(transaction, &row, &before)?;
    transaction.delete(row)?;
    Ok(true)
}

/// Renews an entry, and changes its health if one is given.
///
/// # Errors
/// `PS1017` if it is gone, `PS1012` if another actor has registered it, and as [`unregister`].
pub async fn heartbeat(
    transaction: &mut Transaction,
    owner: &ActorId,
    scope: &Scope,
    name: &str,
    health: Option<Health>,
    now: Millis,
) -> Result<()> {
    let row = row(scope, name)?;
    let found = transaction.latest(&row).await?;
    let Some(before) = live(&row, found, now)? else {
        let text = format!(
            "nothing is registered as {name:?}: it never was, its time to live is over, or it was unregistered; register it again"
        );
        return Err(Error::new(Code::NotThere, text));
    };
    if before.owner != text_of(owner, scope) {
        let text = format!(
            "the name {name:?} is registered by {}, which alone speaks for it",
            before.owner
        );
        return Err(Error::new(Code::NotGranted, text).with("owner", &before.owner));
    }
    let expires = match before.ttl_ms {
        0 => 0,
        ttl => now.0.saturating_add(ttl),
    };
    let content = RegistrationRow {
        heartbeat_ms: now.0,
        expires_ms: expires,
        health: health.map_or(before.health, |health| health as u32),
        ..before.clone()
    };
    write(transaction, row, Some(&before), &content)
}

/// Some entries, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Names and contents.
    pub entries: Vec<Registration>,
    /// Where the next page begins; `None` after the last one.
    pub cursor: Option<String>,
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// A name in which `*` stands for any text.
    pub pattern: &'a str,
    /// Metadata that must be there.
    pub labels: &'a [(String, String)],
    /// Where to go on.
    pub cursor: Option<&'a str>,
    /// How many entries to give.
    pub limit: u32,
    /// How many bytes to give, unless the first entry has more.
    pub bytes_max: u64,
}

/// The entries that a query is for. Looks at what starts with the pattern's text before the first `*` only, and at no more
/// than [`LOOK_MAX`] names: a page may have a cursor without being full.
///
/// # Errors
/// `PS1013` for a malformed pattern or cursor, or a limit that is not 1 to [`LIST_MAX`]; a fault of the store.
pub async fn discover(
    transaction: &mut Transaction,
    scope: &Scope,
    query: Query<'_>,
    now: Millis,
) -> Result<Page> {
    if !(1..=LIST_MAX).contains(&query.limit) {
        return Err(invalid(format!(
            "the limit is {}; it must be 1 to {LIST_MAX}",
            query.limit
        )));
    }
    check_bytes("pattern", query.pattern, 1, NAME_BYTES_MAX)?;
    let mut range = match query.pattern.split_once('*') {
        Some((prefix, _)) => root(scope).prefix_string(prefix).range(),
        None => {
            let only = row(scope, query.pattern)?;
            only.clone()..just_after(&only)
        }
    };
    if let Some(cursor) = query.cursor {
        range.start = range.start.max(just_after(&row(scope, cursor)?));
    }
    let mut page = Page::default();
    let (mut looked, mut bytes) = (0, 0);
    while looked < LOOK_MAX {
        let rows = transaction.scan(range.clone(), LIST_MAX as usize).await?;
        let full = rows.len() == LIST_MAX as usize;
        for (key, value) in rows {
            looked += 1;
            range.start = just_after(&key);
            let name = name(&key)?;
            let size = value.len() + name.len();
            let Some(row) = live(&key, Some(value), now)? else {
                continue;
            };
            if !matches(query.pattern, &name) || !has_all(&row, query.labels) {
                continue;
            }
            bytes += size as u64;
            if bytes > query.bytes_max && !page.entries.is_empty() {
                page.cursor = page.entries.last().map(|entry| entry.name.clone());
                return Ok(page);
            }
            let row = Some(row);
            page.entries.push(Registration { name, row });
            if page.entries.len() == query.limit as usize {
                page.cursor = page.entries.last().map(|entry| entry.name.clone());
                return Ok(page);
            }
        }
        if !full {
            return Ok(page);
        }
    }
    page.cursor = last_before(&range.start)?;
    Ok(page)
}

fn has_all(row: &RegistrationRow, labels: &[(String, String)]) -> bool {
    let has = |(name, value): &(String, String)| {
        let found = row.metadata.iter().find(|label| label.name == *name);
        found.is_some_and(|label| label.value == *value)
    };
    labels.iter().all(has)
}

/// The metadata as they are stored.
fn check(service: &Service) -> Result<Vec<Detail>> {
    check_bytes("address", &service.address, 1, ADDRESS_BYTES_MAX)?;
    if service.metadata.len() > METADATA_MAX {
        return Err(invalid(format!(
            "there are {} metadata; at most {METADATA_MAX} are allowed",
            service.metadata.len()
        )));
    }
    let mut metadata = Vec::with_capacity(service.metadata.len());
    for (name, value) in &service.metadata {
        check_bytes("name of metadata", name, 1, METADATA_NAME_BYTES_MAX)?;
        check_bytes("value of metadata", value, 0, METADATA_VALUE_BYTES_MAX)?;
        metadata.push(Detail {
            name: name.clone(),
            value: value.clone(),
        });
    }
    metadata.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = metadata
        .windows(2)
        .find(|pair| pair[0].name == pair[1].name)
    {
        return Err(invalid(format!(
            "the metadata have the name {:?} twice",
            pair[0].name
        )));
    }
    Ok(metadata)
}

fn write(
    transaction: &mut Transaction,
    row: Key,
    before: Option<&RegistrationRow>,
    content: &RegistrationRow,
) -> Result<()> {
    if let Some(before) = before {
        forget_expiry(transaction, &row, before)?;
    }
    if content.expires_ms > 0 {
        let at = Millis(content.expires_ms);
        transaction.put(expiry::entry(at, &row), Bytes::new())?;
    }
    transaction.put(row, encode(content))
}

/// So that heartbeats do not heap up entries.
fn forget_expiry(transaction: &mut Transaction, row: &Key, before: &RegistrationRow) -> Result<()> {
    match before.expires_ms {
        0 => Ok(()),
        at => transaction.delete(expiry::entry(Millis(at), row)),
    }
}

fn live(key: &Key, found: Option<Bytes>, now: Millis) -> Result<Option<RegistrationRow>> {
    let Some(value) = found else { return Ok(None) };
    let row: RegistrationRow = decode(key, &value)?;
    Ok((row.expires_ms == 0 || row.expires_ms > now.0).then_some(row))
}

/// An owner as others in the entry's scope write it; in full if it lives elsewhere.
fn text_of(owner: &ActorId, scope: &Scope) -> String {
    if owner.scope() == scope {
        owner.local()
    } else {
        owner.to_string()
    }
}

fn root(scope: &Scope) -> Path {
    Path::scope(scope.tenant(), scope.namespace(), Kind::Registration)
}

fn row(scope: &Scope, name: &str) -> Result<Key> {
    check_bytes("name", name, 1, NAME_BYTES_MAX)?;
    if name.contains('*') {
        return Err(invalid(format!(
            "the name {name:?} has a '*', which stands for any text in patterns"
        )));
    }
    Ok(root(scope).str(name).key())
}

fn name(key: &Key) -> Result<String> {
    let elements = key::decode(key).map_err(crate::fault)?;
    match elements.into_iter().next_back() {
        Some(Element::Str(name)) => Ok(name),
        _ => Err(Error::new(
            Code::Corrupt,
            format!("the registry's key {key:?} cannot be read"),
        )),
    }
}

/// The name whose key a range was moved behind.
fn last_before(start: &Key) -> Result<Option<String>> {
    let bytes = start.as_bytes();
    let key = Key::from(bytes[..bytes.len() - 1].to_vec());
    name(&key).map(Some)
}

fn check_bytes(what: &str, text: &str, min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&text.len()) {
        return Ok(());
    }
    Err(invalid(format!(
        "the {what} has {} bytes; it must have {min} to {max}",
        text.len()
    )))
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}
