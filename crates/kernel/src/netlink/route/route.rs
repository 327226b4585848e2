//! Routes.

use super::PUT;
use crate::netlink::message::Message;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// RTNH_F_ONLINK.
const NEXT_HOP_ONLINK: u32 = 4;

/// What a route of a kernel's table does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Sends by a link, to the neighbour `via`, which is on it whatever the prefixes say.
    Via {
        link: u32,
        via: Ipv4Addr,
        /// The source address of packets that are made here and don't choose one.
        source: Option<Ipv4Addr>,
    },
    /// Sends by a link, to the neighbour `via`, which another route of the table says is on it.
    Through { link: u32, via: Ipv4Addr },
    /// Sends by a link to the destination itself, which is on it.
    On { link: u32 },
    /// Takes it for this stack itself.
    Local { link: u32 },
    /// Leaves this table for the next rule.
    Throw,
    /// Drops without a word.
    Blackhole,
}

impl Action {
    /// The link that it needs.
    pub(crate) fn link(&self) -> Option<u32> {
        match self {
            Self::Via { link, .. }
            | Self::Through { link, .. }
            | Self::On { link }
            | Self::Local { link } => Some(*link),
            Self::Throw | Self::Blackhole => None,
        }
    }
}

/// A route in a table of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelRoute {
    pub(crate) table: u32,
    pub(crate) prefix: Ipv4Net,
    pub(crate) metric: u32,
    pub(crate) action: Action,
}

impl KernelRoute {
    fn message(&self, kind: u16, flags: i32) -> Message {
        let (action, scope) = match self.action {
            Action::Via { .. } | Action::Through { .. } => {
                (libc::RTN_UNICAST, libc::RT_SCOPE_UNIVERSE)
            }
            Action::On { .. } => (libc::RTN_UNICAST, libc::RT_SCOPE_LINK),
            Action::Local { .. } => (libc::RTN_LOCAL, libc::RT_SCOPE_HOST),
            Action::Throw => (libc::RTN_THROW, libc::RT_SCOPE_UNIVERSE),
            Action::Blackhole => (libc::RTN_BLACKHOLE, libc::RT_SCOPE_UNIVERSE),
        };
        let flag = match self.action {
            Action::Via { .. } => NEXT_HOP_ONLINK,
            Action::Through { .. }
            | Action::On { .. }
            | Action::Local { .. }
            | Action::Throw
            | Action::Blackhole => 0,
        };
        // struct rtmsg: family, destination and source length, tos, table, protocol, scope, type,
        // flags.
        let mut header = [0; 12];
        header[0] = libc::AF_INET as u8;
        header[1] = self.prefix.prefix_len();
        header[5] = libc::RTPROT_STATIC;
        header[6] = scope;
        header[7] = action;
        header[8..12].copy_from_slice(&flag.to_ne_bytes());
        let mut message = Message::new(kind, flags, &header);
        message
            .put_u32(libc::RTA_TABLE, self.table)
            .put_u32(libc::RTA_PRIORITY, self.metric);
        if self.prefix.prefix_len() > 0 {
            message.put(libc::RTA_DST, &self.prefix.network().octets());
        }
        match self.action {
            Action::Via { link, via, source } => {
                message
                    .put_u32(libc::RTA_OIF, link)
                    .put(libc::RTA_GATEWAY, &via.octets());
                if let Some(source) = source {
                    message.put(libc::RTA_PREFSRC, &source.octets());
                }
            }
            Action::Through { link, via } => {
                message
                    .put_u32(libc::RTA_OIF, link)
                    .put(libc::RTA_GATEWAY, &via.octets());
            }
            Action::On { link } | Action::Local { link } => {
                message.put_u32(libc::RTA_OIF, link);
            }
            Action::Throw | Action::Blackhole => {}
        }
        message
    }

    /// Adds it, or puts it in the place of the route of the same prefix and metric.
    pub(crate) fn put(&self) -> Message {
        self.message(libc::RTM_NEWROUTE, PUT)
    }

    /// Removes it.
    pub(crate) fn delete(&self) -> Message {
        self.message(libc::RTM_DELROUTE, 0)
    }
}
