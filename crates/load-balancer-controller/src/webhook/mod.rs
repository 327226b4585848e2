//! The controller's webhooks, which the API server calls through their service.

mod certificate;
mod review;

use crate::failure::Failure;
use crate::world::World;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube_client::Client;
use review::Hook;
use serde_json::Value;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// No review is longer.
const LONGEST: usize = 3 << 20;
/// A caller has so long for its request.
const PATIENCE: Duration = Duration::from_secs(15);
/// After a failure it begins again.
const RETRY: Duration = Duration::from_secs(1);

/// What webhooks know.
#[derive(Clone, Debug)]
pub(crate) struct Webhooks {
    pub(crate) world: watch::Receiver<Option<World>>,
    /// Whether services get this controller's class.
    pub(crate) by_class: bool,
}

/// Serves the webhooks until the process ends.
pub(crate) async fn run(client: Client, webhooks: Webhooks, port: u16, ready: watch::Sender<bool>) {
    loop {
        match serve(&client, &webhooks, port, &ready).await {
            Ok(never) => match never {},
            Err(error) => tracing::error!(%error, "webhooks are not served"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn serve(
    client: &Client,
    webhooks: &Webhooks,
    port: u16,
    ready: &watch::Sender<bool>,
) -> Result<Infallible, Failure> {
    let tls = certificate::acceptor(client).await?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    let listener = listener.map_err(|error| Failure::Other(error.to_string()))?;
    tracing::info!(port, "Serving webhook server");
    ready.send_replace(true);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(webhooks.clone().converse(tls.clone(), stream));
            }
            Err(error) => {
                tracing::warn!(%error, "a webhook can't accept a connection");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Webhooks {
    async fn converse(self, tls: TlsAcceptor, stream: TcpStream) {
        let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await else {
            return;
        };
        let service = service_fn(|request| {
            let this = self.clone();
            async move { Ok::<_, Infallible>(this.answer(request).await) }
        });
        // A caller that breaks off is no news.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Some(hook) = Hook::at(head.uri.path()) else {
            return plain(StatusCode::NOT_FOUND, "404 page not found");
        };
        let read = Limited::new(body, LONGEST).collect().await.ok();
        let review = read.and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
        let world = self.world.borrow().clone();
        let (Some(review), Some(world)) = (review, world) else {
            return plain(StatusCode::BAD_REQUEST, "the body is no review");
        };
        let answer = hook.answer(&world, &review, self.by_class);
        let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
        let kind = hyper::header::HeaderValue::from_static("application/json");
        response
            .headers_mut()
            .insert(hyper::header::CONTENT_TYPE, kind);
        response
    }
}

fn plain(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response
}
