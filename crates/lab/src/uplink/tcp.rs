//! Connections.

use super::reachable;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So many connections are carried at once.
const MOST: usize = 4096;
/// The other side has so long to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Carries connections on until the lab ends.
pub(super) async fn carry(listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let some close.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        tokio::spawn(async move {
            // A side that breaks off ends both.
            let _ = one(stream, reachable).await;
            drop(place);
        });
    }
}

/// Carries one connection on to the address that its caller meant, if that may be called.
async fn one(mut inside: TcpStream, may: impl Fn(Ipv4Addr) -> bool) -> std::io::Result<()> {
    // The address that the caller meant is the one that the accepted socket has.
    let SocketAddr::V4(meant) = inside.local_addr()? else {
        return Ok(());
    };
    if !may(*meant.ip()) {
        tracing::warn!(to = %meant, "a call to what is not public was refused");
        return Ok(());
    }
    let mut outside = timeout(PATIENCE, TcpStream::connect(meant)).await??;
    let _ = outside.set_nodelay(true);
    let _ = inside.set_nodelay(true);
    copy_bidirectional(&mut inside, &mut outside).await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// OPS-SAFE: what may not be called is not, and the caller is let go.
    #[tokio::test]
    async fn what_is_not_public_is_refused() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (inside, _) = listener.accept().await.unwrap();
        caller.write_all(b"hello").await.unwrap();
        one(inside, reachable).await.unwrap();
        assert_eq!(caller.read(&mut [0; 8]).await.unwrap_or(0), 0);
        // Nobody was called in its name.
        let again = timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(again.is_err());
    }

    /// A connection is carried both ways, to its end.
    #[tokio::test]
    async fn connections_are_carried() {
        // The caller's side and the side that is meant listen on one address, one after the other.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (inside, _) = listener.accept().await.unwrap();
        let carried = tokio::spawn(one(inside, |_| true));
        let (mut meant, _) = listener.accept().await.unwrap();
        caller.write_all(b"ping").await.unwrap();
        let mut heard = [0; 4];
        meant.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
        meant.write_all(b"pong").await.unwrap();
        caller.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"pong");
        drop((caller, meant));
        carried.await.unwrap().unwrap();
    }
}
