//! What the guest `program`'s actors have committed, in the order of the commits, and whether that explains itself.

use super::{Machine, scope};
use plexspaces_services::journal;
use plexspaces_services::records::{HostCall, Segment, Tuples, host_call};
use plexspaces_services::scopes::each_actor_row;
use plexspaces_store::key::Kind;
use plexspaces_store::{Key, Store};
use prost::Message as _;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};

/// An ask that a client saw succeed: it began after everything that ended with a lower number.
pub struct Ask {
    pub id: String,
    pub began: u64,
    pub ended: u64,
}

/// The committed segments of all actors.
#[derive(Clone, Default)]
pub struct History {
    segments: Vec<Committed>,
}

#[derive(Clone)]
struct Committed {
    version: u64,
    /// The id that the program noted.
    id: String,
    /// The program's calls of this segment, with their recorded results.
    calls: Vec<(Json, HostCall)>,
}

/// What a history that explains itself leaves.
#[derive(Debug)]
pub struct Checked {
    pub state: State,
    pub segments: usize,
    pub reads: usize,
}

/// The model: values by key, a bag of tuples, a bag of a queue's messages.
#[derive(Debug, Default)]
pub struct State {
    values: HashMap<String, String>,
    tuples: BTreeMap<String, usize>,
    messages: BTreeMap<String, usize>,
}

impl State {
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    pub fn tuples(&self) -> Vec<String> {
        listed(&self.tuples)
    }

    /// What is in the queue, sorted.
    pub fn messages(&self) -> Vec<String> {
        listed(&self.messages)
    }
}

impl History {
    /// Reads all turns that the actors of the type `program` have committed.
    pub async fn read(node: &Machine) -> History {
        let snapshot = node.disk.snapshot();
        let mut actors = Vec::new();
        let add = |_: Key, id, _| {
            actors.push(id);
            Ok(())
        };
        each_actor_row(snapshot.as_ref(), &scope(), Kind::Actor, add)
            .await
            .expect("readable");
        let mut history = History::default();
        for actor in actors {
            let turns = journal::turns(snapshot.as_ref(), &actor, 0)
                .await
                .expect("readable");
            for turn in turns {
                let mut calls = calls_of(&turn.segments[0]).into_iter();
                let Some(note) = calls.next() else {
                    continue;
                };
                let id = note[1].as_str().expect("a text").to_owned();
                for (n, segment) in turn.segments.iter().enumerate() {
                    let key = journal::segment_key(&actor, turn.sequence, n as u64);
                    let row = snapshot.get(&key).await.expect("readable").expect("there");
                    let recorded = segment.calls.iter().cloned();
                    let calls =
                        recorded.map(|done| (calls.next().expect("a call for each record"), done));
                    history.segments.push(Committed {
                        version: row.version.0,
                        id: id.clone(),
                        calls: calls.collect(),
                    });
                }
            }
        }
        history.segments.sort_by_key(|segment| segment.version);
        history
    }

    /// Exchanges two segments, to see that the checker notices.
    pub fn swap(&mut self, a: usize, b: usize) {
        self.segments.swap(a, b);
    }

    /// Repeats the last segment, to see that the checker notices.
    pub fn repeat_last(&mut self) {
        self.segments.extend(self.segments.last().cloned());
    }

    /// Runs the calls in the order of the commits, and compares.
    pub fn check(&self, asks: &[Ask]) -> Result<Checked, String> {
        let mut state = State::default();
        let mut reads = 0;
        for segment in &self.segments {
            let held = changes(segment);
            for (call, done) in &segment.calls {
                let Some(host_call::Result::Ok(result)) = &done.result else {
                    // It was refused, for instance because another turn held its key: nothing happened.
                    continue;
                };
                let explained = apply(&mut state, call, result, held);
                reads += explained.map_err(|expected| {
                    format!(
                        "{call} in {} (commit {}) gave {result:?}, but the history before it explains only {expected}.\n{}",
                        segment.id,
                        segment.version,
                        self.around(segment)
                    )
                })?;
            }
        }
        self.check_real_time(asks)?;
        Ok(Checked {
            state,
            segments: self.segments.len(),
            reads,
        })
    }

    /// The segments before one, for whoever has to find the fault.
    fn around(&self, last: &Committed) -> String {
        let before = self
            .segments
            .iter()
            .filter(|segment| segment.version <= last.version);
        let near = before.skip_while(|segment| segment.version + 40 < last.version);
        let line = |segment: &Committed| {
            let calls = segment
                .calls
                .iter()
                .map(|(call, done)| format!("{call} -> {:?}", done.result));
            format!(
                "commit {} {}: {}",
                segment.version,
                segment.id,
                calls.collect::<Vec<_>>().join("; ")
            )
        };
        near.map(line).collect::<Vec<_>>().join("\n")
    }

