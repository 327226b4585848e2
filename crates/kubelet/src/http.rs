//! Requests that a kubelet makes of containers: probes and hooks.

use crate::place::Place;
use bytes::Bytes;
use http::header::{ACCEPT, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// So much of an answer is read.
const READ: usize = 10 * 1024;
/// So often a redirect is followed.
const REDIRECTS: usize = 10;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Get {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// Whom to ask; an address, since a node resolves no names for its pods.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// The path, with its query.
    pub(crate) path: String,
    /// Headers beside the usual ones.
    pub(crate) headers: Vec<(String, String)>,
    /// What the `User-Agent` says.
    pub(crate) agent: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    /// Where a redirect led that wasn't followed, because it leads to another host.
    pub(crate) led_away: bool,
}

impl Get {
    /// Its address, in the words of errors.
    pub(crate) fn url(&self) -> String {
        let Self {
            scheme,
            host,
            port,
            path,
            ..
        } = self;
        format!("{scheme}://{host}:{port}{path}")
    }

    /// Asks, and follows redirects that stay with the host.
    ///
    /// # Errors
    /// Nobody answers, or nonsense; in Go's words.
    pub(crate) async fn send(&self, place: &dyn Place) -> Result<Answer, String> {
        let mut get = self.clone();
        for _ in 0..REDIRECTS {
            let (answer, location) = get
                .once(place)
                .await
                .map_err(|error| format!("Get {:?}: {error}", get.url()))?;
            let Some(location) = location.filter(|_| answer.status.is_redirection()) else {
                return Ok(answer);
            };
            match get.follow(&location) {
                Some(next) => get = next,
                None => {
                    return Ok(Answer {
                        led_away: true,
                        ..answer
                    });
                }
            }
        }
        Err(format!("Get {:?}: stopped after 10 redirects", self.url()))
    }

    /// The request that a redirect asks for, if it stays with the host.
    fn follow(&self, location: &str) -> Option<Self> {
        let uri: Uri = location.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut next = Self {
            path: path.to_owned(),
            ..self.clone()
        };
        let Some(host) = uri.host() else {
            return Some(next);
        };
        if host != self.host {
            return None;
        }
        next.scheme = match uri.scheme_str() {
            Some("https") => "https",
            _ => "http",
        };
        let usual = if next.scheme == "https" { 443 } else { 80 };
        next.port = uri.port_u16().unwrap_or(usual);
        Some(next)
    }

    async fn once(&self, place: &dyn Place) -> Result<(Answer, Option<String>), String> {
        let stream = dial(place, &self.host, self.port).await?;
        if self.scheme == "http" {
            return self.over(stream).await;
        }
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(trusting().map_err(|error| error.to_string())?)
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())?;
        self.over(stream).await
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<(Answer, Option<String>), String> {
        let told = |error: hyper::Error| error.to_string();
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
        let exchange = async {
            let response = sender.send_request(self.request()?).await.map_err(told)?;
            let status = response.status();
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok().map(str::to_owned));
            // What is too long is as good as its beginning.
            let body = Limited::new(response.into_body(), READ).collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            let answer = Answer {
                status,
                body: String::from_utf8_lossy(&body).into_owned(),
                led_away: false,
            };
            Ok((answer, location))
        };
        tokio::pin!(connection, exchange);
        tokio::select! {
            answered = &mut exchange => answered,
            ended = &mut connection => {
                ended.map_err(told)?;
                exchange.await
            }
        }
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name
                .parse()
                .map_err(|_| format!("invalid header {name:?}"))?;
            let value: HeaderValue = value
                .parse()
                .map_err(|_| format!("invalid value of header {name:?}"))?;
            headers.append(name, value);
        }
        let usual = [
            (HOST, format!("{}:{}", self.host, self.port)),
            (USER_AGENT, self.agent.clone()),
            (ACCEPT, "*/*".to_owned()),
        ];
        for (name, value) in usual {
            if let Ok(value) = value.parse() {
                headers.entry(name).or_insert(value);
            }
        }
        let mut request = Request::get(self.path.as_str())
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A connection to an address, in Go's words where there is none.
pub(crate) async fn dial(place: &dyn Place, host: &str, port: u16) -> Result<TcpStream, String> {
    let address: IpAddr = host
        .parse()
        .map_err(|_| format!("dial tcp: lookup {host}: no such host"))?;
    let connected = place.connect(SocketAddr::new(address, port)).await;
    let stream = connected.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            std::io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
            std::io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
            std::io::ErrorKind::TimedOut => "connect: connection timed out".to_owned(),
            _ => error.to_string(),
        };
        format!("dial tcp {host}:{port}: {why}")
    })?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// TLS that believes whoever answers: a container's certificate is its own affair.
fn trusting() -> Result<Arc<ClientConfig>, rustls::Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}

/// Believes everybody.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::place::Here;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn get(port: u16, path: &str) -> Get {
        Get {
            scheme: "http",
            host: "127.0.0.1".into(),
            port,
            path: path.into(),
            headers: vec![("X-Own".into(), "1".into())],
            agent: "kube-probe/1.32".into(),
        }
    }

    /// A server that answers each request with the next of these.
    async fn serve(answers: Vec<&'static str>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let mut heard = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).await.unwrap();
                heard.push(String::from_utf8_lossy(&request[..read]).to_lowercase());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            heard
        });
        (port, serving)
    }

    /// K8S-RUN: requests carry a probe's headers, and redirects are followed on the same host.
    #[tokio::test]
    async fn redirects_stay_with_the_host() {
        let (port, serving) = serve(vec![
            "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n",
        ])
        .await;
        let answer = get(port, "/here?a=b").send(&Here).await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, "ok")
        );
        let away = get(port, "/").send(&Here).await.unwrap();
        assert!(away.led_away);
        let heard = serving.await.unwrap();
        assert!(
            heard[0].starts_with("get /here?a=b http/1.1\r\n"),
            "{}",
            heard[0]
        );
        assert!(heard[0].contains("x-own: 1"));
        assert!(heard[0].contains("user-agent: kube-probe/1.32"));
        assert!(heard[1].starts_with("get /there "));
    }

    #[tokio::test]
    async fn nobody_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = get(port, "/").send(&Here).await.unwrap_err();
        let wanted = format!(
            "Get \"http://127.0.0.1:{port}/\": dial tcp 127.0.0.1:{port}: connect: connection refused"
        );
        assert_eq!(error, wanted);
    }
}
