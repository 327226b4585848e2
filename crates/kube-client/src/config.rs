//! Where the API is and who asks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Where the files of a pod's service account are.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Makes connections: from the program's own network, or from a place of the lab.
pub trait Dial: Send + Sync {
    /// A connection to a host and port.
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>>;
}

/// Connections from the program's own network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

impl Dial for Direct {
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(TcpStream::connect((host, port)))
    }
}

/// Gives tokens that others renew.
pub trait Tokens: Send + Sync {
    /// The one that is good now.
    ///
    /// # Errors
    /// There is none.
    fn token(&self) -> io::Result<String>;
}

/// Who asks.
#[derive(Clone)]
pub enum Credential {
    /// Nobody.
    Anonymous,
    /// Whoever a token stands for.
    Token(String),
    /// Whoever the token in a file stands for; the file is read again for each connection, since
    /// tokens are renewed.
    TokenFile(PathBuf),
    /// Whoever the tokens of a source stand for, which is asked again for each request.
    Source(Arc<dyn Tokens>),
    /// Whoever a client certificate stands for: the certificate and its key, in PEM.
    Certificate {
        /// The certificate.
        certificate: String,
        /// Its key.
        key: String,
    },
}

/// Where the API is and who asks.
#[derive(Clone)]
pub struct Config {
    /// The API's host, a name or address.
    pub host: String,
    /// The API's port.
    pub port: u16,
    /// The certificate that vouches for the API, in PEM.
    pub authority: String,
    /// Who asks.
    pub credential: Credential,
    /// What the requests' `User-Agent` says.
    pub agent: String,
    /// How connections are made.
    pub dial: Arc<dyn Dial>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The program runs in no pod.
    #[error("{0} is not set: this program expects to run in a pod, with a service account")]
    NotInCluster(&'static str),
    /// A file can't be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate or key isn't one.
    #[error("a certificate or key can't be used: {0}")]
    Certificate(String),
}

impl Config {
    /// As a pod's service account sees it.
    /// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
    ///
    /// # Errors
    /// The program runs in no pod.
    pub fn in_cluster(agent: &str) -> Result<Self, ConfigError> {
        let variable =
            |name: &'static str| std::env::var(name).map_err(|_| ConfigError::NotInCluster(name));
        let port = variable("KUBERNETES_SERVICE_PORT")?;
        let authority = Path::new(ACCOUNT).join("ca.crt");
        Ok(Self {
            host: variable("KUBERNETES_SERVICE_HOST")?,
            port: port
                .parse()
                .map_err(|_| ConfigError::NotInCluster("KUBERNETES_SERVICE_PORT"))?,
            authority: read(&authority)?,
            credential: Credential::TokenFile(Path::new(ACCOUNT).join("token")),
            agent: agent.to_owned(),
            dial: Arc::new(Direct),
        })
    }

    /// The value of the `Authorization` header, if there is one.
    pub(crate) async fn authorization(&self) -> io::Result<Option<String>> {
        match &self.credential {
            Credential::Anonymous | Credential::Certificate { .. } => Ok(None),
            Credential::Token(token) => Ok(Some(format!("Bearer {token}"))),
            Credential::Source(source) => Ok(Some(format!("Bearer {}", source.token()?))),
            Credential::TokenFile(path) => {
                let token = tokio::fs::read_to_string(path).await?;
                Ok(Some(format!("Bearer {}", token.trim())))
            }
        }
    }

    pub(crate) fn tls(&self) -> Result<ClientConfig, ConfigError> {
        let wrong = |error: &dyn fmt::Display| ConfigError::Certificate(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in pem(&self.authority, "CERTIFICATE") {
            let certificate = CertificateDer::from(certificate);
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots);
        match &self.credential {
            Credential::Certificate { certificate, key } => {
                let chain = pem(certificate, "CERTIFICATE")
                    .into_iter()
                    .map(CertificateDer::from)
                    .collect();
                let key = pem(key, "PRIVATE KEY")
                    .pop()
                    .ok_or_else(|| wrong(&"there is no key"))?;
                let key = PrivateKeyDer::try_from(key).map_err(|error| wrong(&error))?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| wrong(&error))
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::File {
        path: path.to_owned(),
        source,
    })
}

/// The contents of the sections of a PEM text whose label ends like this (RFC 7468).
fn pem(text: &str, label: &str) -> Vec<Vec<u8>> {
    let end = format!("{label}-----");
    let mut sections = Vec::new();
    let mut body: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("-----BEGIN ") && line.ends_with(&end) {
            body = Some(String::new());
        } else if line.starts_with("-----END ") {
            let decoded = body.take().and_then(|body| STANDARD.decode(body).ok());
            sections.extend(decoded);
        } else if let Some(body) = &mut body {
            body.push_str(line);
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_sections_are_found_by_their_label() {
        let text = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n\
                    -----BEGIN EC PRIVATE KEY-----\nBAUG\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(pem(text, "CERTIFICATE"), vec![vec![1, 2, 3]]);
        assert_eq!(pem(text, "PRIVATE KEY"), vec![vec![4, 5, 6]]);
        assert!(pem("nothing", "CERTIFICATE").is_empty());
    }
}
