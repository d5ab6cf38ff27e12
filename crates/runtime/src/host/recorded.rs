//! What host calls give, as bytes of a journal record and back.

use crate::bindings::wit::Value as WitValue;
use bytes::Bytes;
use plexspaces_core::value::Tuple;
use plexspaces_core::{Code, Error, Result};
use plexspaces_services::records;
use prost::Message;

/// A host call's result that the journal can hold.
pub(super) trait Recorded: Sized {
    fn to_record(&self) -> Bytes;
    fn from_record(bytes: Bytes) -> Result<Self>;
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(Code::Corrupt, format!("a recorded {what} cannot be read"))
}

/// One byte for the case, then the record.
pub(super) fn optional_to_record(record: Option<&impl Message>) -> Bytes {
    match record {
        Some(record) => {
            let mut bytes = vec![1];
            record
                .encode(&mut bytes)
                .expect("a vector grows as it has to");
            bytes.into()
        }
        None => Bytes::from_static(&[0]),
    }
}

pub(super) fn optional_from_record<M: Message + Default>(
    bytes: &Bytes,
    what: &str,
) -> Result<Option<M>> {
    match bytes.split_first() {
        Some((1, rest)) => M::decode(rest).map(Some).map_err(|_| corrupt(what)),
        Some((0, [])) => Ok(None),
        _ => Err(corrupt(what)),
    }
}

impl Recorded for () {
    fn to_record(&self) -> Bytes {
        Bytes::new()
    }

    fn from_record(_: Bytes) -> Result<Self> {
        Ok(())
    }
}

macro_rules! recorded_numbers {
    ($($number:ty),+) => { $(
        impl Recorded for $number {
            fn to_record(&self) -> Bytes {
                Bytes::copy_from_slice(&self.to_be_bytes())
            }

            fn from_record(bytes: Bytes) -> Result<Self> {
                let bytes = bytes.as_ref().try_into().map_err(|_| corrupt("number"))?;
                Ok(<$number>::from_be_bytes(bytes))
            }
        }
    )+ };
}
recorded_numbers!(u32, u64, i64);

impl Recorded for bool {
    fn to_record(&self) -> Bytes {
        Bytes::copy_from_slice(&[u8::from(*self)])
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        match bytes.as_ref() {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(corrupt("truth value")),
        }
    }
}

/// One byte for the case, then the value.
impl Recorded for Option<Vec<u8>> {
    fn to_record(&self) -> Bytes {
        match self {
            Some(bytes) => [&[1], bytes.as_slice()].concat().into(),
            None => Bytes::from_static(&[0]),
        }
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        match bytes.split_first() {
            Some((1, rest)) => Ok(Some(rest.to_vec())),
            Some((0, [])) => Ok(None),
            _ => Err(corrupt("optional value")),
        }
    }
}

impl Recorded for String {
    fn to_record(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        String::from_utf8(bytes.into()).map_err(|_| corrupt("text"))
    }
}

impl Recorded for Vec<u8> {
    fn to_record(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        Ok(bytes.into())
    }
}

impl Recorded for Option<Vec<WitValue>> {
    fn to_record(&self) -> Bytes {
        self.iter().cloned().collect::<Vec<_>>().to_record()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        Ok(Vec::<Vec<WitValue>>::from_record(bytes)?.pop())
    }
}

impl Recorded for Vec<Vec<WitValue>> {
    fn to_record(&self) -> Bytes {
        let tuples = self
            .iter()
            .map(|tuple| {
                records::Tuple::from(
                    &tuple
                        .iter()
                        .cloned()
                        .map(super::tuplespace::from_wit)
                        .collect::<Tuple>(),
                )
            })
            .collect();
        records::Tuples { tuples }.encode_to_vec().into()
    }

    fn from_record(bytes: Bytes) -> Result<Self> {
        let tuples = records::Tuples::decode(bytes)
            .map_err(|_| corrupt("tuple"))?
            .tuples;
        Ok(tuples
            .into_iter()
            .map(|tuple| super::tuplespace::tuple_to_wit(tuple.into()))
            .collect())
    }
}
