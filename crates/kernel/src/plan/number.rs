//! The kernel's numbers for things: link indexes, routing tables, segments.

use super::balancer::{Draw, Idle};
use super::node::Pick;
use fabric::{
    BalancerId, GatewayId, HostId, Layer, Mac, PoolId, PortId, RouteTableId, SegmentId, ServiceId,
};
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

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
    /// Backends that a service's packets are shared out among.
    Pool(Pool),
    /// A way of picking a backend.
    Pick(Pick),
    /// Ranges that may send to load balancers.
    Sources(Vec<Ipv4Net>),
    /// Members that a balancer's node gives flows to.
    Members(MembersOf),
    /// A way of drawing a member.
    Draw(Draw),
    /// After how long flows are forgotten.
    Idle(Idle),
}

/// A pool, as a node of its balancer has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MembersOf {
    pub(crate) balancer: BalancerId,
    pub(crate) host: HostId,
    pub(crate) pool: PoolId,
}

/// A service's backends under one traffic policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pool {
    pub(crate) node: HostId,
    pub(crate) service: ServiceId,
    pub(crate) local: bool,
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
    seats: BTreeMap<Numbered, Vec<SocketAddrV4>>,
}

/// Above the kernel's own tables (253 to 255) and the few that are fixed.
const FIRST: u32 = 1000;

impl Default for Numbers {
    fn default() -> Self {
        Self {
            given: BTreeMap::new(),
            next: FIRST,
            seats: BTreeMap::new(),
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

    /// A pool's backends, each in a seat: the seats are numbered without a gap, and a backend that comes
    /// or goes moves at most one other.
    pub(crate) fn seats(
        &mut self,
        pool: Numbered,
        backends: &BTreeSet<SocketAddrV4>,
    ) -> &[SocketAddrV4] {
        let seats = self.seats.entry(pool).or_default();
        let seated: BTreeSet<SocketAddrV4> = seats.iter().copied().collect();
        let mut fresh = backends.difference(&seated).copied();
        let mut index = 0;
        while let Some(seat) = seats.get_mut(index) {
            if backends.contains(seat) {
                index += 1;
            } else if let Some(newcomer) = fresh.next() {
                *seat = newcomer;
                index += 1;
            } else {
                // Whoever sits last moves here, and is looked at next.
                seats.swap_remove(index);
            }
        }
        seats.extend(fresh);
        seats
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn seats_move_little() {
        let at = |last: u8| SocketAddrV4::new([10, 0, 0, last].into(), 80);
        let pool = Numbered::Pool(Pool {
            node: "n".into(),
            service: "s".into(),
            local: false,
        });
        let mut numbers = Numbers::default();
        let mut sit = |who: &[u8]| {
            let backends = who.iter().map(|last| at(*last)).collect();
            let seats = numbers.seats(pool.clone(), &backends).iter();
            seats.map(|seat| seat.ip().octets()[3]).collect::<Vec<_>>()
        };
        assert_eq!(sit(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(sit(&[1, 3, 4]), [1, 4, 3]);
        assert_eq!(sit(&[3, 4, 7]), [7, 4, 3]);
        assert_eq!(sit(&[0, 3, 4, 7]), [7, 4, 3, 0]);
        assert_eq!(sit(&[9]), [9]);
        assert_eq!(sit(&[]), Vec::<u8>::new());
    }
}
