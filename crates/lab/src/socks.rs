//! SOCKS5 (RFC 1928, RFC 1929) on loopback: the lab's internet for programs on the host.
//!
//! CONNECT only. Names are the lab's own, looked up on its internet; connections are made from the
//! place `internet` and reach the lab, nothing else.

use crate::cloud::Cloud;
use crate::internet;
use crate::names::{self, Answer, Data, Question};
use crate::socket;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

const CONNECTIONS: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection attempt into the lab may take so long: a dropped SYN is tried a few times.
const CONNECTING: Duration = Duration::from_secs(30);
const USER: &[u8] = b"skylab";

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

/// Who may use the proxy.
#[derive(Clone)]
pub enum Admission {
    /// Whoever brings user `skylab` and this password.
    Token(String),
    /// Any program on this machine (`--socks-open`).
    Open,
}

/// What a request's answer says (RFC 1928, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded = 0,
    Failed = 1,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    Refused = 5,
    CommandNotSupported = 7,
    AddressNotSupported = 8,
}

/// Takes callers until the listener fails.
///
/// # Errors
/// The listener is gone.
pub async fn serve(listener: TcpListener, cloud: Cloud, admission: Admission) -> io::Result<()> {
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

async fn converse(mut caller: TcpStream, cloud: &Cloud, admission: &Admission) -> io::Result<()> {
    if !timeout(PATIENCE, admit(&mut caller, admission)).await?? {
        return Ok(());
    }
    let target = match timeout(PATIENCE, request(&mut caller)).await?? {
        Ok(target) => target,
        Err(outcome) => return reply(&mut caller, outcome).await,
    };
    match connect(cloud, target).await {
        Ok(mut called) => {
            reply(&mut caller, Outcome::Succeeded).await?;
            copy_bidirectional(&mut caller, &mut called).await?;
            Ok(())
        }
        Err(outcome) => reply(&mut caller, outcome).await,
    }
}

/// The greeting and, unless the proxy is open, the password. Whether to go on.
async fn admit(caller: &mut TcpStream, admission: &Admission) -> io::Result<bool> {
    if caller.read_u8().await? != VERSION {
        return Ok(false);
    }
    let mut methods = vec![0; usize::from(caller.read_u8().await?)];
    caller.read_exact(&mut methods).await?;
    let wanted = match admission {
        Admission::Token(_) => USER_AND_PASSWORD,
        Admission::Open if methods.contains(&NO_AUTHENTICATION) => NO_AUTHENTICATION,
        Admission::Open => USER_AND_PASSWORD,
    };
    if !methods.contains(&wanted) {
        caller.write_all(&[VERSION, NO_METHOD]).await?;
        return Ok(false);
    }
    caller.write_all(&[VERSION, wanted]).await?;
    if wanted == NO_AUTHENTICATION {
        return Ok(true);
    }
    let _version = caller.read_u8().await?;
    let user = counted(caller).await?;
    let password = counted(caller).await?;
    let admitted = match admission {
        Admission::Open => true,
        Admission::Token(token) => {
            // Both are compared whole, whatever differs first.
            same(&user, USER) & same(&password, token.as_bytes())
        }
    };
    caller.write_all(&[1, u8::from(!admitted)]).await?;
    Ok(admitted)
}

async fn counted(caller: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(caller.read_u8().await?)];
    caller.read_exact(&mut bytes).await?;
    Ok(bytes)
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

async fn request(caller: &mut TcpStream) -> io::Result<Result<Target, Outcome>> {
    let mut head = [0; 4];
    caller.read_exact(&mut head).await?;
    let [version, command, _, kind] = head;
    if version != VERSION {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let target = match kind {
        1 => {
            let address = Ipv4Addr::from(caller.read_u32().await?);
            Target::Address(SocketAddrV4::new(address, caller.read_u16().await?))
        }
        3 => {
            let name = String::from_utf8_lossy(&counted(caller).await?).into_owned();
            Target::Name(name, caller.read_u16().await?)
        }
        _ => return Ok(Err(Outcome::AddressNotSupported)),
    };
    // Only CONNECT; BIND and UDP have no use here.
    Ok(if command == 1 {
        Ok(target)
    } else {
        Err(Outcome::CommandNotSupported)
    })
}

async fn connect(cloud: &Cloud, target: Target) -> Result<TcpStream, Outcome> {
    let address = match target {
        Target::Address(address) => address,
        Target::Name(name, port) => SocketAddrV4::new(look_up(cloud, &name)?, port),
    };
    let place = cloud
        .host(internet::client())
        .await
        .ok_or(Outcome::NetworkUnreachable)?;
    let made = socket::unconnected(place).await;
    let socket = made.map_err(|error| {
        tracing::warn!(%error, "proxy can't make a socket");
        Outcome::Failed
    })?;
    match timeout(CONNECTING, socket.connect(address.into())).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Outcome::Refused),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NetworkUnreachable => {
            Err(Outcome::NetworkUnreachable)
        }
        Ok(Err(_)) | Err(_) => Err(Outcome::HostUnreachable),
    }
}

