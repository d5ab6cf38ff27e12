//! One queue: its settings, and where its rows lie.

use super::low::Line;
use super::tally::{Change, Counted, Tally};
use crate::fault;
use crate::keyvalue::TTL_MS_MAX;
use crate::records::{QueueRow, decode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Order, Store};
use std::ops::Range;
use std::sync::Arc;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 512;

/// How many messages a queue may have, unless it was created with another number.
pub const LENGTH: u64 = 1_000_000;

/// How long a lease lasts, unless the queue or the call says otherwise.
pub const LEASE_MS: u64 = 30_000;

/// The longest lease: a day.
pub const LEASE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What is added to a queue's name for the queue of its dead letters, if it names none.
const DEAD: &str = "/dead";

/// The parts of a queue's rows.
const READY: u64 = 0;
const HIDDEN: u64 = 1;
const DUE: u64 = 2;
/// Marks a deleted queue whose messages are being removed.
const PURGE: u64 = 3;

/// How many rows are counted at once.
const PAGE: usize = 1_000;

/// How many rows of a deleted queue are removed at once.
pub(super) const PURGE_ROWS: usize = 1_000;

/// How a queue is to be; what is absent has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many messages it may have, delayed and leased ones included: at least 1, else [`LENGTH`].
    pub max_length: Option<u64>,
    /// How often a message is leased before it becomes a dead letter: at least 1, else without end.
    pub max_deliveries: Option<u32>,
    /// Where dead letters go; else into the queue `NAME/dead`.
    pub dead_letter_queue: Option<String>,
    /// After how many milliseconds a message that nobody received is dropped; else never.
    pub ttl_ms: Option<u64>,
    /// How long a lease lasts if the call does not say: 1 to [`LEASE_MS_MAX`] ms, else [`LEASE_MS`].
    pub lease_ms: Option<u64>,
}

impl Options {
    /// The row of a queue that is like this.
    pub(super) fn row(self, name: &str, generation: u64) -> Result<QueueRow> {
        if self.max_length == Some(0) || self.max_deliveries == Some(0) {
            return Err(invalid(
                "a maximum length, or of deliveries, is at least 1".into(),
            ));
        }
        if let Some(ttl_ms) = self.ttl_ms {
            crate::keyvalue::expires_at(ttl_ms, plexspaces_core::time::Millis(0))?;
        }
        if let Some(lease_ms) = self.lease_ms {
            check_lease(lease_ms)?;
        }
        match (&self.dead_letter_queue, self.max_deliveries) {
            (Some(_), None) => {
                return Err(invalid(format!(
                    "the queue {name:?} names a dead-letter queue, but without max-deliveries no message dies"
                )));
            }
            (Some(dead), _) if dead == name => {
                return Err(invalid(format!(
                    "the queue {name:?} cannot be its own dead-letter queue"
                )));
            }
            (Some(dead), _) => check_name(dead)?,
            (None, Some(_)) => check_name(&format!("{name}{DEAD}"))?,
            (None, None) => {}
        }
        Ok(QueueRow {
            generation,
            created: true,
            max_length: self.max_length.unwrap_or(LENGTH),
            max_deliveries: self.max_deliveries.unwrap_or(0),
            dead_letter_queue: self.dead_letter_queue.unwrap_or_default(),
            ttl_ms: self.ttl_ms.unwrap_or(0),
            lease_ms: self.lease_ms.unwrap_or(LEASE_MS),
        })
    }
}

/// A queue, as a turn finds it.
pub(super) struct Queue {
    pub(super) scope: Scope,
    pub(super) name: String,
    pub(super) row: QueueRow,
    /// What its messages' keys begin with.
    path: Path,
    tally: Arc<Tally>,
}

impl Queue {
    /// Reads the settings, guarded, and counts the messages if this is the first time.
    pub(super) async fn find(
        transaction: &mut Transaction,
        scope: &Scope,
        name: &str,
    ) -> Result<Queue> {
        let row = settings(transaction, scope, name).await?;
        let path = Path::scope(scope.tenant(), scope.namespace(), Kind::QueueMessage)
            .str(name)
            .u64(row.generation);
        let tallies = transaction.coordination().tallies.clone();
        let (store, rows) = (transaction.store().clone(), path.clone());
        let tally = tallies
            .open(&path.clone().key(), || count(store, rows))
            .await?;
        Ok(Queue {
            scope: scope.clone(),
            name: name.to_owned(),
            row,
            path,
            tally,
        })
    }

    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// What the turn makes of this queue.
    pub(super) fn change<'t>(&self, transaction: &'t mut Transaction) -> &'t mut Change {
        transaction.queue(&self.path.clone().key(), &self.tally)
    }

    pub(super) fn topic(&self) -> Key {
        topic(&self.scope, &self.name)
    }

    /// A message that can be received.
    pub(super) fn ready(&self, ticket: u64) -> Key {
        self.path.clone().u64(READY).u64(ticket).key()
    }

    /// A message that is delayed or leased.
    pub(super) fn hidden(&self, ticket: u64) -> Key {
        self.path.clone().u64(HIDDEN).u64(ticket).key()
    }

    /// When a hidden message can be received.
    pub(super) fn due(&self, at: u64, ticket: u64) -> Key {
        self.path.clone().u64(DUE).u64(at).u64(ticket).key()
    }

    /// The mark of a deleted queue.
    pub(super) fn purge(&self) -> Key {
        self.path.clone().u64(PURGE).key()
    }

    /// The rows of the deleted queue that has this mark, and the mark itself as the last one.
    pub(super) fn rows_of_mark(mark: &Key) -> Result<Range<Key>> {
        let Place {
            scope,
            queue,
            generation,
            ..
        } = Place::of(mark)?;
        let path = Path::scope(scope.tenant(), scope.namespace(), Kind::QueueMessage);
        Ok(path.str(&queue).u64(generation).range())
    }

    /// The rows of a line from a position on.
    pub(super) fn rows(&self, line: Line, from: u64) -> Range<Key> {
        let part = match line {
            Line::Ready => READY,
            Line::Due => DUE,
        };
        let part = self.path.clone().u64(part);
        part.clone().u64(from).key()..part.range().end
    }

    /// Whether a message with so many deliveries is not delivered again.
    pub(super) fn is_last(&self, deliveries: u32) -> bool {
        self.row.max_deliveries > 0 && deliveries >= self.row.max_deliveries
    }

    /// The name of the queue for its dead letters.
    pub(super) fn dead_letters(&self) -> String {
        match self.row.dead_letter_queue.as_str() {
            "" => format!("{}{DEAD}", self.name),
            named => named.to_owned(),
        }
    }
}

