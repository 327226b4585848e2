//! Whom the API server believes.

use super::{Identity, IdentityError};
use crate::certificates::Holder;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, RootCertStore};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates of a PEM text.
fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}

/// TLS with kubelets: both sides show a certificate of the cluster's authority.
pub(super) fn kubelets(identity: Identity<'_>) -> Result<TlsConnector, IdentityError> {
    let wrong = |error: &dyn std::fmt::Display| IdentityError(error.to_string());
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
    let chain = chain.map_err(|error| wrong(&error))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
    let key = key.map_err(|error| wrong(&error))?;
    let roots = roots(identity.authority.as_bytes()).map_err(|error| wrong(&error))?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| wrong(&error))?;
    Ok(TlsConnector::from(Arc::new(config)))
}

/// TLS with whoever one of these authorities vouches for.
pub(super) fn authorities(pem: &[u8]) -> Result<TlsConnector, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(pem).map_err(Error::General)?)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// TLS with anybody: upstream doesn't ask pods and services that it proxies to who they are.
pub(super) fn anybody() -> Result<TlsConnector, Error> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Holder::new(&provider())))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
