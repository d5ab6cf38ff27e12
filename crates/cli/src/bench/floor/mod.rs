//! What the machine does without PlexSpaces: the figures to compare with.

pub(crate) mod disk;
pub(crate) mod http;
pub(crate) mod store;
pub(crate) mod wasm;
