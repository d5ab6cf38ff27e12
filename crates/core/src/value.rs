//! Tuples and patterns: what the tuple space holds and how it is asked.
//!
//! A pattern matches a tuple with the same number of fields, field by field. Equality is of type and value; a NaN
//! equals itself and is stored in one canonical form, -0.0 equals 0.0 only if written alike.

use crate::{Code, Error, Result};
use std::cmp::Ordering;

/// The most fields that a tuple may have.
pub const FIELDS_MAX: usize = 64;

/// One field.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text.
    String(String),
    /// A signed 64-bit number.
    Int(i64),
    /// A 64-bit floating-point number.
    Float(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Null,
}

/// The type of a field. The numbers are part of journal records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum ValueType {
    String = 0,
    Int = 1,
    Float = 2,
    Bytes = 3,
    Bool = 4,
    Null = 5,
}

/// A tuple's fields.
pub type Tuple = Vec<Value>;

impl Value {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> ValueType {
        match self {
            Value::String(_) => ValueType::String,
            Value::Int(_) => ValueType::Int,
            Value::Float(_) => ValueType::Float,
            Value::Bytes(_) => ValueType::Bytes,
            Value::Bool(_) => ValueType::Bool,
            Value::Null => ValueType::Null,
        }
    }

    /// The order within one type; `None` between types.
    #[must_use]
    pub fn compare(&self, other: &Value) -> Option<Ordering> {
        Some(match (self, other) {
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Null, Value::Null) => Ordering::Equal,
            _ => return None,
        })
    }

    /// The same value with the one NaN that is stored.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Value::Float(f) if f.is_nan() => Value::Float(f64::NAN),
            other => other,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }
}

/// One field of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum PatternField {
    /// Equal in type and value.
    Exact(Value),
    /// Anything.
    Any,
    /// Any value of a type.
    Typed(ValueType),
    /// Between both ends, which belong to it; compares only with its ends' type.
    Range(Option<Value>, Option<Value>),
    /// A string that starts with this.
    Prefix(String),
}

/// What a tuple is asked for with.
pub type Pattern = Vec<PatternField>;

impl PatternField {
    fn matches(&self, value: &Value) -> bool {
        match self {
            PatternField::Exact(wanted) => wanted == value,
            PatternField::Any => true,
            PatternField::Typed(kind) => *kind == value.kind(),
            PatternField::Range(min, max) => {
                let above = |min: &Value| {
                    matches!(min.compare(value), Some(Ordering::Less | Ordering::Equal))
                };
                let below = |max: &Value| {
                    matches!(
                        max.compare(value),
                        Some(Ordering::Greater | Ordering::Equal)
                    )
                };
                min.as_ref().is_none_or(above) && max.as_ref().is_none_or(below)
            }
            PatternField::Prefix(prefix) => {
                matches!(value, Value::String(text) if text.starts_with(prefix.as_str()))
            }
        }
    }
}

/// Whether `pattern` matches `tuple`.
#[must_use]
pub fn matches(pattern: &[PatternField], tuple: &[Value]) -> bool {
    pattern.len() == tuple.len()
        && pattern
            .iter()
            .zip(tuple)
            .all(|(field, value)| field.matches(value))
}

/// Checks a tuple that a guest writes.
///
/// # Errors
/// `PS1013`.
pub fn check_tuple(tuple: &[Value]) -> Result<()> {
    check_arity("tuple", tuple.len())
}

/// Checks a pattern that a guest asks with.
///
/// # Errors
/// `PS1013`, naming the field.
pub fn check_pattern(pattern: &[PatternField]) -> Result<()> {
    check_arity("pattern", pattern.len())?;
    for (n, field) in pattern.iter().enumerate() {
        let problem = match field {
            PatternField::Range(None, None) => "is a range without ends; use `any` or a type",
            PatternField::Range(Some(min), Some(max)) if min.kind() != max.kind() => {
                "is a range whose ends have different types"
            }
            _ => continue,
        };
        return Err(Error::new(
            Code::InvalidArgument,
            format!("field {n} of the pattern {problem}"),
        ));
    }
    Ok(())
}

fn check_arity(what: &str, fields: usize) -> Result<()> {
    if (1..=FIELDS_MAX).contains(&fields) {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidArgument,
        format!("the {what} has {fields} fields; it must have 1 to {FIELDS_MAX}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn each_kind_of_field_matches_what_it_says() {
        let tuple = [
            s("result"),
            Value::Int(7),
            Value::Float(f64::NAN),
            Value::Null,
        ];
        let any = || PatternField::Any;
        let hit = |pattern: &[PatternField]| matches(pattern, &tuple);
        assert!(hit(&[
            PatternField::Exact(s("result")),
            any(),
            any(),
            any()
        ]));
        assert!(!hit(&[PatternField::Exact(s("result")), any(), any()]));
        assert!(hit(&[
            PatternField::Prefix("res".into()),
            PatternField::Typed(ValueType::Int),
            any(),
            any()
        ]));
        assert!(hit(&[
            any(),
            PatternField::Range(Some(Value::Int(7)), Some(Value::Int(9))),
            any(),
            any()
        ]));
        assert!(!hit(&[
            any(),
            PatternField::Range(Some(Value::Int(8)), None),
            any(),
            any()
        ]));
        assert!(!hit(&[
            any(),
            PatternField::Range(Some(Value::Float(1.0)), None),
            any(),
            any()
        ]));
        assert!(!hit(&[
            any(),
            PatternField::Exact(Value::Float(7.0)),
            any(),
            any()
        ]));
        assert!(hit(&[
            any(),
            any(),
            PatternField::Exact(Value::Float(-f64::NAN).canonical()),
            any()
        ]));
    }

    #[test]
    fn malformed_patterns_are_refused_with_the_field() {
        let mixed = PatternField::Range(Some(Value::Int(1)), Some(s("z")));
        let error = check_pattern(&[PatternField::Any, mixed]).expect_err("mixed");
        assert!(error.message.starts_with("field 1"), "{}", error.message);
        assert!(check_pattern(&[PatternField::Range(None, None)]).is_err());
        assert!(check_pattern(&[]).is_err());
        assert!(check_tuple(&vec![Value::Null; 65]).is_err());
    }
}
