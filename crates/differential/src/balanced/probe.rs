//! Real packets: every host but balancers' nodes listens, and says who it is and whom it sees.

use super::relay::Relay;
use crate::probe::client::{Client, open};
use crate::scenario::PORTS;
use fabric::{Fabric, Flow, HostId};
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
use std::time::{Duration, Instant};

/// How long what isn't expected is waited for after the last that was.
const GRACE: Duration = Duration::from_millis(80);
/// How long what is expected is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(1);

/// What became of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was answered: by this host, which saw this caller.
    Answered(HostId, Ipv4Addr),
    /// An echo was answered; echoes don't say by whom.
    Echoed,
    /// The caller was told that it can't be.
    Refused,
    /// Nothing came back.
    Silent,
}

/// A flow to send.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) host: HostId,
    pub(super) flow: Flow,
    /// Whether something is expected to come back.
    pub(super) expected: bool,
}

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
    let mut outcomes: Vec<Option<Outcome>> = vec![None; probes.len()];
    let begun = Instant::now();
    let mut quiet_since = begun;
    loop {
        for (index, place) in (0u32..).zip(&places) {
            place.serve(index);
        }
        for (client, outcome) in clients.iter().zip(&mut outcomes) {
            if outcome.is_none()
                && let Some(came) = look(client, &places)
            {
                *outcome = Some(came);
                quiet_since = Instant::now();
            }
        }
        let missing = probes
            .iter()
            .zip(&outcomes)
            .any(|(probe, outcome)| probe.expected && outcome.is_none());
        let over = if missing {
            begun.elapsed() > PATIENCE
        } else {
            quiet_since.elapsed() > GRACE
        };
        if over {
            let silent = |outcome: Option<Outcome>| outcome.unwrap_or(Outcome::Silent);
            return Ok(outcomes.into_iter().map(silent).collect());
        }
        std::thread::sleep(PAUSE);
    }
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