/// The address that a name has on the lab's internet, or that it is.
///
/// # Errors
/// It has none.
pub(crate) fn look_up(cloud: &Cloud, name: &str) -> Result<Ipv4Addr, Outcome> {
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
            .ok_or(Outcome::HostUnreachable),
        _ => Err(Outcome::HostUnreachable),
    }
}

async fn reply(caller: &mut TcpStream, outcome: Outcome) -> io::Result<()> {
    caller
        .write_all(&[VERSION, outcome as u8, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let caller = TcpStream::connect(listener.local_addr().unwrap());
        let (caller, accepted) = tokio::join!(caller, listener.accept());
        (caller.unwrap(), accepted.unwrap().0)
    }

    fn password(password: &str) -> Vec<u8> {
        let mut bytes = vec![5, 2, 0, 2, 1, 6];
        bytes.extend(USER);
        bytes.push(password.len() as u8);
        bytes.extend(password.as_bytes());
        bytes
    }

    /// OPS-SAFE: without this lab's token the proxy is closed.
    #[tokio::test]
    async fn only_the_token_opens() {
        let admission = Admission::Token("right".to_owned());
        for (said, admitted) in [("right", true), ("wrong", false), ("", false)] {
            let (mut caller, mut proxy) = pair().await;
            caller.write_all(&password(said)).await.unwrap();
            assert_eq!(
                admit(&mut proxy, &admission).await.unwrap(),
                admitted,
                "{said}"
            );
        }
        let (mut caller, mut proxy) = pair().await;
        caller.write_all(&[5, 1, 0]).await.unwrap();
        assert!(!admit(&mut proxy, &admission).await.unwrap());
        let (mut caller, mut proxy) = pair().await;
        caller.write_all(&[5, 1, 0]).await.unwrap();
        assert!(admit(&mut proxy, &Admission::Open).await.unwrap());
    }

    #[tokio::test]
    async fn requests_are_understood() {
        let (mut caller, mut proxy) = pair().await;
        caller
            .write_all(b"\x05\x01\x00\x03\x03web\x00\x50")
            .await
            .unwrap();
        let target = request(&mut proxy).await.unwrap().unwrap();
        assert_eq!(target, Target::Name("web".to_owned(), 80));
        caller
            .write_all(&[5, 1, 0, 1, 192, 0, 2, 80, 1, 187])
            .await
            .unwrap();
        let target = request(&mut proxy).await.unwrap().unwrap();
        assert_eq!(target, Target::Address("192.0.2.80:443".parse().unwrap()));
        caller
            .write_all(&[5, 2, 0, 1, 192, 0, 2, 80, 1, 187])
            .await
            .unwrap();
        let refused = request(&mut proxy).await.unwrap();
        assert_eq!(refused, Err(Outcome::CommandNotSupported));
    }
}