    /// What ended before another began is committed before it.
    fn check_real_time(&self, asks: &[Ask]) -> Result<(), String> {
        let mut commits: HashMap<&str, (u64, u64)> = HashMap::new();
        for segment in &self.segments {
            let span = commits
                .entry(&segment.id)
                .or_insert((segment.version, segment.version));
            span.1 = span.1.max(segment.version);
        }
        let mut events = Vec::new();
        for ask in asks {
            let Some((first, last)) = commits.get(ask.id.as_str()) else {
                return Err(format!("{} was answered and is not in the history", ask.id));
            };
            events.push((ask.began, None, *first, &ask.id));
            events.push((ask.ended, Some(*last), 0, &ask.id));
        }
        events.sort();
        let mut ended = (0, "");
        for (_, end, first, id) in events {
            match end {
                Some(last) => ended = ended.max((last, id)),
                None if first <= ended.0 => {
                    return Err(format!(
                        "{id} began after {} had ended, and is committed before it",
                        ended.1
                    ));
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn listed(bag: &BTreeMap<String, usize>) -> Vec<String> {
    let repeated = |(item, n): (&String, &usize)| std::iter::repeat_n(item.clone(), *n);
    bag.iter().flat_map(repeated).collect()
}

fn calls_of(first: &Segment) -> Vec<Json> {
    let Some(message) = first
        .message
        .as_ref()
        .filter(|message| message.msg_type == "run")
    else {
        return Vec::new();
    };
    serde_json::from_slice(&message.payload).expect("a program")
}

/// Whether the segment's batch has a change for sure, so that what it read key by key had to hold at its commit.
fn changes(segment: &Committed) -> bool {
    let mut written = Vec::new();
    let mut changed = false;
    for (call, done) in &segment.calls {
        let Some(host_call::Result::Ok(result)) = &done.result else {
            continue;
        };
        match call[0].as_str().expect("a name") {
            "keyvalue.put" | "keyvalue.delete" | "keyvalue.increment" => changed = true,
            "keyvalue.compare_and_swap" => changed |= result.as_ref() == [1],
            "tuplespace.write" => written.push(call[1].to_string()),
            "tuplespace.write_with_ttl" => changed = true,
            // What a segment sends and receives itself may be in no batch: not counted.
            "channels.send_to_queue" | "channels.receive_from_queue" => {}
            "tuplespace.take" | "tuplespace.take_blocking" => {
                if let Some(taken) = tuple(result) {
                    // What a segment writes and takes itself is in no batch.
                    match written.iter().position(|tuple| *tuple == taken) {
                        Some(own) => drop(written.remove(own)),
                        None => changed = true,
                    }
                }
            }
            _ => {}
        }
    }
    changed || !written.is_empty()
}

/// Runs one call on the model. Gives how many reads it explained, or what it would have explained.
fn apply(state: &mut State, call: &Json, result: &[u8], held: bool) -> Result<usize, String> {
    let text = |n: usize| call[n].as_str().expect("a text").to_owned();
    let found = || state.values.get(call[1].as_str().unwrap_or_default());
    let optional = |value: Option<&String>| match value {
        Some(value) => [&[1], value.as_bytes()].concat(),
        None => vec![0],
    };
    let expect = |expected: Vec<u8>| {
        if !held {
            // Of an earlier moment, perhaps.
            return Ok(0);
        }
        if expected == result {
            Ok(1)
        } else {
            Err(format!("{expected:?}"))
        }
    };
    match call[0].as_str().expect("a name") {
        "keyvalue.get" => expect(optional(found())),
        "keyvalue.exists" => expect(vec![u8::from(found().is_some())]),
        "keyvalue.put" => {
            state.values.insert(text(1), text(2));
            Ok(0)
        }
        "keyvalue.delete" => {
            state.values.remove(&text(1));
            Ok(0)
        }
        "keyvalue.increment" => {
            let before: i64 = found().map_or(0, |value| value.parse().expect("a number"));
            let sum = before + call[2].as_i64().expect("a number");
            state.values.insert(text(1), sum.to_string());
            if sum.to_be_bytes() == result {
                Ok(1)
            } else {
                Err(sum.to_string())
            }
        }
        "keyvalue.compare_and_swap" => {
            let fits = found().map(String::as_str) == call[2].as_str();
            if fits && result == [1] {
                state.values.insert(text(1), text(3));
                return Ok(1);
            }
            if result == [1] {
                return Err("false".into());
            }
            expect(vec![u8::from(fits)])
        }
        "tuplespace.write" => {
            *state.tuples.entry(call[1].to_string()).or_default() += 1;
            Ok(0)
        }
        "tuplespace.write_with_ttl" => Ok(0),
        "channels.send_to_queue" => {
            *state.messages.entry(text(2)).or_default() += 1;
            Ok(0)
        }
        "channels.receive_from_queue" => {
            let Some((1, message)) = result.split_first() else {
                return Ok(0);
            };
            let message = String::from_utf8_lossy(message).into_owned();
            take_from(&mut state.messages, &message)
        }
        "tuplespace.take" | "tuplespace.take_blocking" => {
            let Some(taken) = tuple(result) else {
                // A candidate may have been reserved, or not yet there.
                return Ok(0);
            };
            take_from(&mut state.tuples, &taken)
        }
        other => panic!("the checker does not know {other}"),
    }
}

fn take_from(bag: &mut BTreeMap<String, usize>, taken: &str) -> Result<usize, String> {
    match bag.get_mut(taken) {
        Some(n) if *n > 0 => {
            *n -= 1;
            Ok(1)
        }
        _ => Err(format!("that {taken} is not there")),
    }
}

/// The tuple that a take gave, as its JSON.
fn tuple(result: &[u8]) -> Option<String> {
    use plexspaces_services::records::value::Kind as Field;
    let tuple = Tuples::decode(result).expect("tuples").tuples.pop()?;
    let fields = tuple.fields.into_iter().map(|field| match field.kind {
        Some(Field::String(text)) => json!(text),
        Some(Field::Int(number)) => json!(number),
        other => panic!("an unexpected field {other:?}"),
    });
    Some(fields.collect::<Json>().to_string())
}
