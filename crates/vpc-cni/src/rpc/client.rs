//! Calls to the agent.

use super::frame::{frame, read, unframe};
use super::message::*;
use super::{ADD, DELETE, HEALTH, Status};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// A call takes no longer; upstream's plugin has runtimes wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answers.
    #[error("rpc error: code = Unavailable desc = connection error: dial unix {path}: {source}")]
    Unavailable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke.
    #[error("rpc error: code = Unavailable desc = {0}")]
    Broken(#[from] hyper::Error),
    /// It took too long.
    #[error("rpc error: code = DeadlineExceeded desc = context deadline exceeded")]
    Late,
    /// The agent refused.
    #[error(transparent)]
    Refused(#[from] Status),
}

impl CallError {
    /// Whether the agent isn't there, rather than that it refuses.
    pub fn is_absence(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// Asks for a pod's network.
///
/// # Errors
/// As [`CallError`] says.
pub async fn add(socket: &Path, request: &AddNetworkRequest) -> Result<AddNetworkReply, CallError> {
    call(socket, ADD, request).await
}

/// Gives a pod's network back.
///
/// # Errors
/// As [`CallError`] says.
pub async fn delete(
    socket: &Path,
    request: &DelNetworkRequest,
) -> Result<DelNetworkReply, CallError> {
    call(socket, DELETE, request).await
}

/// Whether a service of the agent serves.
///
/// # Errors
/// As [`CallError`] says.
pub async fn health(socket: &Path, service: &str) -> Result<bool, CallError> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let reply: HealthCheckReply = call(socket, HEALTH, &request).await?;
    Ok(reply.serving)
}

async fn call<Q: Message, A: Message>(
    socket: &Path,
    method: &'static str,
    message: &Q,
) -> Result<A, CallError> {
    let late = |_| CallError::Late;
    let bytes = timeout(PATIENCE, exchange(socket, method, frame(message)))
        .await
        .map_err(late)??;
    Ok(unframe(&bytes)?)
}

async fn exchange(socket: &Path, method: &'static str, message: Bytes) -> Result<Bytes, CallError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|source| CallError::Unavailable {
            path: socket.to_owned(),
            source,
        })?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let exchange = async {
        let response = sender.send_request(request(method, message)).await?;
        let (head, body) = response.into_parts();
        let (bytes, trailers) = read(body).await?;
        refusal(&head.headers, &trailers).map_or(Ok(bytes), Err)
    };
    tokio::pin!(connection, exchange);
    tokio::select! {
        answered = &mut exchange => answered,
        ended = &mut connection => {
            ended?;
            exchange.await
        }
    }
}

fn request(method: &'static str, message: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(message));
    // The parts are constants that make a URI.
    *request.uri_mut() = format!("http://localhost{method}")
        .parse()
        .unwrap_or_default();
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = Version::HTTP_2;
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    request
}

/// What an answer says went wrong, in its trailers or, without a message, in its headers.
fn refusal(head: &HeaderMap, trailers: &HeaderMap) -> Option<CallError> {
    let text = |name: &str| {
        let value = trailers.get(name).or_else(|| head.get(name))?;
        Some(value.to_str().ok()?.to_owned())
    };
    let code = text("grpc-status").and_then(|code| code.parse().ok())?;
    (code != 0).then(|| {
        CallError::Refused(Status {
            code,
            message: text("grpc-message").unwrap_or_default(),
        })
    })
}
