//! Locks: one actor at a time, for as long as its lease lasts.
//!
//! Layout: `scope / Lock / id` → `LockRow`, kept for ever: its token, the number of the newest holding, never goes back,
//! so whatever the lock protects can refuse who comes with an older one. `holder's scope / LockHeld / type / key / lock's
//! key` → empty, so that an actor that stops gives back what it holds. A lock whose lease is over is free, although its
//! row still names the holder.
//!
//! Who waits for a lock stands in its line, and gets it before newcomers.

use crate::queues::{LEASE_MS, LEASE_MS_MAX};
use crate::records::{LockRow, decode, encode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use crate::waiters::Wants;
use bytes::Bytes;
use plexspaces_core::time::Millis;
use plexspaces_core::{ActorId, Code, Error, Result, Scope};
use plexspaces_store::Key;
use plexspaces_store::key::{self, Element, Kind, Path};

/// The longest id, in bytes.
pub const ID_BYTES_MAX: usize = 512;

/// How many held locks are read at once.
const PAGE: usize = 1_000;

/// A held lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Greater than that of every holding before.
    pub token: u64,
    /// When the lock is free again unless it is renewed.
    pub until: Millis,
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The holder: `type/key` in the lock's own scope, with tenant and namespace in another.
    pub holder: String,
    /// Its lease.
    pub lease: Lease,
}

/// What came of an attempt to get a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The actor holds it when the turn commits; until then nobody else gets it.
    Lease(Lease),
    /// Another has it, or comes first.
    Not {
        /// When its lease ends, if that is known.
        again: Option<Millis>,
    },
}

/// The line in which those stand who wait for a lock.
///
/// # Errors
/// `PS1013` for a malformed id.
pub fn topic(scope: &Scope, id: &str) -> Result<Key> {
    if (1..=ID_BYTES_MAX).contains(&id.len()) {
        return Ok(Path::scope(scope.tenant(), scope.namespace(), Kind::Lock)
            .str(id)
            .key());
    }
    Err(invalid(format!(
        "the lock's id has {} bytes; it must have 1 to {ID_BYTES_MAX}",
        id.len()
    )))
}

/// What one who waits for a lock wants: this very one.
#[must_use]
pub fn wants() -> Wants {
    Box::new(|_| true)
}

/// How long a lease is to last.
///
/// # Errors
/// `PS1013` unless it is 1 to [`LEASE_MS_MAX`].
pub fn check_lease(lease_ms: Option<u64>) -> Result<u64> {
    let lease_ms = lease_ms.unwrap_or(LEASE_MS);
    if (1..=LEASE_MS_MAX).contains(&lease_ms) {
        return Ok(lease_ms);
    }
    Err(invalid(format!(
        "the lease is {lease_ms} ms; it must be 1 to {LEASE_MS_MAX}"
    )))
}

/// Gets the lock for `actor`, if it is free and nobody in line comes before. A holder renews its lease, with the same
/// token.
///
/// # Errors
/// `PS1013` for a malformed id or lease, `PS4003` if the turn has read another state of the lock before, `PS3008`, or a
/// fault of the store.
pub async fn try_acquire(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
    actor: &ActorId,
    lease_ms: Option<u64>,
    now: Millis,
) -> Result<Acquired> {
    let lease_ms = check_lease(lease_ms)?;
    let key = topic(scope, id)?;
    let others_first = transaction.ahead(&key) > 0;
    let mut again = None;
    let is_for_me = |value: Option<&Bytes>| {
        let row = read(&key, value)?;
        if is_held(&row, now) {
            again = Some(Millis(row.until_ms));
            return Ok(is_holder(&row, actor));
        }
        Ok(!others_first)
    };
    let Some(found) = transaction.latest_if(&key, is_for_me).await? else {
        // Only the first in line looks again by itself.
        let again = again.filter(|_| !others_first);
        return Ok(Acquired::Not { again });
    };
    let old = read(&key, found.as_ref())?;
    let until = Millis(now.0.saturating_add(lease_ms));
    let mut token = old.token;
    if !is_held(&old, now) {
        token += 1;
        if let Some(index) = index_of(&old, &key)? {
            transaction.delete(index)?;
        }
        transaction.put(index_key(actor, &key), Bytes::new())?;
    }
    let row = LockRow {
        token,
        tenant: actor.scope().tenant().to_owned(),
        namespace: actor.scope().namespace().to_owned(),
        holder: actor.local(),
        until_ms: until.0,
    };
    transaction.put(key.clone(), encode(&row))?;
    // The first in line is to know when this lease ends, or that it was given up.
    transaction.wakes(key);
    Ok(Acquired::Lease(Lease { token, until }))
}

