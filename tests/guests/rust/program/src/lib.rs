//! Runs a program: a list of service calls, all in one turn.
//!
//! The ask (or send) `run` takes JSON: `[["keyvalue.put", "k", "v"], ["keyvalue.get", "k"]]`. The reply is the list of
//! results in the same order, `{"ok": value}` or `{"error": {"code": .., "message": ..}}`; a call that fails does not end
//! the program. Bytes are text. Each interface's calls are in the file of its name. Beside them:
//!
//! | call | arguments | does |
//! |---|---|---|
//! | `note` | text | keeps it in the actor's own state |
//! | `notes` | | the notes |
//! | `inbox` | | the messages `[from, type, payload]` that came otherwise than by `run`, and forgets them; tuples as JSON |
//! | `heard` | | how many there are, without forgetting them |
//! | `stop_actor` | id, reason | stops an actor |
//! | `repeat` | n, call | the call n times, `%` in its texts being the number; gives the last result |
//! | `fail` | text | ends the program with an error: the turn is undone |
//! | `trap` | | panics: the turn is undone and the instance is lost |

mod blob;
mod channels;
mod durability;
mod keyvalue;
mod locks;
mod messaging;
mod process_groups;
mod registry;
mod topics;
mod tuplespace;

use plexspaces_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

#[derive(Default, Serialize, Deserialize)]
struct Program {
    notes: Vec<String>,
    inbox: Vec<(String, String, String)>,
}

impl Activation for Program {
    fn create(_: &[u8]) -> Result<Self, Error> {
        Ok(Program::default())
    }

    fn restore(state: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(state).map_err(Error::invalid_argument)
    }
}

impl Snapshot for Program {
    fn snapshot_state(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(Error::invalid_argument)
    }
}

impl GenServer for Program {
    fn handle_request(&mut self, from: &str, msg_type: &str, payload: &[u8]) -> Result<Vec<u8>, Error> {
        if msg_type == "run" {
            return self.run(payload);
        }
        self.keep(from, msg_type, payload);
        Ok(Vec::new())
    }
}

impl GenEvent for Program {
    fn handle_event(&mut self, from: &str, msg_type: &str, payload: &[u8]) -> Result<(), Error> {
        if msg_type == "run" {
            self.run(payload)?;
        } else {
            self.keep(from, msg_type, payload);
        }
        Ok(())
    }
}

/// The reason may be a program, which runs as the last turn.
impl Termination for Program {
    fn terminate(&mut self, reason: &str) -> Result<(), Error> {
        if reason.starts_with('[') {
            self.run(reason.as_bytes())?;
        }
        Ok(())
    }
}

impl Program {
    fn keep(&mut self, from: &str, msg_type: &str, payload: &[u8]) {
        let payload = match Event::of(msg_type) {
            Event::Tuple { .. } => tuplespace::text_of(payload),
            _ => String::from_utf8_lossy(payload).into_owned(),
        };
        self.inbox.push((from.to_owned(), msg_type.to_owned(), payload));
    }

    fn run(&mut self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let calls: Vec<Vec<Json>> = serde_json::from_slice(payload).map_err(Error::invalid_argument)?;
        let mut results = Vec::new();
        for call in calls {
            let arguments = Arguments(&call[1..]);
            let done = match call[0].as_str() {
                Some("fail") => return Err(Error::failed_precondition(arguments.text(0)?)),
                Some(operation) => self.call(operation, &arguments),
                None => return Err(Error::invalid_argument("a call begins with its name")),
            };
            results.push(match done {
                Ok(value) => json!({ "ok": value }),
                Err(error) => json!({ "error": {
                    "code": format!("{:?}", error.code),
                    "message": error.message,
                } }),
            });
        }
        serde_json::to_vec(&results).map_err(Error::invalid_argument)
    }

    fn call(&mut self, operation: &str, arguments: &Arguments<'_>) -> Result<Json, Error> {
        match operation {
            "note" => {
                self.notes.push(arguments.text(0)?.to_owned());
                Ok(Json::Null)
            }
            "notes" => Ok(json!(self.notes)),
            "inbox" => Ok(json!(std::mem::take(&mut self.inbox))),
            "stop_actor" => Ok(json!(plexspaces_sdk::messaging::stop(arguments.text(0)?, arguments.text(1)?)?)),
            "heard" => Ok(json!(self.inbox.len())),
            "repeat" => self.repeat(arguments),
            "trap" => panic!("a trap, as asked"),
            _ => match operation.split_once('.') {
                Some(("durability", function)) => durability::call(function, arguments),
                Some(("process_groups", function)) => process_groups::call(function, arguments),
                Some(("blob", function)) => blob::call(function, arguments),
                Some(("channels", function)) => channels::call(function, arguments),
                Some(("locks", function)) => locks::call(function, arguments),
                Some(("keyvalue", function)) => keyvalue::call(function, arguments),
                Some(("messaging", function)) => messaging::call(function, arguments),
                Some(("registry", function)) => registry::call(function, arguments),
                Some(("tuplespace", function)) => tuplespace::call(function, arguments),
                _ => Err(unknown(operation)),
            },
        }
    }

    fn repeat(&mut self, arguments: &Arguments<'_>) -> Result<Json, Error> {
        let mut last = Json::Null;
        let call = arguments.0[1].as_array().ok_or_else(|| Error::invalid_argument("repeat what?"))?;
        for n in 0..arguments.unsigned(0)? {
            let call: Vec<Json> = call.iter().map(|argument| numbered(argument, n)).collect();
            let operation = call[0].as_str().unwrap_or_default();
            last = self.call(operation, &Arguments(&call[1..]))?;
        }
        Ok(last)
    }
}

fn numbered(argument: &Json, n: u64) -> Json {
    match argument {
        Json::String(text) => Json::String(text.replace('%', &n.to_string())),
        Json::Array(items) => items.iter().map(|item| numbered(item, n)).collect(),
        other => other.clone(),
    }
}

/// A call's arguments.
struct Arguments<'a>(&'a [Json]);

impl Arguments<'_> {
    fn get(&self, n: usize) -> &Json {
        self.0.get(n).unwrap_or(&Json::Null)
    }

    fn text(&self, n: usize) -> Result<&str, Error> {
        self.get(n).as_str().ok_or_else(|| wrong(n, "a text"))
    }

    fn optional_text(&self, n: usize) -> Option<&str> {
        self.get(n).as_str()
    }

    fn unsigned(&self, n: usize) -> Result<u64, Error> {
        self.get(n).as_u64().ok_or_else(|| wrong(n, "an unsigned number"))
    }

    fn signed(&self, n: usize) -> Result<i64, Error> {
        self.get(n).as_i64().ok_or_else(|| wrong(n, "a number"))
    }

    fn list(&self, n: usize) -> Result<&[Json], Error> {
        self.get(n).as_array().map(Vec::as_slice).ok_or_else(|| wrong(n, "a list"))
    }

    fn milliseconds(&self, n: usize) -> Result<std::time::Duration, Error> {
        self.unsigned(n).map(std::time::Duration::from_millis)
    }
}

fn wrong(n: usize, wanted: &str) -> Error {
    Error::invalid_argument(format!("argument {n} of the test's call is not {wanted}"))
}

fn unknown(operation: &str) -> Error {
    Error::invalid_argument(format!("the test guest has no call {operation:?}"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

actor!(Program: Activation, GenServer, GenEvent, Snapshot, Termination);
