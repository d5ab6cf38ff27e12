//! Who wants what of a feed. A filter is data, the same in memory, in rows and in the journal's digests.

use super::Source;
use crate::records::{self, FeedRow, SubscriptionRow, condition, pattern_field};
use plexspaces_core::value::{self, Pattern, PatternField, Tuple, Value, ValueType};
use plexspaces_core::{Code, Error, Result};
use prost::Message as _;
use std::collections::BTreeSet;

/// The most conditions of a filter, and the most attributes of a message.
pub const ATTRIBUTES_MAX: usize = 64;

/// The longest name of an attribute, in bytes.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 128;

/// The longest value of an attribute, in bytes.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 1_024;

/// Says which rows a subscription gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Of a topic: all conditions hold.
    Topic(Vec<Condition>),
    /// Of a group: what is published without a topic, or under one of these; everything if there are none.
    Group(BTreeSet<String>),
    /// Of keys: those that start with this.
    Watch(String),
    /// Of tuples: those that match.
    Tuples(Pattern),
}

/// A condition on one attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The attribute's name.
    pub attribute: String,
    /// What its value must be; a message without the attribute does not pass.
    pub test: Test,
}

/// What an attribute's value must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// This.
    Equals(String),
    /// Something that starts with this.
    Prefix(String),
    /// Anything.
    Any,
}

impl Filter {
    /// Whether the subscription gets this row.
    #[must_use]
    pub fn matches(&self, row: &FeedRow) -> bool {
        match self {
            Filter::Topic(conditions) => conditions.iter().all(|condition| condition.holds(row)),
            Filter::Group(topics) => {
                topics.is_empty()
                    || row
                        .group_topic
                        .as_ref()
                        .is_none_or(|topic| topics.contains(topic))
            }
            Filter::Watch(prefix) => row.key.starts_with(prefix.as_str()),
            Filter::Tuples(pattern) => records::Tuple::decode(row.payload.clone())
                .is_ok_and(|tuple| value::matches(pattern, &Tuple::from(tuple))),
        }
    }

    /// The filter in a subscription's row.
    pub(crate) fn to_row(&self) -> SubscriptionRow {
        let mut row = SubscriptionRow::default();
        match self {
            Filter::Topic(conditions) => {
                row.conditions = conditions.iter().map(Condition::to_record).collect();
            }
            Filter::Group(topics) => row.topics = topics.iter().cloned().collect(),
            Filter::Watch(prefix) => row.prefix.clone_from(prefix),
            Filter::Tuples(pattern) => row.pattern = pattern.iter().map(field_to_record).collect(),
        }
        row
    }

    /// The filter of a subscription to a feed of this source.
    pub(crate) fn of_row(source: &Source, row: &SubscriptionRow) -> Result<Self> {
        Ok(match source {
            Source::Topic(_) => {
                let conditions = row.conditions.iter().map(Condition::from_record);
                Filter::Topic(conditions.collect::<Result<_>>()?)
            }
            Source::Group(_) => Filter::Group(row.topics.iter().cloned().collect()),
            Source::Watch => Filter::Watch(row.prefix.clone()),
            Source::Tuples => {
                let fields = row.pattern.iter().map(field_from_record);
                Filter::Tuples(fields.collect::<Result<_>>()?)
            }
        })
    }
}

impl Condition {
    fn holds(&self, row: &FeedRow) -> bool {
        row.attributes.iter().any(|found| {
            found.name == self.attribute
                && match &self.test {
                    Test::Equals(wanted) => found.value == *wanted,
                    Test::Prefix(start) => found.value.starts_with(start.as_str()),
                    Test::Any => true,
                }
        })
    }

    /// Its stored form.
    #[must_use]
    pub fn to_record(&self) -> records::Condition {
        let test = match self.test.clone() {
            Test::Equals(wanted) => condition::Test::Equals(wanted),
            Test::Prefix(start) => condition::Test::Prefix(start),
            Test::Any => condition::Test::Any(records::Null {}),
        };
        records::Condition {
            attribute: self.attribute.clone(),
            test: Some(test),
        }
    }

    fn from_record(record: &records::Condition) -> Result<Self> {
        let test = match record.test.clone() {
            Some(condition::Test::Equals(wanted)) => Test::Equals(wanted),
            Some(condition::Test::Prefix(start)) => Test::Prefix(start),
            Some(condition::Test::Any(_)) => Test::Any,
            None => return Err(unknown()),
        };
        Ok(Condition {
            attribute: record.attribute.clone(),
            test,
        })
    }
}

fn field_to_record(field: &PatternField) -> records::PatternField {
    let value = |end: &Option<Value>| end.as_ref().map(records::Value::from);
    let test = match field {
        PatternField::Exact(exact) => pattern_field::Test::Exact(exact.into()),
        PatternField::Any => pattern_field::Test::Any(records::Null {}),
        PatternField::Typed(kind) => pattern_field::Test::Typed(u32::from(*kind as u8)),
        PatternField::Range(min, max) => pattern_field::Test::Range(records::ValueRange {
            min: value(min),
            max: value(max),
        }),
        PatternField::Prefix(start) => pattern_field::Test::Prefix(start.clone()),
    };
    records::PatternField { test: Some(test) }
}

