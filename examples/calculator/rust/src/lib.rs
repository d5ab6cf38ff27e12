//! The calculator of the Python actors beside it, in Rust and in one actor: it remembers, and it shares on request.
//!
//! ```text
//! {"operation": "add", "operands": [10, 5]}                  {"result": 15.0, "operation": "add", "operation_count": 1}
//! {"operation": "add", "operands": [10, 5], "share": true}   the same, and the result is in the tuple space
//! {"operation": "get_state"}                                 {"last_operation": ..., "last_result": ..., ...}
//! {"operation": "get_history"}                               {"history": [...]}
//! {"operation": "read_result", "of": "add"}                  {"result": 15.0, "operation": "add", "from": "..."}
//! {"operation": "count_results", "of": "add"}                {"count": 1}
//! {"operation": "take_result", "of": "add"}                  as read_result, and the tuple is gone
//! {"operation": "reset"}                                     {"operation_count": 0}
//! ```
//!
//! A request that cannot be computed is answered with `{"error": "..."}`: that is an answer too, and the turn succeeds.

mod operations;

use plexspaces_sdk::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

const HISTORY_MAX: usize = 100;
const RESULT: &str = "calculator_result";

#[derive(Default, Serialize, Deserialize)]
struct Calculator {
    last_operation: Option<String>,
    last_result: f64,
    operation_count: u64,
    history: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    operation: String,
    result: f64,
}

#[derive(Deserialize)]
struct Request {
    operation: String,
    #[serde(default)]
    operands: Vec<f64>,
    #[serde(default)]
    share: bool,
    of: Option<String>,
}

impl Activation for Calculator {
    fn create(_args: &[u8]) -> Result<Self, Error> {
        Ok(Calculator::default())
    }

    fn restore(state: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(state).map_err(Error::internal)
    }
}

impl GenServer for Calculator {
    fn handle_request(
        &mut self,
        from: &str,
        _msg_type: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let reply = match serde_json::from_slice(payload) {
            Ok(request) => self.answer(from, request)?,
            Err(problem) => json!({"error": problem.to_string()}),
        };
        serde_json::to_vec(&reply).map_err(Error::internal)
    }
}

impl Snapshot for Calculator {
    fn snapshot_state(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(Error::internal)
    }
}

actor!(Calculator: Activation, GenServer, Snapshot);

impl Calculator {
    fn answer(&mut self, from: &str, request: Request) -> Result<Json, Error> {
        Ok(match request.operation.as_str() {
            "get_state" => json!(self),
            "get_history" => json!({"history": self.history}),
            "reset" => {
                *self = Calculator::default();
                json!({"operation_count": 0})
            }
            "read_result" => shown(tuplespace::read(results_of(request.of))?),
            "take_result" => shown(tuplespace::take(results_of(request.of))?),
            "count_results" => json!({"count": tuplespace::count(results_of(request.of))?}),
            operation => match operations::calculate(operation, &request.operands) {
                Ok(result) => {
                    if request.share {
                        tuplespace::write(tuple![RESULT, operation, result, from])?;
                    }
                    self.remember(operation, result);
                    json!({"result": result, "operation": operation, "operation_count": self.operation_count})
                }
                Err(problem) => json!({"error": problem}),
            },
        })
    }

    fn remember(&mut self, operation: &str, result: f64) {
        self.last_operation = Some(operation.to_owned());
        self.last_result = result;
        self.operation_count += 1;
        self.history.push(Entry {
            operation: operation.to_owned(),
            result,
        });
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
    }
}

/// The pattern of the shared results, those of one operation or of all.
fn results_of(operation: Option<String>) -> Vec<PatternField> {
    match operation {
        Some(operation) => pattern![RESULT, operation, _, _],
        None => pattern![RESULT, _, _, _],
    }
}

fn shown(found: Option<Vec<Value>>) -> Json {
    match found.as_deref() {
        Some([_, operation, result, from]) => {
            json!({"result": result.as_float(), "operation": operation.as_str(), "from": from.as_str()})
        }
        _ => json!({"result": null}),
    }
}
