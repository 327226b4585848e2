//! What a guest's root made of its own stack: the fabric says what an image sets up, the guest's user may
//! change it.

use crate::apply::TABLE;
use crate::namespace::NetNs;
use crate::netlink::nftables;
use crate::netlink::socket::{Family, Socket};
use crate::node;
use std::fs;
use std::io;
use std::net::Ipv4Addr;

/// A guest's stack, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Whether it forwards IPv4.
    pub forwarding: bool,
    /// Whether it has nftables or iptables tables that are neither the lab's nor those of a cluster's
    /// [`node`], which the fabric knows.
    pub own_filters: bool,
}

/// Looks at the stack in a namespace.
///
/// # Errors
/// The namespace can't be entered, or the kernel doesn't say.
pub fn stack(namespace: &NetNs) -> io::Result<Stack> {
    namespace.run(|| {
        let forwarding = fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?.trim() == "1";
        // Its lines are the tables of the older iptables; the file is missing where nobody used it.
        let legacy = fs::read_to_string("/proc/thread-self/net/ip_tables_names");
        let legacy = legacy.is_ok_and(|tables| !tables.is_empty());
        let tables = Socket::open_here(Family::Netfilter)
            .and_then(|mut socket| nftables::table_names(&mut socket, None))
            .map_err(io::Error::other)?;
        let foreign = tables
            .iter()
            .any(|table| table != TABLE && !node::is_ours(table));
        Ok(Stack {
            forwarding,
            own_filters: legacy || foreign,
        })
    })?
}

/// Whether somebody takes TCP connections or UDP datagrams at a port in a namespace, at this address or
/// at all of them.
///
/// # Errors
/// The namespace can't be entered, or the kernel doesn't say.
pub fn listens(
    namespace: &NetNs,
    protocol: Listening,
    address: Ipv4Addr,
    port: u16,
) -> io::Result<bool> {
    namespace.run(|| {
        let mut found = false;
        for (file, length) in protocol.files() {
            match fs::read_to_string(file) {
                Ok(text) => found |= text.lines().any(|line| takes(line, length, address, port)),
                // A kernel without IPv6 has no such file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    })?
}

/// What may be listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// TCP connections.
    Tcp,
    /// UDP datagrams.
    Udp,
}

impl Listening {
    /// The kernel's lists of sockets, and how many hexadecimal digits their addresses have.
    fn files(self) -> [(&'static str, usize); 2] {
        match self {
            Self::Tcp => [
                ("/proc/thread-self/net/tcp", 8),
                ("/proc/thread-self/net/tcp6", 32),
            ],
            Self::Udp => [
                ("/proc/thread-self/net/udp", 8),
                ("/proc/thread-self/net/udp6", 32),
            ],
        }
    }
}

/// Whether a line of such a list is a socket without a peer that takes what comes to an address and
/// port. Addresses are words in the machine's byte order.
/// <https://docs.kernel.org/networking/proc_net_tcp.html>
fn takes(line: &str, length: usize, address: Ipv4Addr, port: u16) -> bool {
    let mut fields = line.split_whitespace().skip(1);
    let (Some(local), Some(remote)) = (fields.next(), fields.next()) else {
        return false;
    };
    let Some((own, at)) = local.split_once(':') else {
        return false;
    };
    let free = remote.bytes().all(|byte| matches!(byte, b'0' | b':'));
    if own.len() != length || u16::from_str_radix(at, 16) != Ok(port) || !free {
        return false;
    }
    let everywhere = own.bytes().all(|byte| byte == b'0');
    let word = |text: &str| u32::from_str_radix(text, 16).map(u32::from_be);
    everywhere || own.get(length - 8..).map(word) == Some(Ok(address.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn listening_sockets_are_told_from_others() {
        let at = Ipv4Addr::new(10, 244, 0, 5);
        let word = u32::from(at).to_be();
        let own = format!("   0: {word:08X}:1F90 00000000:0000 0A 00000000:00000000");
        assert!(takes(&own, 8, at, 8080));
        assert!(!takes(&own, 8, Ipv4Addr::LOCALHOST, 8080));
        assert!(!takes(&own, 8, at, 80));
        let all =
            "   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A";
        assert!(takes(all, 32, at, 8080));
        let connected = format!("   2: {word:08X}:1F90 0100007F:C350 01 00000000:00000000");
        assert!(!takes(&connected, 8, at, 8080));
    }

    /// A socket that is there is found, one that is not isn't.
    #[test]
    fn a_socket_of_this_process_is_seen() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let lines = |file| fs::read_to_string(file).unwrap();
        let [(file, length), _] = Listening::Tcp.files();
        let listens = || {
            let text = lines(file);
            let mut lines = text.lines();
            lines.any(|line| takes(line, length, Ipv4Addr::LOCALHOST, port))
        };
        assert!(listens());
        drop(socket);
        assert!(!listens());
    }
}
