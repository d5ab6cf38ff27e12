//! Tuples and patterns as JSON.
//!
//! A field is `null`, `true`, `"text"`, a whole number (an int), another number (a float), or one that names its type:
//! `{"int": 1}`, `{"float": 1.0}`, `{"bytes": "base64"}`. A pattern field is a field, which matches itself, or `{"any":
//! true}`, `{"type": "int"}`, `{"range": {"min": field, "max": field}}`, `{"prefix": "text"}`.

use super::malformed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use plexspaces_core::Result;
use plexspaces_core::value::{Pattern, PatternField, Tuple, Value, ValueType};
use serde_json::{Map, Value as Json, json};

/// A tuple from its JSON.
pub(super) fn tuple(fields: &[Json]) -> Result<Tuple> {
    fields.iter().map(field).collect()
}

/// A pattern from its JSON.
pub(super) fn pattern(fields: &[Json]) -> Result<Pattern> {
    fields.iter().map(pattern_field).collect()
}

/// A tuple's JSON.
pub(super) fn of_tuple(tuple: Tuple) -> Json {
    tuple.into_iter().map(of_field).collect()
}

fn field(json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(value) => Value::String(value.clone()),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Int(value),
            // A whole number over the range of ints is no float by accident.
            (None, Some(value)) if number.is_f64() => Value::Float(value),
            _ => {
                return Err(malformed(format!(
                    "{number} does not fit into a signed 64-bit number"
                )));
            }
        },
        Json::Object(map) => match one(map) {
            Some(("int", Json::Number(n))) if n.is_i64() => {
                Value::Int(n.as_i64().unwrap_or_default())
            }
            Some(("float", Json::Number(n))) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
            // What JSON has no number for.
            Some(("float", Json::String(text))) => match text.as_str() {
                "NaN" => Value::Float(f64::NAN),
                "inf" => Value::Float(f64::INFINITY),
                "-inf" => Value::Float(f64::NEG_INFINITY),
                _ => return Err(no_field(json)),
            },
            Some(("bytes", Json::String(text))) => Value::Bytes(
                BASE64
                    .decode(text)
                    .map_err(|e| malformed(format!("{json} is not base64: {e}")))?,
            ),
            _ => return Err(no_field(json)),
        },
        Json::Array(_) => return Err(no_field(json)),
    })
}

fn pattern_field(json: &Json) -> Result<PatternField> {
    let Some((name, value)) = json.as_object().and_then(one) else {
        return field(json).map(PatternField::Exact);
    };
    Ok(match (name, value) {
        ("any", Json::Bool(true)) => PatternField::Any,
        ("type", Json::String(kind)) => PatternField::Typed(value_type(kind)?),
        ("prefix", Json::String(prefix)) => PatternField::Prefix(prefix.clone()),
        ("range", Json::Object(ends)) => {
            if let Some(other) = ends
                .keys()
                .find(|end| !["min", "max"].contains(&end.as_str()))
            {
                return Err(malformed(format!("a range has min and max, not {other:?}")));
            }
            let end = |name| ends.get(name).map(field).transpose();
            PatternField::Range(end("min")?, end("max")?)
        }
        _ => PatternField::Exact(field(json)?),
    })
}

fn value_type(name: &str) -> Result<ValueType> {
    Ok(match name {
        "string" => ValueType::String,
        "int" => ValueType::Int,
        "float" => ValueType::Float,
        "bytes" => ValueType::Bytes,
        "bool" => ValueType::Bool,
        "null" => ValueType::Null,
        _ => {
            return Err(malformed(format!(
                "{name:?} is no type; types are string, int, float, bytes, bool and null"
            )));
        }
    })
}

fn of_field(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::String(value) => json!(value),
        Value::Int(value) => json!(value),
        // A whole float keeps its type, and what JSON has no number for its text.
        Value::Float(value) if value.is_finite() => json!({ "float": value }),
        Value::Float(value) => json!({ "float": value.to_string() }),
        Value::Bytes(value) => json!({ "bytes": BASE64.encode(value) }),
    }
}

fn one(map: &Map<String, Json>) -> Option<(&str, &Json)> {
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

fn no_field(json: &Json) -> plexspaces_core::Error {
    malformed(format!(
        "{json} is no field: a field is a plain value, or {{\"int\": 1}}, {{\"float\": 1.5}} or {{\"bytes\": \"base64\"}}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_there_and_back() {
        let fields = json!([null, true, "a", -1, {"float": 1.5}, {"bytes": "AP8="}]);
        let read = tuple(fields.as_array().unwrap()).unwrap();
        assert_eq!(read[4], Value::Float(1.5));
        assert_eq!(read[5], Value::Bytes(vec![0, 255]));
        assert_eq!(of_tuple(read), fields);
        assert_eq!(tuple(&[json!(2.5)]).unwrap(), [Value::Float(2.5)]);
        let nan = tuple(&[json!({"float": "NaN"})]).unwrap();
        assert_eq!(of_tuple(nan), json!([{"float": "NaN"}]));
    }

    #[test]
    fn patterns_have_predicates() {
        let fields =
            json!(["a", {"any": true}, {"type": "int"}, {"range": {"min": 1}}, {"prefix": "x"}]);
        assert_eq!(
            pattern(fields.as_array().unwrap()).unwrap(),
            [
                PatternField::Exact(Value::String("a".into())),
                PatternField::Any,
                PatternField::Typed(ValueType::Int),
                PatternField::Range(Some(Value::Int(1)), None),
                PatternField::Prefix("x".into()),
            ]
        );
    }

    #[test]
    fn what_is_no_field_is_refused() {
        for bad in [
            json!([1]),
            json!({}),
            json!({"any": false}),
            json!({"type": "number"}),
            json!({"range": {"from": 1}}),
            json!({"bytes": "%"}),
            json!({"int": 1.5}),
            json!({"float": "much"}),
            json!(u64::MAX),
        ] {
            assert!(pattern(std::slice::from_ref(&bad)).is_err(), "{bad}");
        }
    }
}
