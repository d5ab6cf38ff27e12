//! The store: everything durable in PlexSpaces is keys and values in one ordered, transactional store.
//!
//! A [`Store`] does four things: it gives a [`Snapshot`] (one moment, for reads), commits a
//! [`Batch`] whole or not at all, says when a commit is on the disk, and stops for
//! good at the first failed write or flush. A commit is visible when [`Store::commit`] returns and durable when
//! [`Store::flushed`] does; a crash loses a suffix of the commits, never one out of the middle.
//!
//! ```
//! use plexspaces_store::{Batch, Memory, Store, key::{Kind, Path}};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = Memory::open();
//! let balance = Path::scope("acme", "bank", Kind::Actor).str("account").str("alice").key();
//!
//! let mut batch = Batch::new();
//! batch.put(balance.clone(), "100");
//! let commit = store.commit(batch).await?;
//! store.flushed(commit).await?; // on the disk, had it one
//!
//! let read = store.snapshot().get(&balance).await?.expect("just written");
//! assert_eq!(read.value, "100");
//!
//! let mut spend = Batch::new();
//! spend.guard(balance.clone(), read.version).put(balance, "99");
//! store.commit(spend).await?; // Error::Conflict if somebody wrote the balance since
//! # Ok::<(), plexspaces_store::Error>(())
//! # }).unwrap();
//! ```
//!
//! Where to read on:
//!
//! * [`store`](Store): the two traits that every backend keeps, and their words.
//! * [`key`]: how a path (tenant, namespace, kind, ...) becomes bytes that sort as the path does.
//! * [`embedded`]: one writer thread makes a [`Store`] of any [`Backend`].
//! * [`Fjall`]: the default, an LSM tree in a folder. [`Sqlite`]: a database file that common tools read. [`Memory`]: for
//!   tests.
//! * [`copy`](mod@copy): from one store into another, and whether they hold the same.
//! * `testing` (feature `testing`): a store that loses what a crash may lose, one that cheats, and the conformance
//!   suite that drives every backend.

mod backend;
pub mod copy;
pub mod embedded;
mod error;
mod fjall;
pub mod key;
mod mark;
mod memory;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use backend::Backend;
pub use embedded::Embedded;
pub use error::Error;
pub use fjall::{Fjall, Options as FjallOptions};
pub use memory::Memory;
pub use plexspaces_core::batch::{Batch, Key, Op, Urgency, Version};
pub use sqlite::{Options as SqliteOptions, Sqlite};
pub use store::{Commit, Order, Snapshot, Store, Versioned};
