//! Nodes: hosts of a Kubernetes cluster, with pods behind them.
//!
//! A pod is a host whose one port lies in a network of its own, with a port of the node at the other
//! end ([`Fabric::attach_pod`]). What passes the node meets, in this order: the [services](Services)
//! (a frontend becomes a backend), the node's routes (pods before all others), the
//! [policies](Policies) of the sending and of the receiving pod, and the translation of sources. So
//! policies see backends' addresses and clients' own ones.
//!
//! What the node sends to its own pods, and they to it, meets no policy: a pod can't be isolated from
//! the node it runs on, nor from itself.
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

use crate::filter::{AddressSet, Filter};
use crate::host::{Host, HostRoute};
use crate::id::{AddressSetId, FilterId, HostId, NetworkId, PortId, SegmentId};
use crate::network::Network;
use crate::port::{Mac, Port};
use crate::service::Services;
use crate::{Fabric, Flow};
use imbl::OrdMap;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The largest packet on pods' links; nobody who asks for a way looks at sizes.
const MTU: u16 = 1500;

/// What a host does with packets as a node of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its name in its cluster, where that isn't its host's.
    pub name: String,
    /// The services, as this node serves them.
    pub services: Services,
    /// The network policies of its pods.
    pub policies: Policies,
    /// Its pods: their addresses, and the node's ports that they are behind. These ways go before all
    /// routes, and an address here is not the node's own, even where a port of the node has it (a
    /// secondary address that the cloud sends to the node).
    pub pods: OrdMap<Ipv4Addr, PortId>,
    /// Under which address what its pods send leaves, if under the node's.
    pub source_nat: Option<SourceNat>,
}

/// Network policies as one node enforces them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    /// All pods of the node by address, isolated or not.
    pub pods: OrdMap<Ipv4Addr, Arc<Isolation>>,
    /// The policies: any-allow, stateful.
    pub filters: OrdMap<FilterId, Arc<Filter>>,
    /// The sets that their rules name.
    pub address_sets: OrdMap<AddressSetId, Arc<AddressSet>>,
}

/// Which policies select a pod. Flows that were let through stay when policies change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    /// The pod, `namespace/name`.
    pub pod: String,
    /// Policies of which one must allow what arrives; without policies everything may.
    pub ingress: Option<Vec<FilterId>>,
    /// Policies of which one must allow what leaves; without policies everything may.
    pub egress: Option<Vec<FilterId>>,
}

/// Source translation of what a node forwards (VPC CNI's SNAT, ip-masq-agent).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceNat {
    /// The sources that are translated.
    pub sources: Vec<Ipv4Net>,
    /// The destinations that see sources as they are.
    pub except: Vec<Ipv4Net>,
    /// The address written; without one the leaving port's.
    pub address: Option<Ipv4Addr>,
}

impl Isolation {
    /// The policies in one direction, if the pod is isolated in it.
    pub fn policies(&self, ingress: bool) -> Option<&[FilterId]> {
        let policies = if ingress { &self.ingress } else { &self.egress };
        policies.as_deref()
    }
}

impl SourceNat {
    /// Whether a packet's source is translated.
    pub fn takes(&self, packet: &Flow) -> bool {
        let within =
            |ranges: &[Ipv4Net], address| ranges.iter().any(|range| range.contains(&address));
        within(&self.sources, packet.source) && !within(&self.except, packet.destination)
    }
}

impl Fabric {
    /// Puts a pod behind a node. The pod's host gets one port, `eth0`, with the address and all
    /// routes; the node, if it is there, gets a port at the link's other end, a way to the pod, and
    /// forwards.
    pub fn attach_pod(&mut self, pod: &HostId, node: &HostId, address: Ipv4Addr) {
        let network = NetworkId::from(format!("link/{pod}"));
        let inner = PortId::from(pod.as_str());
        let outer = PortId::from(format!("{pod}@node"));
        let everywhere = Ipv4Net::default();
        let port = |id: &PortId, host: &HostId, index| Port {
            id: id.clone(),
            network: network.clone(),
            segment: SegmentId::from(network.as_str()),
            host: Some((host.clone(), index)),
            mac: Mac([0; 6]),
            addresses: Vec::new(),
            prefixes: Vec::new(),
            guard: false,
            layers: Vec::new(),
            always_tracked: false,
        };
        let mut at_pod = port(&inner, pod, 0);
        at_pod.addresses = vec![address];
        // All ways lead through the node.
        let mut at_node = port(&outer, node, u16::MAX);
        at_node.prefixes = vec![everywhere];
        let link = Network {
            id: network.clone(),
            mtu: MTU,
            services: Vec::new(),
        };
        let host = Host {
            id: pod.clone(),
            running: true,
            forwarding: false,
            routes: vec![HostRoute {
                from: None,
                prefix: everywhere,
                port: inner.clone(),
                metric: 0,
            }],
            source_translation: None,
            answers: Vec::new(),
            opaque: None,
        };
        self.networks.insert(network, Arc::new(link));
        self.hosts.insert(pod.clone(), Arc::new(host));
        self.ports.insert(inner, Arc::new(at_pod));
        self.ports.insert(outer.clone(), Arc::new(at_node));
        if let Some(host) = self.hosts.get_mut(node) {
            Arc::make_mut(host).forwarding = true;
        }
        let entry = self.nodes.entry(node.clone()).or_default();
        Arc::make_mut(entry).pods.insert(address, outer);
    }

    /// A node whose network plugin sends what comes from an address of one of the node's ports by that
    /// port: from all addresses and prefixes of ports but the first, whose ways the node has already.
    pub fn route_by_source(&mut self, node: &HostId) {
        let mut ports: Vec<_> = self
            .ports
            .values()
            .filter_map(|port| match &port.host {
                Some((host, device)) if host == node => Some((*device, port.clone())),
                _ => None,
            })
            // Links of pods own everything and are no way out.
            .filter(|(_, port)| !port.prefixes.contains(&Ipv4Net::default()))
            .collect();
        ports.sort_by_key(|(device, _)| *device);
        let Some(host) = self.hosts.get_mut(node) else {
            return;
        };
        let host = Arc::make_mut(host);
        for (device, port) in ports.into_iter().skip(1) {
            let own = port.addresses.iter().copied().map(Ipv4Net::from);
            for from in own.chain(port.prefixes.iter().copied()) {
                host.routes.push(HostRoute {
                    from: Some(from),
                    prefix: Ipv4Net::default(),
                    port: port.id.clone(),
                    metric: u32::from(device),
                });
            }
        }
    }
}
