//! Linda's tuples: written, read and taken by what they contain.
//!
//! Layout: `scope / Tuple / number of fields / field … / id` → `Tuple`. The key starts with the fields themselves, in
//! the order-preserving encoding, so a pattern whose leading fields are exact looks only at what can match. A text or
//! bytes field longer than [`KEYED_BYTES`] ends the key with its first bytes; the row has the whole tuple, and every
//! candidate is compared with the pattern. The id keeps equal tuples apart. A tuple with a time to live has an entry in
//! [`expiry`]; it is invisible as soon as its time is over.
//!
//! Who waits for tuples stands in the line of their number of fields ([`topic`]), and is served before newcomers.

use crate::expiry;
use crate::keyvalue::expires_at;
use crate::records::{self, decode, encode};
use crate::transaction::Transaction;
use crate::waiters::Wants;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::value::{self, Pattern, PatternField, Tuple, Value};
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{Kind, Path};
use std::ops::Range;

/// How many bytes of a text or bytes field are part of the key.
pub const KEYED_BYTES: usize = 256;

/// How many fields are part of the key at most.
const KEYED_FIELDS: usize = 8;

/// The most tuples that `read_all` returns.
pub const READ_ALL_MAX: usize = 10_000;

/// How many candidates are read at once.
const PAGE: usize = 64;

/// Makes tuples' ids unique: derived from the writing turn, so that a turn that runs again writes the same rows.
pub type TupleId = [u8; 16];

/// Adds a tuple; one with a time to live, in milliseconds from `now`, goes away by itself.
///
/// # Errors
/// `PS1013` for a malformed tuple or a time to live of zero, `PS3008` over the turn's bounds.
pub fn write(
    transaction: &mut Transaction,
    scope: &Scope,
    tuple: Tuple,
    id: TupleId,
    ttl: Option<(u64, Millis)>,
) -> Result<()> {
    value::check_tuple(&tuple)?;
    let tuple: Tuple = tuple.into_iter().map(Value::canonical).collect();
    let (path, _) = leading(root(scope, tuple.len()), tuple.iter());
    let key = path.bytes(&id).key();
    let mut row = records::Tuple::from(&tuple);
    if let Some((ttl_ms, now)) = ttl {
        let at = expires_at(ttl_ms, now)?;
        row.expires_ms = at.0;
        transaction.put(expiry::entry(at, &key), Bytes::new())?;
    }
    transaction.put(key, encode(&row))?;
    transaction.wakes(topic(scope, tuple.len()));
    Ok(())
}

/// The line in which those stand who wait for tuples with this many fields.
#[must_use]
pub fn topic(scope: &Scope, fields: usize) -> Key {
    root(scope, fields).key()
}

/// What one who waits to take a tuple wants: the rows that match.
///
/// # Errors
/// `PS1013` for a malformed pattern.
pub fn wants(pattern: &Pattern) -> Result<Wants> {
    value::check_pattern(pattern)?;
    let pattern: Pattern = pattern.iter().cloned().map(canonical).collect();
    Ok(Box::new(move |row| {
        let tuple: Result<records::Tuple, _> = prost::Message::decode(row);
        tuple.is_ok_and(|tuple| value::matches(&pattern, &Tuple::from(tuple)))
    }))
}

/// One matching tuple, as of the turn's snapshot.
///
/// # Errors
/// `PS1013` for a malformed pattern, or a fault of the store.
pub async fn read(
    transaction: &mut Transaction,
    scope: &Scope,
    pattern: Pattern,
    now: Millis,
) -> Result<Option<Tuple>> {
    let mut found = None;
    each(transaction, scope, pattern, now, |tuple| {
        found = Some(tuple);
        Ok(Go::Stop)
    })
    .await?;
    Ok(found)
}

/// All matching tuples in the order of their keys, as of the turn's snapshot.
///
/// # Errors
/// `PS1016` for more than [`READ_ALL_MAX`] tuples or `bytes_max` bytes, `PS1013`, or a fault of the store.
pub async fn read_all(
    transaction: &mut Transaction,
    scope: &Scope,
    pattern: Pattern,
    now: Millis,
    bytes_max: u64,
) -> Result<Vec<Tuple>> {
    let mut found = Vec::new();
    let mut bytes = 0;
    each(transaction, scope, pattern, now, |tuple| {
        bytes += prost::Message::encoded_len(&records::Tuple::from(&tuple)) as u64;
        if found.len() == READ_ALL_MAX || bytes > bytes_max {
            return Err(Error::new(
                Code::TooManyResults,
                format!("more than {READ_ALL_MAX} tuples or {bytes_max} bytes match; ask with a narrower pattern"),
            ));
        }
        found.push(tuple);
        Ok(Go::On)
    })
    .await?;
    Ok(found)
}

/// How many tuples match, as of the turn's snapshot.
///
/// # Errors
/// `PS1013`, or a fault of the store.
pub async fn count(
    transaction: &mut Transaction,
    scope: &Scope,
    pattern: Pattern,
    now: Millis,
) -> Result<u32> {
    let mut n = 0u32;
    each(transaction, scope, pattern, now, |_| {
        n = n.saturating_add(1);
        Ok(Go::On)
    })
    .await?;
    Ok(n)
}

