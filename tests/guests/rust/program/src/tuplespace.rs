//! `tuplespace.*`: fields are JSON values; in patterns `"*"` is any field and `"a*"` a prefix.

use crate::{Arguments, unknown, wrong};
use plexspaces_sdk::prelude::*;
use serde_json::{Value as Json, json};

pub fn call(function: &str, a: &Arguments<'_>) -> Result<Json, Error> {
    Ok(match function {
        "write" => json!(tuplespace::write(fields(a)?)?),
        "write_with_ttl" => json!(tuplespace::write_with_ttl(fields(a)?, a.milliseconds(1)?)?),
        "read" => found(tuplespace::read(pattern(a)?)?),
        "take" => found(tuplespace::take(pattern(a)?)?),
        "read_blocking" => found(tuplespace::read_blocking(pattern(a)?, a.milliseconds(1)?)?),
        "take_blocking" => found(tuplespace::take_blocking(pattern(a)?, a.milliseconds(1)?)?),
        "read_all" => tuplespace::read_all(pattern(a)?)?.into_iter().map(|tuple| found(Some(tuple))).collect(),
        "count" => json!(tuplespace::count(pattern(a)?)?),
        "subscribe" => json!(tuplespace::subscribe(pattern(a)?)?),
        "unsubscribe" => json!(tuplespace::unsubscribe(a.text(0)?)?),
        "received" => found(Some(tuplespace::received(a.text(0)?.as_bytes())?)),
        _ => return Err(unknown(function)),
    })
}

/// The payload of a `$tuple` message as JSON.
pub fn text_of(payload: &[u8]) -> String {
    match tuplespace::received(payload) {
        Ok(tuple) => found(Some(tuple)).to_string(),
        Err(error) => error.message,
    }
}

fn fields(a: &Arguments<'_>) -> Result<Vec<Value>, Error> {
    a.list(0)?.iter().map(field).collect()
}

fn pattern(a: &Arguments<'_>) -> Result<Vec<PatternField>, Error> {
    let field = |item: &Json| {
        Ok(match item.as_str() {
            Some("*") => PatternField::Any,
            Some(text) if text.ends_with('*') => tuplespace::prefix(text.trim_end_matches('*')),
            _ => PatternField::Exact(field(item)?),
        })
    };
    a.list(0)?.iter().map(field).collect()
}

fn field(item: &Json) -> Result<Value, Error> {
    Ok(match item {
        Json::Null => Value::NullVal,
        Json::Bool(value) => Value::BoolVal(*value),
        Json::String(value) => Value::StringVal(value.clone()),
        Json::Number(value) => match value.as_i64() {
            Some(value) => Value::IntVal(value),
            None => Value::FloatVal(value.as_f64().ok_or_else(|| wrong(0, "a number that fits"))?),
        },
        Json::Array(_) | Json::Object(_) => return Err(wrong(0, "a list of plain values")),
    })
}

fn found(tuple: Option<Vec<Value>>) -> Json {
    let Some(tuple) = tuple else { return Json::Null };
    tuple
        .into_iter()
        .map(|value| match value {
            Value::StringVal(value) => json!(value),
            Value::IntVal(value) => json!(value),
            Value::FloatVal(value) => json!(value),
            Value::BytesVal(value) => json!(value),
            Value::BoolVal(value) => json!(value),
            Value::NullVal => Json::Null,
        })
        .collect()
}
