//! Blobs: large values with a name, whose bytes lie beside the store.
//!
//! A blob's bytes are [chunks](chunks) in a [place for content](Content): a folder, or an S3-compatible server. Its row
//! names the chunks and is written like any other row, in the batch of its turn. So a turn that fails leaves no blob, at
//! most chunks that no row names; a [collection](collect) removes those. Bytes are durable before the row that names
//! them commits, and stay for as long as a blob, an upload or a turn in the journal names them. Copying a blob copies its
//! row.
//!
//! * [`upload`], [`download`], [`describe`], [`delete`], [`list`], [`copy`]: blobs as a turn sees them
//! * [`begin_upload`], [`upload_part`], [`complete_upload`], [`abort_upload`]: uploads over several turns
//! * [`Content`], [`Place`], [`Pin`]: chunks, and how they are kept while nothing names them yet
//! * [`store`], [`store_stream`], [`read`], [`read_stream`]: bytes in and out, in bounded memory
//! * [`collect`]: removes orphans

pub mod chunks;
mod collect;
mod content;
mod guard;
mod place;
mod rows;
mod transfer;
mod uploads;

pub use chunks::{Chunk, Piece};
pub use collect::{Collected, MIN_AGE, Rules, claim, collect};
pub use content::{Content, Figures, Listed};
pub use guard::Pin;
pub use place::Place;
pub use rows::{
    ID_BYTES_MAX, Info, LIST_MAX, METADATA_BYTES_MAX, METADATA_PAIRS_MAX, Page, Plan, copy, delete,
    describe, download, list, plan, put, upload,
};
pub use transfer::{Stored, read, read_stream, store, store_stream};
pub use uploads::{
    UPLOAD_KEPT_MS, UploadId, abort_upload, begin_upload, complete_upload, upload_part,
};

use crate::transaction::Transaction;
use plexspaces_core::{Code, Error, Result};

/// Bytes move while others wait for nothing.
fn check_unreserved(transaction: &Transaction, operation: &str) -> Result<()> {
    if !transaction.reserves() {
        return Ok(());
    }
    Err(Error::new(
        Code::BlobWhileReserving,
        format!(
            "{operation} moves bytes, and this turn has reserved something that others may wait for; \
             move the bytes first, or in a message of their own"
        ),
    ))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, message)
}
