//! Names that the lab doesn't know are asked of the machine's own resolver.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A resolver has so long for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a question on, as it came, and gives the answer as it came.
///
/// # Errors
/// The machine has no resolver, or none answers.
pub(crate) async fn forward(question: &[u8]) -> io::Result<Vec<u8>> {
    let mut failed = io::Error::other("the machine has no name server");
    for server in servers()? {
        match ask(server, question).await {
            Ok(answer) => return Ok(answer),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// The machine's name servers.
fn servers() -> io::Result<Vec<IpAddr>> {
    let text = fs::read_to_string("/etc/resolv.conf")?;
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver"))
            .then(|| words.next()?.parse().ok())
            .flatten()
    });
    Ok(servers.collect())
}

async fn ask(server: IpAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(SocketAddr::new(server, 53)).await?;
    socket.send(question).await?;
    let mut answer = vec![0; 4096];
    let length = timeout(PATIENCE, socket.recv(&mut answer)).await??;
    answer.truncate(length);
    Ok(answer)
}
