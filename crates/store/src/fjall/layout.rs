//! The bytes on the disk. They outlive every version of this program, so golden tests fix them.
//!
//! ```text
//! <key>               -> version (8 bytes, big-endian), value
//! 0xFF "versions"     -> format (1 byte, 1), the highest version that may be in use (8 bytes, big-endian)
//! 0xFF "flushed"      -> the newest version at the last flush (8 bytes, big-endian)
//! ```
//!
//! No [`Path`](crate::key::Path) starts with 0xFF, so the last two rows are out of every reader's way.

use crate::{Error, Versioned, key::RESERVED_BYTE};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use plexspaces_core::batch::{Key, Version};
use std::path::Path;

/// The format that this program reads and writes.
const FORMAT: u8 = 1;

const VERSION_BYTES: usize = size_of::<u64>();

/// The key below which all data lies.
pub(super) fn end_of_data() -> Key {
    Key(Bytes::from_static(&[RESERVED_BYTE]))
}

/// The key of the row that says which versions may be in use.
pub(super) fn versions_key() -> Key {
    Key(Bytes::from_static(b"\xFFversions"))
}

/// That row's value.
pub(super) fn encode_versions(last: Version) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + VERSION_BYTES);
    bytes.put_u8(FORMAT);
    bytes.put_u64(last.0);
    bytes.freeze()
}

/// Reads that row's value.
pub(super) fn decode_versions(mut bytes: Bytes, folder: &Path) -> Result<Version, Error> {
    match bytes.first() {
        Some(&FORMAT) if bytes.len() == 1 + VERSION_BYTES => {
            bytes.advance(1);
            Ok(Version(bytes.get_u64()))
        }
        Some(&found) if found != FORMAT => Err(Error::Format {
            folder: folder.into(),
            expected: FORMAT,
            found,
        }),
        _ => Err(Error::Corrupt {
            key: versions_key(),
            what: format!("{} bytes instead of 9", bytes.len()),
        }),
    }
}

/// The key of the row that says which version the last flush covered.
pub(super) fn flushed_key() -> Key {
    Key(Bytes::from_static(b"\xFFflushed"))
}

/// That row's value.
pub(super) fn encode_flushed(newest: Version) -> Bytes {
    Bytes::copy_from_slice(&newest.0.to_be_bytes())
}

/// Reads that row's value.
pub(super) fn decode_flushed(bytes: Bytes) -> Result<Version, Error> {
    match bytes.as_ref().try_into() {
        Ok(bytes) => Ok(Version(u64::from_be_bytes(bytes))),
        Err(_) => Err(Error::Corrupt {
            key: flushed_key(),
            what: format!("{} bytes instead of 8", bytes.len()),
        }),
    }
}

/// An entry's value, as it is stored.
pub(super) fn encode_value(version: Version, value: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(VERSION_BYTES + value.len());
    bytes.put_u64(version.0);
    bytes.put_slice(value);
    bytes.freeze()
}

/// Reads an entry's value. The result shares `bytes`.
pub(super) fn decode_value(key: &Key, mut bytes: Bytes) -> Result<Versioned, Error> {
    if bytes.len() < VERSION_BYTES {
        return Err(Error::Corrupt {
            key: key.clone(),
            what: format!("{} bytes are no version", bytes.len()),
        });
    }
    let version = Version(bytes.get_u64());
    Ok(Versioned {
        version,
        value: bytes,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test says enough by failing
mod tests {
    use super::*;

    #[test]
    fn the_bytes_never_change() {
        assert_eq!(
            encode_value(Version(0x0102), b"value"),
            &b"\0\0\0\0\0\0\x01\x02value"[..]
        );
        assert_eq!(
            encode_versions(Version(1 << 20)),
            &b"\x01\0\0\0\0\0\x10\0\0"[..]
        );
        assert_eq!(versions_key().as_bytes(), b"\xFFversions");
        assert_eq!(
            encode_flushed(Version(0x0102)),
            &b"\0\0\0\0\0\0\x01\x02"[..]
        );
        assert_eq!(flushed_key().as_bytes(), b"\xFFflushed");
    }

    #[test]
    fn what_was_written_is_read() {
        let read = decode_value(&versions_key(), encode_value(Version(7), b"")).unwrap();
        assert_eq!(
            read,
            Versioned {
                version: Version(7),
                value: Bytes::new()
            }
        );
        assert_eq!(
            decode_versions(encode_versions(Version(9)), Path::new("/f")).unwrap(),
            Version(9)
        );
    }

    #[test]
    fn what_was_not_written_is_refused() {
        assert!(matches!(
            decode_value(&versions_key(), Bytes::from_static(b"short")),
            Err(Error::Corrupt { .. })
        ));
        let refuse =
            |bytes| decode_versions(Bytes::from_static(bytes), Path::new("/f")).unwrap_err();
        assert!(matches!(
            refuse(b"\x02whatever comes"),
            Error::Format { found: 2, .. }
        ));
        assert!(matches!(refuse(b"\x01short"), Error::Corrupt { .. }));
        assert!(matches!(refuse(b""), Error::Corrupt { .. }));
    }
}
