//! Ports: hosts' attachments to networks.

use crate::filter::Layer;
use crate::id::{HostId, NetworkId, PortId, SegmentId};
use ipnet::Ipv4Net;
use std::fmt;
use std::net::Ipv4Addr;

/// A link-layer address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A network interface: it belongs to a segment and, while attached, to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// The network.
    pub network: NetworkId,
    /// The segment whose route table and boundary filter it has.
    pub segment: SegmentId,
    /// The host it is attached to, and at which device index (`eth<index>`).
    pub host: Option<(HostId, u16)>,
    /// Its link-layer address.
    pub mac: Mac,
    /// Its addresses, the primary first.
    pub addresses: Vec<Ipv4Addr>,
    /// Whole ranges routed to it (delegated prefixes, alias ranges).
    pub prefixes: Vec<Ipv4Net>,
    /// The anti-spoofing guard: with it the port sends only from, and takes only for, its own
    /// addresses and prefixes (AWS's source/destination check; its absence is Google's
    /// `canIpForward` and Azure's IP forwarding).
    pub guard: bool,
    /// Its filters. What leaves meets them first to last, what arrives last to first; all must
    /// allow.
    pub layers: Vec<Layer>,
    /// Whether flows through it are always tracked, even where a filter would leave them untracked
    /// (NAT gateways' and balancers' ports).
    pub always_tracked: bool,
}

impl Port {
    /// Whether an address is the port's own, singly or by a prefix.
    pub fn owns(&self, address: Ipv4Addr) -> bool {
        self.addresses.contains(&address)
            || self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }
}