fn field_from_record(record: &records::PatternField) -> Result<PatternField> {
    Ok(match record.test.clone() {
        Some(pattern_field::Test::Exact(exact)) => PatternField::Exact(exact.into()),
        Some(pattern_field::Test::Any(_)) => PatternField::Any,
        Some(pattern_field::Test::Typed(kind)) => PatternField::Typed(value_type(kind)?),
        Some(pattern_field::Test::Range(range)) => {
            PatternField::Range(range.min.map(Value::from), range.max.map(Value::from))
        }
        Some(pattern_field::Test::Prefix(start)) => PatternField::Prefix(start),
        None => return Err(unknown()),
    })
}

fn value_type(number: u32) -> Result<ValueType> {
    [
        ValueType::String,
        ValueType::Int,
        ValueType::Float,
        ValueType::Bytes,
        ValueType::Bool,
        ValueType::Null,
    ]
    .into_iter()
    .find(|kind| u32::from(*kind as u8) == number)
    .ok_or_else(unknown)
}

fn unknown() -> Error {
    Error::new(
        Code::Corrupt,
        "a stored subscription has a filter that this version does not know",
    )
}

/// Checks a topic's filter.
///
/// # Errors
/// `PS1013`, naming the condition.
pub fn check_conditions(conditions: &[Condition]) -> Result<()> {
    check_count("conditions", conditions.len())?;
    for condition in conditions {
        let value = match &condition.test {
            Test::Equals(value) | Test::Prefix(value) => value,
            Test::Any => "",
        };
        check_attribute(&condition.attribute, value)?;
    }
    Ok(())
}

/// Checks the attributes of a message.
///
/// # Errors
/// `PS1013`, naming the attribute.
pub fn check_attributes(attributes: &[(String, String)]) -> Result<()> {
    check_count("attributes", attributes.len())?;
    let mut names = BTreeSet::new();
    for (name, value) in attributes {
        check_attribute(name, value)?;
        if !names.insert(name) {
            return Err(invalid(format!("the attribute {name:?} is there twice")));
        }
    }
    Ok(())
}

fn check_count(what: &str, count: usize) -> Result<()> {
    if count <= ATTRIBUTES_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "there are {count} {what}; at most {ATTRIBUTES_MAX} are allowed"
    )))
}

fn check_attribute(name: &str, value: &str) -> Result<()> {
    let shown: String = name.chars().take(80).collect();
    if name.is_empty() || name.len() > ATTRIBUTE_NAME_BYTES_MAX {
        return Err(invalid(format!(
            "the attribute's name {shown:?} has {} bytes; it must have 1 to {ATTRIBUTE_NAME_BYTES_MAX}",
            name.len()
        )));
    }
    if value.len() > ATTRIBUTE_VALUE_BYTES_MAX {
        return Err(invalid(format!(
            "the value of the attribute {shown:?} has {} bytes; at most {ATTRIBUTE_VALUE_BYTES_MAX} are allowed",
            value.len()
        )));
    }
    Ok(())
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_read_back_as_they_were_written() {
        let all = [
            (
                Source::Topic("t".into()),
                Filter::Topic(vec![
                    Condition {
                        attribute: "a".into(),
                        test: Test::Equals("1".into()),
                    },
                    Condition {
                        attribute: "b".into(),
                        test: Test::Prefix(String::new()),
                    },
                    Condition {
                        attribute: "c".into(),
                        test: Test::Any,
                    },
                ]),
            ),
            (
                Source::Group("g".into()),
                Filter::Group(["x".to_owned(), "y".to_owned()].into()),
            ),
            (Source::Watch, Filter::Watch("users/".into())),
            (
                Source::Tuples,
                Filter::Tuples(vec![
                    PatternField::Exact(Value::Float(f64::NAN)),
                    PatternField::Any,
                    PatternField::Typed(ValueType::Bool),
                    PatternField::Range(None, Some(Value::Int(-3))),
                    PatternField::Prefix("p".into()),
                ]),
            ),
        ];
        for (source, filter) in all {
            let row = filter.to_row();
            let read = SubscriptionRow::decode(row.encode_to_vec().as_slice()).expect("readable");
            assert_eq!(Filter::of_row(&source, &read).expect("known"), filter);
        }
    }

    #[test]
    fn a_message_passes_when_all_conditions_hold() {
        let row = FeedRow {
            attributes: vec![records::Detail {
                name: "region".into(),
                value: "eu-west".into(),
            }],
            ..FeedRow::default()
        };
        let passes = |attribute: &str, test: Test| {
            let condition = Condition {
                attribute: attribute.into(),
                test,
            };
            Filter::Topic(vec![condition]).matches(&row)
        };
        assert!(Filter::Topic(Vec::new()).matches(&row));
        assert!(passes("region", Test::Any));
        assert!(passes("region", Test::Prefix("eu-".into())));
        assert!(passes("region", Test::Equals("eu-west".into())));
        assert!(!passes("region", Test::Equals("eu-".into())));
        assert!(!passes("other", Test::Any));
    }
}