/// The line in which those stand who wait for a queue's messages.
#[must_use]
pub fn topic(scope: &Scope, name: &str) -> Key {
    Path::scope(scope.tenant(), scope.namespace(), Kind::Queue)
        .str(name)
        .key()
}

/// A queue's settings: its row, or the defaults.
pub(super) async fn settings(
    transaction: &mut Transaction,
    scope: &Scope,
    name: &str,
) -> Result<QueueRow> {
    check_name(name)?;
    let key = topic(scope, name);
    let row: QueueRow = match transaction.get(&key).await? {
        Some(value) => decode(&key, &value)?,
        None => QueueRow::default(),
    };
    // Also for ephemeral actors: a deletion in between would leave the message in a generation that nobody reads.
    transaction.rely_on(&key);
    if row.created {
        return Ok(row);
    }
    Ok(QueueRow {
        created: false,
        ..Options::default().row(name, row.generation)?
    })
}

async fn count(store: Arc<dyn Store>, path: Path) -> Result<Counted> {
    let snapshot = store.snapshot();
    let mut counted = Counted {
        messages: 0,
        first_ready: None,
        first_due: None,
    };
    let mut range = path.range();
    loop {
        let rows = snapshot.scan(range.clone(), PAGE, Order::Forward).await;
        let rows = rows.map_err(fault)?;
        for (key, _) in &rows {
            let at = Place::of(key)?;
            match at.part {
                READY => {
                    counted.messages += 1;
                    counted.first_ready.get_or_insert(at.first);
                }
                HIDDEN => counted.messages += 1,
                DUE => drop(counted.first_due.get_or_insert(at.first)),
                _ => {}
            }
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE => range.start = just_after(last),
            _ => return Ok(counted),
        }
    }
}

/// Where a row of a queue lies.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) scope: Scope,
    pub(super) queue: String,
    pub(super) generation: u64,
    part: u64,
    /// The ticket, or the time of a due row.
    pub(super) first: u64,
    /// The ticket of a due row.
    pub(super) second: u64,
}

impl Place {
    pub(super) fn of(key: &Key) -> Result<Place> {
        let corrupt = || Error::new(Code::Corrupt, format!("{key:?} is no row of a queue"));
        let elements = key::decode(key).map_err(|_| corrupt())?;
        let [
            Element::Str(tenant),
            Element::Str(namespace),
            _,
            Element::Str(queue),
            rest @ ..,
        ] = elements.as_slice()
        else {
            return Err(corrupt());
        };
        let number = |n: usize| rest.get(n).and_then(Element::as_u64);
        Ok(Place {
            scope: Scope::new(tenant, namespace)?,
            queue: queue.clone(),
            generation: number(0).ok_or_else(corrupt)?,
            part: number(1).ok_or_else(corrupt)?,
            first: number(2).unwrap_or(0),
            second: number(3).unwrap_or(0),
        })
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.part == HIDDEN
    }

    pub(super) fn is_purge(&self) -> bool {
        self.part == PURGE
    }
}

pub(super) fn check_name(name: &str) -> Result<()> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(());
    }
    Err(invalid(format!(
        "the queue's name has {} bytes; it must have 1 to {NAME_BYTES_MAX}",
        name.len()
    )))
}

pub(super) fn check_lease(lease_ms: u64) -> Result<()> {
    if (1..=LEASE_MS_MAX).contains(&lease_ms) {
        return Ok(());
    }
    Err(invalid(format!(
        "the lease is {lease_ms} ms; it must be 1 to {LEASE_MS_MAX}"
    )))
}

pub(super) fn check_delay(delay_ms: u64) -> Result<()> {
    if delay_ms <= TTL_MS_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "the delay is {delay_ms} ms; it must be 0 to {TTL_MS_MAX}"
    )))
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}