/// Gives the lock back.
///
/// # Errors
/// `PS1020` if the actor does not hold it, or not with this token; `PS1013` for a malformed id, `PS1018` and `PS4003` as
/// [`Transaction::latest`], `PS3008`, or a fault of the store.
pub async fn release(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
    actor: &ActorId,
    token: Option<u64>,
    now: Millis,
) -> Result<()> {
    let key = topic(scope, id)?;
    let row = own(transaction, &key, id, actor, token, now).await?;
    transaction.delete(index_key(actor, &key))?;
    transaction.put(key.clone(), encode(&free(&row)))?;
    transaction.wakes(key);
    Ok(())
}

/// Lets the lease of the actor's lock end `lease_ms` from now.
///
/// # Errors
/// As [`release`], and `PS1013` for a malformed lease.
pub async fn renew(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
    actor: &ActorId,
    lease_ms: u64,
    token: Option<u64>,
    now: Millis,
) -> Result<Lease> {
    let lease_ms = check_lease(Some(lease_ms))?;
    let key = topic(scope, id)?;
    let mut row = own(transaction, &key, id, actor, token, now).await?;
    let until = Millis(now.0.saturating_add(lease_ms));
    row.until_ms = until.0;
    let token = row.token;
    transaction.put(key.clone(), encode(&row))?;
    transaction.wakes(key);
    Ok(Lease { token, until })
}

/// Who holds the lock, if anybody does. A plain read: a turn that changes anything runs again if the lock changes hands
/// before it commits.
///
/// # Errors
/// `PS1013` for a malformed id, or a fault of the store.
pub async fn get(
    transaction: &mut Transaction,
    scope: &Scope,
    id: &str,
    now: Millis,
) -> Result<Option<Held>> {
    let key = topic(scope, id)?;
    let found = transaction.get(&key).await?;
    let row = read(&key, found.as_ref())?;
    if !is_held(&row, now) {
        return Ok(None);
    }
    let same = row.tenant == scope.tenant() && row.namespace == scope.namespace();
    let holder = if same {
        row.holder
    } else {
        format!("{}/{}/{}", row.tenant, row.namespace, row.holder)
    };
    Ok(Some(Held {
        holder,
        lease: Lease {
            token: row.token,
            until: Millis(row.until_ms),
        },
    }))
}

/// Gives back all that an actor holds: it stops. What another turn has reserved is left, because its lease is over.
///
/// # Errors
/// `PS5004`, or a fault of the store.
pub async fn release_all(transaction: &mut Transaction, actor: &ActorId) -> Result<()> {
    let mut range = index(actor).range();
    loop {
        let rows = transaction.scan_latest(range.clone(), PAGE).await?;
        for (entry, _) in &rows {
            let key = match key::decode(entry).map_err(crate::fault)?.pop() {
                Some(Element::Bytes(key)) => Key::from(key),
                _ => {
                    return Err(Error::new(
                        Code::Corrupt,
                        format!("{entry:?} names no lock"),
                    ));
                }
            };
            let own = |value: Option<&Bytes>| Ok(is_holder(&read(&key, value)?, actor));
            if let Some(found) = transaction.latest_if(&key, own).await? {
                let row = free(&read(&key, found.as_ref())?);
                // These rows are the runtime's: a stop is over no limit.
                let batch = transaction.batch_mut();
                batch.put(key.clone(), encode(&row));
                batch.delete(entry.clone());
                transaction.wakes(key);
            }
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE => range.start = just_after(last),
            _ => return Ok(()),
        }
    }
}

