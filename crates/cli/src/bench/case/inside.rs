//! A node in the bench's own process, so that asks and spawns are measured without HTTP.

use crate::bench::load::Caller;
use crate::bench::{Message, Plan, Subject};
use anyhow::Result;
use bytes::Bytes;
use plexspaces_core::{ActorId, Scope};
use plexspaces_node::{COLLECT_AFTER, Deploy, Node, Options, Request};
use plexspaces_services::blob::{Content, Place};
use plexspaces_store::{Fjall, FjallOptions};
use std::sync::Arc;
use std::time::Duration;

/// How long an ask may take before the bench gives up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a node in a folder of its own, with the subject deployed. All share the cache of compiled code.
pub(crate) async fn node(plan: &Plan, name: &str, subject: &Subject) -> Result<Node> {
    let folder = plan.folder.join(name.replace(' ', "-"));
    let node = Node::start(Options {
        node_id: "bench".into(),
        store: Arc::new(Fjall::open(folder.join("store"), &FjallOptions::default())?),
        blobs: Content::open(&Place::Folder(folder.join("blobs")))?,
        collect_after: COLLECT_AFTER,
        cache: plan.cache(),
    })
    .await?;
    node.deploy(Deploy {
        application_id: subject.label.clone(),
        name: subject.label.clone(),
        version: "1".into(),
        wasm: subject.wasm.clone(),
        config: Some(subject.config()),
    })
    .await?;
    Ok(node)
}

/// The actor with this number.
pub(crate) fn actor(kind: &str, key: usize) -> Result<ActorId> {
    let scope = Scope::new("default", "default")?;
    Ok(ActorId::new(&scope, kind, &key.to_string())?)
}

/// Asks through the node's own interface.
pub(crate) struct NodeCaller {
    node: Node,
    ids: Arc<[ActorId]>,
    message: Message,
}

impl NodeCaller {
    /// So many callers of the actors 0 to `keys`.
    pub(crate) fn several(
        node: &Node,
        kind: &str,
        keys: usize,
        message: &Message,
        callers: usize,
    ) -> Result<Vec<Self>> {
        let ids: Vec<ActorId> = (0..keys)
            .map(|key| actor(kind, key))
            .collect::<Result<_>>()?;
        let ids: Arc<[ActorId]> = ids.into();
        let caller = || NodeCaller {
            node: node.clone(),
            ids: ids.clone(),
            message: message.clone(),
        };
        Ok(std::iter::repeat_with(caller).take(callers).collect())
    }
}

impl Caller for NodeCaller {
    async fn call(&mut self, key: usize) -> Result<()> {
        let request = Request {
            msg_type: self.message.msg_type.clone(),
            payload: Bytes::from(self.message.payload.clone()),
            idempotency_key: None,
            timeout: TIMEOUT,
        };
        self.node.ask(&self.ids[key], request).await?;
        Ok(())
    }
}
