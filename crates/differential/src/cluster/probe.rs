//! Real packets in a cluster: every place listens, and says who it is and whom it sees.

use crate::cluster::scenario::{MOST_SERVICES, PORTS, node_port};
use crate::probe::answers::gather;
pub use crate::probe::answers::{Outcome, Probe};
use crate::probe::client::{Client, open};
use fabric::{Flow, HostId, Transport};
use kernel::namespace::NetNs;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, getsockopt, recv, sockopt};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// A place that listens.
struct Place {
    host: HostId,
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

/// Sends all the probes at once and tells what came of each.
///
/// # Errors
/// A socket can't be made.
pub fn probe(places: &BTreeMap<HostId, Arc<NetNs>>, probes: &[Probe]) -> io::Result<Vec<Outcome>> {
    let listening: Vec<Place> = places
        .iter()
        .map(|(host, namespace)| listen(host, namespace))
        .collect::<io::Result<_>>()?;
    let mut clients = Vec::new();
    for (number, probe) in (0u32..).zip(probes) {
        let namespace = places.get(&probe.host);
        let client = namespace.map(|namespace| open(namespace, probe.flow, number));
        clients.push(client.transpose()?.unwrap_or(Client::Unsendable));
    }
    for client in &clients {
        client.send();
    }
    let serve = || {
        for (index, place) in (0u32..).zip(&listening) {
            place.serve(index);
        }
    };
    let look = |number: usize| look(clients.get(number)?, &listening);
    Ok(gather(probes, serve, look))
}

fn listen(host: &HostId, namespace: &NetNs) -> io::Result<Place> {
    let ports = PORTS
        .into_iter()
        .chain((0..MOST_SERVICES).map(node_port))
        .collect::<Vec<u16>>();
    let (tcp, udp) = namespace.run(move || -> io::Result<_> {
        let (mut tcp, mut udp) = (Vec::new(), Vec::new());
        for port in ports {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
            listener.set_nonblocking(true)?;
            tcp.push(listener);
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
            socket.set_nonblocking(true)?;
            udp.push(socket);
        }
        Ok((tcp, udp))
    })??;
    let host = host.clone();
    Ok(Place { host, tcp, udp })
}

/// What a place answers: its number and whom it sees.
fn card(index: u32, peer: IpAddr) -> Option<[u8; 8]> {
    let IpAddr::V4(peer) = peer else {
        return None;
    };
    let mut card = [0; 8];
    card[..4].copy_from_slice(&index.to_be_bytes());
    card[4..].copy_from_slice(&peer.octets());
    Some(card)
}

impl Place {
    fn serve(&self, index: u32) {
        let mut buffer = [0; 64];
        for listener in &self.tcp {
            while let Ok((mut stream, peer)) = listener.accept() {
                if let Some(card) = card(index, peer.ip()) {
                    // Who is gone already gets no answer.
                    let _ = stream.write_all(&card);
                }
            }
        }
        for socket in &self.udp {
            while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                if let Some(card) = card(index, peer.ip()) {
                    let _ = socket.send_to(&card, peer);
                }
            }
        }
    }
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

/// Whether a flow is of a kind whose refusals reach the caller.
pub fn hears_refusals(flow: &Flow) -> bool {
    matches!(
        flow.transport,
        Transport::Tcp { .. } | Transport::Udp { .. }
    )
}
