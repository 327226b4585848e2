//! What is told by HTTP: `/health`, `/ready` and `/metrics`.

use super::chain::Server;
use super::listen::Current;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::net::TcpListener;

/// A client that doesn't finish its request within this time is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers at an address until the socket fails.
pub(crate) async fn serve(listener: TcpListener, at: SocketAddr, current: Current) -> io::Error {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return error,
        };
        let current = current.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let server = current.borrow().clone();
            let response = page(&server, at, request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

/// A page, where it is served at an address.
fn page(server: &Server, at: SocketAddr, path: &str) -> Response<Full<Bytes>> {
    let blocks = server.blocks.iter().map(|serving| &serving.block);
    let mut here = blocks.filter(|block| match path {
        "/health" => block.health.is_some_and(|health| health.address == at),
        "/ready" => block.ready == Some(at),
        "/metrics" => block.prometheus == Some(at),
        _ => false,
    });
    if here.next().is_none() {
        return text(StatusCode::NOT_FOUND, "404 page not found\n".to_owned());
    }
    match path {
        "/health" => text(StatusCode::OK, "OK".to_owned()),
        "/ready" => ready(server),
        _ => {
            let mut response = text(StatusCode::OK, server.metrics.text());
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
    }
}

/// The only plugin that isn't ready at once is the cluster's.
fn ready(server: &Server) -> Response<Full<Bytes>> {
    let mut blocks = server.blocks.iter();
    let zone = server.zone.read().unwrap_or_else(PoisonError::into_inner);
    if blocks.any(|serving| serving.block.kubernetes.is_some()) && !zone.is_complete() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "kubernetes".to_owned());
    }
    text(StatusCode::OK, "OK".to_owned())
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
