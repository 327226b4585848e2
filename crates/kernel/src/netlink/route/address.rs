//! Addresses of links.

use super::PUT;
use crate::netlink::message::Message;
use std::net::Ipv4Addr;

fn message(kind: u16, flags: i32, link: u32, address: Ipv4Addr, prefix_len: u8) -> Message {
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let mut header = [libc::AF_INET as u8, prefix_len, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&link.to_ne_bytes());
    let mut message = Message::new(kind, flags, &header);
    message
        .put(libc::IFA_LOCAL, &address.octets())
        .put(libc::IFA_ADDRESS, &address.octets())
        .put_u32(libc::IFA_FLAGS, libc::IFA_F_NOPREFIXROUTE);
    message
}

/// Gives a link an address, without the route that Linux would add for its prefix.
pub(crate) fn add(link: u32, address: Ipv4Addr, prefix_len: u8) -> Message {
    message(libc::RTM_NEWADDR, PUT, link, address, prefix_len)
}

/// Takes an address away.
pub(crate) fn delete(link: u32, address: Ipv4Addr, prefix_len: u8) -> Message {
    message(libc::RTM_DELADDR, 0, link, address, prefix_len)
}
