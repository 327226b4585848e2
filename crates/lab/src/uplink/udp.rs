//! Datagrams: a socket for each flow, forgotten when it is quiet.

use super::{reachable, transparent};
use kernel::NetNs;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockType, SockaddrIn, recvmsg};
use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// A flow that is quiet so long is forgotten.
const QUIET: Duration = Duration::from_secs(60);
/// So many flows are carried at once; more are dropped, as datagrams may be.
const MOST: usize = 2048;
/// The largest datagram.
const LARGEST: usize = 65_535;

/// A flow: who sends, and where to.
type Pair = (SocketAddrV4, SocketAddrV4);
type Flows = Arc<Mutex<HashMap<Pair, Arc<UdpSocket>>>>;

/// Carries datagrams on until the lab ends.
pub(super) async fn carry(socket: UdpSocket, place: Arc<NetNs>) {
    let flows = Flows::default();
    let mut buffer = vec![0; LARGEST];
    loop {
        let received = socket.async_io(Interest::READABLE, || receive(&socket, &mut buffer));
        match received.await {
            Ok(Some((pair, length))) => send(&flows, &place, pair, &buffer[..length]).await,
            // A datagram that doesn't tell its destination.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "datagrams can't be received");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<(Pair, usize)>> {
    let mut parts = [IoSliceMut::new(buffer)];
    let mut control = cmsg_space!(nix::libc::sockaddr_in);
    let flags = MsgFlags::empty();
    let received =
        recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)?;
    let meant = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4OrigDstAddr(meant) => Some(SocketAddrV4::new(
            Ipv4Addr::from(u32::from_be(meant.sin_addr.s_addr)),
            u16::from_be(meant.sin_port),
        )),
        _ => None,
    });
    let from = received
        .address
        .map(|from| SocketAddrV4::new(from.ip(), from.port()));
    Ok(from.zip(meant).map(|pair| (pair, received.bytes)))
}

async fn send(flows: &Flows, place: &Arc<NetNs>, pair: Pair, datagram: &[u8]) {
    let lock = || flows.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().get(&pair).cloned();
    let outside = match known {
        Some(known) => known,
        None if !reachable(*pair.1.ip()) || lock().len() >= MOST => return,
        None => match begin(flows, place, pair).await {
            Ok(begun) => begun,
            Err(error) => {
                tracing::debug!(to = %pair.1, %error, "a datagram was dropped");
                return;
            }
        },
    };
    // What can't be sent is lost, as datagrams may be.
    let _ = outside.send(datagram).await;
}

/// A socket on the machine's side for a flow, and a task that brings its answers back.
async fn begin(flows: &Flows, place: &Arc<NetNs>, pair: Pair) -> io::Result<Arc<UdpSocket>> {
    let (from, meant) = pair;
    let outside = Arc::new(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?);
    outside.connect(meant).await?;
    // Answers come from the address that was called.
    let back = place.run(|| transparent(SockType::Datagram, meant))??;
    let back = UdpSocket::from_std(back.into())?;
    flows
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(pair, outside.clone());
    let (flows, answers) = (flows.clone(), outside.clone());
    tokio::spawn(async move {
        let mut buffer = vec![0; LARGEST];
        while let Ok(Ok(length)) = timeout(QUIET, answers.recv(&mut buffer)).await {
            if back.send_to(&buffer[..length], from).await.is_err() {
                break;
            }
        }
        flows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&pair);
    });
    Ok(outside)
}
