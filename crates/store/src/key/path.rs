//! Building keys and ranges of keys.

use super::Kind;
use bytes::Bytes;
use foundationdb_tuple::{TuplePack, pack_into};
use plexspaces_core::batch::Key;
use std::ops::Range;

/// A path, built element by element.
///
/// The elements of one kind's paths have fixed types, decided by the layer that owns the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<u8>);

/// Enough for most keys, so that building one allocates once.
const USUAL_KEY_BYTES: usize = 96;

impl Path {
    /// The path of what belongs to the node and to no tenant.
    #[must_use]
    pub fn node(kind: Kind) -> Path {
        Path(Vec::with_capacity(USUAL_KEY_BYTES)).null().kind(kind)
    }

    /// The path of `kind` in one tenant's namespace.
    #[must_use]
    pub fn scope(tenant: &str, namespace: &str, kind: Kind) -> Path {
        Path::tenant(tenant).str(namespace).kind(kind)
    }

    /// The path of everything that a tenant has, to export or to delete it.
    #[must_use]
    pub fn tenant(tenant: &str) -> Path {
        Path(Vec::with_capacity(USUAL_KEY_BYTES)).str(tenant)
    }

    /// Adds a string. Strings sort by their UTF-8 bytes, and may hold any character, 0x00 too.
    #[must_use]
    pub fn str(self, value: &str) -> Path {
        self.push(&value)
    }

    /// Adds bytes. They sort as bytes do; after null, before strings.
    #[must_use]
    pub fn bytes(self, value: &[u8]) -> Path {
        self.push(&value)
    }

    /// Adds an unsigned integer. Integers sort by value, signed or not.
    #[must_use]
    pub fn u64(self, value: u64) -> Path {
        self.push(&value)
    }

    /// Adds a signed integer.
    #[must_use]
    pub fn i64(self, value: i64) -> Path {
        self.push(&value)
    }

    /// Adds a float. Floats sort by value, -0.0 before 0.0. There is one NaN, and it comes last.
    #[must_use]
    pub fn f64(self, value: f64) -> Path {
        // NaNs differ in their sign and payload, but no reader could tell them apart.
        self.push(&if value.is_nan() {
            f64::from_bits(CANONICAL_NAN)
        } else {
            value
        })
    }

    /// Adds a boolean. False comes before true.
    #[must_use]
    pub fn bool(self, value: bool) -> Path {
        self.push(&value)
    }

    /// Adds null, which comes before everything else.
    #[must_use]
    pub fn null(self) -> Path {
        self.push(&None::<()>)
    }

    /// Cuts the path off inside a string: what lies below it is every path that goes on here with a string that starts
    /// with `start`, `start` itself among them.
    #[must_use]
    pub fn prefix_string(self, start: &str) -> Prefix {
        let Path(mut bytes) = self.str(start);
        bytes.pop().expect("a string ends with its terminator");
        Prefix(bytes)
    }

    /// The key at this path.
    #[must_use]
    pub fn key(&self) -> Key {
        Key(Bytes::copy_from_slice(&self.0))
    }

    /// Everything strictly below this path: every path that continues it, and not the path itself.
    #[must_use]
    pub fn range(&self) -> Range<Key> {
        below(&self.0)
    }

    fn kind(self, kind: Kind) -> Path {
        self.u64(u64::from(kind as u8))
    }

    fn push(mut self, element: &impl TuplePack) -> Path {
        pack_into(element, &mut self.0);
        self
    }
}

/// The quiet, positive NaN without payload, whatever the platform's `f64::NAN` is.
const CANONICAL_NAN: u64 = 0x7FF8_0000_0000_0000;

/// A path cut off inside its last string: good for a range, and for nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Vec<u8>);

impl Prefix {
    /// Every path that goes on from here.
    #[must_use]
    pub fn range(&self) -> Range<Key> {
        below(&self.0)
    }
}

/// Every key that continues `prefix` as a path can.
///
/// After a whole element comes an element's type code, which is at most 0x33; inside a string comes the 0x00 that ends
/// it or a byte of UTF-8, which is at most 0xF4. So every continuation lies below 0xFF.
fn below(prefix: &[u8]) -> Range<Key> {
    let with = |last: u8| {
        let mut bytes = Vec::with_capacity(prefix.len() + 1);
        bytes.extend_from_slice(prefix);
        bytes.push(last);
        Key::from(bytes)
    };
    with(0x00)..with(0xFF)
}
