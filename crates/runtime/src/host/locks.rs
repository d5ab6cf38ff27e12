//! `locks`: leases with fencing tokens, in the turn's transaction.

use super::recorded::{Recorded, corrupt, optional_from_record, optional_to_record};
use super::waiting::{Gets, wait_for};
use super::{Call, HostState, journaled, reserving, scope, to_wit};
use crate::bindings::plexspaces::actor::locks::{Host, Lease, LockHolder};
use crate::bindings::wit::Context;
use crate::outside::{Attempt, Outside, Tried, Wait};
use crate::turn::{Arguments, Turn};
use async_trait::async_trait;
use bytes::Bytes;
use plexspaces_core::{Result, Scope};
use plexspaces_services::locks::{self, Acquired};
use plexspaces_services::records::LockRow;
use std::sync::Arc;
use std::time::Duration;

impl Host for HostState {
    async fn acquire(
        &mut self,
        context: Context,
        id: String,
        timeout: u64,
        duration: Option<u64>,
    ) -> Call<Option<Lease>> {
        self.lock_acquire("locks.acquire", context, id, timeout, duration)
            .await
    }

    async fn try_acquire(
        &mut self,
        context: Context,
        id: String,
        duration: Option<u64>,
    ) -> Call<Option<Lease>> {
        self.lock_acquire("locks.try-acquire", context, id, 0, duration)
            .await
    }

    async fn release(&mut self, context: Context, id: String, token: Option<u64>) -> Call<()> {
        let scope = scope!(self, context);
        let (outside, actor) = (self.outside.clone(), self.actor.clone());
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&id)
            .maybe(token)
            .digest();
        reserving!(self, "locks.release", arguments, |turn| {
            let now = outside.now();
            locks::release(&mut turn.transaction, &scope, &id, &actor, token, now).await
        })
    }

    async fn renew(
        &mut self,
        context: Context,
        id: String,
        duration: u64,
        token: Option<u64>,
    ) -> Call<Lease> {
        let scope = scope!(self, context);
        let (outside, actor) = (self.outside.clone(), self.actor.clone());
        let arguments = Arguments::new()
            .scope(&scope)
            .text(&id)
            .number(duration)
            .maybe(token)
            .digest();
        reserving!(self, "locks.renew", arguments, |turn| {
            let (transaction, now) = (&mut turn.transaction, outside.now());
            locks::renew(transaction, &scope, &id, &actor, duration, token, now)
                .await
                .map(to_guest)
        })
    }

    async fn get_lock(&mut self, context: Context, id: String) -> Call<Option<LockHolder>> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&id).digest();
        journaled!(self, "locks.get-lock", Read, arguments, |turn| {
            let now = turn.time();
            let held = locks::get(&mut turn.transaction, &scope, &id, now).await;
            held.map(|held| {
                held.map(|held| LockHolder {
                    holder: held.holder,
                    lease: to_guest(held.lease),
                })
            })
        })
    }
}

impl HostState {
    async fn lock_acquire(
        &mut self,
        operation: &'static str,
        context: Context,
        id: String,
        timeout: u64,
        duration: Option<u64>,
    ) -> Call<Option<Lease>> {
        let scope = scope!(self, context);
        let topic = match locks::topic(&scope, &id) {
            Ok(topic) => topic,
            Err(error) => return Ok(Err(to_wit(error))),
        };
        let wait = Wait {
            operation,
            arguments: Arguments::new()
                .scope(&scope)
                .text(&id)
                .number(timeout)
                .maybe(duration)
                .digest(),
            timeout: Duration::from_millis(timeout),
            topic,
            wants: Some(locks::wants()),
        };
        let attempt = ForLock {
            outside: self.outside.clone(),
            scope,
            id,
            duration,
            got: None,
        };
        wait_for(self, wait, attempt).await
    }
}

/// Tries to get a lock, for one who waits for it.
struct ForLock {
    outside: Arc<dyn Outside>,
    scope: Scope,
    id: String,
    duration: Option<u64>,
    got: Option<locks::Lease>,
}

#[async_trait]
impl Attempt for ForLock {
    async fn attempt(&mut self, turn: &mut Turn) -> Result<Tried> {
        let now = self.outside.now();
        let (scope, id, duration) = (&self.scope, &self.id, self.duration);
        let (transaction, actor) = (&mut turn.transaction, &turn.actor);
        match locks::try_acquire(transaction, scope, id, actor, duration, now).await? {
            Acquired::Lease(lease) => {
                self.got = Some(lease);
                Ok(Tried::Done)
            }
            // Who stands behind would not get it either.
            Acquired::Not { again } => Ok(Tried::NotYet {
                again,
                pass_on: false,
            }),
        }
    }
}

impl Gets<Option<Lease>> for ForLock {
    fn got(self) -> Option<Lease> {
        self.got.map(to_guest)
    }
}

fn to_guest(lease: locks::Lease) -> Lease {
    Lease {
        token: lease.token,
        until_ms: lease.until.0,
    }
}

/// A lease is recorded as the row that it is of.
fn to_row(lease: &Lease) -> LockRow {
    LockRow {
        token: lease.token,
        until_ms: lease.until_ms,
        ..LockRow::default()
    }
}

fn from_row(row: &LockRow) -> Lease {
    Lease {
        token: row.token,
        until_ms: row.until_ms,
    }
}

impl Recorded for Option<Lease> {
    fn to_record(&self) -> Bytes {
        optional_to_record(self.as_ref().map(to_row).as_ref())
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let row: Option<LockRow> = optional_from_record(&bytes, "lease")?;
        Ok(row.as_ref().map(from_row))
    }
}

impl Recorded for Lease {
    fn to_record(&self) -> Bytes {
        Some(*self).to_record()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        Option::from_record(bytes)?.ok_or_else(|| corrupt("lease"))
    }
}

impl Recorded for Option<LockHolder> {
    fn to_record(&self) -> Bytes {
        let row = self.as_ref().map(|held| LockRow {
            holder: held.holder.clone(),
            ..to_row(&held.lease)
        });
        optional_to_record(row.as_ref())
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let row: Option<LockRow> = optional_from_record(&bytes, "holder of a lock")?;
        Ok(row.map(|row| LockHolder {
            lease: from_row(&row),
            holder: row.holder,
        }))
    }
}
