//! Collects blob content that nothing names: one task that works after the node's start, and some time after something
//! has happened that may leave orphans. With nothing happening it sleeps without a timer.

use crate::shared::Shared;
use plexspaces_core::Code;
use plexspaces_services::blob::{self, Content, Rules};
use plexspaces_store::Store;
use std::sync::Arc;
use std::time::Duration;

/// Starts the task; it ends with the node. `pause` is the time from the first change to the collection after it: orphans
/// have to be old before they are collected, and many changes make one collection.
pub(crate) fn start(shared: &Arc<Shared>, pause: Duration) {
    // The node is not kept alive: what is kept is only its content, and during a collection its store.
    let (weak, content) = (Arc::downgrade(shared), shared.content.clone());
    let gone = shared.collector_gone.clone();
    tokio::spawn(async move {
        let work = async {
            while let Some(store) = weak.upgrade().map(|shared| shared.store.clone()) {
                once(&content, store).await;
                content.until_changed().await;
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = gone.notified() => {}
        }
    });
}

async fn once(content: &Content, store: Arc<dyn Store>) {
    match blob::collect(content, store.as_ref(), Rules::now()).await {
        Ok(collected) if collected.deleted > 0 => tracing::info!(
            chunks = collected.deleted,
            bytes = collected.deleted_bytes,
            "deleted blob content that nothing names"
        ),
        Ok(_) => {}
        Err(error) if error.code == Code::ShuttingDown => {}
        // The next collection sees what this one has left.
        Err(error) => tracing::warn!("blob content was not collected: {error}"),
    }
}
