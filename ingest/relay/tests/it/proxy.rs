//! A TCP proxy between the relay and PostgreSQL, whose connections can go dead without being closed.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Ends with its runtime.
pub struct Proxy {
    pub address: SocketAddr,
    /// Connections of earlier generations pass nothing on any more.
    generation: Arc<watch::Sender<u64>>,
}

impl Proxy {
    pub async fn to(target: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let generation = Arc::new(watch::Sender::new(0));
        let current = Arc::clone(&generation);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&target).await else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, current.subscribe()));
                tokio::spawn(pass(from_server, to_client, current.subscribe()));
            }
        });
        Ok(Self { address, generation })
    }

    /// Every connection there is goes dead, and stays open.
    pub fn half_open(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, generation: watch::Receiver<u64>) {
    let born = *generation.borrow();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if *generation.borrow() != born {
            // Holds both ends open, and passes nothing on.
            std::future::pending::<()>().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
