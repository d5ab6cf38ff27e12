//! Which message is next: the one with the lowest ticket of those that can be received now.
//!
//! Two lines are merged: the ready messages, and the hidden ones whose delay or lease is over. What another turn has
//! reserved is passed over, and so are as many messages as others stand in line for.

use super::low::Line;
use super::queue::{Place, Queue};
use crate::records::{QueueMessageRow, decode};
use crate::scopes::just_after;
use crate::transaction::Transaction;
use bytes::Bytes;
use plexspaces_core::Result;
use plexspaces_core::time::Millis;
use plexspaces_store::Key;
use std::collections::VecDeque;
use std::ops::Range;

/// How many rows are read at first, and then at once.
const FIRST_PAGE: usize = 4;
const PAGE: usize = 64;

/// What there is for a receiver.
pub(super) enum Next {
    /// This message, which is reserved now.
    Message(Message),
    /// Nothing, perhaps until a delay or a lease ends.
    Nothing { again: Option<Millis> },
}

/// A reserved message.
pub(super) struct Message {
    pub(super) ticket: u64,
    pub(super) row: QueueMessageRow,
    /// The row's key, and whether it is a hidden one.
    pub(super) key: Key,
    pub(super) hidden: bool,
}

/// Reserves the next message for this turn.
pub(super) async fn next(
    transaction: &mut Transaction,
    queue: &Queue,
    now: Millis,
) -> Result<Next> {
    let ahead = transaction.ahead(&queue.topic());
    if ahead > 0 && transaction.is_in_line() {
        // Whoever is before looks for both, and passes the word on.
        return Ok(Next::Nothing { again: None });
    }
    let after = queue.change(transaction).after.take();
    let mut found = look(transaction, queue, now, ahead, after).await?;
    if after.is_some() && matches!(found, Next::Nothing { .. }) {
        found = look(transaction, queue, now, ahead, None).await?;
    }
    if let Next::Message(message) = &found {
        let after = (!message.hidden).then_some(message.ticket);
        queue.change(transaction).after = after;
    }
    Ok(found)
}

async fn look(
    transaction: &mut Transaction,
    queue: &Queue,
    now: Millis,
    mut left_to_others: usize,
    after: Option<u64>,
) -> Result<Next> {
    let mut due = DueRows::new(queue, now);
    let mut ready = ReadyRows::new(queue, after);
    loop {
        due.fill(transaction).await?;
        ready.fill(transaction).await?;
        let due_first = match (due.head(), ready.head()) {
            (Some(due), Some(ready)) => due < ready,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => {
                let again = due.again(transaction).await?;
                return Ok(Next::Nothing { again });
            }
        };
        let candidate = if due_first { due.pop() } else { ready.pop() };
        let Some(candidate) = candidate else { continue };
        let key = match candidate.due_at {
            Some(_) => queue.hidden(candidate.ticket),
            None => queue.ready(candidate.ticket),
        };
        let expired = candidate.expires_ms > 0 && candidate.expires_ms <= now.0;
        if expired || transaction.is_reserved(&key) {
            continue;
        }
        if left_to_others > 0 {
            left_to_others -= 1;
            continue;
        }
        let still = candidate.due_at.unwrap_or(0);
        let as_seen = |value: Option<&Bytes>| {
            let Some(value) = value else { return Ok(false) };
            let row: QueueMessageRow = decode(&key, value)?;
            Ok(row.hidden_until_ms == still)
        };
        if let Some(Some(value)) = transaction.latest_if(&key, as_seen).await? {
            return Ok(Next::Message(Message {
                ticket: candidate.ticket,
                row: decode(&key, &value)?,
                hidden: candidate.due_at.is_some(),
                key,
            }));
        }
    }
}

/// A message that a scan found.
struct Candidate {
    ticket: u64,
    expires_ms: u64,
    /// When it was to come back, if it is hidden.
    due_at: Option<u64>,
}

/// The ready messages by ticket, page by page.
struct ReadyRows<'q> {
    queue: &'q Queue,
    buffer: VecDeque<Candidate>,
    next: Option<Range<Key>>,
    after: Option<u64>,
    page: usize,
}

impl<'q> ReadyRows<'q> {
    fn new(queue: &'q Queue, after: Option<u64>) -> Self {
        ReadyRows {
            queue,
            buffer: VecDeque::new(),
            next: None,
            after,
            page: 0,
        }
    }

    fn head(&self) -> Option<u64> {
        self.buffer.front().map(|candidate| candidate.ticket)
    }

    fn pop(&mut self) -> Option<Candidate> {
        self.buffer.pop_front()
    }

