//! Route tables.

use crate::id::{GatewayId, NetworkId, PortId, RouteTableId, RuleId};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A table of routes. A packet takes the longest matching prefix; among equal prefixes the lowest
/// preference; without a match it is dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// Its id.
    pub id: RouteTableId,
    /// The network it routes in.
    pub network: NetworkId,
    /// Its routes, in any order.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What the cloud calls it, or the prefix.
    pub id: RuleId,
    /// Destinations.
    pub prefix: Ipv4Net,
    /// Where they go.
    pub target: Target,
    /// Who made it.
    pub origin: RouteOrigin,
    /// Among routes of one prefix the lowest wins; the cloud's compiler gives it the cloud's
    /// meaning (AWS: static before propagated; Azure: user, BGP, system; Google: the priority).
    pub preference: u32,
}

/// Where a route sends packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the port of this network that owns the destination.
    Local,
    /// To this port, whoever the destination is.
    Port(PortId),
    /// Through this gateway.
    Gateway(GatewayId),
    /// Nowhere.
    Drop(DropCause),
}

/// Why a route drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DropCause {
    /// Its target is gone or unusable; the cloud's name of the target (AWS: state `blackhole`).
    TargetGone(String),
    /// The route says so (Azure's next hop None).
    ByRule,
}

/// Who made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteOrigin {
    /// The cloud.
    System,
    /// The user.
    User,
    /// A gateway, from what it learnt.
    Propagated,
}

impl RouteTable {
    /// The route for a destination: the longest prefix, then the lowest preference.
    pub fn lookup(&self, destination: Ipv4Addr) -> Option<&Route> {
        self.routes
            .iter()
            .filter(|route| route.prefix.contains(&destination))
            .min_by_key(|route| {
                (
                    std::cmp::Reverse(route.prefix.prefix_len()),
                    route.preference,
                )
            })
    }
}
