//! How many messages queues have, and where the first one is: in memory, so that a send writes no counter and a receive
//! does not walk over what was removed before.
//!
//! A tally is counted once, by a scan, before the first turn of this process touches the queue; from then on it follows
//! the commits. A send keeps room with its [`Change`], which gives it back if the turn is undone. The positions are lower
//! bounds ([`Low`]): a scan from there misses nothing that is committed.

use super::low::{Line, Low};
use parking_lot::Mutex;
use plexspaces_core::{Code, Error, Result};
use plexspaces_store::Key;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// How many queues are tallied at once; those that no running turn touches are forgotten when there are more.
const TALLIES_MAX: usize = 10_000;

/// The tallies of the queues in use.
#[derive(Default)]
pub struct Tallies(Mutex<HashMap<Key, Arc<Tally>>>);

/// One queue's tally.
#[derive(Default)]
pub struct Tally {
    counted: OnceCell<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Committed messages.
    messages: u64,
    /// Messages of turns under way.
    sending: u64,
    /// Turns under way that delete the queue.
    deleting: u32,
    ready: Low,
    due: Low,
}

/// What a scan found in a queue.
pub(super) struct Counted {
    pub(super) messages: u64,
    pub(super) first_ready: Option<u64>,
    pub(super) first_due: Option<u64>,
}

impl Tallies {
    /// The tally of the queue whose messages lie below `path`.
    pub(super) async fn open<F>(
        &self,
        path: &Key,
        count: impl FnOnce() -> F + Send,
    ) -> Result<Arc<Tally>>
    where
        F: Future<Output = Result<Counted>> + Send,
    {
        let tally = {
            let mut tallies = self.0.lock();
            if tallies.len() >= TALLIES_MAX && !tallies.contains_key(path) {
                // Whoever changes a queue holds its tally until the commit is counted.
                tallies.retain(|_, tally| Arc::strong_count(tally) > 1);
            }
            tallies.entry(path.clone()).or_default().clone()
        };
        let counting = tally.counted.get_or_try_init(|| async {
            let counted = count().await?;
            let mut state = tally.state.lock();
            state.messages = counted.messages;
            state.ready.low = counted.first_ready.unwrap_or(u64::MAX);
            state.due.low = counted.first_due.unwrap_or(u64::MAX);
            Ok::<(), Error>(())
        });
        counting.await?;
        Ok(tally)
    }
}

impl State {
    fn line(&mut self, line: Line) -> &mut Low {
        match line {
            Line::Ready => &mut self.ready,
            Line::Due => &mut self.due,
        }
    }
}

impl Tally {
    /// Begins a scan. It is to start at the scan's `from`, in a snapshot that is taken after this.
    pub(super) fn scan(self: &Arc<Self>, line: Line) -> Scan {
        let (number, from) = self.state.lock().line(line).begin();
        Scan {
            tally: self.clone(),
            line,
            number,
            from,
        }
    }

    /// Committed messages.
    pub(super) fn messages(&self) -> u64 {
        self.state.lock().messages
    }
}

/// A scan under way.
pub(super) struct Scan {
    tally: Arc<Tally>,
    line: Line,
    number: u64,
    /// Nothing lies before; `u64::MAX`: nothing is there at all.
    pub(super) from: u64,
}

impl Scan {
    /// The first row that is there, if there is one.
    pub(super) fn found(&self, first: Option<u64>) {
        let mut state = self.tally.state.lock();
        let line = state.line(self.line);
        line.found(self.number, first.unwrap_or(u64::MAX));
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        let mut state = self.tally.state.lock();
        state.line(self.line).scans.remove(&self.number);
    }
}

/// What one turn makes of a queue. Dropping it gives the kept room back.
pub struct Change {
    tally: Arc<Tally>,
    sent: u64,
    taken: u64,
    deletes: bool,
    writes_ready: Option<u64>,
    writes_due: Option<u64>,
    /// The first rows that it removes: others still see them.
    pub(super) removes_ready: u64,
    pub(super) removes_due: u64,
    /// The last ticket that it received: its next receive looks behind it first.
    pub(super) after: Option<u64>,
}

impl Change {
    pub(crate) fn of(tally: &Arc<Tally>) -> Self {
        Change {
            tally: tally.clone(),
            sent: 0,
            taken: 0,
            deletes: false,
            writes_ready: None,
            writes_due: None,
            removes_ready: u64::MAX,
            removes_due: u64::MAX,
            after: None,
        }
    }

    /// Keeps room for one more message, if there are fewer than `max`.
    pub(super) fn send(&mut self, name: &str, max: u64) -> Result<()> {
        let mut state = self.tally.state.lock();
        if state.deleting > 0 && !self.deletes {
            return Err(Error::new(
                Code::Contended,
                format!("the queue {name:?} is being deleted by another turn"),
            ));
        }
        if state.messages + state.sending >= max {
            return Err(Error::new(
                Code::QueueFull,
                format!("the queue {name:?} is full with {max} messages, its maximum length"),
            ));
        }
        state.sending += 1;
        drop(state);
        self.sent += 1;
        Ok(())
    }

    /// One message leaves the queue.
    pub(super) fn take(&mut self) {
        self.taken += 1;
    }

    /// How many messages there are, as this turn sees it.
    pub(super) fn depth(&self) -> u64 {
        (self.tally.messages() + self.sent).saturating_sub(self.taken)
    }

