//! Hosts: network stacks.

use crate::flow::Transport;
use crate::id::{HostId, PortId};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A network stack with ports: an instance, an appliance, a NAT gateway's machine, a place on the
/// internet.
///
/// What its own operating system does with packets is stated here, not guessed: whether it
/// forwards, where it routes, what source it writes. A guest's private firewall is not modelled;
/// whoever observes one sets [`Host::opaque`], and `walk` answers *unknown* there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its id.
    pub id: HostId,
    /// Whether it runs. What is sent to a host that doesn't is dropped.
    pub running: bool,
    /// Whether its stack forwards packets that are not for itself.
    pub forwarding: bool,
    /// Where it sends its packets, the most specific match first by [`HostRoute::beats`]; what no
    /// route matches it can't send. Computed by whoever makes the host.
    pub routes: Vec<HostRoute>,
    /// What it writes over the source of packets it forwards.
    pub source_translation: Option<SourceTranslation>,
    /// Ranges beyond its ports' addresses that its stack answers for (a delegated prefix that the
    /// guest uses itself).
    pub answers: Vec<Ipv4Net>,
    /// Why its stack can't be told from outside, if so.
    pub opaque: Option<String>,
}

/// One of a host's own routes: a policy rule and a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoute {
    /// Only for packets whose source lies here (a policy rule `from`); such routes go before
    /// those without.
    pub from: Option<Ipv4Net>,
    /// Destinations.
    pub prefix: Ipv4Net,
    /// The port they leave by.
    pub port: PortId,
    /// Among equal prefixes the lowest wins (Linux's metric).
    pub metric: u32,
}

impl HostRoute {
    /// Whether this route matches a packet.
    pub fn matches(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        self.from.is_none_or(|from| from.contains(&source)) && self.prefix.contains(&destination)
    }

    /// The order in which routes are tried: those with a source first (the longer source first),
    /// then the longer prefix, then the lower metric.
    pub fn beats(&self, other: &Self) -> bool {
        let rank = |route: &Self| {
            (
                std::cmp::Reverse(
                    route
                        .from
                        .map_or(0, |from| 1 + u32::from(from.prefix_len())),
                ),
                std::cmp::Reverse(route.prefix.prefix_len()),
                route.metric,
            )
        };
        rank(self) < rank(other)
    }
}

/// Source translation with ports, of what a host forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTranslation {
    /// The address written over the source.
    pub address: Ipv4Addr,
    /// Whether the host is a managed translator: it forwards only what it translates (TCP, UDP and
    /// ICMP echo), takes nothing for itself, and drops what comes from outside without a mapping.
    pub managed: bool,
}

impl SourceTranslation {
    /// Whether packets of this transport are translated (and, by a managed translator, passed).
    pub fn carries(&self, transport: &Transport) -> bool {
        !self.managed || !matches!(transport, Transport::Other(_))
    }
}
