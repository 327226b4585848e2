//! A plain cluster's network in the fabric.
//!
//! | what | address |
//! | --- | --- |
//! | nodes, each with its pods' range as a prefix of its port | 172.18.0.16 and on |
//! | the API, beside its address on the internet | 172.18.0.2 |
//! | the way out, which writes an address of the internet over pods' and nodes' own | 172.18.0.3 |
//! | pods, a /24 a node | 10.244.0.0/16 |
//! | services, known to nodes alone | 10.96.0.0/12 |
//!
//! Every cluster has a network of its own, so all use the same addresses. Nothing gets in from the
//! internet except to the API.

use crate::internet;
use fabric::{
    Fabric, Host, HostId, HostRoute, Mac, Network, NetworkId, Port, PortId, Route, RouteOrigin,
    RouteTable, RouteTableId, Segment, SegmentId, SourceTranslation, Target,
};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Where nodes live.
const NODES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 18, 0, 0), 16);
/// Where pods live.
pub(in crate::clusters) const PODS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 244, 0, 0), 16);
/// Where services are.
pub(in crate::clusters) const SERVICES: Ipv4Net =
    Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 12);
/// The API's address among the nodes.
pub(in crate::clusters) const API: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 2);
/// The address of the API's own service: the first of the services' range.
pub(in crate::clusters) const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// The address of the cluster's names.
pub(in crate::clusters) const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
/// The way out.
const NAT: Ipv4Addr = Ipv4Addr::new(172, 18, 0, 3);
/// The address of the first node.
const FIRST_NODE: u32 = 16;
/// As many nodes as there are ranges for their pods.
pub(in crate::clusters) const MOST_NODES: usize = 256;
/// What the networks of the clouds carry.
pub(in crate::clusters) const MTU: u16 = 1500;
/// Clusters that a lab holds; each has two addresses among the internet's services.
pub(in crate::clusters) const MOST: u8 = 50;
/// The address of the first cluster's API on the internet.
const FIRST_API: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);
/// The address on the internet that the first cluster's pods and nodes are seen with.
const FIRST_NAT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 150);

// The internet's own services and the clusters' addresses share a range.
const _: () = assert!(internet::ENDPOINTS.octets()[3] < FIRST_API.octets()[3]);
const _: () = assert!(FIRST_API.octets()[3] + MOST <= FIRST_NAT.octets()[3]);

/// A cluster's network: what its parts are called and where they are.
#[derive(Clone, Debug)]
pub(in crate::clusters) struct Layout {
    name: String,
    slot: u8,
}

impl Layout {
    /// The network of the cluster with a name in a slot below [`MOST`].
    pub(in crate::clusters) fn new(name: &str, slot: u8) -> Self {
        Self {
            name: name.to_owned(),
            slot,
        }
    }

    /// The API's address on the internet.
    pub(in crate::clusters) fn public_api(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(FIRST_API) + u32::from(self.slot))
    }

    /// The API's host.
    pub(in crate::clusters) fn api(&self) -> HostId {
        HostId::from(self.part(""))
    }

    /// A node's host.
    pub(in crate::clusters) fn node(&self, node: &str) -> HostId {
        HostId::from(self.part(&format!("/{node}")))
    }

    /// The network.
    pub(in crate::clusters) fn network(&self) -> NetworkId {
        NetworkId::from(self.part(""))
    }

    fn nat(&self) -> HostId {
        HostId::from(self.part("-nat"))
    }

    fn part(&self, what: &str) -> String {
        format!("kube-{}{what}", self.name)
    }

    fn inside(&self, host: &HostId) -> PortId {
        PortId::from(format!("{host}-inside"))
    }

    /// Puts the network, the API and the way out into a fabric.
    pub(in crate::clusters) fn add(&self, fabric: &mut Fabric) {
        self.add_network(fabric);
        internet::add_site(fabric, &self.api(), self.public_api());
        let public = Ipv4Addr::from(u32::from(FIRST_NAT) + u32::from(self.slot));
        internet::add_site(fabric, &self.nat(), public);
        for (index, (host, address)) in [(self.api(), API), (self.nat(), NAT)].iter().enumerate() {
            let mut port = self.port(self.inside(host), host, 1, *address);
            port.mac = mac(*address);
            // The way out takes what is for others; the API does not.
            port.guard = index == 0;
            port.always_tracked = index == 1;
            fabric.ports.insert(port.id.clone(), Arc::new(port));
            if let Some(found) = fabric.hosts.get_mut(host) {
                let found = Arc::make_mut(found);
                found.routes.extend([NODES, PODS].map(|prefix| HostRoute {
                    from: None,
                    prefix,
                    port: self.inside(host),
                    metric: 0,
                }));
                if index == 1 {
                    found.forwarding = true;
                    found.source_translation = Some(SourceTranslation {
                        address: public,
                        managed: true,
                    });
                }
            }
        }
    }

    fn add_network(&self, fabric: &mut Fabric) {
        let network = self.network();
        fabric.networks.insert(
            network.clone(),
            Arc::new(Network {
                id: network.clone(),
                mtu: MTU,
                services: Vec::new(),
            }),
        );
        let route = |prefix: Ipv4Net, target| Route {
            id: prefix.to_string().into(),
            prefix,
            target,
            origin: RouteOrigin::System,
            preference: 0,
        };
        let everywhere = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
        let table = RouteTableId::from(network.as_str());
        fabric.route_tables.insert(
            table.clone(),
            Arc::new(RouteTable {
                id: table.clone(),
                network: network.clone(),
                routes: vec![
                    route(NODES, Target::Local),
                    route(PODS, Target::Local),
                    route(everywhere, Target::Port(self.inside(&self.nat()))),
                ],
            }),
        );
        let segment = self.segment();
        fabric.segments.insert(
            segment.clone(),
            Arc::new(Segment {
                id: segment,
                network,
                prefixes: vec![NODES],
                zone: None,
                route_table: table,
                boundary: None,
            }),
        );
    }

    fn segment(&self) -> SegmentId {
        SegmentId::from(self.part(""))
    }

    fn port(&self, id: PortId, host: &HostId, index: u16, address: Ipv4Addr) -> Port {
        Port {
            id,
            network: self.network(),
            segment: self.segment(),
            host: Some((host.clone(), index)),
            mac: mac(address),
            addresses: vec![address],
            prefixes: Vec::new(),
            guard: true,
            layers: Vec::new(),
            always_tracked: false,
        }
    }

    /// Puts a node into the network.
    pub(in crate::clusters) fn add_node(&self, fabric: &mut Fabric, name: &str, number: u8) {
        let host = self.node(name);
        let id = PortId::from(host.as_str());
        let mut port = self.port(id.clone(), &host, 0, node_address(number));
        port.prefixes = vec![pods_of(number)];
        fabric.ports.insert(id.clone(), Arc::new(port));
        fabric.hosts.insert(
            host.clone(),
            Arc::new(Host {
                id: host,
                running: true,
                forwarding: true,
                routes: vec![HostRoute {
                    from: None,
                    prefix: Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0),
                    port: id,
                    metric: 0,
                }],
                source_translation: None,
                answers: Vec::new(),
                opaque: None,
            }),
        );
    }

    /// Switches a node's machine on or off.
    pub(in crate::clusters) fn switch_node(&self, fabric: &mut Fabric, name: &str, on: bool) {
        if let Some(host) = fabric.hosts.get_mut(&self.node(name)) {
            Arc::make_mut(host).running = on;
        }
    }

    /// Takes a node out of the network.
    pub(in crate::clusters) fn remove_node(&self, fabric: &mut Fabric, name: &str) {
        let host = self.node(name);
        fabric.ports.remove(&PortId::from(host.as_str()));
        fabric.hosts.remove(&host);
    }

    /// Takes all of it out of a fabric; its nodes must have gone before.
    pub(in crate::clusters) fn remove(&self, fabric: &mut Fabric) {
        for host in [self.api(), self.nat()] {
            fabric.ports.remove(&self.inside(&host));
            internet::remove_site(fabric, &host);
        }
        let network = self.network();
        fabric.segments.remove(&self.segment());
        fabric
            .route_tables
            .remove(&RouteTableId::from(network.as_str()));
        fabric.networks.remove(&network);
    }
}