async fn own(
    transaction: &mut Transaction,
    key: &Key,
    id: &str,
    actor: &ActorId,
    token: Option<u64>,
    now: Millis,
) -> Result<LockRow> {
    let found = transaction.latest(key).await?;
    let row = read(key, found.as_ref())?;
    let as_asked = token.is_none_or(|token| token == row.token);
    if is_held(&row, now) && is_holder(&row, actor) && as_asked {
        return Ok(row);
    }
    let local = actor.local();
    Err(Error::new(
        Code::LeaseLost,
        match token {
            Some(token) => format!("{local} does not hold the lock {id:?} with the token {token}"),
            None => format!("{local} does not hold the lock {id:?}"),
        },
    ))
}

fn read(key: &Key, value: Option<&Bytes>) -> Result<LockRow> {
    value.map_or(Ok(LockRow::default()), |value| decode(key, value))
}

fn is_held(row: &LockRow, now: Millis) -> bool {
    !row.holder.is_empty() && row.until_ms > now.0
}

fn is_holder(row: &LockRow, actor: &ActorId) -> bool {
    row.holder == actor.local()
        && row.tenant == actor.scope().tenant()
        && row.namespace == actor.scope().namespace()
}

/// Only the token stays.
fn free(row: &LockRow) -> LockRow {
    LockRow {
        token: row.token,
        ..LockRow::default()
    }
}

fn index(actor: &ActorId) -> Path {
    let scope = actor.scope();
    Path::scope(scope.tenant(), scope.namespace(), Kind::LockHeld)
        .str(actor.kind())
        .str(actor.key())
}

fn index_key(actor: &ActorId, lock: &Key) -> Key {
    index(actor).bytes(lock.as_bytes()).key()
}