    async fn fill(&mut self, transaction: &mut Transaction) -> Result<()> {
        let mut scan = None;
        let range = match (self.page, self.after) {
            _ if !self.buffer.is_empty() => return Ok(()),
            (0, Some(after)) => self.queue.rows(Line::Ready, after + 1),
            (0, None) => {
                let begun = self.queue.tally().scan(Line::Ready);
                let from = begun.from;
                scan = Some(begun);
                if from == u64::MAX {
                    self.page = PAGE;
                    return Ok(());
                }
                self.queue.rows(Line::Ready, from)
            }
            _ => match self.next.take() {
                Some(range) => range,
                None => return Ok(()),
            },
        };
        self.page = if self.page == 0 { FIRST_PAGE } else { PAGE };
        let rows = transaction.scan_latest(range.clone(), self.page).await?;
        for (key, value) in &rows {
            let row: QueueMessageRow = decode(key, value)?;
            self.buffer.push_back(Candidate {
                ticket: Place::of(key)?.first,
                expires_ms: row.expires_ms,
                due_at: None,
            });
        }
        if let Some(scan) = scan {
            let removed = self.queue.change(transaction).removes_ready;
            scan.found(Some(self.head().unwrap_or(u64::MAX).min(removed)));
        }
        if let Some((last, _)) = rows.last()
            && rows.len() == self.page
        {
            self.next = Some(just_after(last)..range.end);
        }
        Ok(())
    }
}

/// The hidden messages whose time is over, a page at a time by when that was, each page by ticket.
struct DueRows<'q> {
    queue: &'q Queue,
    now: Millis,
    buffer: VecDeque<Candidate>,
    next: Option<Range<Key>>,
    began: bool,
}

impl<'q> DueRows<'q> {
    fn new(queue: &'q Queue, now: Millis) -> Self {
        DueRows {
            queue,
            now,
            buffer: VecDeque::new(),
            next: None,
            began: false,
        }
    }

    fn head(&self) -> Option<u64> {
        self.buffer.front().map(|candidate| candidate.ticket)
    }

    fn pop(&mut self) -> Option<Candidate> {
        self.buffer.pop_front()
    }

    async fn fill(&mut self, transaction: &mut Transaction) -> Result<()> {
        if !self.buffer.is_empty() {
            return Ok(());
        }
        let mut scan = None;
        let range = if self.began {
            match self.next.take() {
                Some(range) => range,
                None => return Ok(()),
            }
        } else {
            self.began = true;
            let begun = self.queue.tally().scan(Line::Due);
            let from = begun.from;
            scan = Some(begun);
            if from > self.now.0 {
                // Nothing is due. What comes later is not looked at: leases that were acknowledged early have left
                // their traces there.
                return Ok(());
            }
            self.queue.rows(Line::Due, from).start..self.later().start
        };
        let rows = transaction.scan_latest(range.clone(), PAGE).await?;
        let mut found = Vec::new();
        for (key, value) in &rows {
            let place = Place::of(key)?;
            found.push(Candidate {
                ticket: place.second,
                expires_ms: expires_ms(value),
                due_at: Some(place.first),
            });
        }
        if let Some(scan) = scan {
            let first = found.first().and_then(|candidate| candidate.due_at);
            let removed = self.queue.change(transaction).removes_due;
            scan.found(Some(first.unwrap_or(self.now.0 + 1).min(removed)));
        }
        if let Some((last, _)) = rows.last()
            && rows.len() == PAGE
        {
            self.next = Some(just_after(last)..range.end);
        }
        found.sort_unstable_by_key(|candidate| candidate.ticket);
        self.buffer = found.into();
        Ok(())
    }

    /// The rows that are due after now.
    fn later(&self) -> Range<Key> {
        self.queue.rows(Line::Due, self.now.0 + 1)
    }

    /// When the next hidden message is due.
    async fn again(&self, transaction: &mut Transaction) -> Result<Option<Millis>> {
        let scan = self.queue.tally().scan(Line::Due);
        let range = match scan.from {
            u64::MAX => return Ok(None),
            from if from > self.now.0 => self.queue.rows(Line::Due, from),
            _ => self.later(),
        };
        let rows = transaction.scan_latest(range, 1).await?;
        let first = match rows.first() {
            Some((key, _)) => Some(Place::of(key)?.first),
            None => None,
        };
        if scan.from > self.now.0 {
            let removed = self.queue.change(transaction).removes_due;
            scan.found(Some(first.unwrap_or(u64::MAX).min(removed)));
        }
        Ok(first.map(Millis))
    }
}

/// A due row says when its message expires: 8 bytes, big-endian; 0 = never.
pub(super) fn due_value(expires_ms: u64) -> Bytes {
    Bytes::copy_from_slice(&expires_ms.to_be_bytes())
}

fn expires_ms(value: &Bytes) -> u64 {
    <[u8; 8]>::try_from(value.as_ref()).map_or(0, u64::from_be_bytes)
}
