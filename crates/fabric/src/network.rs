//! Networks and their segments.

use crate::id::{FilterId, NetworkId, RouteTableId, SegmentId};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// One isolated address space: a VPC, a VNet, a Google network, the internet, an on-premises site.
/// The same address in two networks is two different places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// The largest packet it carries, in bytes, IP header included.
    pub mtu: u16,
    /// Addresses that the network itself answers on every port's first hop (metadata, resolver,
    /// time). Packets to and from them meet no filter and no route table, as the clouds document
    /// for their link-local services.
    pub services: Vec<Ipv4Addr>,
}

/// A subnet: an address range with one route table and, where the cloud has one, a filter on its
/// boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// The network it is part of.
    pub network: NetworkId,
    /// Its address ranges, the first one primary. The first address of the primary range plus one
    /// is the gateway that hosts see.
    pub prefixes: Vec<Ipv4Net>,
    /// The zone it lies in, where segments are zonal.
    pub zone: Option<String>,
    /// The table that routes what its ports send.
    pub route_table: RouteTableId,
    /// The filter consulted when a packet leaves or enters the segment, and only then: never
    /// between two ports of one segment (AWS network ACLs).
    pub boundary: Option<FilterId>,
}

impl Segment {
    /// The gateway address its hosts see: the first address after the primary range's network
    /// address.
    pub fn gateway_address(&self) -> Option<Ipv4Addr> {
        let base = self.prefixes.first()?.network();
        Some(Ipv4Addr::from(u32::from(base).wrapping_add(1)))
    }
}
