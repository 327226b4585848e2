//! What a node needs from whoever runs it: sockets where the node is, keys, functions, a log.
//!
//! The lab makes sockets inside the node's network namespace; tests use loopback.

use bytes::Bytes;
use fabric::id::CertificateId;
use rustls::sign::CertifiedKey;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Something that takes a while.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// All that a node needs.
#[derive(Clone)]
pub struct Means {
    /// Its place in the network.
    pub network: Arc<dyn Network>,
    /// Keys and secrets.
    pub vault: Arc<dyn Vault>,
    /// Functions that are targets.
    pub functions: Arc<dyn Functions>,
    /// The access log.
    pub journal: Arc<dyn Journal>,
}

/// A node's place in the network.
pub trait Network: Send + Sync + 'static {
    /// A listener at a port of all the node's addresses, which doesn't block and shares its port
    /// (`SO_REUSEPORT`): each worker takes connections from one of its own.
    ///
    /// # Errors
    /// None can be made.
    fn listen(&self, port: u16) -> Later<'_, io::Result<std::net::TcpListener>>;

    /// A connection from the node, or under a source address that isn't its own: the client's.
    ///
    /// # Errors
    /// There is no way, or nobody answers.
    fn connect(
        &self,
        to: SocketAddr,
        source: Option<SocketAddr>,
    ) -> Later<'_, io::Result<TcpStream>>;

    /// Asks a web server by HTTPS, its name looked up and its certificate checked as the node would.
    ///
    /// # Errors
    /// It can't be reached.
    fn fetch(
        &self,
        request: http::Request<Bytes>,
    ) -> Later<'_, Result<http::Response<Bytes>, FetchError>>;
}

/// A web server couldn't be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Keys and secrets. A fabric names them; they are here.
pub trait Vault: Send + Sync + 'static {
    /// A certificate with its key.
    fn certificate(&self, id: &CertificateId) -> Option<Arc<CertifiedKey>>;

    /// The secret of a balancer at an identity provider.
    fn secret(&self, name: &str) -> Option<String>;

    /// The key under which the balancer's cookies are sealed, the same at all its nodes.
    fn cookie_key(&self) -> [u8; 32];

    /// The key that signs what members are told about users.
    fn signing_key(&self) -> Option<SigningKey>;
}

/// A key for ES256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// Its id, under which its public half is published.
    pub id: String,
    /// The key, by PKCS #8.
    pub pkcs8: Vec<u8>,
}

/// Functions that are targets.
pub trait Functions: Send + Sync + 'static {
    /// Calls a function with an event in JSON.
    fn invoke(&self, name: &str, event: Bytes) -> Later<'_, Result<Bytes, InvokeError>>;
}

/// A function didn't answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function, or it may not be called.
    #[error("the function can't be called: {0}")]
    NotCalled(String),
    /// It failed.
    #[error("the function failed: {0}")]
    Failed(String),
}

/// Where lines of the access log go.
pub trait Journal: Send + Sync + 'static {
    /// Takes a line, without its end.
    fn write(&self, line: String);
}

/// No functions: every call fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFunctions;

impl Functions for NoFunctions {
    fn invoke(&self, name: &str, _event: Bytes) -> Later<'_, Result<Bytes, InvokeError>> {
        let refusal = InvokeError::NotCalled(name.to_owned());
        Box::pin(std::future::ready(Err(refusal)))
    }
}
