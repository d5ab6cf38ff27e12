//! Large values by name, one space per namespace.
//!
//! ```no_run
//! use plexspaces_sdk::{blob, Error};
//!
//! fn thumbnail(picture: &str) -> Result<(), Error> {
//!     let mut upload = blob::begin_upload("copy.raw", &[("of", picture)])?;
//!     let size = blob::metadata(picture)?.map_or(0, |info| info.size);
//!     for offset in (0..size).step_by(1 << 20) {
//!         upload.part(&blob::download_range(picture, offset, 1 << 20)?)?;
//!     }
//!     upload.complete()?;
//!     Ok(())
//! }
//! ```
//!
//! A blob may be much larger than the actor's memory: read it in ranges, upload it in parts. Bytes are durable when an
//! upload returns, and the blob is there when the turn commits. One call moves at most as many bytes as a message may
//! have. Calls that move bytes are refused while the turn holds reservations, as a take or a compare-and-swap makes them.

use crate::bindings::plexspaces::actor::blob as host;
use crate::{Context, Error};

pub use crate::bindings::plexspaces::actor::blob::{BlobInfo, BlobPage};

/// Stores a blob; what was there is replaced.
pub fn upload(id: &str, data: &[u8], metadata: &[(&str, &str)]) -> Result<(), Error> {
    Blobs::own().upload(id, data, metadata)
}

/// All bytes of a blob.
///
/// Errors: `not-found`; `resource-exhausted` if they are more than one call moves.
pub fn download(id: &str) -> Result<Vec<u8>, Error> {
    Blobs::own().download(id)
}

/// Up to `length` bytes from `offset` on; less, or nothing, at the end.
pub fn download_range(id: &str, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
    Blobs::own().download_range(id, offset, length)
}

/// Deletes a blob, and says whether there was one.
pub fn delete(id: &str) -> Result<bool, Error> {
    Blobs::own().delete(id)
}

/// Whether there is a blob.
pub fn exists(id: &str) -> Result<bool, Error> {
    Blobs::own().exists(id)
}

/// What is known of a blob, or none.
pub fn metadata(id: &str) -> Result<Option<BlobInfo>, Error> {
    Blobs::own().metadata(id)
}

/// Up to `limit` (1 to 1,000) blobs whose ids start with `prefix`, in order, after `cursor`.
pub fn list_blobs(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<BlobPage, Error> {
    Blobs::own().list_blobs(prefix, cursor, limit)
}

/// Makes `dest` the same as `source`. No bytes move, however large it is.
pub fn copy(source: &str, dest: &str) -> Result<(), Error> {
    Blobs::own().copy(source, dest)
}

/// Begins an upload in parts.
pub fn begin_upload(id: &str, metadata: &[(&str, &str)]) -> Result<Upload, Error> {
    Blobs::own().begin_upload(id, metadata)
}

/// The blobs of one namespace. The module's functions use the actor's own.
#[derive(Clone)]
pub struct Blobs(Context);

impl Blobs {
    /// The actor's own blobs.
    pub fn own() -> Self {
        Blobs(Context::own())
    }

    /// The blobs that a context names.
    pub fn of(context: Context) -> Self {
        Blobs(context)
    }

    /// As [`upload`].
    pub fn upload(&self, id: &str, data: &[u8], metadata: &[(&str, &str)]) -> Result<(), Error> {
        host::upload(&self.0, id, data, &owned(metadata))
    }

    /// As [`download`].
    pub fn download(&self, id: &str) -> Result<Vec<u8>, Error> {
        host::download(&self.0, id)
    }

    /// As [`download_range`].
    pub fn download_range(&self, id: &str, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        host::download_range(&self.0, id, offset, length)
    }

    /// As [`delete`].
    pub fn delete(&self, id: &str) -> Result<bool, Error> {
        host::delete(&self.0, id)
    }

    /// As [`exists`].
    pub fn exists(&self, id: &str) -> Result<bool, Error> {
        host::exists(&self.0, id)
    }

    /// As [`metadata`].
    pub fn metadata(&self, id: &str) -> Result<Option<BlobInfo>, Error> {
        host::metadata(&self.0, id)
    }

    /// As [`list_blobs`].
    pub fn list_blobs(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<BlobPage, Error> {
        host::list_blobs(&self.0, prefix, cursor, limit)
    }

    /// As [`copy`].
    pub fn copy(&self, source: &str, dest: &str) -> Result<(), Error> {
        host::copy(&self.0, source, dest)
    }

    /// As [`begin_upload`].
    pub fn begin_upload(&self, id: &str, metadata: &[(&str, &str)]) -> Result<Upload, Error> {
        let name = host::begin_upload(&self.0, id, &owned(metadata))?;
        Ok(self.resume_upload(name))
    }

    /// The upload of this name, begun in an earlier turn.
    pub fn resume_upload(&self, name: impl Into<String>) -> Upload {
        Upload {
            context: self.0.clone(),
            name: name.into(),
        }
    }
}

/// An upload in parts. Keep its [name](Upload::name) in the actor's state to go on in a later turn, within 24 hours.
/// Dropping this neither completes nor aborts it.
#[derive(Clone)]
pub struct Upload {
    context: Context,
    name: String,
}

impl Upload {
    /// The upload of this name in the actor's own namespace, begun in an earlier turn.
    pub fn resume(name: impl Into<String>) -> Self {
        Blobs::own().resume_upload(name)
    }

    /// What names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds bytes at the end; gives the size so far. One to four MiB at once are best.
    ///
    /// Errors: `not-found` if the upload is over; `resource-exhausted` over a blob's bounds.
    pub fn part(&mut self, data: &[u8]) -> Result<u64, Error> {
        host::upload_part(&self.context, &self.name, data)
    }

    /// Makes what was uploaded the blob.
    pub fn complete(self) -> Result<BlobInfo, Error> {
        host::complete_upload(&self.context, &self.name)
    }

    /// Gives the upload up.
    pub fn abort(self) -> Result<(), Error> {
        host::abort_upload(&self.context, &self.name)
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
