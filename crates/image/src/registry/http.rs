//! Requests over connections that somebody else makes.

use crate::registry::{Dial, Registries};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderValue, LOCATION};
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// As in Go's default transport.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Nothing came for so long: containerd's `image_pull_progress_timeout`.
const STALLED: Duration = Duration::from_secs(300);
/// As in Go's client.
const MOST_REDIRECTS: usize = 10;

/// An address of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) https: bool,
    /// Host and port, as they are written.
    pub(super) authority: String,
    host: String,
    port: u16,
    /// Path and query.
    pub(super) path: String,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // Credentials in an address are nobody's.
        if authority.as_str().contains('@') {
            return None;
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Some(Self {
            https,
            authority: authority.as_str().to_owned(),
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
            path: path.to_owned(),
        })
    }

    /// Where a redirect leads.
    fn join(&self, location: &str) -> Option<Self> {
        if location.starts_with("//") {
            let scheme = if self.https { "https" } else { "http" };
            return Self::parse(&format!("{scheme}:{location}"));
        }
        if !location.starts_with('/') {
            return Self::parse(location);
        }
        Some(Self {
            path: location.to_owned(),
            ..self.clone()
        })
    }

    fn origin(&self) -> Origin {
        (self.https, self.host.clone(), self.port)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

type Origin = (bool, String, u16);
type Sender = SendRequest<Full<Bytes>>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A client; a connection to each host is kept for the next request.
pub(super) struct Http {
    dial: Arc<dyn Dial>,
    tls: TlsConnector,
    idle: HashMap<Origin, Sender>,
}

impl Http {
    pub(super) fn new(dial: Arc<dyn Dial>, registries: &Registries) -> Self {
        Self {
            dial,
            tls: TlsConnector::from(registries.tls.clone()),
            idle: HashMap::new(),
        }
    }

    /// Sends a request and follows redirects. The error has Go's words.
    pub(super) async fn send(
        &mut self,
        method: &Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Url), String> {
        let mut at = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.once(method, &at, &headers, &body).await;
            let response = response.map_err(|why| {
                let verb = capitalized(method);
                format!("{verb} \"{at}\": {why}")
            })?;
            let location = response.headers().get(LOCATION);
            let Some(location) = location.filter(|_| response.status().is_redirection()) else {
                return Ok((response, at));
            };
            let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
            let next = at
                .join(&location)
                .ok_or_else(|| format!("failed to parse Location header {location:?}"))?;
            if next.origin() != at.origin() {
                headers.remove(AUTHORIZATION);
            }
            at = next;
        }
        Err(format!(
            "{} \"{at}\": stopped after {MOST_REDIRECTS} redirects",
            capitalized(method)
        ))
    }

    async fn once(
        &mut self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Incoming>, String> {
        let request = || {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            *request.uri_mut() = url.path.parse().map_err(|_| "invalid path".to_owned())?;
            *request.headers_mut() = headers.clone();
            let host = HeaderValue::from_str(&url.authority);
            let host = host.map_err(|_| "invalid host".to_owned())?;
            request.headers_mut().insert(HOST, host);
            Ok::<_, String>(request)
        };
        // A kept connection may be dead by now; then another one is made, since nothing was answered.
        if let Some(mut sender) = self.idle.remove(&url.origin())
            && let Ok(Ok(())) = timeout(HANDSHAKE, sender.ready()).await
            && let Ok(Ok(response)) = timeout(STALLED, sender.send_request(request()?)).await
        {
            self.idle.insert(url.origin(), sender);
            return Ok(response);
        }
        let mut sender = self.connect(url).await?;
        let sent = timeout(STALLED, sender.send_request(request()?)).await;
        let response = sent.map_err(|_| "i/o timeout".to_owned())?;
        let response = response.map_err(|error| words(&error))?;
        self.idle.insert(url.origin(), sender);
        Ok(response)
    }

    async fn connect(&self, url: &Url) -> Result<Sender, String> {
        let (host, port) = (&url.host, url.port);
        let failed = |error: io::Error| format!("dial tcp {host}:{port}: {}", dial_words(&error));
        let stream = self.dial.dial(host, port).map_err(failed)?;
        let _ = stream.set_nodelay(true);
        stream.set_nonblocking(true).map_err(failed)?;
        let stream = TcpStream::from_std(stream).map_err(failed)?;
        let stream: Box<dyn Stream> = if url.https {
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|_| format!("invalid host {host:?}"))?;
            let secured = timeout(HANDSHAKE, self.tls.connect(name, stream)).await;
            let secured = secured.map_err(|_| "net/http: TLS handshake timeout".to_owned())?;
            Box::new(secured.map_err(|error| tls_words(&error, host))?)
        } else {
            Box::new(stream)
        };
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| words(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to a registry ended");
            }
        });
        Ok(sender)
    }
}

/// The next piece of a body; `None` at its end.
pub(super) async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, String> {
    loop {
        let next = timeout(STALLED, body.frame()).await;
        match next.map_err(|_| "i/o timeout".to_owned())? {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
            Some(Err(error)) => return Err(words(&error)),
        }
    }
}

/// All of a body that is no larger than `most`.
pub(super) async fn text(mut body: Incoming, most: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    while let Some(piece) = piece(&mut body).await? {
        text.extend_from_slice(&piece);
        if text.len() as u64 > most {
            return Err("http: response body too large".to_owned());
        }
    }
    Ok(text)
}

/// `Get`, as Go writes it.
fn capitalized(method: &Method) -> String {
    let (first, rest) = method.as_str().split_at(1);
    format!("{first}{}", rest.to_lowercase())
}

fn words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_closed() {
        return "unexpected EOF".to_owned();
    }
    if error.is_parse() {
        return format!("net/http: HTTP/1.x transport connection broken: {error}");
    }
    let mut deepest: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    match deepest.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => "unexpected EOF".to_owned(),
        Some(io::ErrorKind::ConnectionReset) => "read: connection reset by peer".to_owned(),
        _ => deepest.to_string(),
    }
}

fn dial_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "i/o timeout".to_owned(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        _ => error.to_string(),
    }
}

fn tls_words(error: &io::Error, host: &str) -> String {
    use rustls::{CertificateError, Error};
    let said = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match said {
        Some(Error::InvalidMessage(_)) => {
            "http: server gave HTTP response to HTTPS client".to_owned()
        }
        Some(Error::InvalidCertificate(why)) => {
            let why = match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    "certificate signed by unknown authority".to_owned()
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "certificate has expired or is not yet valid".to_owned()
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    format!("certificate is not valid for {host}")
                }
                other => other.to_string(),
            };
            format!("tls: failed to verify certificate: x509: {why}")
        }
        _ if error.kind() == io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
        _ => error.to_string(),
    }
}
