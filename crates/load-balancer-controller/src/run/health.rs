//! Whether the controller is alive, and whether its webhooks are served.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where upstream answers.
const PORT: u16 = 61_779;

/// Answers until the process ends.
pub(super) async fn serve(ready: watch::Receiver<bool>) {
    let listener = loop {
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await {
            Ok(listener) => break listener,
            Err(error) => tracing::error!(%error, "health probes can't be answered"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let ready = ready.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer(request.uri().path(), *ready.borrow());
                async move { Ok::<_, Infallible>(answer) }
            });
            // A caller that breaks off is no news.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(path: &str, ready: bool) -> Response<Full<Bytes>> {
    let (status, words) = match (path, ready) {
        ("/healthz", _) | ("/readyz", true) => (StatusCode::OK, "ok"),
        ("/readyz", false) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "webhooks are not served yet",
        ),
        _ => (StatusCode::NOT_FOUND, "404 page not found"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response
}
