//! The kernel's numbers for things: link indexes, routing tables, segments.

use fabric::{GatewayId, HostId, Layer, Mac, PortId, RouteTableId, SegmentId};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;

/// What has a number. Where a thing is identified by more than its id, a change of the rest makes it
/// another thing with another number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Numbered {
    /// An end of a port's link.
    PortLink(PortLink),
    /// An end of a gateway's link.
    GatewayLink(GatewayId, Side, End),
    /// A route table.
    RouteTable(RouteTableId),
    /// The table of a host's routes for packets from a prefix.
    HostTable(HostId, Ipv4Net),
    /// A segment.
    Segment(SegmentId),
    /// A gateway as the place where packets enter a network.
    Edge(GatewayId),
    /// A layer of several filters.
    Layer(Layer),
}

/// An end of a port's link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PortLink {
    pub(crate) port: PortId,
    pub(crate) host: HostId,
    pub(crate) device: u16,
    pub(crate) mac: Mac,
    pub(crate) guard: bool,
    pub(crate) segment: SegmentId,
    pub(crate) end: End,
}

/// Which end of the way between a network and something attached to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// In the network.
    Network,
    /// In the nic, towards the network.
    NicToNetwork,
    /// In the nic, towards the host.
    NicToHost,
    /// In the host or the gateway.
    Far,
}

/// A gateway's sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Towards the network whose addresses are private.
    Inside,
    /// Towards the internet.
    Outside,
}

/// The numbers given so far. None is ever given twice, so a number that lingers somewhere (a packet's
/// mark, a deleted link) can't be taken for another thing's; a thing that comes back has its old one.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    given: BTreeMap<Numbered, u32>,
    next: u32,
}

/// Above the kernel's own tables (253 to 255) and the few that are fixed.
const FIRST: u32 = 1000;

impl Default for Numbers {
    fn default() -> Self {
        Self {
            given: BTreeMap::new(),
            next: FIRST,
        }
    }
}

impl Numbers {
    /// A thing's number.
    pub(crate) fn of(&mut self, thing: Numbered) -> u32 {
        *self.given.entry(thing).or_insert_with(|| {
            self.next += 1;
            self.next
        })
    }
}
