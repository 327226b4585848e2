//! Connections to members.
//!
//! A connection by HTTP/1.1 isn't a task of its own: whoever uses it drives it, in the task of the
//! client's connection, so that a request wakes one task and not two. Idle ones rest until they are
//! used again or swept.

use crate::exchange::Outgoing;
use crate::means::Network;
use crate::tls;
use crate::wire::Wire;
use fabric::balancer::Speech;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// How long a connection to a member may take to be made.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html#http-504-issues>
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A connection for one request at a time.
pub(crate) struct Upstream {
    /// Takes requests.
    pub(crate) sender: http1::SendRequest<Outgoing>,
    /// Does the work, whenever it is polled.
    pub(crate) connection: Pin<Box<http1::Connection<TokioIo<Wire>, Outgoing>>>,
    used: Instant,
}

/// A connection for many requests at once.
pub(crate) type Shared = http2::SendRequest<Outgoing>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectFailure {
    /// Nobody answered in time.
    #[error("no answer in time")]
    Timeout,
    /// It was refused, or there is no way.
    #[error("{0}")]
    Refused(#[from] io::Error),
    /// What was said first isn't understood.
    #[error("{0}")]
    Handshake(#[from] hyper::Error),
}

impl Upstream {
    /// Does what there is to do; true if the connection can take a request now.
    pub(crate) fn is_usable(&mut self, context: &mut Context<'_>) -> bool {
        match self.connection.as_mut().poll(context) {
            Poll::Ready(_) => false,
            Poll::Pending => self.sender.is_ready(),
        }
    }

    /// It was used just now.
    pub(crate) fn rest(&mut self) {
        self.used = Instant::now();
    }

    /// For how long nobody used it.
    pub(crate) fn idle_for(&self) -> Duration {
        self.used.elapsed()
    }
}

/// A connection for one request at a time.
///
/// # Errors
/// There is none.
pub(crate) async fn connect(
    network: &dyn Network,
    to: SocketAddr,
    speech: Speech,
) -> Result<Upstream, ConnectFailure> {
    let wire = open(network, to, speech, None, &[]).await?;
    let mut builder = http1::Builder::new();
    builder.title_case_headers(true);
    let (sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
    Ok(Upstream {
        sender,
        connection: Box::pin(connection),
        used: Instant::now(),
    })
}

/// A connection for many requests at once, which drives itself.
///
/// # Errors
/// There is none.
pub(crate) async fn connect_shared(
    network: &dyn Network,
    to: SocketAddr,
    speech: Speech,
) -> Result<Shared, ConnectFailure> {
    let wire = open(network, to, speech, None, &[]).await?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    let (sender, connection) = builder.handshake(TokioIo::new(wire)).await?;
    tokio::spawn(async move {
        // Each request learns of its own failure.
        let _ = connection.await;
    });
    Ok(sender)
}

/// A connection's bytes, after a preamble and TLS's handshake if there is to be one.
///
/// # Errors
/// There is none.
pub(crate) async fn open(
    network: &dyn Network,
    to: SocketAddr,
    speech: Speech,
    source: Option<SocketAddr>,
    preamble: &[u8],
) -> Result<Wire, ConnectFailure> {
    let opening = async {
        let mut tcp = network.connect(to, source).await?;
        tcp.set_nodelay(true)?;
        if !preamble.is_empty() {
            tcp.write_all(preamble).await?;
        }
        match speech {
            Speech::Plain | Speech::Http1 | Speech::Http2 => Ok(Wire::Plain(tcp)),
            Speech::Tls | Speech::Https1 => tls::join(tcp, to, &[]).await,
            Speech::Https2 => tls::join(tcp, to, &[b"h2"]).await,
        }
    };
    match timeout(CONNECT_LIMIT, opening).await {
        Ok(opened) => Ok(opened?),
        Err(_) => Err(ConnectFailure::Timeout),
    }
}
