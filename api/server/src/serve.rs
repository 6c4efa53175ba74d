//! Answering requests until told to stop.

use std::future::IntoFuture;

use axum::Router;
use axum::serve::ListenerExt;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use crate::{Error, GatewayState};

/// Bytes that may wait in a connection's send buffer while the client's window is closed. Without it
/// the kernel takes megabytes for a client that does not read, and a stream has no way to tell.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

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
    let listener = listener.tap_io(|connection| {
        if let Err(error) = suit_streams(connection) {
            tracing::debug!(%error, "a connection can't be suited to live streams");
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

/// An event of a stream is a small write that must not wait for the acknowledgement before it, and a
/// client that does not read must be noticed soon.
fn suit_streams(connection: &TcpStream) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    SockRef::from(connection).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
}
