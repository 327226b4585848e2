//! The way to the real internet, where the user gave one (`up --uplink`).
//!
//! A host on the lab's internet has every address that nobody else in the lab has. What it is sent is
//! carried on by this process, from the machine's own network: a connection for a connection, a
//! datagram for a datagram. No link joins the two, nothing is set up on the machine, and what is not
//! public (the machine itself, its networks) stays out of reach.

mod names;
mod tcp;
mod udp;

pub(crate) use names::forward;

use crate::cloud::{Cloud, Failure};
use crate::internet;
use fabric::HostId;
use kernel::NetNs;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

/// The sockets' ports in the host; nobody else listens there.
const TCP: u16 = 15_001;
const UDP: u16 = 15_002;

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// The lab is ending.
    #[error(transparent)]
    Lab(#[from] Failure),
    /// The kernel or the sockets refuse.
    #[error("no uplink: {0}")]
    Setup(#[from] io::Error),
}

/// The host that has all other addresses.
pub(crate) fn host() -> HostId {
    HostId::from("uplink")
}

/// Opens the way. It stays as long as the lab.
///
/// # Errors
/// The kernel lacks transparent proxying, or the lab is ending.
pub async fn open(cloud: &Cloud) -> Result<(), UplinkError> {
    cloud.arrange("uplink", internet::add_uplink).await?;
    let place = cloud.host(host()).await;
    let place = place.ok_or_else(|| io::Error::other("its place is not there"))?;
    let (streams, datagrams) = tokio::task::spawn_blocking({
        let place = place.clone();
        move || sockets(&place)
    })
    .await
    .map_err(io::Error::other)??;
    let streams = tokio::net::TcpListener::from_std(streams.into())?;
    tokio::spawn(tcp::carry(streams));
    let datagrams = tokio::net::UdpSocket::from_std(datagrams.into())?;
    tokio::spawn(udp::carry(datagrams, place));
    tracing::info!("the lab reaches the real internet");
    Ok(())
}

fn sockets(place: &Arc<NetNs>) -> io::Result<(OwnedFd, OwnedFd)> {
    kernel::uplink::intercept(place, TCP, UDP)?;
    place.run(|| {
        let streams = transparent(
            SockType::Stream,
            SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, TCP),
        )?;
        listen(&streams, nix::sys::socket::Backlog::MAXCONN)?;
        let at = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, UDP);
        let datagrams = transparent(SockType::Datagram, at)?;
        // Each datagram tells where it was meant to go.
        setsockopt(&datagrams, sockopt::Ipv4OrigDstAddr, &true)?;
        Ok((streams, datagrams))
    })?
}

/// A socket that may have an address which is not the host's own.
fn transparent(kind: SockType, at: SocketAddrV4) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let made = socket(AddressFamily::Inet, kind, flags, None)?;
    setsockopt(&made, sockopt::ReuseAddr, &true)?;
    setsockopt(&made, sockopt::IpTransparent, &true)?;
    bind(made.as_raw_fd(), &SockaddrIn::from(at))?;
    Ok(made)
}

/// Whether an address may be called from the lab: public ones that no cloud of the lab gives out.
fn reachable(address: Ipv4Addr) -> bool {
    internet::check(address).is_ok()
}
