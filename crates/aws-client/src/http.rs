//! Requests to the cloud, over connections that are kept for a while.

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A connection is there within this time, or isn't.
const DIAL: Duration = Duration::from_secs(5);
/// An answer is.
const ANSWER: Duration = Duration::from_secs(30);
/// An answer is not longer.
const LONGEST: usize = 8 << 20;
/// So many idle connections are kept, and so long.
const MOST: usize = 16;
const KEPT: Duration = Duration::from_secs(20);
/// Where programs look for the certificates that they trust, one after the other.
const BUNDLES: [&str; 2] = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"];
const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address isn't one.
    #[error("{0:?} is no address of a server")]
    Address(String),
    /// No connection.
    #[error("dial tcp {origin}: {why}")]
    Dial {
        /// The server.
        origin: Origin,
        /// What the system said.
        why: String,
    },
    /// The connection broke, or the answer can't be read.
    #[error("{origin}: {why}")]
    Broken {
        /// The server.
        origin: Origin,
        /// What went wrong.
        why: String,
    },
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub text: String,
    /// What services that speak JSON call an error.
    pub error_type: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Origin {
    /// From `https://host` or `http://host:port`.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, HttpError> {
        let wrong = || HttpError::Address(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let default = if https { 443 } else { 80 };
        Ok(Self {
            https,
            host: uri.host().ok_or_else(wrong)?.to_owned(),
            port: uri.port_u16().unwrap_or(default),
        })
    }

    /// What requests' `Host` says.
    pub fn authority(&self) -> String {
        match (self.https, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            _ => self.to_string(),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A client.
#[derive(Clone)]
pub struct Http {
    tls: TlsConnector,
    idle: Arc<Mutex<Vec<Idle>>>,
}

type Sender = SendRequest<Full<Bytes>>;

/// A connection that waits for its next request.
struct Idle {
    origin: Origin,
    sender: Sender,
    since: Instant,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// A client that trusts what the machine's programs trust.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> Result<Self, rustls::Error> {
        let named = BUNDLES.iter().filter_map(|name| variable(name));
        let bundle = named.chain([SYSTEM_BUNDLE.to_owned()]).find_map(|path| {
            let read = std::fs::read(&path);
            read.inspect_err(|error| tracing::debug!(path, %error, "no certificates"))
                .ok()
        });
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(bundle.as_deref().unwrap_or_default());
        roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            idle: Arc::default(),
        })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send(
        &self,
        origin: &Origin,
        method: Method,
        path: &str,
        headers: &[(String, String)],
        body: String,
    ) -> Result<Answer, HttpError> {
        let broken = |why: String| HttpError::Broken {
            origin: origin.clone(),
            why,
        };
        let request = request(origin, method, path, headers, body)
            .ok_or_else(|| broken("the request can't be written".to_owned()))?;
        let (response, sender) = self.exchange(origin, request).await?;
        let read = timeout(ANSWER, read(response)).await;
        let answer = read
            .map_err(|_| broken("i/o timeout".to_owned()))?
            .map_err(|error| broken(error.to_string()))?;
        self.keep(origin, sender);
        Ok(answer)
    }

    /// Sends a request. An idle connection may turn out to be dead; then a new one is tried, which is safe as long as
    /// the request never left on the old one.
    async fn exchange(
        &self,
        origin: &Origin,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Sender), HttpError> {
        let broken = |why: String| HttpError::Broken {
            origin: origin.clone(),
            why,
        };
        let late = |_| broken("i/o timeout".to_owned());
        while let Some(mut sender) = self.take(origin) {
            if sender.ready().await.is_err() {
                continue;
            }
            let sent = timeout(ANSWER, sender.try_send_request(request.clone())).await;
            match sent.map_err(late)? {
                Ok(response) => return Ok((response, sender)),
                Err(mut error) => {
                    if error.take_message().is_none() {
                        return Err(broken(error.into_error().to_string()));
                    }
                }
            }
        }
        let stream = self.connect(origin).await?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| broken(error.to_string()))?;
        // It ends with the sender.
        tokio::spawn(connection);
        let sent = timeout(ANSWER, sender.send_request(request)).await;
        let response = sent
            .map_err(late)?
            .map_err(|error| broken(error.to_string()))?;
        Ok((response, sender))
    }

    fn take(&self, origin: &Origin) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|of| of.since.elapsed() < KEPT && !of.sender.is_closed());
        let found = idle.iter().position(|of| of.origin == *origin)?;
        Some(idle.swap_remove(found).sender)
    }

    fn keep(&self, origin: &Origin, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST && !sender.is_closed() {
            idle.push(Idle {
                origin: origin.clone(),
                sender,
                since: Instant::now(),
            });
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Box<dyn Stream>, HttpError> {
        let failed = |error: io::Error| HttpError::Dial {
            origin: origin.clone(),
            why: error.to_string(),
        };
        let late = |_| failed(io::Error::other("i/o timeout"));
        let dialled = TcpStream::connect((origin.host.as_str(), origin.port));
        let stream = timeout(DIAL, dialled)
            .await
            .map_err(late)?
            .map_err(failed)?;
        let _ = stream.set_nodelay(true);
        if !origin.https {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(origin.host.clone());
        let name = name.map_err(|error| failed(io::Error::other(error)))?;
        let secured = timeout(DIAL, self.tls.connect(name, stream)).await;
        let secured = secured.map_err(late)?.map_err(failed)?;
        Ok(Box::new(secured))
    }
}

fn request(
    origin: &Origin,
    method: Method,
    path: &str,
    headers: &[(String, String)],
    body: String,
) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().ok()?;
    let host = HeaderValue::from_str(&origin.authority()).ok()?;
    request.headers_mut().insert(HOST, host);
    for (name, value) in headers {
        let name: HeaderName = name.parse().ok()?;
        let value = HeaderValue::from_str(value).ok()?;
        request.headers_mut().insert(name, value);
    }
    Some(request)
}

async fn read(
    response: Response<Incoming>,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let status = response.status().as_u16();
    let kind = response.headers().get(wire::rest_json::ERROR_TYPE);
    let error_type = kind.and_then(|kind| Some(kind.to_str().ok()?.to_owned()));
    let body = Limited::new(response.into_body(), LONGEST)
        .collect()
        .await?;
    Ok(Answer {
        status,
        text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        error_type,
    })
}
