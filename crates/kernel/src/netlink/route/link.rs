//! Links.

use super::NEW;
use crate::netlink::message::{Message, attributes};
use fabric::Mac;
use std::os::fd::RawFd;

const VETH_INFO_PEER: u16 = 1;
/// RTM_NEWLINKPROP.
const NEW_LINK_PROPERTY: u16 = 108;

/// `struct ifinfomsg`.
fn header(index: u32, up: Option<bool>) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    if let Some(up) = up {
        header[8..12].copy_from_slice(&u32::from(up).to_ne_bytes());
        header[12..16].copy_from_slice(&1u32.to_ne_bytes());
    }
    header
}

/// One end of a veth.
pub(crate) struct VethEnd<'a> {
    /// Its name, at most 15 bytes.
    pub(crate) name: &'a str,
    /// Its index, free in its namespace.
    pub(crate) index: u32,
    /// Its link-layer address.
    pub(crate) mac: Mac,
}

impl VethEnd<'_> {
    fn put(&self, message: &mut Message, mtu: u16) {
        // One queue: the default is one a processor, which costs memory and gains nothing here.
        message
            .put_text(libc::IFLA_IFNAME, self.name)
            .put(libc::IFLA_ADDRESS, &self.mac.0)
            .put_u32(libc::IFLA_MTU, u32::from(mtu))
            .put_u32(libc::IFLA_NUM_TX_QUEUES, 1)
            .put_u32(libc::IFLA_NUM_RX_QUEUES, 1);
    }
}

/// A veth with one end here, up, and the other in another namespace, which sets it up itself.
pub(crate) fn veth_add(
    here: &VethEnd<'_>,
    there: &VethEnd<'_>,
    namespace: RawFd,
    mtu: u16,
) -> Message {
    let mut message = Message::new(libc::RTM_NEWLINK, NEW, &header(here.index, Some(true)));
    here.put(&mut message, mtu);
    message.nest(libc::IFLA_LINKINFO, |info| {
        info.put(libc::IFLA_INFO_KIND, b"veth")
            .nest(libc::IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.raw(&header(there.index, None));
                    there.put(peer, mtu);
                    peer.put_u32(libc::IFLA_NET_NS_FD, namespace as u32);
                });
            });
    });
    message
}

/// Sets a link up.
pub(crate) fn up(index: u32) -> Message {
    Message::new(libc::RTM_NEWLINK, 0, &header(index, Some(true)))
}

/// Asks how a link is.
pub(crate) fn get(index: u32) -> Message {
    Message::new(libc::RTM_GETLINK, 0, &header(index, None))
}

/// Whether the answer to [`get`] says that the link carries packets: set up at both ends, and the
/// kernel, which does that part later on its own, has taken notice.
pub(crate) fn carries(answer: &[u8]) -> bool {
    const UP: u8 = 6;
    let attributes = attributes(answer.get(16..).unwrap_or_default());
    attributes
        .iter()
        .any(|(kind, value)| *kind == libc::IFLA_OPERSTATE && value.first() == Some(&UP))
}

/// Sets the largest packet a link takes.
pub(crate) fn set_mtu(index: u32, mtu: u16) -> Message {
    let mut message = Message::new(libc::RTM_NEWLINK, 0, &header(index, None));
    message.put_u32(libc::IFLA_MTU, u32::from(mtu));
    message
}

/// Removes a link (a veth's both ends).
pub(crate) fn delete(index: u32) -> Message {
    Message::new(libc::RTM_DELLINK, 0, &header(index, None))
}

/// Removes the link of a name.
pub(crate) fn delete_named(name: &str) -> Message {
    let mut message = Message::new(libc::RTM_DELLINK, 0, &header(0, None));
    message.put_text(libc::IFLA_IFNAME, name);
    message
}

/// Stamps a link with the full id of what it realises, as an alternative name.
pub(crate) fn alternative_name(index: u32, name: &str) -> Message {
    let mut message = Message::new(NEW_LINK_PROPERTY, NEW, &header(index, None));
    message.nest(libc::IFLA_PROP_LIST, |list| {
        list.put_text(libc::IFLA_ALT_IFNAME, name);
    });
    message
}