/// Removes one matching tuple and gives it: the newest committed state decides, a tuple that another turn has reserved
/// or that somebody in line wants is skipped, and nobody else gets the taken one unless this turn fails.
///
/// # Errors
/// `PS1013`, `PS3008`, or a fault of the store.
pub async fn take(
    transaction: &mut Transaction,
    scope: &Scope,
    pattern: Pattern,
    now: Millis,
) -> Result<Option<Tuple>> {
    let (mut range, pattern) = candidates(scope, pattern)?;
    let topic = topic(scope, pattern.len());
    loop {
        let rows = transaction.scan_latest(range.clone(), PAGE).await?;
        let Some((last, _)) = rows.last().cloned() else {
            return Ok(None);
        };
        for (key, bytes) in &rows {
            let Some(tuple) = live(key, bytes, now)? else {
                continue;
            };
            if value::matches(&pattern, &tuple)
                && !transaction.is_wanted(&topic, bytes)
                && transaction.take(key).await?
            {
                transaction.wakes_if_undone(topic);
                return Ok(Some(tuple));
            }
        }
        if rows.len() < PAGE {
            return Ok(None);
        }
        range.start = crate::scopes::just_after(&last);
    }
}

/// Whether to look at the next match.
enum Go {
    On,
    Stop,
}

async fn each(
    transaction: &mut Transaction,
    scope: &Scope,
    pattern: Pattern,
    now: Millis,
    mut found: impl FnMut(Tuple) -> Result<Go>,
) -> Result<()> {
    let (mut range, pattern) = candidates(scope, pattern)?;
    loop {
        let rows = transaction.scan(range.clone(), PAGE).await?;
        for (key, bytes) in &rows {
            let Some(tuple) = live(key, bytes, now)? else {
                continue;
            };
            if value::matches(&pattern, &tuple) && matches!(found(tuple)?, Go::Stop) {
                return Ok(());
            }
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE => range.start = crate::scopes::just_after(last),
            _ => return Ok(()),
        }
    }
}

/// The tuple in a row, unless its time is over.
fn live(key: &Key, bytes: &Bytes, now: Millis) -> Result<Option<Tuple>> {
    let row: records::Tuple = decode(key, bytes)?;
    Ok((row.expires_ms == 0 || row.expires_ms > now.0).then(|| row.into()))
}

/// The keys that can match, and the pattern in canonical form.
fn candidates(scope: &Scope, pattern: Pattern) -> Result<(Range<Key>, Pattern)> {
    value::check_pattern(&pattern)?;
    let pattern: Pattern = pattern.into_iter().map(canonical).collect();
    let exact = pattern.iter().map_while(|field| match field {
        PatternField::Exact(value) => Some(value),
        _ => None,
    });
    let (path, n) = leading(root(scope, pattern.len()), exact);
    let range = match pattern.get(n) {
        Some(PatternField::Prefix(prefix)) if n < KEYED_FIELDS => {
            path.prefix_string(keyed(prefix)).range()
        }
        _ => path.range(),
    };
    Ok((range, pattern))
}

/// A pattern that can be asked with, in canonical form.
pub(crate) fn checked(pattern: Pattern) -> Result<Pattern> {
    value::check_pattern(&pattern)?;
    Ok(pattern.into_iter().map(canonical).collect())
}

fn canonical(field: PatternField) -> PatternField {
    match field {
        PatternField::Exact(value) => PatternField::Exact(value.canonical()),
        PatternField::Range(min, max) => {
            PatternField::Range(min.map(Value::canonical), max.map(Value::canonical))
        }
        other => other,
    }
}

fn root(scope: &Scope, arity: usize) -> Path {
    Path::scope(scope.tenant(), scope.namespace(), Kind::Tuple).u64(arity as u64)
}

/// Appends the fields that are part of the key; gives how many were appended whole.
fn leading<'a>(mut path: Path, values: impl Iterator<Item = &'a Value>) -> (Path, usize) {
    let mut whole = 0;
    for value in values.take(KEYED_FIELDS) {
        path = match value {
            Value::String(s) if s.len() > KEYED_BYTES => return (path.str(keyed(s)), usize::MAX),
            Value::Bytes(b) if b.len() > KEYED_BYTES => {
                return (path.bytes(&b[..KEYED_BYTES]), usize::MAX);
            }
            Value::String(s) => path.str(s),
            Value::Int(i) => path.i64(*i),
            Value::Float(f) => path.f64(*f),
            Value::Bytes(b) => path.bytes(b),
            Value::Bool(b) => path.bool(*b),
            Value::Null => path.null(),
        };
        whole += 1;
    }
    (path, whole)
}

