//! How a transaction keeps out of others' way: what it reserves, what it reads under a reservation, whom it wakes, and in
//! whose place in a line it tries.

use super::Transaction;
use crate::fault;
use crate::waiters::WakeOnDrop;
use bytes::Bytes;
use plexspaces_core::batch::{Op, Version};
use plexspaces_core::{Code, Error, Result};
use plexspaces_store::{Key, Versioned};

impl Transaction {
    /// Reserves `key` for this transaction: others that want to change it and depend on it wait.
    ///
    /// # Errors
    /// `PS1018` when another turn holds it too long, or the two wait for each other.
    pub async fn reserve(&mut self, key: &Key) -> Result<()> {
        if !self.held.reservations.contains_key(key) {
            let reservation = self.coordination.reservations.reserve(self.owner, key);
            self.held
                .reservations
                .insert(key.clone(), reservation.await?);
        }
        Ok(())
    }

    /// Like [`Self::reserve`], and those that merely write the key wait as well.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    pub async fn reserve_strictly(&mut self, key: &Key) -> Result<()> {
        if !self.held.reservations.contains_key(key) {
            let table = &self.coordination.reservations;
            let reservation = table.reserve_strictly(self.owner, key).await?;
            self.held.reservations.insert(key.clone(), reservation);
        }
        Ok(())
    }

    /// Reserves one key and reads its newest committed value, for an operation that changes it depending on the value.
    ///
    /// # Errors
    /// `PS1018` as [`Self::reserve`], `PS4003` if this transaction has read another value of it before, or a fault of
    /// the store.
    pub async fn latest(&mut self, key: &Key) -> Result<Option<Bytes>> {
        if let Some(op) = self.batch.ops.get(key) {
            return Ok(match op {
                Op::Put(value) => Some(value.clone()),
                Op::Delete => None,
            });
        }
        if let Some(found) = self.fresh.get(key) {
            return Ok(found.clone());
        }
        self.reserve(key).await?;
        let found = self.store.latest(key).await.map_err(fault)?;
        self.found_latest(key, found)
    }

    /// Lets the batch commit only if `key` is still as found, which must be what this transaction has read before.
    fn found_latest(&mut self, key: &Key, found: Option<Versioned>) -> Result<Option<Bytes>> {
        let version = found.as_ref().map_or(Version::ABSENT, |v| v.version);
        if self
            .read_versions
            .get(key)
            .is_some_and(|read| *read != version)
        {
            self.lost = Some(key.clone());
            return Err(Error::new(
                Code::TurnConflict,
                format!("{key:?} has changed since this turn read it"),
            ));
        }
        self.guard(key.clone(), version);
        let found = found.map(|v| v.value);
        self.fresh.insert(key.clone(), found.clone());
        Ok(found)
    }

    /// Reserves a key that a scan found: `false` if another turn has it or it is gone.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn claim(&mut self, key: &Key) -> Result<bool> {
        if matches!(self.batch.ops.get(key), Some(Op::Put(_)))
            || self.held.reservations.contains_key(key)
        {
            return Ok(true);
        }
        let table = &self.coordination.reservations;
        let Some(reservation) = table.try_reserve(self.owner, key) else {
            return Ok(false);
        };
        let Some(found) = self.store.latest(key).await.map_err(fault)? else {
            return Ok(false);
        };
        self.guard(key.clone(), found.version);
        self.held.reservations.insert(key.clone(), reservation);
        Ok(true)
    }

    /// As [`Self::latest`], but leaves the key alone, without waiting, if another turn has reserved it or if `wanted`
    /// does not want what it is now: `None`.
    ///
    /// # Errors
    /// `PS4003` as [`Self::latest`], what `wanted` gives, or a fault of the store.
    pub async fn latest_if(
        &mut self,
        key: &Key,
        wanted: impl FnOnce(Option<&Bytes>) -> Result<bool>,
    ) -> Result<Option<Option<Bytes>>> {
        if self.batch.ops.contains_key(key) || self.held.reservations.contains_key(key) {
            let found = self.latest(key).await?;
            return Ok(wanted(found.as_ref())?.then_some(found));
        }
        let table = &self.coordination.reservations;
        let Some(reservation) = table.try_reserve(self.owner, key) else {
            return Ok(None);
        };
        let found = self.store.latest(key).await.map_err(fault)?;
        if !wanted(found.as_ref().map(|found| &found.value))? {
            return Ok(None);
        }
        self.held.reservations.insert(key.clone(), reservation);
        self.found_latest(key, found).map(Some)
    }

    /// Whether another turn has reserved `key`.
    #[must_use]
    pub fn is_reserved(&self, key: &Key) -> bool {
        !self.held.reservations.contains_key(key) && self.coordination.reservations.is_reserved(key)
    }

    /// Whether others may wait for what the transaction has reserved.
    #[must_use]
    pub fn reserves(&self) -> bool {
        !self.held.reservations.is_empty()
    }

    /// Reserves a key that a scan found and takes it away: `false` if another turn has it or it is gone.
    ///
    /// # Errors
    /// `PS3008` over the bounds, or a fault of the store.
    pub async fn take(&mut self, key: &Key) -> Result<bool> {
        let own = matches!(self.batch.ops.get(key), Some(Op::Put(_)));
        if !self.claim(key).await? {
            return Ok(false);
        }
        if own && !self.batch.guards.contains_key(key) {
            // Written by this transaction and seen by nobody else.
            self.batch.ops.remove(key);
        } else {
            self.delete(key.clone())?;
        }
        Ok(true)
    }

    /// Waits, before the commit, for what turns that have lost too often have reserved.
    ///
    /// # Errors
    /// `PS4003`: the transaction has to run again.
    pub async fn pass_strict(&mut self) -> Result<()> {
        let reservations = &self.coordination.reservations;
        if !reservations.any_strict() {
            return Ok(());
        }
        for key in self.batch.ops.keys() {
            if !self.held.reservations.contains_key(key) && reservations.is_strict(key) {
                match reservations.reserve_to_commit(self.owner, key).await {
                    Ok(reservation) => {
                        self.held.reservations.insert(key.clone(), reservation);
                    }
                    Err(error) => {
                        self.lost = Some(key.clone());
                        return Err(Error::new(Code::TurnConflict, error.message));
                    }
                }
            }
        }
        Ok(())
    }

    /// Wakes the line of `topic` when this transaction has committed, or is given up.
    pub fn wakes(&mut self, topic: Key) {
        let wakes = &mut self.held.wakes;
        if !wakes.iter().any(|wake| *wake.topic() == topic) {
            wakes.push(WakeOnDrop::new(&self.coordination.waiters, topic));
        }
    }

    /// Wakes the line of `topic` if this transaction is given up: what it has reserved is free again.
    pub fn wakes_if_undone(&mut self, topic: Key) {
        let wakes = &mut self.held.wakes_if_undone;
        if !wakes.iter().any(|wake| *wake.topic() == topic) {
            wakes.push(WakeOnDrop::new(&self.coordination.waiters, topic));
        }
    }

    /// From now on this transaction tries for whoever has this place in a line.
    pub fn try_for(&mut self, place: u64) {
        self.place = Some(place);
    }

    /// Whether somebody who stands in the line of `topic`, before the one that this tries for, would take `row`.
    #[must_use]
    pub fn is_wanted(&self, topic: &Key, row: &[u8]) -> bool {
        self.coordination.waiters.is_wanted(topic, self.place, row)
    }

    /// How many stand in the line of `topic` to take something, before the one that this tries for.
    #[must_use]
    pub fn ahead(&self, topic: &Key) -> usize {
        self.coordination.waiters.ahead(topic, self.place)
    }

    /// Whether this tries for somebody who stands in a line.
    #[must_use]
    pub fn is_in_line(&self) -> bool {
        self.place.is_some()
    }

    /// Notes the key for which a batch of this turn was refused.
    pub fn set_lost(&mut self, key: Key) {
        self.lost = Some(key);
    }

    /// The key that made this transaction, or the one before it in its turn, lose against another commit.
    #[must_use]
    pub fn lost(&self) -> Option<&Key> {
        self.lost.as_ref()
    }
}
