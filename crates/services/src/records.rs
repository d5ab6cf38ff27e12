//! The stored messages (`proto/plexspaces/store/v1/records.proto`), and how they become the types of `core`.

#![allow(missing_docs)]

use bytes::Bytes;
use plexspaces_core::message::{Delivery, Message as CoreMessage};
use plexspaces_core::value::{Tuple as Fields, Value as Field};
use plexspaces_core::{Code, Error as CoreError, ErrorKind};
use plexspaces_store::Key;

include!(concat!(env!("OUT_DIR"), "/plexspaces.store.v1.rs"));

/// Reads a record; a failure names the key.
///
/// # Errors
/// `PS5004`.
pub fn decode<M: prost::Message + Default>(key: &Key, value: &Bytes) -> Result<M, CoreError> {
    M::decode(value.clone()).map_err(|e| {
        CoreError::new(
            Code::Corrupt,
            format!("the record at {key:?} cannot be read: {e}"),
        )
    })
}

/// The bytes to store.
pub fn encode(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

impl From<&CoreError> for Error {
    fn from(error: &CoreError) -> Self {
        Error {
            code: error.code as u32,
            kind: error.kind as u32,
            message: error.message.clone(),
            details: error
                .details
                .iter()
                .map(|(name, value)| Detail {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
        }
    }
}

impl From<Error> for CoreError {
    fn from(record: Error) -> Self {
        CoreError {
            code: Code::from_number(record.code).unwrap_or(Code::Internal),
            kind: ErrorKind::from_number(record.kind),
            message: record.message,
            details: record
                .details
                .into_iter()
                .map(|d| (d.name, d.value))
                .collect(),
        }
    }
}

impl From<&Result<Bytes, CoreError>> for Outcome {
    fn from(result: &Result<Bytes, CoreError>) -> Self {
        Outcome {
            result: Some(match result {
                Ok(reply) => outcome::Result::Reply(reply.clone()),
                Err(error) => outcome::Result::Error(error.into()),
            }),
        }
    }
}

impl Outcome {
    /// The reply or the error; an empty outcome is a bug told as one.
    pub fn into_result(self) -> Result<Bytes, CoreError> {
        match self.result {
            Some(outcome::Result::Reply(reply)) => Ok(reply),
            Some(outcome::Result::Error(error)) => Err(error.into()),
            None => Err(CoreError::new(
                Code::Corrupt,
                "a stored outcome has neither reply nor error",
            )),
        }
    }
}

impl From<&CoreMessage> for Message {
    fn from(m: &CoreMessage) -> Self {
        Message {
            from: m.from.clone(),
            msg_type: m.msg_type.clone(),
            payload: m.payload.clone(),
            delivery: m.delivery as u32,
        }
    }
}

impl TryFrom<Message> for CoreMessage {
    type Error = CoreError;

    fn try_from(record: Message) -> Result<Self, CoreError> {
        let delivery = Delivery::from_number(record.delivery).ok_or_else(|| {
            CoreError::new(
                Code::Corrupt,
                format!(
                    "a stored message has the unknown delivery {}",
                    record.delivery
                ),
            )
        })?;
        Ok(CoreMessage {
            from: record.from,
            msg_type: record.msg_type,
            payload: record.payload,
            delivery,
        })
    }
}

impl From<&Field> for Value {
    fn from(field: &Field) -> Self {
        let kind = match field.clone() {
            Field::String(s) => value::Kind::String(s),
            Field::Int(i) => value::Kind::Int(i),
            Field::Float(f) => value::Kind::Float(f),
            Field::Bytes(b) => value::Kind::Bytes(b.into()),
            Field::Bool(b) => value::Kind::Bool(b),
            Field::Null => value::Kind::Null(Null {}),
        };
        Value { kind: Some(kind) }
    }
}

impl From<Value> for Field {
    fn from(record: Value) -> Self {
        match record.kind {
            Some(value::Kind::String(s)) => Field::String(s),
            Some(value::Kind::Int(i)) => Field::Int(i),
            Some(value::Kind::Float(f)) => Field::Float(f),
            Some(value::Kind::Bytes(b)) => Field::Bytes(b.into()),
            Some(value::Kind::Bool(b)) => Field::Bool(b),
            Some(value::Kind::Null(Null {})) | None => Field::Null,
        }
    }
}

impl From<&Fields> for Tuple {
    fn from(fields: &Fields) -> Self {
        Tuple {
            fields: fields.iter().map(Value::from).collect(),
            expires_ms: 0,
        }
    }
}

impl From<Tuple> for Fields {
    fn from(record: Tuple) -> Self {
        record.fields.into_iter().map(Field::from).collect()
    }
}

impl From<&plexspaces_core::limits::Limits> for Limits {
    fn from(l: &plexspaces_core::limits::Limits) -> Self {
        Limits {
            memory_bytes: l.memory_bytes,
            turn_ms: l.turn_ms,
            message_bytes: l.message_bytes,
            effects: l.effects,
            batch_bytes: l.batch_bytes,
            mailbox_messages: l.mailbox_messages,
        }
    }
}

impl From<Limits> for plexspaces_core::limits::Limits {
    fn from(l: Limits) -> Self {
        plexspaces_core::limits::Limits {
            memory_bytes: l.memory_bytes,
            turn_ms: l.turn_ms,
            message_bytes: l.message_bytes,
            effects: l.effects,
            batch_bytes: l.batch_bytes,
            mailbox_messages: l.mailbox_messages,
        }
    }
}