/// The part of a text that is part of the key: up to [`KEYED_BYTES`], cut between characters.
fn keyed(text: &str) -> &str {
    let mut end = text.len().min(KEYED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Desk;
    use proptest::prelude::*;

    const NOW: Millis = Millis(1_000);

    fn id(n: u64) -> TupleId {
        u128::from(n).to_be_bytes()
    }

    fn s(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[tokio::test]
    async fn own_writes_are_seen_and_others_only_after_commit() {
        let space = Desk::new();
        let mut a = space.begin();
        write(
            &mut a,
            &space.scope,
            vec![s("x"), Value::Int(1)],
            id(1),
            None,
        )
        .expect("written");
        let pattern = || vec![PatternField::Exact(s("x")), PatternField::Any];
        assert!(
            read(&mut a, &space.scope, pattern(), NOW)
                .await
                .expect("read")
                .is_some()
        );
        let mut b = space.begin();
        assert!(
            read(&mut b, &space.scope, pattern(), NOW)
                .await
                .expect("read")
                .is_none()
        );
        space.commit(a).await;
        assert!(
            read(&mut b, &space.scope, pattern(), NOW)
                .await
                .expect("read")
                .is_none(),
            "b keeps its snapshot"
        );
        assert!(
            take(&mut b, &space.scope, pattern(), NOW)
                .await
                .expect("take")
                .is_some(),
            "take sees the newest"
        );
        let mut c = space.begin();
        assert!(
            take(&mut c, &space.scope, pattern(), NOW)
                .await
                .expect("take")
                .is_none(),
            "b has it"
        );
        drop(b);
        assert!(
            take(&mut c, &space.scope, pattern(), NOW)
                .await
                .expect("take")
                .is_some(),
            "b gave it back"
        );
        space.commit(c).await;
        assert_eq!(
            count(&mut space.begin(), &space.scope, pattern(), NOW)
                .await
                .expect("count"),
            0
        );
    }

    #[tokio::test]
    async fn long_fields_are_found_by_their_whole_text() {
        let space = Desk::new();
        let long = |tail: &str| "ä".repeat(400) + tail;
        let mut a = space.begin();
        for (n, tail) in ["1", "2"].iter().enumerate() {
            write(
                &mut a,
                &space.scope,
                vec![s(&long(tail)), Value::Int(n as i64)],
                id(n as u64),
                None,
            )
            .expect("written");
        }
        space.commit(a).await;
        let mut b = space.begin();
        let exact = vec![PatternField::Exact(s(&long("2"))), PatternField::Any];
        let found = read(&mut b, &space.scope, exact, NOW)
            .await
            .expect("read")
            .expect("there");
        assert_eq!(found[1], Value::Int(1));
        let prefix = vec![PatternField::Prefix(long("")), PatternField::Any];
        assert_eq!(
            count(&mut b, &space.scope, prefix, NOW)
                .await
                .expect("count"),
            2
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            prop_oneof![
                Just("".to_owned()),
                "[a\0]{1,3}",
                Just("a".repeat(300)),
                Just("a".repeat(301))
            ]
            .prop_map(Value::String),
            (-2i64..3).prop_map(Value::Int),
            prop_oneof![Just(f64::NAN), Just(-1.5), Just(0.0), Just(-0.0)].prop_map(Value::Float),
            proptest::collection::vec(0u8..2, 0..3).prop_map(Value::Bytes),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
        ]
    }

    fn any_field() -> impl Strategy<Value = PatternField> {
        prop_oneof![
            4 => any_value().prop_map(PatternField::Exact),
            3 => Just(PatternField::Any),
            1 => any_value().prop_map(|v| PatternField::Typed(v.kind())),
            1 => any_value().prop_map(|v| PatternField::Range(Some(v), None)),
            1 => prop_oneof![Just(String::new()), "a{1,2}", Just("a".repeat(300))].prop_map(PatternField::Prefix),
        ]
    }

    proptest! {
        /// The index finds what a walk over all tuples finds, half of them committed, half in the turn's own buffer.
        #[test]
        fn the_index_agrees_with_a_walk(
            tuples in proptest::collection::vec(proptest::collection::vec(any_value(), 1..4), 0..40),
            pattern in proptest::collection::vec(any_field(), 1..4),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            runtime.block_on(async {
                let space = Desk::new();
                let mut committed = space.begin();
                let mut own = space.begin();
                for (n, tuple) in tuples.iter().enumerate() {
                    let into = if n % 2 == 0 { &mut committed } else { &mut own };
                    write(into, &space.scope, tuple.clone(), id(n as u64), None).expect("written");
                }
                space.commit(committed).await;
                let canon: Pattern = pattern.iter().cloned().map(canonical).collect();
                let expected = tuples.iter()
                    .filter(|t| value::matches(&canon, &t.iter().cloned().map(Value::canonical).collect::<Vec<_>>()))
                    .count();
                let all = read_all(&mut own, &space.scope, pattern.clone(), NOW, 1 << 30).await.expect("read_all");
                prop_assert_eq!(all.len(), expected);
                let mut taken = 0;
                while take(&mut own, &space.scope, pattern.clone(), NOW).await.expect("take").is_some() {
                    taken += 1;
                }
                prop_assert_eq!(taken, expected);
                Ok(())
            })?;
        }
    }
}
