//! What is published reaches its subscribers: a pump for each feed that has something to deliver.
//!
//! A pump runs when a publication has committed, and ends when nothing is left that can be delivered; an idle node has
//! none. In a pass it reads the feed's rows below [`Feeds::settled`], and commits mailbox rows together with the cursors of
//! their subscribers, so that a message comes once and in order whatever happens in between. A subscriber whose mailbox
//! is full waits until there is room again; others do not wait for it. Rows that everybody has passed are deleted.
//!
//! [`Feeds::settled`]: plexspaces_services::feeds::Feeds::settled

mod pump;

use crate::shared::Shared;
use dashmap::DashMap;
use plexspaces_core::Code;
use plexspaces_services::feeds::{Feed, Rest};
use pump::Pump;
use std::sync::Arc;

/// What is known of the subscribers of feeds whose pumps rest.
#[derive(Default)]
pub(crate) struct Pumps(DashMap<Feed, Pump>);

/// Starts the task that starts the pumps; it ends with the node.
pub(crate) fn start(shared: &Arc<Shared>) {
    let (weak, feeds) = (Arc::downgrade(shared), shared.coordination.feeds.clone());
    tokio::spawn(async move {
        // The node is not kept alive by the wait.
        while let Some(feed) = feeds.next_ready().await {
            let Some(shared) = weak.upgrade() else { return };
            tokio::spawn(run(shared, feed));
        }
    });
}

/// Delivers until there is nothing left to deliver.
async fn run(shared: Arc<Shared>, feed: Feed) {
    loop {
        let known = shared.pumps.0.remove(&feed).map(|(_, pump)| pump);
        let mut pump = known.unwrap_or_else(|| Pump::new(feed.clone()));
        loop {
            match pump.pass(&shared).await {
                Ok(true) => tokio::task::consume_budget().await,
                Ok(false) => break,
                Err(error) if error.code == Code::ShuttingDown => break,
                Err(error) => {
                    tracing::error!(?feed, code = %error.code, "what is published is not delivered: {error}");
                    break;
                }
            }
        }
        let served = !pump.is_empty();
        // It has to be there before the next one may start.
        shared.pumps.0.insert(feed.clone(), pump);
        match shared.coordination.feeds.rest(&feed, served) {
            Rest::Again => {}
            Rest::Keep => return,
            Rest::Forget => {
                // Unless the next one has it already: then it is that one's.
                shared.pumps.0.remove_if(&feed, |_, pump| pump.is_empty());
                return;
            }
        }
    }
}
