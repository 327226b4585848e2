//! HTTP as bytes, so that nothing here depends on what the server is made of.

use kube::certificates::Issued;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One side of a connection.
pub(crate) struct Wire {
    pub(crate) stream: Box<dyn Stream>,
    /// What came and was not looked at yet.
    rest: Vec<u8>,
}

/// A request or answer.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) first: String,
    pub(crate) head: String,
    pub(crate) code: u16,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn document(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(trusted: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    roots
}

fn own(issued: &Issued) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    (vec![certificate], key)
}

/// What a server speaks TLS by; with `clients`, it asks for a certificate of that authority.
pub(crate) fn acceptor(issued: &Issued, clients: Option<&str>) -> TlsAcceptor {
    let (chain, key) = own(issued);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(trusted) => {
            let roots = Arc::new(roots(trusted));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain, key).unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Wire {
    pub(crate) fn new(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            rest: Vec::new(),
        }
    }

    pub(crate) async fn connect(
        address: SocketAddr,
        trusted: &str,
        shown: Option<&Issued>,
    ) -> Self {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots(trusted));
        let config = match shown {
            Some(shown) => {
                let (chain, key) = own(shown);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(address).await.unwrap();
        let tls = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        Self::new(tls.connect(name, stream).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        head: &str,
        body: &str,
    ) -> Message {
        let length = body.len();
        let head = if head.contains("content-type") {
            head.to_owned()
        } else {
            format!("{head}content-type: application/json\r\n")
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: api\r\n{head}content-length: {length}\r\n\r\n{body}"
        );
        self.send(request.as_bytes()).await;
        self.message().await
    }

    /// So many bytes, or fewer if the other side ends.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        let mut buffer = [0; 4096];
        while self.rest.len() < count {
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => self.rest.extend(&buffer[..read]),
            }
        }
        let count = count.min(self.rest.len());
        self.rest.drain(..count).collect()
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            match self.take(1).await.first() {
                Some(b'\n') | None => break,
                Some(byte) => line.push(*byte),
            }
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    /// The next request or answer's head.
    pub(crate) async fn head(&mut self) -> Message {
        let first = self.line().await;
        let mut head = String::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                break;
            }
            head.push_str(&line);
            head.push('\n');
        }
        let code = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        Message {
            first,
            head,
            code: code.unwrap_or_default(),
            body: Vec::new(),
        }
    }

    /// A piece of a body that comes in pieces; empty at its end.
    pub(crate) async fn piece(&mut self) -> Vec<u8> {
        let size = usize::from_str_radix(&self.line().await, 16).unwrap_or_default();
        let piece = self.take(size).await;
        self.line().await;
        piece
    }

    /// The next request or answer, whole.
    pub(crate) async fn message(&mut self) -> Message {
        let mut message = self.head().await;
        if message.header("transfer-encoding").is_some() {
            loop {
                let piece = self.piece().await;
                if piece.is_empty() {
                    break;
                }
                message.body.extend(piece);
            }
        } else if let Some(length) = message.header("content-length") {
            let length = length.parse().unwrap();
            message.body = self.take(length).await;
        }
        message
    }
}
