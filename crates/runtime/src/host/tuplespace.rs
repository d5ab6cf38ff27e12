//! `tuplespace`: tuples in and out of the turn's transaction.

use super::waiting::{Gets, wait_for};
use super::{Call, HostState, journaled, scope, to_wit};
use crate::bindings::plexspaces::actor::tuplespace::{Host, PatternField as WitField};
use crate::bindings::wit::{self, Context, Value as WitValue};
use crate::outside::{Attempt, Tried, Wait};
use crate::turn::{Arguments, Turn};
use async_trait::async_trait;
use plexspaces_core::Scope;
use plexspaces_core::value::{Pattern, PatternField, Tuple, Value, ValueType};
use plexspaces_services::{records, tuplespace, watches};
use std::time::Duration;

impl Host for HostState {
    fn write(&mut self, context: Context, fields: Vec<WitValue>) -> Call<()> {
        let scope = scope!(self, context);
        let tuple: Tuple = fields.into_iter().map(from_wit).collect();
        let arguments = Arguments::new()
            .record(&records::Tuple::from(&tuple))
            .digest();
        journaled!(self, "tuplespace.write", All, arguments, |turn| {
            let id = turn.fresh_id();
            tuplespace::write(&mut turn.transaction, &scope, tuple, id, None)
        })
    }

    fn write_with_ttl(&mut self, context: Context, fields: Vec<WitValue>, ttl: u64) -> Call<()> {
        let scope = scope!(self, context);
        let tuple: Tuple = fields.into_iter().map(from_wit).collect();
        let arguments = Arguments::new()
            .record(&records::Tuple::from(&tuple))
            .number(ttl)
            .digest();
        journaled!(self, "tuplespace.write-with-ttl", All, arguments, |turn| {
            let (id, now) = (turn.fresh_id(), turn.time());
            tuplespace::write(&mut turn.transaction, &scope, tuple, id, Some((ttl, now)))
        })
    }

    async fn read(
        &mut self,
        context: Context,
        pattern: Vec<WitField>,
    ) -> Call<Option<Vec<WitValue>>> {
        let scope = scope!(self, context);
        let (pattern, arguments) = asked(pattern);
        journaled!(self, "tuplespace.read", Read, arguments, |turn| {
            let now = turn.time();
            tuplespace::read(&mut turn.transaction, &scope, pattern, now)
                .await
                .map(|found| found.map(tuple_to_wit))
        })
    }

    async fn take(
        &mut self,
        context: Context,
        pattern: Vec<WitField>,
    ) -> Call<Option<Vec<WitValue>>> {
        let scope = scope!(self, context);
        let (pattern, arguments) = asked(pattern);
        journaled!(self, "tuplespace.take", All, arguments, |turn| {
            let now = turn.time();
            tuplespace::take(&mut turn.transaction, &scope, pattern, now)
                .await
                .map(|found| found.map(tuple_to_wit))
        })
    }

    async fn read_blocking(
        &mut self,
        context: Context,
        pattern: Vec<WitField>,
        timeout: u64,
    ) -> Call<Option<Vec<WitValue>>> {
        let scope = scope!(self, context);
        self.wait_for_tuple("tuplespace.read-blocking", scope, pattern, timeout, false)
            .await
    }

    async fn take_blocking(
        &mut self,
        context: Context,
        pattern: Vec<WitField>,
        timeout: u64,
    ) -> Call<Option<Vec<WitValue>>> {
        let scope = scope!(self, context);
        self.wait_for_tuple("tuplespace.take-blocking", scope, pattern, timeout, true)
            .await
    }

    async fn read_all(
        &mut self,
        context: Context,
        pattern: Vec<WitField>,
    ) -> Call<Vec<Vec<WitValue>>> {
        let scope = scope!(self, context);
        let (pattern, arguments) = asked(pattern);
        journaled!(self, "tuplespace.read-all", Read, arguments, |turn| {
            let (now, bytes_max) = (turn.time(), turn.bytes_max);
            tuplespace::read_all(&mut turn.transaction, &scope, pattern, now, bytes_max)
                .await
                .map(|found| found.into_iter().map(tuple_to_wit).collect())
        })
    }

    async fn count(&mut self, context: Context, pattern: Vec<WitField>) -> Call<u32> {
        let scope = scope!(self, context);
        let (pattern, arguments) = asked(pattern);
        journaled!(self, "tuplespace.count", Read, arguments, |turn| {
            let now = turn.time();
            tuplespace::count(&mut turn.transaction, &scope, pattern, now).await
        })
    }

    async fn subscribe(&mut self, context: Context, pattern: Vec<WitField>) -> Call<String> {
        let scope = scope!(self, context);
        let (pattern, digest) = asked(pattern);
        let arguments = Arguments::new().scope(&scope).number(digest).digest();
        journaled!(self, "tuplespace.subscribe", All, arguments, |turn| {
            let (actor, id) = (turn.actor.clone(), turn.fresh_id());
            watches::subscribe(&mut turn.transaction, &scope, &actor, pattern, id).await
        })
    }

