//! Removes chunks that nothing names: what failed turns, deleted blobs and abandoned uploads leave behind.
//!
//! A chunk stays while a blob or an upload names it, or a turn in the journal that has read it and may be replayed. All
//! rows are read from one moment, which is durable before anything is deleted: otherwise a crash could bring back a row
//! whose content is gone. What turns under way have stored or read by then, the [guard](super::guard) knows. And nothing
//! is deleted that was stored within the last hour, so that even a mistake in that would meet no turn under way.
//!
//! Candidates are taken from the listing some at a time and compared with the rows page by page, so the memory does not
//! grow with the number of blobs.

use super::chunks;
use super::content::{Content, Listed, add};
use crate::applications::Hash;
use crate::fault;
use crate::records::{BlobRow, HostCall, Restored, SegmentCalls, UploadRow, decode, host_call};
use crate::scopes::just_after;
use bytes::Bytes;
use futures_util::StreamExt as _;
use plexspaces_core::batch::{Batch, Version};
use plexspaces_core::{Code, Error, Result, Scope};
use plexspaces_store::key::{self, Element, Kind, Path};
use plexspaces_store::{Key, Order, Snapshot, Store};
use std::collections::HashMap;
use std::path::Path as FilePath;
use std::time::{Duration, SystemTime};

/// Chunks younger than this are left alone: no turn's segment takes longer.
pub const MIN_AGE: Duration = Duration::from_secs(60 * 60);

/// How many chunks are compared with the rows at once: some 10 MB of memory.
const CANDIDATES: usize = 100_000;

/// How many chunks are deleted at once: what a server takes in one request.
const DELETED_AT_ONCE: usize = 1_000;

/// How many rows are read at once; one may have megabytes.
const PAGE: usize = 16;

/// What a collection goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The time, by the clock of the content's place.
    pub now: SystemTime,
    /// Chunks younger than this are left alone.
    pub min_age: Duration,
    /// How many chunks are compared with the rows at once.
    pub candidates: usize,
}

impl Rules {
    /// The rules of a collection now.
    #[must_use]
    pub fn now() -> Self {
        Rules {
            now: SystemTime::now(),
            min_age: MIN_AGE,
            candidates: CANDIDATES,
        }
    }

    fn old(&self, stored: SystemTime) -> bool {
        // A time in the future is young.
        let age = self.now.duration_since(stored).unwrap_or_default();
        age >= self.min_age && stored <= self.now
    }
}

/// What a collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Chunks that were there.
    pub seen: u64,
    /// Chunks that were deleted.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
}

/// Deletes orphans.
///
/// # Errors
/// `PS5010`, a fault of the store, or `PS5004` for a row that cannot be read: then nothing is deleted, since nobody
/// knows what the row names.
pub async fn collect(content: &Content, store: &dyn Store, rules: Rules) -> Result<Collected> {
    let _one_at_a_time = content.collecting.lock().await;
    remove_staged(content, rules).await?;
    let mut listed = content.list();
    let mut collected = Collected::default();
    let mut ended = false;
    while !ended {
        let mut candidates: HashMap<Hash, u64> = HashMap::new();
        while candidates.len() < rules.candidates {
            let Some(found) = listed.next().await.transpose()? else {
                ended = true;
                break;
            };
            collected.seen += 1;
            let Listed { hash, size, stored } = found;
            if rules.old(stored) {
                candidates.insert(hash, size);
            }
        }
        if candidates.is_empty() {
            continue;
        }
        // First this, then the moment: what commits in between was pinned after the collection began.
        let collection = content.guard.begin();
        let snapshot = store.snapshot();
        store.flushed(store.visible()).await.map_err(fault)?;
        keep_named(snapshot.as_ref(), &mut candidates).await?;
        drop(snapshot);
        let orphans: Vec<Hash> = candidates.keys().copied().collect();
        for group in orphans.chunks(DELETED_AT_ONCE) {
            let condemned = collection.condemn(group.to_vec());
            let place = content.clone();
            // A task of its own: when this future is dropped, nobody may pin what is still being deleted.
            let deletion = tokio::spawn(async move {
                let done = place.delete(&condemned.hashes).await;
                done.map(|()| condemned.hashes.clone())
            });
            let deleted = deletion.await.map_err(|error| {
                Error::new(Code::Internal, format!("a deletion has died: {error}"))
            })??;
            add(&content.counters.collected, deleted.len() as u64);
            collected.deleted += deleted.len() as u64;
            collected.deleted_bytes += deleted.iter().map(|hash| candidates[hash]).sum::<u64>();
        }
    }
    add(&content.counters.collections, 1);
    Ok(collected)
}

/// Takes everything out of `candidates` that a row names.
async fn keep_named(snapshot: &dyn Snapshot, candidates: &mut HashMap<Hash, u64>) -> Result<()> {
    let named = |record: Option<crate::records::Chunks>, candidates: &mut HashMap<Hash, u64>| {
        for chunk in chunks::from_record(&record.unwrap_or_default())? {
            candidates.remove(&chunk.hash);
        }
        Ok(())
    };
    each_row(
        snapshot,
        Kind::Blob,
        candidates,
        |key, value, candidates| named(decode::<BlobRow>(key, value)?.chunks, candidates),
    )
    .await?;
    each_row(
        snapshot,
        Kind::BlobUpload,
        candidates,
        |key, value, candidates| named(decode::<UploadRow>(key, value)?.chunks, candidates),
    )
    .await?;
    // The journal is much longer: it is looked at only for what no blob names.
    each_row(
        snapshot,
        Kind::Journal,
        candidates,
        |key, value, candidates| keep_read(&decode::<SegmentCalls>(key, value)?.calls, candidates),
    )
    .await?;
    each_row(
        snapshot,
        Kind::Restored,
        candidates,
        |key, value, candidates| keep_read(&decode::<Restored>(key, value)?.calls, candidates),
    )
    .await
}

