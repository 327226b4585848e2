//! SOCKS5 (RFC 1928, RFC 1929): CONNECT only, BIND and UDP have no use here.

use super::{Admission, ConnectError, PATIENCE, Target, connect};
use crate::cloud::Cloud;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The first byte of all that a caller says.
pub(super) const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

/// What a request's answer says (RFC 1928, 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Succeeded = 0,
    Failed = 1,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    Refused = 5,
    CommandNotSupported = 7,
    AddressNotSupported = 8,
}

pub(super) async fn converse(
    mut caller: TcpStream,
    cloud: &Cloud,
    admission: &Admission,
) -> io::Result<()> {
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
        Err(error) => reply(&mut caller, error.into()).await,
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
    let admitted = admission.admits(&user, &password);
    caller.write_all(&[1, u8::from(!admitted)]).await?;
    Ok(admitted)
}

async fn counted(caller: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(caller.read_u8().await?)];
    caller.read_exact(&mut bytes).await?;
    Ok(bytes)
}

impl From<ConnectError> for Outcome {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NoSocket => Self::Failed,
            ConnectError::NetworkUnreachable => Self::NetworkUnreachable,
            ConnectError::HostUnreachable => Self::HostUnreachable,
            ConnectError::Refused => Self::Refused,
        }
    }
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

async fn reply(caller: &mut TcpStream, outcome: Outcome) -> io::Result<()> {
    caller
        .write_all(&[VERSION, outcome as u8, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::USER;
    use super::*;
    use tokio::net::TcpListener;

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
