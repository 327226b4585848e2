//! TLS with callers, who may show a certificate.
//!
//! As upstream's, the server takes whatever certificate it is shown, if its holder has the key, and looks
//! at who vouches for it when it asks who the caller is: then a certificate of somebody else's authority is
//! answered with 401, and a token beside it still counts.

use super::Peer;
use crate::certificates::Holder;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The API's certificate can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the API's certificate can't be used: {0}")]
pub struct TlsError(String);

impl TlsError {
    fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Speaks TLS with the API's certificate and key, in PEM.
///
/// # Errors
/// They are none.
pub fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(TlsError::of)?;
    let callers = Arc::new(Holder::new(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::of)?
        .with_client_cert_verifier(callers)
        .with_single_cert(chain.map_err(TlsError::of)?, key)
        .map_err(TlsError::of)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Takes a caller's connection and what certificates they showed.
///
/// # Errors
/// They speak no TLS, or don't trust the API.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &TlsAcceptor,
    stream: S,
) -> io::Result<(TlsStream<S>, Peer)> {
    let stream = tls.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificates = shown.iter().map(|one| one.clone().into_owned()).collect();
    let peer = Peer {
        certificates,
        ..Peer::default()
    };
    Ok((stream, peer))
}
