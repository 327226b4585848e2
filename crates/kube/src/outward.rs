//! How the API server calls others: kubelets, pods, webhooks, from its own place in the network.
//!
//! Connections come from the lab ([`Dial`]), so a packet filter between the API server and a node is met
//! as on a real network. What goes wrong is told in the words of upstream's HTTP client, which people
//! look for: `dial tcp 10.0.0.3:10250: i/o timeout`.

mod trust;
mod words;

pub use kube_client::Dial;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A connection is made within this time, or isn't: that of Go's `DefaultTransport`, which upstream uses.
const PATIENCE: Duration = Duration::from_secs(30);
/// A TLS handshake may take so long, as there.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A body, whole or as it comes.
pub type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// Who the API server is to those it calls, in PEM.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The certificate that vouches for kubelets.
    pub authority: &'a str,
    /// The API server's client certificate.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// What a connection is trusted by.
#[derive(Clone, Debug)]
pub enum Trust {
    /// No TLS.
    Plain,
    /// TLS with anybody.
    Anybody,
    /// TLS with a kubelet, whose certificate the cluster's authority signed.
    Kubelet,
    /// TLS with whoever has a certificate of this name, signed by one of these authorities, in PEM.
    Named {
        /// The name on the certificate.
        name: String,
        /// Who signs such certificates.
        authorities: Vec<u8>,
    },
}

/// Why somebody can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// No connection.
    #[error("{0}")]
    Dial(String),
    /// No TLS.
    #[error("{0}")]
    Tls(String),
    /// The connection failed before there was an answer.
    #[error("{0}")]
    Broken(String),
}

/// The identity can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the API server's client certificate can't be used: {0}")]
pub struct IdentityError(String);

/// A connection.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Calls others.
pub struct Outward {
    dial: Arc<dyn Dial>,
    tls: Option<Tls>,
    patience: Duration,
}

/// Who is spoken TLS with.
struct Tls {
    kubelets: TlsConnector,
    anybody: TlsConnector,
}

/// No way to anybody.
struct Nowhere;

impl Dial for Nowhere {
    fn dial<'a>(
        &'a self,
        _host: &'a str,
        _port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(async { Err(io::ErrorKind::NetworkUnreachable.into()) })
    }
}

impl fmt::Debug for Outward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outward")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Outward {
    /// Calls by these connections, as this identity.
    ///
    /// # Errors
    /// A certificate or key isn't one.
    pub fn new(dial: Arc<dyn Dial>, identity: Identity<'_>) -> Result<Self, IdentityError> {
        Ok(Self {
            dial,
            tls: Some(Tls {
                kubelets: trust::kubelets(identity)?,
                anybody: trust::anybody().map_err(|error| IdentityError(error.to_string()))?,
            }),
            patience: PATIENCE,
        })
    }

    /// Reaches nobody: for a cluster that stands in no network.
    pub fn nowhere() -> Self {
        Self {
            dial: Arc::new(Nowhere),
            tls: None,
            patience: PATIENCE,
        }
    }

    /// With another time within which a connection is made.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// A connection to a host and port.
    ///
    /// # Errors
    /// There is none, or the other side isn't whom it has to be.
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        trust: &Trust,
    ) -> Result<Box<dyn Connection>, Unreachable> {
        let dialled = timeout(self.patience, self.dial.dial(host, port)).await;
        let dialled = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = dialled.map_err(|error| Unreachable::Dial(words::dial(host, port, &error)))?;
        let _ = stream.set_nodelay(true);
        let own = || {
            let nobody = || Unreachable::Tls("the API server has no identity".to_owned());
            self.tls.as_ref().ok_or_else(nobody)
        };
        let (tls, name) = match trust {
            Trust::Plain => return Ok(Box::new(stream)),
            Trust::Anybody => (own()?.anybody.clone(), host),
            Trust::Kubelet => (own()?.kubelets.clone(), host),
            Trust::Named { name, authorities } => {
                let tls = trust::authorities(authorities)
                    .map_err(|error| Unreachable::Tls(error.to_string()))?;
                (tls, name.as_str())
            }
        };
        let server = ServerName::try_from(name.to_owned())
            .map_err(|error| Unreachable::Tls(error.to_string()))?;
        match timeout(HANDSHAKE, tls.connect(server, stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(Unreachable::Tls(words::tls(name, &error))),
            Err(_) => Err(Unreachable::Tls(
                "net/http: TLS handshake timeout".to_owned(),
            )),
        }
    }

    /// Sends a request on a connection of its own and gives the head of the answer; its body comes as
    /// it is read. The connection ends with the answer, or goes on as what the two sides agreed upon.
    ///
    /// # Errors
    /// The connection failed before there was an answer.
    pub async fn send(
        connection: Box<dyn Connection>,
        request: hyper::Request<Body>,
    ) -> Result<hyper::Response<Incoming>, Unreachable> {
        let broken = |error: &hyper::Error| Unreachable::Broken(words::broken(error));
        let made = http1::handshake(TokioIo::new(connection)).await;
        let (mut sender, connection) = made.map_err(|error| broken(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection of the API server's ended");
            }
        });
        sender
            .send_request(request)
            .await
            .map_err(|error| broken(&error))
    }
}
