//! Messages that wait for actors.
//!
//! Layout: `scope / Mailbox / type / key / ticket` → `MailboxRow`. Tickets grow with time across the whole node, so a
//! sender's messages keep their order; a row is deleted by the batch of the turn that it starts.

use plexspaces_core::ActorId;
use plexspaces_store::Key;
use plexspaces_store::key::{Kind, Path};

/// Where the message with this ticket waits.
#[must_use]
pub fn key(id: &ActorId, ticket: u64) -> Key {
    Path::scope(id.scope().tenant(), id.scope().namespace(), Kind::Mailbox)
        .str(id.kind())
        .str(id.key())
        .u64(ticket)
        .key()
}