/// Takes out what recorded reads of blobs name.
fn keep_read(calls: &[HostCall], candidates: &mut HashMap<Hash, u64>) -> Result<()> {
    for call in calls {
        if let Some(host_call::Result::Ok(bytes)) = &call.result
            && chunks::READS.contains(&call.operation.as_str())
        {
            for piece in chunks::recorded(bytes.clone())? {
                candidates.remove(&piece.chunk.hash);
            }
        }
    }
    Ok(())
}

/// Every row of one kind in all scopes, while there are candidates.
async fn each_row(
    snapshot: &dyn Snapshot,
    kind: Kind,
    candidates: &mut HashMap<Hash, u64>,
    each: impl Fn(&Key, &Bytes, &mut HashMap<Hash, u64>) -> Result<()>,
) -> Result<()> {
    let mut tenants = all_tenants();
    while !candidates.is_empty() {
        let Some(scope) = next_scope(snapshot, &tenants).await? else {
            return Ok(());
        };
        tenants.start = Path::tenant(scope.tenant())
            .str(scope.namespace())
            .range()
            .end;
        let mut range = Path::scope(scope.tenant(), scope.namespace(), kind).range();
        while !candidates.is_empty() {
            let rows = snapshot
                .scan(range.clone(), PAGE, Order::Forward)
                .await
                .map_err(fault)?;
            for (key, found) in &rows {
                each(key, &found.value, candidates)?;
            }
            match rows.last() {
                Some((last, _)) if rows.len() == PAGE => range.start = just_after(last),
                _ => break,
            }
            // Turns have work to do, too.
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// The rows of all tenants: paths that begin with a string.
fn all_tenants() -> std::ops::Range<Key> {
    const STRING: u8 = 0x02;
    Key::from(vec![STRING])..Key::from(vec![STRING + 1])
}

/// The first scope that has a row in `tenants`. Scopes are found by their rows and not by the marks that applications
/// leave, because a scope that is overlooked would lose its content.
async fn next_scope(
    snapshot: &dyn Snapshot,
    tenants: &std::ops::Range<Key>,
) -> Result<Option<Scope>> {
    let rows = snapshot
        .scan(tenants.clone(), 1, Order::Forward)
        .await
        .map_err(fault)?;
    let Some((key, _)) = rows.first() else {
        return Ok(None);
    };
    match key::decode(key).ok().as_deref() {
        Some([Element::Str(tenant), Element::Str(namespace), ..]) => {
            Scope::new(tenant, namespace).map(Some)
        }
        _ => Err(Error::new(
            Code::Corrupt,
            format!("the key {key:?} cannot be read"),
        )),
    }
}

/// Removes files whose writing was cut off by a crash. The local file system writes `NAME#N` and renames it.
async fn remove_staged(content: &Content, rules: Rules) -> Result<()> {
    let Some(folder) = content.folder.clone() else {
        return Ok(());
    };
    let walk = tokio::task::spawn_blocking(move || remove_staged_in(&folder.join("chunks"), rules));
    let done = walk.await;
    done.map_err(|error| Error::new(Code::Internal, format!("a walk has died: {error}")))?
        .map_err(|error| {
            Error::new(
                Code::BlobsUnavailable,
                format!("the folder of the blobs' content cannot be tidied: {error}"),
            )
        })
}

fn remove_staged_in(chunks: &FilePath, rules: Rules) -> std::io::Result<()> {
    if !chunks.exists() {
        return Ok(());
    }
    for folder in std::fs::read_dir(chunks)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(folder)? {
            let file = file?;
            let name = file.file_name();
            let staged = name.to_str().and_then(|name| name.split_once('#'));
            let is_staged = staged.is_some_and(|(_, n)| n.bytes().all(|b| b.is_ascii_digit()));
            if is_staged && rules.old(file.metadata()?.modified()?) {
                std::fs::remove_file(file.path())?;
            }
        }
    }
    Ok(())
}

/// The object beside the chunks that names the store they belong to.
const OWNER: &str = "owner";

/// Makes sure that content belongs to this store and to no other: another store's collection would take it for orphans.
/// The first store that claims a place has it.
///
/// # Errors
/// `PS5010` if the place belongs to another store or cannot be used, or a fault of the store.
pub async fn claim(content: &Content, store: &dyn Store) -> Result<()> {
    let key = Path::node(Kind::Blob).str(OWNER).key();
    let own = match store.latest(&key).await.map_err(fault)? {
        Some(found) => found.value,
        None => {
            let own = Bytes::from(uuid::Uuid::now_v7().to_string());
            let mut batch = Batch::new();
            batch.guard(key.clone(), Version::ABSENT);
            batch.put(key, own.clone());
            store.commit_flushed(batch).await.map_err(fault)?;
            own
        }
    };
    let owner = content.note(OWNER, own.clone()).await?;
    if owner == own {
        return Ok(());
    }
    Err(Error::new(
        Code::BlobsUnavailable,
        format!(
            "the blobs' content belongs to the store {:?}, and this one is {:?}; give each node a place of its own. \
             If the other store is gone for good, remove the object {OWNER:?}: content that this store does not \
             name is deleted then",
            String::from_utf8_lossy(&owner),
            String::from_utf8_lossy(&own),
        ),
    ))
}
