//! Linda's associative memory, one space per namespace: tuples of 1 to 64 fields, found by patterns.
//!
//! ```no_run
//! use plexspaces_sdk::{pattern, tuple, tuplespace, Error};
//!
//! fn share(amount: i64) -> Result<(), Error> {
//!     tuplespace::write(tuple!["result", "add", amount])?;
//!     if let Some(found) = tuplespace::take(pattern!["result", _, tuplespace::range(1, 10)])? {
//!         plexspaces_sdk::info!("took {:?}", found[2].as_int());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Writes and takes become visible to others when the turn commits.

use std::time::Duration;

use crate::bindings::plexspaces::actor::{tuplespace as host, types};
use crate::{Context, Error, milliseconds};

pub use crate::bindings::plexspaces::actor::tuplespace::{PatternField, ValueRange};
pub use crate::bindings::plexspaces::actor::types::{Value, ValueType};

/// A tuple of fields: `tuple!["result", "add", 3]`.
#[macro_export]
macro_rules! tuple { ($($field:expr),+ $(,)?) => { ::std::vec![$($crate::Value::from($field)),+] }; }

/// A pattern: values match themselves, `_` matches anything, and beside them stand
/// [`typed`](crate::tuplespace::typed), [`range`](crate::tuplespace::range) and
/// [`prefix`](crate::tuplespace::prefix).
#[macro_export]
macro_rules! pattern {
    (@fields [$($done:expr,)*]) => { ::std::vec![$($done),*] };
    (@fields [$($done:expr,)*] _ $(, $($rest:tt)*)?) => {
        $crate::pattern!(@fields [$($done,)* $crate::PatternField::Any,] $($($rest)*)?)
    };
    (@fields [$($done:expr,)*] $field:expr $(, $($rest:tt)*)?) => {
        $crate::pattern!(@fields [$($done,)* $crate::PatternField::from($field),] $($($rest)*)?)
    };
    ($($fields:tt)+) => { $crate::pattern!(@fields [] $($fields)+) };
}

/// Matches any value of a type.
pub fn typed(value_type: ValueType) -> PatternField {
    PatternField::Typed(value_type)
}

/// Matches from `min` to `max`, both included, fields of the bounds' type.
pub fn range(min: impl Into<Value>, max: impl Into<Value>) -> PatternField {
    PatternField::Range(ValueRange {
        min: Some(min.into()),
        max: Some(max.into()),
    })
}

/// Matches `min` and what is greater.
pub fn at_least(min: impl Into<Value>) -> PatternField {
    PatternField::Range(ValueRange {
        min: Some(min.into()),
        max: None,
    })
}

/// Matches `max` and what is less.
pub fn at_most(max: impl Into<Value>) -> PatternField {
    PatternField::Range(ValueRange {
        min: None,
        max: Some(max.into()),
    })
}

/// Matches strings that start with `start`.
pub fn prefix(start: impl Into<String>) -> PatternField {
    PatternField::Prefix(start.into())
}

/// Adds a tuple to the own space. Equal tuples may be there many times.
pub fn write(fields: Vec<Value>) -> Result<(), Error> {
    Space::own().write(fields)
}

/// One matching tuple of the own space, or none.
pub fn read(pattern: Vec<PatternField>) -> Result<Option<Vec<Value>>, Error> {
    Space::own().read(pattern)
}

/// Removes one matching tuple of the own space and returns it. If the turn fails, it is there again.
pub fn take(pattern: Vec<PatternField>) -> Result<Option<Vec<Value>>, Error> {
    Space::own().take(pattern)
}

/// Adds a tuple to the own space that is gone after `ttl`, which is at least a millisecond.
pub fn write_with_ttl(fields: Vec<Value>, ttl: Duration) -> Result<(), Error> {
    Space::own().write_with_ttl(fields, ttl)
}

/// As [`read`], and waits up to `timeout` for a tuple that matches. What the turn did before commits first.
pub fn read_blocking(
    pattern: Vec<PatternField>,
    timeout: Duration,
) -> Result<Option<Vec<Value>>, Error> {
    Space::own().read_blocking(pattern, timeout)
}

/// As [`take`], and waits up to `timeout` for a tuple that matches. What the turn did before commits first; who waits is
/// served in the order of coming.
pub fn take_blocking(
    pattern: Vec<PatternField>,
    timeout: Duration,
) -> Result<Option<Vec<Value>>, Error> {
    Space::own().take_blocking(pattern, timeout)
}

/// All matching tuples of the own space, in the order of their fields.
/// Errors: `resource-exhausted` for more than 10,000 of them or more bytes than the message limit.
pub fn read_all(pattern: Vec<PatternField>) -> Result<Vec<Vec<Value>>, Error> {
    Space::own().read_all(pattern)
}

/// How many tuples of the own space match.
pub fn count(pattern: Vec<PatternField>) -> Result<u32, Error> {
    Space::own().count(pattern)
}

/// Tells this actor of every tuple that is written and matches, as an info, see [`Event`](crate::Event); gives the
/// subscription's id.
pub fn subscribe(pattern: Vec<PatternField>) -> Result<String, Error> {
    Space::own().subscribe(pattern)
}

/// Ends the subscription with this id, if this actor has it.
pub fn unsubscribe(id: &str) -> Result<(), Error> {
    Space::own().unsubscribe(id)
}

