//! One of the streams to a client, whatever carries it.

use crate::channel;
use crate::protocol::Encoding;
use crate::spdy::Writer;
use bytes::Bytes;
use tokio::sync::mpsc;

/// The client is gone, or wants no more of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// One of the streams to a client.
pub(crate) enum Outbound {
    /// A channel of a WebSocket.
    Channel {
        /// Its number.
        channel: u8,
        /// How its bytes are put into messages.
        encoding: Encoding,
        /// Where they go.
        outgoing: mpsc::Sender<Bytes>,
    },
    /// A stream of SPDY.
    Stream(Writer),
}

impl Outbound {
    /// Sends bytes, once there is room for them.
    pub(crate) async fn send(&self, data: &[u8]) -> Result<(), Gone> {
        match self {
            Self::Channel {
                channel,
                encoding,
                outgoing,
            } => {
                let message = channel::write(*encoding, *channel, data);
                outgoing.send(message).await.map_err(|_| Gone)
            }
            Self::Stream(writer) => writer.send(data).await,
        }
    }

    /// Waits until the client wants no more of it.
    pub(crate) async fn gone(&self) {
        match self {
            Self::Channel { outgoing, .. } => outgoing.closed().await,
            Self::Stream(writer) => writer.gone().await,
        }
    }

    /// There will be no more. A channel's end isn't told.
    pub(crate) async fn finish(self) {
        if let Self::Stream(writer) = self {
            writer.finish().await;
        }
    }
}
