//! Taking connections, and ending in an orderly way.

use crate::routes::Routes;
use axum::ServiceExt;
use axum::extract::Request;
use axum::serve::ListenerExt as _;
use plexspaces_node::Node;
use std::future::{Future, IntoFuture as _};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long requests under way may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(30);

/// Serves `node` on `listener` until `shutdown` resolves; requests under way then have 30 seconds to finish.
///
/// # Errors
/// Those of the listener.
pub async fn serve<F>(node: Node, listener: TcpListener, shutdown: F) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    // A reply is one small write, and the next request waits for it.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    let (began, grace) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        // The receiver is gone only when the server is.
        let _ = began.send(());
    };
    let routes = ServiceExt::<Request>::into_make_service(Routes::new(node));
    let server = axum::serve(listener, routes).with_graceful_shutdown(shutdown);
    tokio::select! {
        served = server.into_future() => served,
        () = over(grace) => {
            tracing::warn!(seconds = GRACE.as_secs(), "requests under way are cut off");
            Ok(())
        }
    }
}

/// Resolves when the grace is over; never if the shutdown never begins.
async fn over(began: oneshot::Receiver<()>) {
    match began.await {
        Ok(()) => tokio::time::sleep(GRACE).await,
        Err(_) => std::future::pending().await,
    }
}
