//! Permanent neighbours. They are exempt from the kernel's limit, which all namespaces of a machine
//! share, and nobody ever asks for them by ARP.

use super::PUT;
use crate::netlink::message::Message;
use fabric::Mac;
use std::net::Ipv4Addr;

/// `struct ndmsg`: family, pad, index, state, flags, type.
fn header(link: u32, state: u16) -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = libc::AF_INET as u8;
    header[4..8].copy_from_slice(&link.to_ne_bytes());
    header[8..10].copy_from_slice(&state.to_ne_bytes());
    header
}

/// Adds a neighbour or changes its link-layer address.
pub(crate) fn put(link: u32, address: Ipv4Addr, mac: Mac) -> Message {
    let mut message = Message::new(libc::RTM_NEWNEIGH, PUT, &header(link, libc::NUD_PERMANENT));
    message
        .put(libc::NDA_DST, &address.octets())
        .put(libc::NDA_LLADDR, &mac.0);
    message
}

/// Removes a neighbour.
pub(crate) fn delete(link: u32, address: Ipv4Addr) -> Message {
    let mut message = Message::new(libc::RTM_DELNEIGH, 0, &header(link, 0));
    message.put(libc::NDA_DST, &address.octets());
    message
}
