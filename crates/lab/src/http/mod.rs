//! HTTP/1.1 for the clouds' APIs: connections, limits, TLS.

mod api;
mod call;
mod guard;
mod on_behalf;
pub(crate) mod registry;
mod request_id;
mod service;

pub use api::{Api, Keys};

use crate::authority::Authority;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// So many connections may be open at once on one listener.
const CONNECTIONS: usize = 1024;
/// A caller has so long for a request's headers, and for a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(15);
/// Where the lab's metrics are; no cloud has such a path.
pub const METRICS: &str = "/_skylab/metrics";
/// No request body is longer. EC2's longest, user data and rule lists, stay below it.
const BODY: usize = 4 << 20;

/// Serves an API on a listener until the lab ends; with an authority, over TLS.
pub async fn serve(listener: TcpListener, api: Arc<Api>, tls: Option<Arc<Authority>>) {
    let tls = tls.and_then(|authority| match acceptor(authority) {
        Ok(acceptor) => Some(acceptor),
        Err(error) => {
            tracing::error!(%error, "no TLS");
            None
        }
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: let some close.
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small answers must not wait for more to send.
        let _ = stream.set_nodelay(true);
        let (api, tls) = (api.clone(), tls.clone());
        tokio::spawn(async move {
            let ended = match tls {
                None => converse(stream, api).await,
                Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, api).await,
                    Ok(Err(error)) => Err(error.into()),
                    Err(_) => Ok(()),
                },
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            drop(place);
        });
    }
}

fn acceptor(authority: Arc<Authority>) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(authority);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    api: Arc<Api>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let service = service_fn(|request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(answer(&api, request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

async fn answer(api: &Api, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if let Err(denied) = guard::check(request.headers()) {
        tracing::warn!(%denied, "a request was refused");
        return plain(403, &denied.to_string());
    }
    let (head, body) = request.into_parts();
    if head.uri.path() == METRICS {
        return api.metrics(&head);
    }
    if let Some((account, region)) = registry::asked(&head) {
        return registry::answer(api, &head, &account, &region);
    }
    match timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => api.answer(&head, body.to_bytes()).await,
        Ok(Err(error)) if error.is::<LengthLimitError>() => plain(413, "the request is too long"),
        Ok(Err(_)) => plain(400, "the request's body can't be read"),
        Err(_) => plain(408, "the request's body did not come in time"),
    }
}

fn plain(status: u16, text: &str) -> Response<Full<Bytes>> {
    respond(
        status,
        "text/plain",
        &request_id::fresh(),
        format!("{text}\n"),
    )
}

/// A response with the headers that all have.
fn respond(
    status: u16,
    content_type: &'static str,
    request_id: &str,
    body: String,
) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header("x-amzn-requestid", request_id)
        .header("content-type", content_type)
        .header("cache-control", "no-cache, no-store")
        .header("server", "AmazonEC2")
        .body(Full::new(Bytes::from(body)));
    // Ids and types are plain ASCII and the status is a constant or AWS's: this can't fail.
    response.unwrap_or_default()
}

/// Binds a loopback listener in the host's own network.
///
/// # Errors
/// The port is taken.
pub async fn listen_on_loopback(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await
}