    /// Keeps others from sending until the turn ends, unless that would lose messages: then gives how many.
    pub(super) fn close(&mut self, with_messages: bool) -> std::result::Result<(), u64> {
        let mut state = self.tally.state.lock();
        let messages = (state.messages + state.sending).saturating_sub(self.taken);
        if messages > 0 && !with_messages {
            return Err(messages);
        }
        if !self.deletes {
            self.deletes = true;
            state.deleting += 1;
        }
        Ok(())
    }

    /// A row is going to be there.
    pub(super) fn writes(&mut self, line: Line, at: u64) {
        let written = match line {
            Line::Ready => &mut self.writes_ready,
            Line::Due => &mut self.writes_due,
        };
        if written.is_some_and(|first| first <= at) {
            return;
        }
        let mut state = self.tally.state.lock();
        let line = state.line(line);
        line.write(at);
        if let Some(first) = written.replace(at) {
            line.written(first);
        }
    }

    /// The batch has committed.
    pub(crate) fn committed(mut self) {
        let mut state = self.tally.state.lock();
        state.sending -= self.sent;
        state.messages = (state.messages + self.sent).saturating_sub(self.taken);
        self.sent = 0;
        drop(state);
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut state = self.tally.state.lock();
        state.sending -= self.sent;
        state.deleting -= u32::from(self.deletes);
        if let Some(at) = self.writes_ready {
            state.ready.written(at);
        }
        if let Some(at) = self.writes_due {
            state.due.written(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Step {
        /// A turn begins to write a row here.
        Write(u64),
        Commit(usize),
        Abort(usize),
        /// Removes a committed row.
        Remove(usize),
        BeginScan,
        /// The scan takes its snapshot.
        Look(usize),
        EndScan(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u64..30).prop_map(Step::Write),
            2 => (0usize..8).prop_map(Step::Commit),
            1 => (0usize..8).prop_map(Step::Abort),
            2 => (0usize..8).prop_map(Step::Remove),
            2 => Just(Step::BeginScan),
            2 => (0usize..4).prop_map(Step::Look),
            2 => (0usize..4).prop_map(Step::EndScan),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever turns and scans come in between, no committed row ever lies before the low mark.
        #[test]
        fn nothing_lies_before_the_low_mark(steps in proptest::collection::vec(step(), 1..80)) {
            let tally = Arc::new(Tally::default());
            let mut rows = BTreeSet::new();
            let mut turns: Vec<(Change, u64)> = Vec::new();
            let mut scans: Vec<(Scan, Option<Option<u64>>)> = Vec::new();
            let pick = |n: usize, len: usize| (len > 0).then(|| n % len);
            for step in steps {
                match step {
                    Step::Write(at) => {
                        let mut change = Change::of(&tally);
                        change.writes(Line::Ready, at);
                        turns.push((change, at));
                    }
                    Step::Commit(n) => if let Some(n) = pick(n, turns.len()) {
                        let (change, at) = turns.remove(n);
                        rows.insert(at);
                        change.committed();
                    },
                    Step::Abort(n) => if let Some(n) = pick(n, turns.len()) {
                        turns.remove(n);
                    },
                    Step::Remove(n) => if let Some(n) = pick(n, rows.len()) {
                        let at = *rows.iter().nth(n).expect("there");
                        rows.remove(&at);
                    },
                    Step::BeginScan => scans.push((tally.scan(Line::Ready), None)),
                    Step::Look(n) => if let Some(n) = pick(n, scans.len()) {
                        let (scan, saw) = &mut scans[n];
                        *saw = Some(rows.range(scan.from..).next().copied());
                    },
                    Step::EndScan(n) => if let Some(n) = pick(n, scans.len())
                        && let (scan, Some(saw)) = scans.remove(n) {
                        scan.found(saw);
                    },
                }
                let low = tally.state.lock().ready.low;
                prop_assert!(rows.first().is_none_or(|first| low <= *first), "{low} is past {:?}", rows.first());
            }
            // And it is no mere zero: a quiet scan finds the very first row.
            turns.clear();
            scans.clear();
            let scan = tally.scan(Line::Ready);
            scan.found(rows.first().copied());
            let low = tally.state.lock().ready.low;
            prop_assert_eq!(low, rows.first().copied().unwrap_or(u64::MAX));
        }
    }

    #[test]
    fn room_is_kept_by_a_send_and_given_back_by_an_abort() {
        let tally = Arc::new(Tally::default());
        let mut first = Change::of(&tally);
        first.send("q", 2).expect("room");
        let mut second = Change::of(&tally);
        second.send("q", 2).expect("room");
        let full = second.send("q", 2).expect_err("full");
        assert_eq!(full.code, Code::QueueFull);
        drop(first);
        second.send("q", 2).expect("given back");
        assert_eq!(tally.messages(), 0);
        second.committed();
        assert_eq!(tally.messages(), 2);
        let mut third = Change::of(&tally);
        third.take();
        assert_eq!((third.depth(), tally.messages()), (1, 2));
        third.committed();
        assert_eq!(tally.messages(), 1);
    }

    #[test]
    fn a_queue_with_messages_under_way_is_not_empty() {
        let tally = Arc::new(Tally::default());
        let mut sender = Change::of(&tally);
        sender.send("q", 9).expect("room");
        let mut deleter = Change::of(&tally);
        assert_eq!(deleter.close(false), Err(1));
        drop(sender);
        assert_eq!(deleter.close(false), Ok(()));
        let mut late = Change::of(&tally);
        assert_eq!(
            late.send("q", 9).expect_err("too late").code,
            Code::Contended
        );
        drop(deleter);
        late.send("q", 9).expect("not deleted after all");
    }
}
