//! Reading keys back.

use crate::Error;
use foundationdb_tuple::{PackError, PackResult, TupleDepth, TupleUnpack, unpack};
use plexspaces_core::batch::Key;
use std::borrow::Cow;

/// One element of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// Null.
    Null,
    /// Bytes.
    Bytes(Vec<u8>),
    /// A string.
    Str(String),
    /// An integer, from `i64::MIN` to `u64::MAX`: the key does not tell which of the two types it was.
    Int(i128),
    /// A float.
    F64(f64),
    /// A boolean.
    Bool(bool),
}

impl Element {
    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Element::Str(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes, if it is bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Element::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is one and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Element::Int(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The integer, if it is one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Element::Int(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }
}

/// The elements of the path that `key` is.
///
/// # Errors
///
/// [`Error::Corrupt`] if it is no path.
pub fn decode(key: &Key) -> Result<Vec<Element>, Error> {
    unpack(key.as_bytes()).map_err(|error| Error::Corrupt {
        key: key.clone(),
        what: format!("the key is no path: {error}"),
    })
}

/// The type codes of the tuple encoding that our paths use.
mod code {
    pub(super) const NULL: u8 = 0x00;
    pub(super) const BYTES: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    /// An integer of eight bytes, negative.
    pub(super) const INT_FIRST: u8 = 0x0C;
    /// An integer of eight bytes, positive.
    pub(super) const INT_LAST: u8 = 0x1C;
    pub(super) const DOUBLE: u8 = 0x21;
    pub(super) const FALSE: u8 = 0x26;
    pub(super) const TRUE: u8 = 0x27;
}

// The crate has an element type of its own, but it refuses integers above `i64::MAX`.
impl<'de> TupleUnpack<'de> for Element {
    fn unpack(input: &'de [u8], depth: TupleDepth) -> PackResult<(&'de [u8], Self)> {
        fn read<'de, T: TupleUnpack<'de>>(
            input: &'de [u8],
            depth: TupleDepth,
            element: impl FnOnce(T) -> Element,
        ) -> PackResult<(&'de [u8], Element)> {
            T::unpack(input, depth).map(|(rest, value)| (rest, element(value)))
        }
        match *input.first().ok_or(PackError::MissingBytes)? {
            code::NULL => Ok((&input[1..], Element::Null)),
            code::BYTES => read(input, depth, Element::Bytes),
            code::STRING => read(input, depth, |value: Cow<'_, str>| {
                Element::Str(value.into_owned())
            }),
            code::INT_FIRST..=code::INT_LAST => read(input, depth, Element::Int),
            code::DOUBLE => read(input, depth, Element::F64),
            code::FALSE | code::TRUE => read(input, depth, Element::Bool),
            found => Err(PackError::BadCode {
                found,
                expected: None,
            }),
        }
    }
}
