//! The proxy on loopback: the lab's internet for programs on the host.
//!
//! One port takes SOCKS5 and HTTP's CONNECT, told apart by a caller's first byte. Names are the lab's
//! own, looked up on its internet; connections are made from the place `internet` and reach the lab,
//! nothing else.

mod http;
mod socks;

use crate::cloud::Cloud;
use crate::internet;
use crate::names::{self, Answer, Data, Question};
use crate::socket;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

const CONNECTIONS: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection attempt into the lab may take so long: a dropped SYN is tried a few times.
const CONNECTING: Duration = Duration::from_secs(30);
const USER: &[u8] = b"skylab";

/// Who may use the proxy.
#[derive(Clone)]
pub(crate) enum Admission {
    /// Whoever brings user `skylab` and this password.
    Token(String),
    /// Any program on this machine (`--socks-open`).
    Open,
}

impl Admission {
    /// Whether a user with a password may use the proxy.
    fn admits(&self, user: &[u8], password: &[u8]) -> bool {
        match self {
            Self::Open => true,
            // Both are compared whole, whatever differs first.
            Self::Token(token) => same(user, USER) & same(password, token.as_bytes()),
        }
    }
}

/// Why a connection into the lab was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The lab can make no socket.
    #[error("the lab can make no socket")]
    NoSocket,
    /// The lab's internet is not there.
    #[error("the lab's internet is not there")]
    NetworkUnreachable,
    /// There is no such name or address, or nothing answers there.
    #[error("there is no such host in the lab, or it does not answer")]
    HostUnreachable,
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
}

/// Takes callers until the listener fails.
///
/// # Errors
/// The listener is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    cloud: Cloud,
    admission: Admission,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let admission = Arc::new(admission);
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: let some close.
                tracing::warn!(%error, "proxy can't accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let (cloud, admission) = (cloud.clone(), admission.clone());
        tokio::spawn(async move {
            if let Err(error) = converse(stream, &cloud, &admission).await {
                tracing::debug!(%error, "proxy connection ended");
            }
            drop(place);
        });
    }
}

/// Speaks with a caller in what it speaks.
async fn converse(caller: TcpStream, cloud: &Cloud, admission: &Admission) -> io::Result<()> {
    let mut first = [0];
    let read = timeout(PATIENCE, caller.peek(&mut first)).await??;
    match first {
        _ if read == 0 => Ok(()),
        [socks::VERSION] => socks::converse(caller, cloud, admission).await,
        _ => http::converse(caller, cloud, admission).await,
    }
}

/// Whether two texts are equal, in a time that tells nothing about where they differ.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0
}

/// Whom a caller wants.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Address(SocketAddrV4),
    Name(String, u16),
}

async fn connect(cloud: &Cloud, target: Target) -> Result<TcpStream, ConnectError> {
    let address = match target {
        Target::Address(address) => address,
        Target::Name(name, port) => SocketAddrV4::new(look_up(cloud, &name)?, port),
    };
    let place = cloud
        .host(internet::client())
        .await
        .ok_or(ConnectError::NetworkUnreachable)?;
    let made = socket::unconnected(place).await;
    let socket = made.map_err(|error| {
        tracing::warn!(%error, "proxy can't make a socket");
        ConnectError::NoSocket
    })?;
    match timeout(CONNECTING, socket.connect(address.into())).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(ConnectError::Refused)
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NetworkUnreachable => {
            Err(ConnectError::NetworkUnreachable)
        }
        Ok(Err(_)) | Err(_) => Err(ConnectError::HostUnreachable),
    }
}

/// The address that a name has on the lab's internet, or that it is.
///
/// # Errors
/// It has none.
pub(crate) fn look_up(cloud: &Cloud, name: &str) -> Result<Ipv4Addr, ConnectError> {
    if let Ok(address) = name.parse() {
        return Ok(address);
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    match names::resolve_public(&cloud.snapshot().state, &Question::Address(name)) {
        Answer::Records { data, .. } => data
            .into_iter()
            .find_map(|data| match data {
                Data::Address(address) => Some(address),
                Data::Alias(_) | Data::Pointer(_) => None,
            })
            .ok_or(ConnectError::HostUnreachable),
        _ => Err(ConnectError::HostUnreachable),
    }
}
