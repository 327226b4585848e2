//! What carries bytes between a client and this server: an upgraded connection as it is, or the messages of
//! a WebSocket on it.
//!
//! A carrier is two bounded queues and a task between them and the connection. Who is slow holds up the
//! other through the queues, in each direction on its own.

mod idle;
mod plain;
mod websocket;

use bytes::Bytes;
use idle::Idle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) use websocket::Frames;

/// So many pieces wait in a queue at most.
const QUEUE: usize = 16;
/// So many bytes a piece has at most, where this server chooses.
pub(crate) const PIECE: usize = 32 * 1024;
/// So long a client that was told the end may take to hang up. A connection that is closed while the
/// client's bytes are unread is reset, and a reset can overtake what was sent last.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// A connection that carries nothing for so long is closed, as kubelets do by default
/// (`streamingConnectionIdleTimeout`).
const IDLE: Duration = Duration::from_secs(4 * 60 * 60);

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With what it was for.
    Finished,
    /// The client hung up, or broke the protocol.
    ClientGone,
    /// Nothing was carried for four hours.
    Idle,
    /// The client didn't open the streams that it asked for.
    NoStreams,
}

/// A connection's two directions.
pub(crate) struct Carrier {
    /// What the client sends; it ends when the connection does.
    pub(crate) incoming: mpsc::Receiver<Bytes>,
    /// What goes to the client. The connection is closed, in order, when all senders are dropped; it is
    /// closed for them when the client is gone.
    pub(crate) outgoing: mpsc::Sender<Bytes>,
    task: JoinHandle<Ended>,
}

impl Carrier {
    /// Carries bytes as they come.
    pub(crate) fn plain(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::start(|incoming, outgoing| async move {
            let idle = Idle::new(IDLE);
            tokio::select! {
                ended = plain::exchange(io, incoming, outgoing, &idle) => ended,
                () = idle.expired() => Ended::Idle,
            }
        })
    }

    /// Carries messages of a WebSocket.
    pub(crate) fn websocket(
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        frames: Frames,
    ) -> Self {
        Self::start(move |incoming, outgoing| async move {
            let idle = Idle::new(IDLE);
            tokio::select! {
                ended = websocket::exchange(io, frames, incoming, outgoing, &idle) => ended,
                () = idle.expired() => Ended::Idle,
            }
        })
    }

    fn start<F>(run: impl FnOnce(mpsc::Sender<Bytes>, mpsc::Receiver<Bytes>) -> F) -> Self
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        let (to_server, incoming) = mpsc::channel(QUEUE);
        let (outgoing, to_client) = mpsc::channel(QUEUE);
        Self {
            incoming,
            outgoing,
            task: tokio::spawn(run(to_server, to_client)),
        }
    }

    /// Splits the queues from the end of the connection.
    pub(crate) fn split(self) -> (mpsc::Receiver<Bytes>, mpsc::Sender<Bytes>, End) {
        (self.incoming, self.outgoing, End(self.task))
    }
}

/// A task that ends with whoever holds this.
pub(crate) struct Guard(JoinHandle<()>);

impl Guard {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The end of a carrier's connection.
pub(crate) struct End(JoinHandle<Ended>);

impl End {
    /// Waits until the connection is closed.
    pub(crate) async fn wait(self) -> Ended {
        self.0.await.unwrap_or(Ended::ClientGone)
    }
}
