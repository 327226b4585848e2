//! Gateways: what joins networks.
//!
//! A gateway is a place of its own: a network never translates, so the filters on its ports see
//! what the cloud's filters see. A host that calls a public address of its own network goes out
//! through the gateway and comes back in.

use crate::id::{GatewayId, NetworkId, RouteTableId};
use imbl::OrdMap;
use std::net::Ipv4Addr;

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its id.
    pub id: GatewayId,
    /// What it does.
    pub kind: GatewayKind,
}

/// What a gateway does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayKind {
    /// Joins a network to the internet by 1:1 translation.
    Internet(InternetGateway),
}

/// 1:1, stateless translation between a network's private addresses and public ones. What has no
/// public address doesn't pass, either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternetGateway {
    /// The network inside.
    pub inside: NetworkId,
    /// The network outside: the internet. It sends the public addresses here.
    pub outside: NetworkId,
    /// Private address → public address. Each public address stands once.
    pub translations: OrdMap<Ipv4Addr, Ipv4Addr>,
    /// The table that routes what comes in (AWS's edge association); without one it goes to the
    /// port that owns the destination.
    pub route_table: Option<RouteTableId>,
    /// The largest packet it passes, in bytes.
    pub mtu: u16,
}

impl InternetGateway {
    /// The private address behind a public one.
    pub fn private(&self, public: Ipv4Addr) -> Option<Ipv4Addr> {
        self.translations
            .iter()
            .find_map(|(private, mapped)| (*mapped == public).then_some(*private))
    }
}
