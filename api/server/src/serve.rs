//! Answering requests until told to stop.

use std::future::IntoFuture;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::{Error, GatewayState};

/// Serves `router` until the gateway's shutdown is triggered; then requests under way are finished,
/// live streams end, and after [`crate::Options::shutdown_timeout`] the rest is dropped.
///
/// # Errors
/// [`Error::Serve`] when the socket fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    gateway: &GatewayState,
) -> Result<(), Error> {
    let stop = gateway.shutdown().clone();
    let stopped = stop.clone();
    // An event of a stream is a small write that must not wait for the acknowledgement before it.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection can't be told to send at once");
        }
    });
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .into_future();
    let overdue = async {
        stopped.cancelled().await;
        tokio::time::sleep(gateway.options().shutdown_timeout).await;
    };
    tokio::select! {
        ended = served => ended.map_err(Error::Serve),
        () = overdue => {
            tracing::warn!("requests still under way were dropped at shutdown");
            Ok(())
        }
    }
}