/// Where the actor that a row names is noted as the holder.
fn index_of(row: &LockRow, lock: &Key) -> Result<Option<Key>> {
    if row.holder.is_empty() {
        return Ok(None);
    }
    let scope = Scope::new(&row.tenant, &row.namespace)?;
    let holder = ActorId::parse(&scope, &row.holder)?;
    Ok(Some(index_key(&holder, lock)))
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Desk;
    use proptest::prelude::*;

    struct Locks(Desk);

    impl std::ops::Deref for Locks {
        type Target = Desk;

        fn deref(&self) -> &Desk {
            &self.0
        }
    }

    impl Locks {
        fn new() -> Self {
            Locks(Desk::new())
        }

        fn actor(&self, key: &str) -> ActorId {
            ActorId::new(&self.scope, "worker", key).expect("valid")
        }

        async fn entries(&self) -> usize {
            let all = Path::scope("t", "n", Kind::LockHeld).range();
            let rows = self.begin().scan(all, 1_000).await;
            rows.expect("readable").len()
        }
    }

    async fn acquire(locks: &Locks, t: &mut Transaction, key: &str, now: u64) -> Option<Lease> {
        let actor = locks.actor(key);
        match try_acquire(t, &locks.scope, "l", &actor, Some(100), Millis(now)).await {
            Ok(Acquired::Lease(lease)) => Some(lease),
            Ok(Acquired::Not { .. }) => None,
            Err(error) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn until_the_commit_the_reservation_keeps_others_out() {
        let locks = Locks::new();
        let mut a = locks.begin();
        let mut b = locks.begin();
        assert!(acquire(&locks, &mut a, "a", 1).await.is_some());
        assert_eq!(acquire(&locks, &mut b, "b", 1).await, None);
        drop(a);
        let lease = acquire(&locks, &mut b, "b", 1).await.expect("given back");
        assert_eq!((lease.token, lease.until), (1, Millis(101)));
        locks.commit(b).await;
        // What was refused holds nothing: the holder may renew at once.
        let mut c = locks.begin();
        assert_eq!(acquire(&locks, &mut c, "c", 50).await, None);
        let mut b = locks.begin();
        let again = acquire(&locks, &mut b, "b", 50).await.expect("its own");
        assert_eq!((again.token, again.until), (1, Millis(150)));
        locks.commit(b).await;
        drop(c);
    }

    #[tokio::test]
    async fn a_stop_gives_back_what_is_held_and_nothing_else() {
        let locks = Locks::new();
        let (a, b) = (locks.actor("a"), locks.actor("b"));
        let mut t = locks.begin();
        for (id, actor) in [("1", &a), ("2", &a), ("3", &b)] {
            let got = try_acquire(&mut t, &locks.scope, id, actor, None, Millis(1)).await;
            assert!(matches!(got, Ok(Acquired::Lease(_))));
        }
        locks.commit(t).await;
        let mut t = locks.begin();
        release_all(&mut t, &a).await.expect("released");
        locks.commit(t).await;
        let mut t = locks.begin();
        for (id, held) in [("1", false), ("2", false), ("3", true)] {
            let found = get(&mut t, &locks.scope, id, Millis(2)).await;
            assert_eq!(found.expect("readable").is_some(), held, "{id}");
        }
        assert_eq!(locks.entries().await, 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Acquire(u8),
        Release(u8),
        Renew(u8),
        Stop(u8),
        Pass(u64),
    }

    proptest! {
        /// As a model has it: one holder at a time, tokens only grow, the index names the holders of rows.
        #[test]
        fn a_lock_is_as_its_model(steps in proptest::collection::vec(prop_oneof![
            4 => (0u8..3).prop_map(Step::Acquire),
            2 => (0u8..3).prop_map(Step::Release),
            2 => (0u8..3).prop_map(Step::Renew),
            1 => (0u8..3).prop_map(Step::Stop),
            3 => (1u64..80).prop_map(Step::Pass),
        ], 1..60), commits in proptest::collection::vec(any::<bool>(), 60)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
            runtime.block_on(async {
                let locks = Locks::new();
                let (mut now, mut token) = (1, 0);
                // Who, and until when.
                let mut holder: Option<(u8, u64)> = None;
                for (step, commits) in steps.into_iter().zip(commits) {
                    let held = holder.filter(|(_, until)| *until > now);
                    let mut t = locks.begin();
                    let mut after = (holder, token);
                    match step {
                        Step::Pass(by) => now += by,
                        Step::Acquire(n) => {
                            let got = acquire(&locks, &mut t, &n.to_string(), now).await;
                            let may = held.is_none_or(|(holder, _)| holder == n);
                            prop_assert_eq!(got.is_some(), may);
                            if let Some(lease) = got {
                                after = (Some((n, now + 100)), token + u64::from(held.is_none()));
                                prop_assert_eq!(lease.token, after.1);
                            }
                        }
                        Step::Release(n) => {
                            let actor = locks.actor(&n.to_string());
                            let done = release(&mut t, &locks.scope, "l", &actor, None, Millis(now)).await;
                            let may = held.is_some_and(|(holder, _)| holder == n);
                            prop_assert_eq!(done.is_ok(), may);
                            if may { after.0 = None; }
                        }
                        Step::Renew(n) => {
                            let actor = locks.actor(&n.to_string());
                            let stale = renew(&mut t, &locks.scope, "l", &actor, 50, Some(token + 1), Millis(now)).await;
                            prop_assert_eq!(stale.expect_err("another token").code, Code::LeaseLost);
                            let done = renew(&mut t, &locks.scope, "l", &actor, 50, Some(token), Millis(now)).await;
                            let may = held.is_some_and(|(holder, _)| holder == n);
                            prop_assert_eq!(done.is_ok(), may);
                            if may { after.0 = Some((n, now + 50)); }
                        }
                        Step::Stop(n) => {
                            release_all(&mut t, &locks.actor(&n.to_string())).await.expect("released");
                            if holder.is_some_and(|(holder, _)| holder == n) { after.0 = None; }
                        }
                    }
                    if commits {
                        locks.commit(t).await;
                        (holder, token) = after;
                    }
                    prop_assert_eq!(locks.entries().await, usize::from(holder.is_some()));
                    let found = get(&mut locks.begin(), &locks.scope, "l", Millis(now)).await.expect("readable");
                    let expected = holder.filter(|(_, until)| *until > now);
                    prop_assert_eq!(found.map(|held| held.holder), expected.map(|(n, _)| format!("worker/{n}")));
                }
                Ok(())
            })?;
        }
    }
}