    async fn unsubscribe(&mut self, context: Context, id: String) -> Call<()> {
        let scope = scope!(self, context);
        let arguments = Arguments::new().scope(&scope).text(&id).digest();
        journaled!(self, "tuplespace.unsubscribe", All, arguments, |turn| {
            let actor = turn.actor.clone();
            watches::unsubscribe(&mut turn.transaction, &scope, &actor, &id).await
        })
    }

    fn received(&mut self, payload: Vec<u8>) -> Call<Vec<WitValue>> {
        // It depends on nothing but its argument, so there is nothing to journal.
        Ok(watches::received(&payload)
            .map(tuple_to_wit)
            .map_err(to_wit))
    }
}

impl HostState {
    async fn wait_for_tuple(
        &mut self,
        operation: &'static str,
        scope: Scope,
        pattern: Vec<WitField>,
        timeout: u64,
        takes: bool,
    ) -> Call<Option<Vec<WitValue>>> {
        let (pattern, digest) = asked(pattern);
        let wants = match tuplespace::wants(&pattern) {
            Ok(wants) => takes.then_some(wants),
            Err(error) => return Ok(Err(to_wit(error))),
        };
        let wait = Wait {
            operation,
            arguments: Arguments::new().number(digest).number(timeout).digest(),
            timeout: Duration::from_millis(timeout),
            topic: tuplespace::topic(&scope, pattern.len()),
            wants,
        };
        let attempt = ForTuple {
            scope,
            pattern,
            takes,
            found: None,
        };
        wait_for(self, wait, attempt).await
    }
}

/// Looks for a tuple, for one who waits for it.
struct ForTuple {
    scope: Scope,
    pattern: Pattern,
    takes: bool,
    found: Option<Tuple>,
}

#[async_trait]
impl Attempt for ForTuple {
    async fn attempt(&mut self, turn: &mut Turn) -> plexspaces_core::Result<Tried> {
        let (now, pattern) = (turn.time(), self.pattern.clone());
        let transaction = &mut turn.transaction;
        self.found = if self.takes {
            tuplespace::take(transaction, &self.scope, pattern, now).await?
        } else {
            tuplespace::read(transaction, &self.scope, pattern, now).await?
        };
        Ok(match self.found {
            Some(_) => Tried::Done,
            // The next one may wait for another pattern.
            None => Tried::NotYet {
                again: None,
                pass_on: true,
            },
        })
    }
}

impl Gets<Option<Vec<WitValue>>> for ForTuple {
    fn got(self) -> Option<Vec<WitValue>> {
        self.found.map(tuple_to_wit)
    }
}

/// The pattern in the words of `core`, and the digest of it.
fn asked(pattern: Vec<WitField>) -> (Pattern, u64) {
    let pattern: Pattern = pattern.into_iter().map(field_from_wit).collect();
    let mut arguments = Arguments::new();
    for field in &pattern {
        let value = |v: &Option<Value>| records::Tuple {
            fields: v.iter().map(records::Value::from).collect(),
            expires_ms: 0,
        };
        arguments = match field {
            PatternField::Exact(exact) => arguments.number(0).record(&records::Value::from(exact)),
            PatternField::Any => arguments.number(1),
            PatternField::Typed(kind) => arguments.number(2).number(*kind as u64),
            PatternField::Range(min, max) => {
                arguments.number(3).record(&value(min)).record(&value(max))
            }
            PatternField::Prefix(prefix) => arguments.number(4).text(prefix),
        };
    }
    (pattern, arguments.digest())
}

pub(super) fn from_wit(value: WitValue) -> Value {
    match value {
        WitValue::StringVal(s) => Value::String(s),
        WitValue::IntVal(i) => Value::Int(i),
        WitValue::FloatVal(f) => Value::Float(f),
        WitValue::BytesVal(b) => Value::Bytes(b),
        WitValue::BoolVal(b) => Value::Bool(b),
        WitValue::NullVal => Value::Null,
    }
}

fn to_wit_value(value: Value) -> WitValue {
    match value {
        Value::String(s) => WitValue::StringVal(s),
        Value::Int(i) => WitValue::IntVal(i),
        Value::Float(f) => WitValue::FloatVal(f),
        Value::Bytes(b) => WitValue::BytesVal(b),
        Value::Bool(b) => WitValue::BoolVal(b),
        Value::Null => WitValue::NullVal,
    }
}

pub(super) fn tuple_to_wit(tuple: Tuple) -> Vec<WitValue> {
    tuple.into_iter().map(to_wit_value).collect()
}

fn field_from_wit(field: WitField) -> PatternField {
    match field {
        WitField::Exact(value) => PatternField::Exact(from_wit(value)),
        WitField::Any => PatternField::Any,
        WitField::Typed(kind) => PatternField::Typed(match kind {
            wit::ValueType::StringType => ValueType::String,
            wit::ValueType::IntType => ValueType::Int,
            wit::ValueType::FloatType => ValueType::Float,
            wit::ValueType::BytesType => ValueType::Bytes,
            wit::ValueType::BoolType => ValueType::Bool,
            wit::ValueType::NullType => ValueType::Null,
        }),
        WitField::Range(range) => {
            PatternField::Range(range.min.map(from_wit), range.max.map(from_wit))
        }
        WitField::Prefix(prefix) => PatternField::Prefix(prefix),
    }
}
