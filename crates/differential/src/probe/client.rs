//! A client socket for each flow.

use fabric::{Flow, Transport};
use kernel::namespace::NetNs;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, bind, connect,
    getsockopt, recv, send, setsockopt, socket, sockopt,
};
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A flow's client.
#[derive(Debug)]
pub(crate) enum Client {
    /// The sender has no namespace or no way: nothing can be sent.
    Unsendable,
    /// Connecting.
    Tcp(OwnedFd),
    /// Connected, with its number as payload.
    Udp(OwnedFd, u32),
    /// A raw socket with the echo's identifier.
    Echo(OwnedFd, u16),
}

/// Opens a client in its host's namespace, bound to the flow's source.
pub(crate) fn open(namespace: &NetNs, flow: Flow, number: u32) -> io::Result<Client> {
    namespace.run(move || match make(flow, number) {
        // No route, no such source: the host can't send this.
        Err(errno) if unsendable(errno) => Ok(Client::Unsendable),
        other => other.map_err(io::Error::from),
    })?
}

fn unsendable(errno: nix::errno::Errno) -> bool {
    use nix::errno::Errno;
    matches!(
        errno,
        Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::EADDRNOTAVAIL
            | Errno::EINVAL
            | Errno::EACCES
    )
}

fn make(flow: Flow, number: u32) -> nix::Result<Client> {
    let (kind, protocol, source_port, port) = match flow.transport {
        Transport::Tcp {
            source_port,
            destination_port,
        } => (
            SockType::Stream,
            SockProtocol::Tcp,
            source_port,
            destination_port,
        ),
        Transport::Udp {
            source_port,
            destination_port,
        } => (
            SockType::Datagram,
            SockProtocol::Udp,
            source_port,
            destination_port,
        ),
        Transport::Echo { .. } | Transport::Other(_) => (SockType::Raw, SockProtocol::Icmp, 0, 0),
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Inet, kind, flags, protocol)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if kind == SockType::Stream {
        // Closing resets: a connection left in TIME_WAIT would keep its ports from the next try.
        let at_once = nix::libc::linger {
            l_onoff: 1,
            l_linger: 0,
        };
        setsockopt(&fd, sockopt::Linger, &at_once)?;
    }
    bind(
        fd.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(flow.source, source_port)),
    )?;
    match connect(
        fd.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(flow.destination, port)),
    ) {
        Ok(()) | Err(nix::errno::Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno),
    }
    Ok(match flow.transport {
        Transport::Tcp { .. } => Client::Tcp(fd),
        Transport::Udp { .. } => Client::Udp(fd, number),
        Transport::Echo { id, .. } => Client::Echo(fd, id),
        Transport::Other(_) => Client::Unsendable,
    })
}

impl Client {
    /// Sends the first packet, where connecting hasn't.
    pub(crate) fn send(&self) {
        // What can't be sent isn't answered: that is the observation.
        match self {
            Self::Unsendable | Self::Tcp(_) => {}
            Self::Udp(fd, number) => {
                let _ = send(fd.as_raw_fd(), &number.to_be_bytes(), MsgFlags::empty());
            }
            Self::Echo(fd, id) => {
                let _ = send(fd.as_raw_fd(), &echo_request(*id), MsgFlags::empty());
            }
        }
    }

    /// What to wait for.
    pub(crate) fn poll(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Self::Unsendable => None,
            Self::Tcp(fd) => Some((fd.as_fd(), PollFlags::POLLOUT)),
            Self::Udp(fd, _) | Self::Echo(fd, _) => Some((fd.as_fd(), PollFlags::POLLIN)),
        }
    }

    /// Whether the answer is there.
    pub(crate) fn answered(&self) -> bool {
        let mut buffer = [0; 128];
        match self {
            Self::Unsendable => false,
            Self::Tcp(fd) => {
                getsockopt(fd, sockopt::SocketError) == Ok(0)
                    && nix::sys::socket::getpeername::<SockaddrIn>(fd.as_raw_fd()).is_ok()
            }
            Self::Udp(fd, number) => {
                let got = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty());
                got == Ok(4) && buffer[..4] == number.to_be_bytes()
            }
            Self::Echo(fd, id) => {
                while let Ok(length) = recv(fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                    if is_echo_reply(&buffer[..length], *id) {
                        return true;
                    }
                }
                false
            }
        }
    }
}

/// Type 8, code 0, checksum, identifier, sequence 1.
fn echo_request(id: u16) -> [u8; 8] {
    let sum = 0x0800u32 + u32::from(id) + 1;
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    let ([c0, c1], [i0, i1]) = (checksum.to_be_bytes(), id.to_be_bytes());
    [8, 0, c0, c1, i0, i1, 0, 1]
}

/// Whether an IP packet is the reply to an echo with this identifier.
fn is_echo_reply(packet: &[u8], id: u16) -> bool {
    let header = usize::from(packet.first().copied().unwrap_or(0) & 0x0f) * 4;
    let icmp = packet.get(header..).unwrap_or_default();
    icmp.first() == Some(&0) && icmp.get(4..6) == Some(&id.to_be_bytes()[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_requests_have_a_right_checksum() {
        for id in [0, 1, 0x1234, 0xffff] {
            let packet = echo_request(id);
            let sum: u32 = packet
                .chunks(2)
                .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
                .sum();
            assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        }
    }
}