fn mac(address: Ipv4Addr) -> Mac {
    let [a, b, c, d] = address.octets();
    Mac([2, 0xfe, a, b, c, d])
}

/// The address of the node with a number.
pub(in crate::clusters) fn node_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(NODES.network()) + FIRST_NODE + u32::from(number))
}

/// The range of its pods.
pub(in crate::clusters) fn pods_of(number: u8) -> Ipv4Net {
    let base = u32::from(PODS.network()) + (u32::from(number) << 8);
    Ipv4Net::new_assert(Ipv4Addr::from(base), 24)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use fabric::{Flow, Origin, Transport, Verdict};

    fn delivered(fabric: &Fabric, from: &HostId, to: Ipv4Addr) -> Verdict {
        let flow = Flow {
            source: Ipv4Addr::UNSPECIFIED,
            destination: to,
            transport: Transport::Tcp {
                source_port: 50_000,
                destination_port: 80,
            },
        };
        fabric::walk(fabric, &Origin::Host(from.clone()), flow).verdict
    }

    /// K8S-NET: nodes reach each other, the API and the internet; from the internet only the API is
    /// reached; two clusters with the same addresses don't meet.
    #[test]
    fn nodes_reach_what_they_should() {
        let mut fabric = Fabric::default();
        internet::add(&mut fabric);
        let [dev, test] = [Layout::new("dev", 0), Layout::new("test", 1)];
        for layout in [&dev, &test] {
            layout.add(&mut fabric);
            layout.add_node(&mut fabric, "a", 0);
        }
        dev.add_node(&mut fabric, "b", 1);
        let a = dev.node("a");
        for to in [node_address(1), API, dev.public_api(), internet::CLIENT] {
            assert_eq!(delivered(&fabric, &a, to), Verdict::Delivered, "{to}");
        }
        let from_api = delivered(&fabric, &dev.api(), node_address(1));
        assert_eq!(from_api, Verdict::Delivered);
        let client = internet::client();
        let in_public = delivered(&fabric, &client, test.public_api());
        assert_eq!(in_public, Verdict::Delivered);
        assert_ne!(
            delivered(&fabric, &client, node_address(0)),
            Verdict::Delivered
        );
        let other = delivered(&fabric, &test.node("a"), node_address(1));
        assert_ne!(other, Verdict::Delivered);
    }

    #[test]
    fn what_is_taken_out_leaves_nothing() {
        let mut fabric = Fabric::default();
        internet::add(&mut fabric);
        let before = fabric.clone();
        let layout = Layout::new("dev", 3);
        layout.add(&mut fabric);
        layout.add_node(&mut fabric, "a", 7);
        assert_ne!(fabric, before);
        layout.remove_node(&mut fabric, "a");
        layout.remove(&mut fabric);
        assert_eq!(fabric, before);
    }

    #[test]
    fn every_node_has_a_range_of_its_own() {
        assert_eq!(pods_of(1).to_string(), "10.244.1.0/24");
        assert_eq!(node_address(0), Ipv4Addr::new(172, 18, 0, 16));
        assert!(PODS.contains(&pods_of(255)));
        assert!(NODES.contains(&node_address(255)));
    }
}
