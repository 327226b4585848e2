//! The PROXY protocol: a connection's first bytes say who the client is.
//! <https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt>

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, on behalf of somebody else.
const PROXY: u8 = 0x21;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// Version 1: a line of text.
pub(super) fn version1(client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (client.ip(), local.ip());
    let (from_port, to_port) = (client.port(), local.port());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n").into_bytes()
}

/// Version 2: binary.
pub(super) fn version2(client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let mut addresses = Vec::new();
    let family = match (client.ip(), local.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            addresses.extend_from_slice(&from.octets());
            addresses.extend_from_slice(&to.octets());
            TCP4
        }
        (from, to) => {
            for ip in [from, to] {
                let ip = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                addresses.extend_from_slice(&ip.octets());
            }
            TCP6
        }
    };
    for port in [client.port(), local.port()] {
        addresses.extend_from_slice(&port.to_be_bytes());
    }
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[PROXY, family]);
    // Two addresses and two ports are 36 bytes at most.
    header.extend_from_slice(&(addresses.len() as u16).to_be_bytes());
    header.extend_from_slice(&addresses);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-CLB: version 1 as classic balancers write it.
    #[test]
    fn text() {
        let line = version1(
            ([198, 51, 100, 22], 35646).into(),
            ([203, 0, 113, 7], 80).into(),
        );
        assert_eq!(line, b"PROXY TCP4 198.51.100.22 203.0.113.7 35646 80\r\n");
    }

    /// AWS-NLB: version 2 has both addresses and ports in network order.
    #[test]
    fn binary() {
        let bytes = version2(([10, 0, 0, 1], 0x1234).into(), ([10, 0, 0, 2], 443).into());
        let expected =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\x12\x34\x01\xbb";
        assert_eq!(bytes, expected);
    }
}
