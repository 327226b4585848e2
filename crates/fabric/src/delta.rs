//! What differs between two fabrics.

use crate::Fabric;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use std::sync::Arc;

/// A change of one thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<K, V> {
    /// It is new.
    Added(K, Arc<V>),
    /// It was, and now is otherwise.
    Changed(K, Arc<V>, Arc<V>),
    /// It is gone.
    Removed(K, Arc<V>),
}

/// All changes from one fabric to another, by kind. Finding them costs what differs, not what
/// there is: the maps skip what they share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Networks.
    pub networks: Vec<Change<crate::NetworkId, crate::Network>>,
    /// Segments.
    pub segments: Vec<Change<crate::SegmentId, crate::Segment>>,
    /// Hosts.
    pub hosts: Vec<Change<crate::HostId, crate::Host>>,
    /// Ports.
    pub ports: Vec<Change<crate::PortId, crate::Port>>,
    /// Route tables.
    pub route_tables: Vec<Change<crate::RouteTableId, crate::RouteTable>>,
    /// Filters.
    pub filters: Vec<Change<crate::FilterId, crate::Filter>>,
    /// Address sets.
    pub address_sets: Vec<Change<crate::AddressSetId, crate::AddressSet>>,
    /// Gateways.
    pub gateways: Vec<Change<crate::GatewayId, crate::Gateway>>,
    /// Nodes.
    pub nodes: Vec<Change<crate::HostId, crate::Node>>,
    /// Balancers.
    pub balancers: Vec<Change<crate::BalancerId, crate::balancer::Balancer>>,
}

/// What differs between two maps.
pub fn changes<K: Ord + Clone, V: PartialEq>(
    old: &OrdMap<K, Arc<V>>,
    new: &OrdMap<K, Arc<V>>,
) -> Vec<Change<K, V>> {
    if old.ptr_eq(new) {
        return Vec::new();
    }
    old.diff(new)
        .filter_map(|item| match item {
            DiffItem::Add(key, value) => Some(Change::Added(key.clone(), value.clone())),
            DiffItem::Update {
                old: (key, before),
                new: (_, after),
            } => (before != after)
                .then(|| Change::Changed(key.clone(), before.clone(), after.clone())),
            DiffItem::Remove(key, value) => Some(Change::Removed(key.clone(), value.clone())),
        })
        .collect()
}

impl Delta {
    /// What turns `old` into `new`.
    pub fn between(old: &Fabric, new: &Fabric) -> Self {
        Self {
            networks: changes(&old.networks, &new.networks),
            segments: changes(&old.segments, &new.segments),
            hosts: changes(&old.hosts, &new.hosts),
            ports: changes(&old.ports, &new.ports),
            route_tables: changes(&old.route_tables, &new.route_tables),
            filters: changes(&old.filters, &new.filters),
            address_sets: changes(&old.address_sets, &new.address_sets),
            gateways: changes(&old.gateways, &new.gateways),
            nodes: changes(&old.nodes, &new.nodes),
            balancers: changes(&old.balancers, &new.balancers),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
