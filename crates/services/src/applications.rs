//! What is deployed: applications, what their actor types run with, and the modules.
//!
//! Layout, all node-wide: `Application / id` → `Application`; `Deployment / hash` → `Deployment`;
//! `Module / hash` → `Module`, and `ModuleChunk / hash / n` → up to 1 MiB of the component's bytes. A module's row is
//! written after its chunks and with the application that needs it, so nothing half-uploaded is ever seen.

use crate::fault;
use crate::records::{Application, Deployment, Module, decode, encode};
use bytes::Bytes;
use plexspaces_core::batch::Batch;
use plexspaces_core::{Code, Error, Result};
use plexspaces_store::key::{Kind, Path};
use plexspaces_store::{Key, Order, Snapshot};
use sha2::{Digest, Sha256};
use std::fmt;

/// The size of a module's chunks, in bytes: small enough that other turns' commits pass between them.
pub const CHUNK_BYTES: usize = 1 << 20;

/// A SHA-256: the id of a module or a deployment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Hash(Sha256::digest(bytes).into())
    }

    /// Reads a stored hash.
    ///
    /// # Errors
    /// `PS5004` if it has not 32 bytes.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Hash).map_err(|_| {
            Error::new(
                Code::Corrupt,
                format!("a stored hash has {} bytes", bytes.len()),
            )
        })
    }

    /// The bytes to store.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of a deployment.
#[must_use]
pub fn deployment_hash(deployment: &Deployment) -> Hash {
    Hash::of(&encode(deployment))
}

/// All applications, by id.
///
/// # Errors
/// A fault of the store, or `PS5004`.
pub async fn all(snapshot: &dyn Snapshot) -> Result<Vec<Application>> {
    let range = Path::node(Kind::Application).range();
    let rows = snapshot
        .scan(range, usize::MAX, Order::Forward)
        .await
        .map_err(fault)?;
    rows.iter()
        .map(|(key, found)| decode(key, &found.value))
        .collect()
}

/// A deployment by its hash.
///
/// # Errors
/// A fault of the store, or `PS5004` if it is missing.
pub async fn deployment(snapshot: &dyn Snapshot, hash: Hash) -> Result<Deployment> {
    let key = deployment_key(hash);
    match snapshot.get(&key).await.map_err(fault)? {
        Some(found) => decode(&key, &found.value),
        None => Err(Error::new(
            Code::Corrupt,
            format!("the deployment {hash} is missing from the store"),
        )),
    }
}

/// A module's bytes, or `None` if it is not stored.
///
/// # Errors
/// A fault of the store, or `PS5004` if a chunk is missing or the bytes do not have this hash.
pub async fn module(snapshot: &dyn Snapshot, hash: Hash) -> Result<Option<Vec<u8>>> {
    let key = module_key(hash);
    let Some(found) = snapshot.get(&key).await.map_err(fault)? else {
        return Ok(None);
    };
    let row: Module = decode(&key, &found.value)?;
    let mut bytes = Vec::with_capacity(usize::try_from(row.size).unwrap_or(0));
    for n in 0..row.chunks {
        if let Some(chunk) = snapshot.get(&chunk_key(hash, n)).await.map_err(fault)? {
            bytes.extend_from_slice(&chunk.value);
        }
    }
    if Hash::of(&bytes) != hash {
        return Err(Error::new(
            Code::Corrupt,
            format!("the stored module {hash} has other bytes than its hash says"),
        ));
    }
    Ok(Some(bytes))
}

/// Whether a module is stored whole.
///
/// # Errors
/// A fault of the store.
pub async fn has_module(snapshot: &dyn Snapshot, hash: Hash) -> Result<bool> {
    Ok(snapshot
        .get(&module_key(hash))
        .await
        .map_err(fault)?
        .is_some())
}

/// The batches that store a module's chunks; [`put_module`] makes them count.
pub fn module_chunks(hash: Hash, bytes: &[u8]) -> impl Iterator<Item = Batch> {
    bytes.chunks(CHUNK_BYTES).zip(0..).map(move |(chunk, n)| {
        let mut batch = Batch::new();
        batch.put(chunk_key(hash, n), Bytes::copy_from_slice(chunk));
        batch
    })
}

/// Declares a module whose chunks are stored.
pub fn put_module(batch: &mut Batch, hash: Hash, size: usize) {
    let row = Module {
        size: size as u64,
        chunks: u32::try_from(size.div_ceil(CHUNK_BYTES))
            .expect("uploads are bounded far below 2^32 chunks"),
    };
    batch.put(module_key(hash), encode(&row));
}

/// Declares a deployment.
pub fn put_deployment(batch: &mut Batch, deployment: &Deployment) -> Hash {
    let hash = deployment_hash(deployment);
    batch.put(deployment_key(hash), encode(deployment));
    hash
}

/// Declares an application.
pub fn put_application(batch: &mut Batch, application: &Application) {
    batch.put(application_key(&application.id), encode(application));
}

/// Removes an application's row. Its actors' rows, deployments and modules stay.
pub fn delete_application(batch: &mut Batch, id: &str) {
    batch.delete(application_key(id));
}

fn application_key(id: &str) -> Key {
    Path::node(Kind::Application).str(id).key()
}

fn deployment_key(hash: Hash) -> Key {
    Path::node(Kind::Deployment).bytes(&hash.0).key()
}

fn module_key(hash: Hash) -> Key {
    Path::node(Kind::Module).bytes(&hash.0).key()
}

fn chunk_key(hash: Hash, n: u32) -> Key {
    Path::node(Kind::ModuleChunk)
        .bytes(&hash.0)
        .u64(n.into())
        .key()
}
