//! The agent's side.

use super::frame::{frame, read, unframe};
use super::message::*;
use super::{ADD, Code, DELETE, HEALTH, HEALTH_SERVICE, Status, VERSION};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::fs::Permissions;
use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};

/// What answers.
pub trait Backend: Send + Sync + 'static {
    /// A pod asks for its network.
    fn add(
        &self,
        request: AddNetworkRequest,
    ) -> impl Future<Output = Result<AddNetworkReply, Status>> + Send;

    /// A pod's network is given back.
    fn delete(
        &self,
        request: DelNetworkRequest,
    ) -> impl Future<Output = Result<DelNetworkReply, Status>> + Send;

    /// Whether it serves.
    fn serving(&self) -> bool;
}

/// Opens the socket; one that an earlier run left makes way.
///
/// # Errors
/// The file can't be made.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Answers until the program ends.
pub async fn serve(listener: UnixListener, backend: Arc<impl Backend>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, backend.clone()))),
            Err(error) => tracing::warn!(%error, "no connection on the agent's socket"),
        }
    }
}

async fn converse(stream: UnixStream, backend: Arc<impl Backend>) {
    let service = service_fn(move |request| {
        let backend = backend.clone();
        async move { Ok::<_, Infallible>(respond(answer(&*backend, request).await)) }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection on the agent's socket ended");
    }
}

async fn answer(backend: &impl Backend, request: Request<Incoming>) -> Result<Bytes, Status> {
    let method = request.uri().path().to_owned();
    let (bytes, _) = read(request.into_body()).await?;
    match method.as_str() {
        ADD => {
            let asked: AddNetworkRequest = unframe(&bytes)?;
            same_version(&asked.version)?;
            Ok(frame(&backend.add(asked).await?))
        }
        DELETE => {
            let asked: DelNetworkRequest = unframe(&bytes)?;
            same_version(&asked.version)?;
            Ok(frame(&backend.delete(asked).await?))
        }
        HEALTH => {
            let asked: HealthCheckRequest = unframe(&bytes)?;
            if !asked.service.is_empty() && asked.service != HEALTH_SERVICE {
                return Err(Status::new(Code::NotFound, "unknown service"));
            }
            Ok(frame(&HealthCheckReply {
                serving: backend.serving(),
            }))
        }
        other => {
            let message = format!("unknown method {other}");
            Err(Status::new(Code::Unimplemented, message))
        }
    }
}

/// A plugin of another version may mean something else by the same fields.
fn same_version(version: &str) -> Result<(), Status> {
    if version == VERSION {
        return Ok(());
    }
    let message = format!("wrong client version {version:?} (!= {VERSION:?})");
    Err(Status::new(Code::FailedPrecondition, message))
}

fn respond(answered: Result<Bytes, Status>) -> Response<BoxBody<Bytes, Infallible>> {
    let mut trailers = HeaderMap::new();
    let (body, code, message) = match answered {
        Ok(bytes) => (bytes, 0, String::new()),
        Err(status) => (Bytes::new(), status.code, status.message),
    };
    trailers.insert("grpc-status", HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&message)
        && !message.is_empty()
    {
        trailers.insert("grpc-message", message);
    }
    let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed());
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    response
}
