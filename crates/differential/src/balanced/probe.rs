//! Real packets: every host but balancers' nodes listens, and says who it is and whom it sees.

use super::relay::Relay;
pub use crate::probe::answers::Outcome;
pub(super) use crate::probe::answers::Probe;
use crate::probe::answers::gather;
use crate::probe::client::{Client, open};
use crate::scenario::PORTS;
use fabric::{Fabric, HostId};
use kernel::engine::Engine;
use kernel::namespace::NetNs;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, getsockopt, recv, recvmsg, sendmsg,
    setsockopt, sockopt,
};
use std::collections::BTreeSet;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

/// A host that listens.
struct Place {
    host: HostId,
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

/// Sends all the probes at once and tells what came of each.
pub(super) fn probe(
    engine: &Engine,
    fabric: &Fabric,
    probes: &[Probe],
) -> io::Result<Vec<Outcome>> {
    let nodes: BTreeSet<&HostId> = fabric
        .balancers
        .values()
        .flat_map(|balancer| balancer.nodes.keys())
        .collect();
    let running = fabric.hosts.iter().filter(|(_, host)| host.running);
    let mut places = Vec::new();
    for (host, _) in running.filter(|(host, _)| !nodes.contains(host)) {
        if let Some(namespace) = engine.host(host) {
            places.push(listen(host, &namespace)?);
        }
    }
    let _relay = Relay::over(engine, fabric)?;
    let mut clients = Vec::new();
    for (number, probe) in (0u32..).zip(probes) {
        let namespace = engine.host(&probe.host);
        let client = namespace.map(|namespace| open(&namespace, probe.flow, number));
        clients.push(client.transpose()?.unwrap_or(Client::Unsendable));
    }
    for client in &clients {
        client.send();
    }
    let serve = || {
        for (index, place) in (0u32..).zip(&places) {
            place.serve(index);
        }
    };
    let look = |number: usize| look(clients.get(number)?, &places);
    Ok(gather(probes, serve, look))
}

fn listen(host: &HostId, namespace: &NetNs) -> io::Result<Place> {
    let (tcp, udp) = namespace.run(move || -> io::Result<_> {
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for port in PORTS {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
            listener.set_nonblocking(true)?;
            tcp.push(listener);
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            udp.push(socket);
        }
        Ok((tcp, udp))
    })??;
    let host = host.clone();
    Ok(Place { host, tcp, udp })
}

/// What a place answers: its number and whom it sees.
fn card(index: u32, peer: Ipv4Addr) -> [u8; 8] {
    let mut card = [0; 8];
    card[..4].copy_from_slice(&index.to_be_bytes());
    card[4..].copy_from_slice(&peer.octets());
    card
}

impl Place {
    fn serve(&self, index: u32) {
        for listener in &self.tcp {
            while let Ok((mut stream, peer)) = listener.accept() {
                if let IpAddr::V4(peer) = peer.ip() {
                    // Who is gone already gets no answer.
                    let _ = stream.write_all(&card(index, peer));
                }
            }
        }
        for socket in &self.udp {
            while answer(socket, index).is_some() {}
        }
    }
}

/// Answers one datagram from the address that it came to.
fn answer(socket: &UdpSocket, index: u32) -> Option<()> {
    let mut payload = [0; 16];
    let mut control = cmsg_space!(libc::in_pktinfo);
    let mut buffers = [IoSliceMut::new(&mut payload)];
    let message = recvmsg::<SockaddrIn>(
        socket.as_raw_fd(),
        &mut buffers,
        Some(&mut control),
        MsgFlags::empty(),
    )
    .ok()?;
    let asked = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(info.ipi_addr),
        _ => None,
    })?;
    let from = message.address?;
    let source = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: asked,
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    // An answer that can't be sent is one that doesn't arrive: the probe will tell.
    let _ = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(&card(index, from.ip()))],
        &[ControlMessage::Ipv4PacketInfo(&source)],
        MsgFlags::empty(),
        Some(&from),
    );
    Some(())
}

/// What has come back to a client.
fn look(client: &Client, places: &[Place]) -> Option<Outcome> {
    let fd = match client {
        Client::Unsendable => return None,
        Client::Echo(..) => return client.answered().then_some(Outcome::Echoed),
        Client::Tcp(fd) | Client::Udp(fd, _) => fd,
    };
    let mut card = [0; 8];
    match recv(fd.as_raw_fd(), &mut card, MsgFlags::empty()) {
        Ok(8) => {
            let [a, b, c, d, address @ ..] = card;
            let place = places.get(u32::from_be_bytes([a, b, c, d]) as usize)?;
            Some(Outcome::Answered(place.host.clone(), address.into()))
        }
        Err(Errno::ECONNREFUSED) => Some(Outcome::Refused),
        _ if matches!(client, Client::Tcp(_)) => {
            let error = getsockopt(fd, sockopt::SocketError);
            (error == Ok(Errno::ECONNREFUSED as i32)).then_some(Outcome::Refused)
        }
        _ => None,
    }
}
