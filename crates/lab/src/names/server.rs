//! DNS on sockets, UDP and TCP.

use super::message::{Carrier, answer, is_unknown};
use super::zone::{Answer, Question};
use crate::uplink;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So many callers may be connected by TCP at once.
const CONNECTIONS: usize = 64;
/// A TCP caller that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers on a UDP socket until it fails; `beyond`: names that the lab doesn't know are asked of the
/// machine's resolver.
///
/// # Errors
/// The socket is gone.
pub async fn serve_udp(
    socket: UdpSocket,
    beyond: bool,
    resolve: impl Fn(&Question) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; 4096];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An earlier answer met a closed port.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        if let Some(reply) = answer(&buffer[..length], Carrier::Udp, &resolve) {
            if beyond && is_unknown(&buffer[..length], &reply) {
                let (socket, asked) = (socket.clone(), buffer[..length].to_vec());
                tokio::spawn(async move {
                    let reply = uplink::forward(&asked).await.unwrap_or(reply);
                    let _ = socket.send_to(&reply, peer).await;
                });
                continue;
            }
            // One caller that can't be answered is no reason to stop.
            let _ = socket.send_to(&reply, peer).await;
        }
    }
}

/// Answers on a TCP listener until it fails; `beyond` as above.
///
/// # Errors
/// The listener is gone.
pub async fn serve_tcp(
    listener: TcpListener,
    beyond: bool,
    resolve: impl Fn(&Question) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    let resolve = Arc::new(resolve);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, _) = listener.accept().await?;
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let resolve = resolve.clone();
        tokio::spawn(async move {
            // A caller that breaks off is no news.
            let _ = converse(stream, beyond, resolve.as_ref()).await;
            drop(place);
        });
    }
}

async fn converse(
    mut stream: TcpStream,
    beyond: bool,
    resolve: &(impl Fn(&Question) -> Answer + Send + Sync),
) -> io::Result<()> {
    loop {
        let length = timeout(PATIENCE, stream.read_u16()).await??;
        let mut request = vec![0; usize::from(length)];
        timeout(PATIENCE, stream.read_exact(&mut request)).await??;
        let Some(mut reply) = answer(&request, Carrier::Tcp, resolve) else {
            return Ok(());
        };
        if beyond && is_unknown(&request, &reply) {
            reply = uplink::forward(&request).await.unwrap_or(reply);
        }
        let Ok(length) = u16::try_from(reply.len()) else {
            return Ok(());
        };
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend(reply);
        stream.write_all(&framed).await?;
    }
}