/// The fields in the payload of a message that tells of a tuple.
pub fn received(payload: &[u8]) -> Result<Vec<Value>, Error> {
    host::received(payload)
}

/// The space of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Space(Context);

impl Space {
    /// The actor's own space.
    pub fn own() -> Self {
        Space(Context::own())
    }

    /// The space that a context names.
    pub fn of(context: Context) -> Self {
        Space(context)
    }

    /// As [`write`](fn@write).
    pub fn write(&self, fields: Vec<Value>) -> Result<(), Error> {
        host::write(&self.0, &fields)
    }

    /// As [`read`].
    pub fn read(&self, pattern: Vec<PatternField>) -> Result<Option<Vec<Value>>, Error> {
        host::read(&self.0, &pattern)
    }

    /// As [`take`].
    pub fn take(&self, pattern: Vec<PatternField>) -> Result<Option<Vec<Value>>, Error> {
        host::take(&self.0, &pattern)
    }

    /// As [`write_with_ttl`].
    pub fn write_with_ttl(&self, fields: Vec<Value>, ttl: Duration) -> Result<(), Error> {
        host::write_with_ttl(&self.0, &fields, milliseconds(ttl))
    }

    /// As [`read_blocking`].
    pub fn read_blocking(
        &self,
        pattern: Vec<PatternField>,
        timeout: Duration,
    ) -> Result<Option<Vec<Value>>, Error> {
        host::read_blocking(&self.0, &pattern, milliseconds(timeout))
    }

    /// As [`take_blocking`].
    pub fn take_blocking(
        &self,
        pattern: Vec<PatternField>,
        timeout: Duration,
    ) -> Result<Option<Vec<Value>>, Error> {
        host::take_blocking(&self.0, &pattern, milliseconds(timeout))
    }

    /// As [`read_all`].
    pub fn read_all(&self, pattern: Vec<PatternField>) -> Result<Vec<Vec<Value>>, Error> {
        host::read_all(&self.0, &pattern)
    }

    /// As [`count`].
    pub fn count(&self, pattern: Vec<PatternField>) -> Result<u32, Error> {
        host::count(&self.0, &pattern)
    }

    /// As [`subscribe`].
    pub fn subscribe(&self, pattern: Vec<PatternField>) -> Result<String, Error> {
        host::subscribe(&self.0, &pattern)
    }

    /// As [`unsubscribe`].
    pub fn unsubscribe(&self, id: &str) -> Result<(), Error> {
        host::unsubscribe(&self.0, id)
    }
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::StringVal(v) = self {
            Some(v)
        } else {
            None
        }
    }

    /// The number of an int.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::IntVal(v) = self {
            Some(*v)
        } else {
            None
        }
    }

    /// The number of a float.
    pub fn as_float(&self) -> Option<f64> {
        if let Value::FloatVal(v) = self {
            Some(*v)
        } else {
            None
        }
    }

    /// The content of bytes.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Value::BytesVal(v) = self {
            Some(v)
        } else {
            None
        }
    }

    /// The truth of a bool.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::BoolVal(v) = self {
            Some(*v)
        } else {
            None
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::NullVal)
    }
}

// One macro for both, because a blanket `impl<T: Into<Value>> From<T> for PatternField` would meet `From<T> for T`.
macro_rules! fields_from {
    ($($from:ty => |$value:ident| $make:expr;)+) => { $(
        impl From<$from> for Value {
            fn from($value: $from) -> Self { $make }
        }

        impl From<$from> for PatternField {
            fn from(value: $from) -> Self { PatternField::Exact(types::Value::from(value)) }
        }
    )+ };
}

fields_from! {
    &str => |v| Value::StringVal(v.to_owned());
    &String => |v| Value::StringVal(v.clone());
    String => |v| Value::StringVal(v);
    i64 => |v| Value::IntVal(v);
    i32 => |v| Value::IntVal(v.into());
    u32 => |v| Value::IntVal(v.into());
    f64 => |v| Value::FloatVal(v);
    &[u8] => |v| Value::BytesVal(v.to_vec());
    Vec<u8> => |v| Value::BytesVal(v);
    bool => |v| Value::BoolVal(v);
    () => |_v| Value::NullVal;
}

impl From<Value> for PatternField {
    fn from(value: Value) -> Self {
        PatternField::Exact(value)
    }
}

impl From<ValueType> for PatternField {
    fn from(value_type: ValueType) -> Self {
        PatternField::Typed(value_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_takes_plain_values() {
        assert_eq!(
            tuple!["a", 1, 2.5, true, ()],
            [
                Value::StringVal("a".into()),
                Value::IntVal(1),
                Value::FloatVal(2.5),
                Value::BoolVal(true),
                Value::NullVal
            ]
        );
    }

    #[test]
    fn a_pattern_mixes_values_and_predicates() {
        let fields = pattern![
            "a",
            _,
            1 + 1,
            ValueType::IntType,
            range(1, 3),
            prefix("x"),
            _
        ];
        assert_eq!(fields.len(), 7);
        assert_eq!(fields[0], PatternField::Exact(Value::StringVal("a".into())));
        assert_eq!(fields[1], PatternField::Any);
        assert_eq!(fields[2], PatternField::Exact(Value::IntVal(2)));
        assert_eq!(fields[3], PatternField::Typed(ValueType::IntType));
        assert_eq!(fields[5], PatternField::Prefix("x".into()));
        assert_eq!(fields[6], PatternField::Any);
    }
}
