//! A pod's ports, forwarded.

mod channels;
mod streams;
#[cfg(test)]
mod tests;

use crate::carrier::{Carrier, Ended, Frames, PIECE};
use crate::outbound::{Gone, Outbound};
use crate::protocol::ForwardProtocol;
use crate::spdy::Inbound;
use bytes::BytesMut;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// Which pod's ports are forwarded: what errors say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The pod's name, or its sandbox's id.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
}

impl Target {
    /// What the client is told when a port can't be reached.
    fn refused(&self, port: u16, error: &io::Error) -> String {
        let Self { pod, uid } = self;
        format!("error forwarding port {port} to pod {pod}, uid {uid}: {error}")
    }
}

/// Serves a port-forward on what its upgrade left, until the client goes. Each connection is one to what
/// `dial` connects to.
pub async fn serve_port_forward<D, F>(
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    protocol: ForwardProtocol,
    target: Target,
    dial: D,
) -> Ended
where
    D: Fn(u16) -> F,
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    match protocol {
        ForwardProtocol::WebSocket(encoding, ports) => {
            let carrier = Carrier::websocket(io, encoding.frames());
            channels::serve(carrier, encoding, &ports, &target, dial).await
        }
        ForwardProtocol::Tunnel => {
            let carrier = Carrier::websocket(io, Frames::Binary);
            streams::serve(carrier, target, dial).await
        }
        ForwardProtocol::Spdy => streams::serve(Carrier::plain(io), target, dial).await,
    }
}

/// One connection's streams.
struct Pair {
    inbound: Inbound,
    data: Outbound,
    error: Outbound,
}

/// Connects, carries one connection to its end, and tells the client if there was none.
async fn forward(
    port: u16,
    pair: Pair,
    target: &Target,
    dialing: impl Future<Output = io::Result<TcpStream>>,
) {
    match dialing.await {
        Ok(socket) => relay(pair.inbound, &pair.data, socket).await,
        Err(error) => {
            let _ = pair
                .error
                .send(target.refused(port, &error).as_bytes())
                .await;
        }
    }
    pair.data.finish().await;
    pair.error.finish().await;
}

/// Carries both directions until the pod has no more to say, or the client hears no more. A connection that
/// the pod resets ends as one that it closes: a message would end the client's other connections too.
async fn relay(mut inbound: Inbound, data: &Outbound, socket: TcpStream) {
    let (mut read, mut write) = socket.into_split();
    let to_pod = async {
        while let Some(bytes) = inbound.recv().await {
            if write.write_all(&bytes).await.is_err() {
                break;
            }
        }
        let _ = write.shutdown().await;
        // The pod may have something to say yet.
        std::future::pending::<()>().await;
    };
    let to_client = async {
        let mut buffer = BytesMut::with_capacity(PIECE);
        while matches!(read.read_buf(&mut buffer).await, Ok(1..)) {
            if let Err(Gone) = data.send(&buffer).await {
                break;
            }
            buffer.clear();
        }
    };
    tokio::select! {
        () = to_client => {}
        () = data.gone() => {}
        () = to_pod => {}
    }
}
