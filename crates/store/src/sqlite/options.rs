//! How SQLite is set up, and why.

/// The sizes of a store in an SQLite database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Memory for pages in the connection that writes, in bytes. 64 MiB: guards and changes find the upper levels of
    /// the tree, and what is written again and again, without asking the system.
    pub cache_bytes: u64,
    /// After how much writing the log is moved into the database, in bytes, at least 64 KiB. 16 MiB: a few tens of
    /// milliseconds during which commits wait, and a row that is written often is moved once.
    pub checkpoint_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Options {
            cache_bytes: 64 * MIB,
            checkpoint_bytes: 16 * MIB,
        }
    }
}
