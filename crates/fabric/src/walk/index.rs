//! Who has which address.

use crate::balancer::Balancer;
use crate::{
    Fabric, Frontend, GatewayId, GatewayKind, HostId, InternetGateway, NetworkId, Node, Port,
    Protocol, Service,
};
use ipnet::Ipv4Net;
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::OnceLock;

/// Owners of addresses, by network.
#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    ports: HashMap<(&'a NetworkId, Ipv4Addr), &'a Port>,
    prefixes: HashMap<&'a NetworkId, Vec<(Ipv4Net, &'a Port)>>,
    publics: HashMap<(&'a NetworkId, Ipv4Addr), Translation<'a>>,
    of_host: HashMap<&'a HostId, Vec<&'a Port>>,
    nodes: HashMap<&'a HostId, IndexedNode<'a>>,
    balancers: HashMap<&'a HostId, &'a Balancer>,
    /// Hosts that pass packets on as balancers' nodes.
    passing_on: HashSet<&'a HostId>,
}

/// A node, and its frontends once somebody asks for one.
#[derive(Debug)]
pub(super) struct IndexedNode<'a> {
    pub(super) node: &'a Node,
    frontends: OnceLock<Frontends<'a>>,
}

/// Who has which frontend of a node.
#[derive(Debug, Default)]
struct Frontends<'a> {
    by_place: HashMap<(Ipv4Addr, Protocol, u16), (&'a Service, &'a Frontend)>,
    cluster_addresses: HashSet<Ipv4Addr>,
}

impl<'a> Frontends<'a> {
    fn new(node: &'a Node) -> Self {
        let mut index = Self::default();
        let services = &node.services;
        for service in services.services.values() {
            for frontend in &service.frontends {
                for (address, port) in frontend.places(&services.node_addresses) {
                    if frontend.is_internal() {
                        index.cluster_addresses.insert(address);
                    }
                    let claim = (service.as_ref(), frontend);
                    let holder = index
                        .by_place
                        .entry((address, service.protocol, port))
                        .or_insert(claim);
                    if !holder.0.translates(holder.1) && service.translates(frontend) {
                        *holder = claim;
                    }
                }
            }
        }
        index
    }
}

impl<'a> IndexedNode<'a> {
    fn frontends(&self) -> &Frontends<'a> {
        self.frontends.get_or_init(|| Frontends::new(self.node))
    }

    /// Whose frontend an address and port are.
    pub(super) fn frontend(
        &self,
        address: Ipv4Addr,
        protocol: Protocol,
        port: u16,
    ) -> Option<(&'a Service, &'a Frontend)> {
        self.frontends()
            .by_place
            .get(&(address, protocol, port))
            .copied()
    }

    /// Whether an address is a service's cluster address.
    pub(super) fn is_cluster_address(&self, address: Ipv4Addr) -> bool {
        self.frontends().cluster_addresses.contains(&address)
    }

    /// Whether a service takes a protocol at an address, at whatever port.
    pub(super) fn takes(&self, address: Ipv4Addr, protocol: Protocol) -> bool {
        let services = &self.node.services;
        services
            .services
            .values()
            .filter(|service| service.protocol == protocol)
            .flat_map(|service| &service.frontends)
            .flat_map(|frontend| frontend.places(&services.node_addresses))
            .any(|(own, _)| own == address)
    }
}

/// A public address: the gateway that has it and the private address behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Translation<'a> {
    pub(super) id: &'a GatewayId,
    pub(super) gateway: &'a InternetGateway,
    pub(super) private: Ipv4Addr,
}

/// Who has an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    Port(&'a Port),
    Gateway(Translation<'a>),
}

impl<'a> Index<'a> {
    pub(super) fn new(fabric: &'a Fabric) -> Self {
        let mut index = Self::default();
        for port in fabric.ports.values() {
            for address in &port.addresses {
                index.ports.entry((&port.network, *address)).or_insert(port);
            }
            let ranges = port.prefixes.iter().map(|prefix| (*prefix, port.as_ref()));
            index
                .prefixes
                .entry(&port.network)
                .or_default()
                .extend(ranges);
            if let Some((host, _)) = &port.host {
                index.of_host.entry(host).or_default().push(port);
            }
        }
        for (id, node) in &fabric.nodes {
            let frontends = OnceLock::new();
            index.nodes.insert(id, IndexedNode { node, frontends });
        }
        for balancer in fabric.balancers.values() {
            for host in balancer.nodes.keys() {
                index.balancers.entry(host).or_insert(balancer);
            }
            if balancer.forwards() {
                index.passing_on.extend(balancer.nodes.keys());
            }
        }
        for (id, gateway) in &fabric.gateways {
            let GatewayKind::Internet(gateway) = &gateway.kind;
            for (private, public) in &gateway.translations {
                let translation = Translation {
                    id,
                    gateway,
                    private: *private,
                };
                index
                    .publics
                    .entry((&gateway.outside, *public))
                    .or_insert(translation);
            }
        }
        index
    }

    /// Whoever has an address in a network: a port by itself, a gateway by a translation, a port by
    /// the longest of its prefixes.
    pub(super) fn owner(&self, network: &'a NetworkId, address: Ipv4Addr) -> Option<Owner<'a>> {
        if let Some(port) = self.ports.get(&(network, address)) {
            return Some(Owner::Port(port));
        }
        if let Some(translation) = self.publics.get(&(network, address)) {
            return Some(Owner::Gateway(*translation));
        }
        let ranges = self.prefixes.get(network)?;
        let covering = ranges
            .iter()
            .filter(|(prefix, _)| prefix.contains(&address));
        covering
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(_, port)| Owner::Port(port))
    }

    /// What a host does as a node.
    pub(super) fn node(&self, host: &HostId) -> Option<&IndexedNode<'a>> {
        self.nodes.get(host)
    }

    /// The balancer that a host is a node of.
    pub(super) fn balancer(&self, host: &HostId) -> Option<&'a Balancer> {
        self.balancers.get(host).copied()
    }

    /// Whether a port's host passes packets on as a balancer's node.
    pub(super) fn passes_on(&self, port: &Port) -> bool {
        let host = port.host.as_ref();
        host.is_some_and(|(host, _)| self.passing_on.contains(host))
    }

    /// A host's ports.
    pub(super) fn ports_of(&self, host: &HostId) -> &[&'a Port] {
        self.of_host
            .get(host)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}
