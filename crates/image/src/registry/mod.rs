//! Registries: OCI's distribution protocol, as containerd speaks it.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>
//! <https://distribution.github.io/distribution/spec/auth/token/>
//!
//! Images by tag or digest; tokens, anonymous or for a user, and basic authentication; redirects, which
//! don't get the registry's credentials. Errors have containerd's words, since `kubectl describe pod`
//! shows them. Not modelled: mirrors, resumed and parallel downloads, foreign layers, schema 1.

mod auth;
mod challenge;
mod http;
mod repository;
#[cfg(test)]
mod tests;

pub(crate) use repository::{Refusal, Repository};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Makes connections: from a node's own place in the network. Names are looked up there too.
pub trait Dial: Send + Sync {
    /// A connection to a host, a name or address, and port. Waits no longer than a node would.
    ///
    /// # Errors
    /// There is none to be had. The words become part of what the user reads, after
    /// `dial tcp <host>:<port>: `.
    fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream>;
}

/// Connections from the process's own network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Dial for Direct {
    fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        use std::net::ToSocketAddrs;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, Duration::from_secs(30)) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Whom to trust, and which registries speak plain HTTP.
#[derive(Clone)]
pub struct Registries {
    tls: Arc<ClientConfig>,
    plain_http: Vec<String>,
}

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registries")
            .field("plain_http", &self.plain_http)
            .finish_non_exhaustive()
    }
}

/// What is wrong with certificates.
#[derive(Debug, thiserror::Error)]
#[error("a certificate can't be used: {0}")]
pub struct CertificateError(String);

impl Registries {
    /// Registries whose certificates one of `roots` vouches for, in PEM. Those in `plain_http`, named as
    /// in images' names (`10.0.0.7:5000`), and those on the loopback address speak plain HTTP.
    ///
    /// # Errors
    /// A root is no certificate.
    pub fn new(roots: &[u8], plain_http: Vec<String>) -> Result<Self, CertificateError> {
        let wrong = |error: &dyn fmt::Display| CertificateError(error.to_string());
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots) {
            let root = root.map_err(|error| wrong(&error))?;
            store.add(root).map_err(|error| wrong(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(tls),
            plain_http,
        })
    }

    fn is_plain(&self, domain: &str) -> bool {
        self.plain_http.iter().any(|plain| plain == domain) || is_loopback(domain)
    }
}

fn is_loopback(domain: &str) -> bool {
    let host = match domain.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => domain.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The name of the machine that has a registry.
fn host_of(domain: &str) -> &str {
    match domain {
        "docker.io" => "registry-1.docker.io",
        domain => domain,
    }
}
