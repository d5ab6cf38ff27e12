//! How a path becomes bytes that sort as the path does.
//!
//! A key is `tenant / namespace / kind / ...`, encoded element by element in the tuple encoding of FoundationDB, which
//! is published, kept, and orders the bytes as it orders the elements: first by type (null, bytes, strings, integers,
//! floats, booleans), then by value, and a path before every path that continues it. So a tenant is one range of keys,
//! and so is a namespace, a kind within it, or whatever lies below any path.
//!
//! What belongs to the node and to no tenant lies under the reserved tenant *null*, one byte 0x00, which no name of a
//! tenant can be.
//!
//! ```
//! use plexspaces_store::key::{Element, Kind, Path, decode};
//!
//! let journal = Path::scope("acme", "shop", Kind::Journal).str("cart").str("42");
//! let entry = journal.clone().u64(7).key();
//!
//! assert_eq!(entry.as_bytes(), b"\x02acme\0\x02shop\0\x15\x12\x02cart\0\x0242\0\x15\x07");
//! assert!(journal.range().contains(&entry));
//! assert_eq!(decode(&entry)?[5], Element::Int(7));
//! # Ok::<(), plexspaces_store::Error>(())
//! ```

mod element;
mod kind;
mod path;

pub use element::{Element, decode};
pub use kind::Kind;
pub use path::{Path, Prefix};

/// No path starts with this byte: keys that do are the backends' own, and a batch that names one is refused.
pub(crate) const RESERVED_BYTE: u8 = 0xFF;
