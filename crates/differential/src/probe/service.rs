//! Services on a host: TCP listeners, and UDP sockets that answer from the address they were asked
//! at.

use kernel::namespace::NetNs;
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// A service's socket.
#[derive(Debug)]
pub(super) enum Service {
    /// Takes connections and closes them.
    Tcp(TcpListener),
    /// Answers with what it was sent.
    Udp(UdpSocket),
}

/// Opens TCP and UDP on each port in a host's namespace.
pub(super) fn open(namespace: &NetNs, ports: Vec<u16>) -> io::Result<Vec<Service>> {
    namespace.run(move || {
        let mut services = Vec::new();
        for port in ports {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
            listener.set_nonblocking(true)?;
            services.push(Service::Tcp(listener));
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
            services.push(Service::Udp(socket));
        }
        Ok(services)
    })?
}

impl Service {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
        }
    }

    /// Serves whoever waits; notes from where each UDP probe came.
    pub(super) fn serve(&mut self, seen: &mut BTreeMap<u32, Ipv4Addr>) {
        match self {
            Self::Tcp(listener) => while listener.accept().is_ok() {},
            Self::Udp(socket) => while echo(socket, seen).is_some() {},
        }
    }
}

/// Answers one datagram from the address it came to.
fn echo(socket: &UdpSocket, seen: &mut BTreeMap<u32, Ipv4Addr>) -> Option<()> {
    let mut payload = [0; 4];
    let mut control = cmsg_space!(libc::in_pktinfo);
    let (from, asked) = {
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
        });
        (message.address?, asked?)
    };
    seen.insert(u32::from_be_bytes(payload), from.ip());
    let source = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: asked,
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    let control = [ControlMessage::Ipv4PacketInfo(&source)];
    // An answer that can't be sent is one that doesn't arrive: the probe will tell.
    let _ = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(&payload)],
        &control,
        MsgFlags::empty(),
        Some(&from),
    );
    Some(())
}
