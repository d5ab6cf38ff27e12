//! Components, compiled once.
//!
//! The SHA-256 of a component's bytes is its id. Compiled code is kept in memory and, below the data folder, on disk,
//! where a restarted node maps it instead of compiling again. A file's name holds the engine's configuration and a
//! checksum of the content, so code of another build, or a damaged file, is never loaded.

use crate::contract;
use crate::engine::Engine;
use crate::module::Module;
use parking_lot::Mutex;
use plexspaces_core::{Code, Error, Result};
use plexspaces_services::applications::Hash;
use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::OnceCell;
use wasmtime::component::Component;
use xxhash_rust::xxh3::xxh3_64;

/// The modules of a node.
pub struct Modules {
    engine: Engine,
    folder: PathBuf,
    loaded: Mutex<HashMap<Hash, Arc<OnceCell<Arc<Module>>>>>,
    compiled: AtomicU64,
}

impl Modules {
    /// Keeps compiled code in `folder`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(engine: Engine, folder: &Path) -> std::io::Result<Self> {
        let mut hasher = std::hash::DefaultHasher::new();
        engine
            .wasmtime
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        let folder = folder.join(format!("{:016x}", hasher.finish()));
        std::fs::create_dir_all(&folder)?;
        Ok(Modules {
            engine,
            folder,
            loaded: Mutex::default(),
            compiled: AtomicU64::new(0),
        })
    }

    /// How many components this process has compiled.
    #[must_use]
    pub fn compiled(&self) -> u64 {
        self.compiled.load(Ordering::Relaxed)
    }

    /// How many modules are in memory.
    #[must_use]
    pub fn loaded(&self) -> usize {
        self.loaded.lock().len()
    }

    /// The module with this hash: from memory, from the cache on disk, or compiled from what `bytes` gives.
    /// Callers that come at the same time share one compilation.
    ///
    /// # Errors
    /// Those of `bytes` and of [`contract::inspect`], or `PS2004` when wasmtime refuses the component.
    pub async fn get<F>(&self, hash: Hash, bytes: F) -> Result<Arc<Module>>
    where
        F: Future<Output = Result<Vec<u8>>>,
    {
        let cell = self.loaded.lock().entry(hash).or_default().clone();
        let module = cell
            .get_or_try_init(|| self.load(hash, bytes))
            .await
            .cloned();
        if module.is_err() {
            self.loaded.lock().remove(&hash);
        }
        module
    }

    async fn load<F>(&self, hash: Hash, bytes: F) -> Result<Arc<Module>>
    where
        F: Future<Output = Result<Vec<u8>>>,
    {
        let bytes = bytes.await?;
        let (engine, folder) = (self.engine.clone(), self.folder.clone());
        let work = move || {
            let (contract, component, compiled) = match cached(&engine.wasmtime, &folder, hash) {
                Some(component) => (contract::inspect_again(&bytes)?, component, false),
                None => {
                    let contract = contract::inspect(&bytes)?;
                    let component = compile(&engine.wasmtime, &folder, hash, &bytes)?;
                    (contract, component, true)
                }
            };
            Ok((Module::new(&engine, hash, contract, &component)?, compiled))
        };
        let (module, compiled) = tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|e| {
                Err(Error::new(
                    Code::Internal,
                    format!("the compiler stopped: {e}"),
                ))
            })?;
        self.compiled.fetch_add(compiled.into(), Ordering::Relaxed);
        Ok(Arc::new(module))
    }
}

fn compile(
    engine: &wasmtime::Engine,
    folder: &Path,
    hash: Hash,
    bytes: &[u8],
) -> Result<Component> {
    let start = Instant::now();
    let component = Component::new(engine, bytes).map_err(|e| {
        Error::new(
            Code::InvalidComponent,
            format!("the component cannot be compiled: {e:#}"),
        )
    })?;
    tracing::info!(module = %hash, bytes = bytes.len(), ms = start.elapsed().as_millis() as u64, "compiled");
    if let Err(e) = keep(folder, hash, &component) {
        // Not fatal: the module runs, and the next start compiles it again.
        tracing::warn!(module = %hash, folder = %folder.display(), "the compiled code cannot be kept: {e:#}");
    }
    Ok(component)
}

fn keep(folder: &Path, hash: Hash, component: &Component) -> wasmtime::Result<()> {
    let code = component.serialize()?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&code)?;
    file.as_file().sync_data()?;
    file.persist(folder.join(format!("{hash}-{:016x}.cwasm", xxh3_64(&code))))?;
    Ok(())
}

fn cached(engine: &wasmtime::Engine, folder: &Path, hash: Hash) -> Option<Component> {
    let prefix = format!("{hash}-");
    let entries = std::fs::read_dir(folder).ok()?;
    let path = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
        })?;
    match map(engine, &path) {
        Ok(component) => Some(component),
        Err(e) => {
            tracing::warn!(file = %path.display(), "the compiled code is not usable and is made again: {e:#}");
            // If it cannot be removed, the new file is found or this one is refused again.
            let _ = std::fs::remove_file(&path);
            None
        }
    }
}

#[allow(unsafe_code)]
fn map(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Component> {
    let sum = format!("{:016x}", xxh3_64(&std::fs::read(path)?));
    let named = path
        .file_stem()
        .and_then(|stem| stem.to_str()?.rsplit_once('-'))
        .map(|(_, sum)| sum.to_owned());
    if named.as_deref() != Some(&sum) {
        return Err(wasmtime::Error::msg(format!(
            "the checksum is {sum}, not {named:?}"
        )));
    }
    // SAFETY: the file was written by `keep`: its name has the checksum of what `serialize` gave, which was just
    // compared, and its folder has this engine's configuration. Whoever can write both owns the node's data.
    unsafe { Component::deserialize_file(engine, path) }
}
