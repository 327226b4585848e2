//! What a guest's root made of its own stack: the fabric says what an image sets up, the guest's user may
//! change it.

use crate::apply::TABLE;
use crate::namespace::NetNs;
use crate::netlink::message::{Message, attributes};
use crate::netlink::nftables::{GET_TABLE, NEW_TABLE, TABLE_NAME, message_kind};
use crate::netlink::socket::{Family, Socket};
use std::fs;
use std::io;

/// A guest's stack, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Whether it forwards IPv4.
    pub forwarding: bool,
    /// Whether it has nftables or iptables tables that are not the lab's.
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
        let tables = tables().map_err(io::Error::other)?;
        let foreign = tables.iter().any(|table| table != TABLE);
        Ok(Stack {
            forwarding,
            own_filters: legacy || foreign,
        })
    })?
}

/// The names of the tables in the namespace that the calling thread is in, of every family.
fn tables() -> Result<Vec<String>, crate::netlink::socket::NetlinkError> {
    let any_family = [0; 4];
    let question = Message::new(message_kind(GET_TABLE), libc::NLM_F_DUMP, &any_family);
    let mut socket = Socket::open_here(Family::Netfilter)?;
    let mut names = Vec::new();
    socket.dump(question, |kind, payload| {
        if kind != message_kind(NEW_TABLE) {
            return;
        }
        // Past the family header.
        let attributes = attributes(payload.get(4..).unwrap_or_default());
        let name = attributes.iter().find(|(kind, _)| *kind == TABLE_NAME);
        names.extend(name.map(|(_, name)| {
            String::from_utf8_lossy(name)
                .trim_end_matches('\0')
                .to_owned()
        }));
    })?;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::received;

    #[test]
    fn dumps_are_read() {
        // The kernel's words for one table and the end of the dump.
        let name = b"filter\0";
        let mut table = Message::new(message_kind(NEW_TABLE), 0, &[2, 0, 0, 0]);
        table.put(TABLE_NAME, name);
        let bytes = table.finish(1, false);
        let messages = received(&bytes);
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].kind, message_kind(NEW_TABLE));
        let attributes = attributes(&messages[0].payload[4..]);
        assert_eq!(attributes, [(TABLE_NAME, &name[..])]);
    }
}
