//! A kubelet's own server, on its node's port 10250: logs, exec, attach, port-forward, metrics.
//!
//! Callers show a client certificate of the cluster's authority or a token that the API knows; nobody
//! is answered who doesn't. What is served:
//! `/healthz`, `/pods`, `/containerLogs`, `/exec`, `/attach`, `/portForward`, `/run`,
//! `/metrics/resource`, `/stats/summary`. Not modelled: `/metrics` and `/metrics/cadvisor`, `/configz`,
//! `/logs`, `/debug`, `/checkpoint`.

mod access;
mod answer;
mod exec;
mod forward;
mod logs;
mod metrics;
mod route;
mod run;
mod subject;
mod summary;

use crate::config::Identity;
use crate::roster::Roster;
use crate::shared::Shared;
use crate::usage::Meter;
use access::Gate;
use answer::{Body, text};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use subject::Caller;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// A caller has so long for a TLS handshake and for a request's headers.
const PATIENCE: Duration = Duration::from_secs(15);
/// After a failure the next try waits so long.
const PAUSE: Duration = Duration::from_secs(1);

/// What a node's server answers from.
#[derive(Clone, Debug)]
struct Server {
    shared: Arc<Shared>,
    roster: Roster,
    gate: Arc<Gate>,
    meter: Arc<Meter>,
    /// Ends with the kubelet.
    alive: watch::Receiver<()>,
}

/// Serves for ever. Conversations end with it.
pub(crate) async fn serve(shared: Arc<Shared>, roster: Roster, identity: Identity) {
    let tls = match acceptor(&identity) {
        Ok(tls) => tls,
        Err(error) => {
            tracing::error!(%error, "the kubelet's server can't begin");
            return;
        }
    };
    let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, shared.config.port));
    let (_alive, alive) = watch::channel(());
    let server = Server {
        shared,
        roster,
        gate: Arc::new(Gate::new()),
        meter: Arc::default(),
        alive,
    };
    loop {
        match server.shared.means.place.listen(at).await {
            Ok(listener) => server.accept(&listener, &tls).await,
            Err(error) => {
                let node = &server.shared.config.name;
                tracing::warn!(node, %error, "the kubelet's server can't listen for now");
            }
        }
        sleep(PAUSE).await;
    }
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor, String> {
    let told = |error: &dyn fmt::Display| error.to_string();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(identity.authority.as_bytes()) {
        let authority = authority.map_err(|error| told(&error))?;
        roots.add(authority).map_err(|error| told(&error))?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|error| told(&error))?;
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| told(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(
            chain.map_err(|error| told(&error))?,
            key.map_err(|error| told(&error))?,
        )
        .map_err(|error| told(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl Server {
    /// Takes connections until none can be taken any more.
    async fn accept(&self, listener: &TcpListener, tls: &TlsAcceptor) {
        if let Ok(at) = listener.local_addr() {
            self.shared.served.send_replace(Some(at));
        }
        let mut conversations = JoinSet::new();
        loop {
            while conversations.try_join_next().is_some() {}
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to a kubelet can't be taken");
                    return;
                }
            };
            let (server, tls) = (self.clone(), tls.clone());
            conversations.spawn(async move { server.converse(stream, &tls).await });
        }
    }

    /// Does something beside the conversation it came from, as long as the kubelet is there.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut alive = self.alive.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = work => {}
                _ = alive.changed() => {}
            }
        });
    }

    async fn converse(self, stream: TcpStream, tls: &TlsAcceptor) {
        let _ = stream.set_nodelay(true);
        let stream = match timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(%error, "no TLS with a kubelet"),
            Err(_) => return,
        };
        let shown = stream.get_ref().1.peer_certificates();
        let shown = shown.and_then(|chain| Caller::of(chain.first()?));
        let shown = Arc::new(shown);
        let service = service_fn(move |request| {
            let (server, shown) = (self.clone(), shown.clone());
            async move { Ok::<_, Infallible>(server.answer(request, shown.as_ref().as_ref()).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "a connection to a kubelet ended");
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        shown: Option<&Caller>,
    ) -> http::Response<Body> {
        let path = request.uri().path();
        let checked = self
            .gate
            .check(
                &self.shared,
                shown,
                request.method(),
                path,
                request.headers(),
            )
            .await;
        match checked {
            Ok(()) => self.route(request).await,
            Err(refusal) => text(refusal.status(), refusal.to_string()),
        }
    }
}
