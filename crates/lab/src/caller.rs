//! HTTP requests from a place of the lab: what its machines and services ask of others, by packets.

use crate::cloud::Cloud;
use crate::{names, proxy, socket};
use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use kernel::NetNs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What of an answer is read.
const LIMIT: usize = 1 << 20;

/// How names are looked up.
#[derive(Clone)]
pub(crate) enum Lookup {
    /// As the lab's internet knows them.
    Internet(Cloud),
    /// By a name server that is asked from the place.
    Server(Ipv4Addr),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The address names no host that can be called.
    #[error("{0} is no address that can be called")]
    Address(String),
    /// The name can't be looked up.
    #[error("{0}")]
    Lookup(String),
    /// The host doesn't take the connection, or breaks it.
    #[error("{host}: {why}")]
    Connection {
        /// The host.
        host: String,
        /// What happened.
        why: String,
    },
    /// It takes too long.
    #[error("{0}: no answer in time")]
    Timeout(String),
}

/// Somebody who calls from a place.
#[derive(Clone)]
pub(crate) struct Caller {
    place: Arc<NetNs>,
    lookup: Lookup,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

impl Caller {
    /// A caller who trusts a bundle of certificates, in PEM.
    ///
    /// # Errors
    /// The TLS library refuses.
    pub(crate) fn new(
        place: Arc<NetNs>,
        lookup: Lookup,
        bundle: &str,
    ) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(bundle.as_bytes()).filter_map(Result::ok);
        roots.add_parsable_certificates(certificates);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            place,
            lookup,
            tls: Arc::new(config),
        })
    }

    /// Sends a request whose address has a scheme and a host, and reads the answer.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        timeout(PATIENCE, self.ask(request, &host))
            .await
            .unwrap_or(Err(CallError::Timeout(host)))
    }

    async fn ask(&self, request: Request<Bytes>, host: &str) -> Result<Response<Bytes>, CallError> {
        let uri = request.uri();
        let plain = uri.scheme_str() == Some("http");
        if host.is_empty() || !(plain || uri.scheme_str() == Some("https")) {
            return Err(CallError::Address(uri.to_string()));
        }
        let port = uri.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let address = self.look_up(host).await?;
        let failed = |error: &dyn fmt::Display| CallError::Connection {
            host: host.to_owned(),
            why: error.to_string(),
        };
        let socket = socket::unconnected(self.place.clone()).await;
        let connecting = socket
            .map_err(|error| failed(&error))?
            .connect(SocketAddr::from((address, port)));
        let tcp = connecting.await.map_err(|error| failed(&error))?;
        let request = in_origin_form(request, host).map_err(|error| failed(&error))?;
        if plain {
            return converse(tcp, request).await.map_err(|error| failed(&error));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let shaking = TlsConnector::from(self.tls.clone()).connect(name, tcp);
        let stream = shaking.await.map_err(|error| failed(&error))?;
        converse(stream, request)
            .await
            .map_err(|error| failed(&error))
    }

    /// A host's address.
    async fn look_up(&self, host: &str) -> Result<Ipv4Addr, CallError> {
        match &self.lookup {
            Lookup::Internet(cloud) => {
                proxy::look_up(cloud, host).map_err(|error| CallError::Lookup(error.to_string()))
            }
            Lookup::Server(server) => {
                let (server, host) = (*server, host.to_owned());
                let asking = socket::inside(self.place.clone(), move || names::ask(server, &host));
                let found = asking.await;
                found.map_err(|error: io::Error| CallError::Lookup(error.to_string()))
            }
        }
    }
}

/// Sends one request over a connection.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> io::Result<Response<Bytes>> {
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(io::Error::other)?;
    // It ends with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    let (parts, body) = answer.map_err(io::Error::other)?.into_parts();
    let body = Limited::new(body, LIMIT).collect().await;
    Ok(Response::from_parts(
        parts,
        body.map_err(io::Error::other)?.to_bytes(),
    ))
}

/// A request as a server wants it: path and query in its first line, the name in `Host`.
fn in_origin_form(
    request: Request<Bytes>,
    host: &str,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let usual = if parts.uri.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    let host = match parts.uri.port_u16() {
        Some(port) if port != usual => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    parts.uri = path.parse::<Uri>()?;
    parts.headers.insert(header::HOST, host.parse()?);
    Ok(Request::from_parts(parts, Full::new(body)))
}
