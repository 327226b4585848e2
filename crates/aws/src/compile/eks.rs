//! EKS cluster → the host of its Kubernetes API.
//!
//! | AWS | fabric |
//! | --- | --- |
//! | control plane | host `eks/<cluster>/<region>` |
//! | public endpoint | port on the internet, with a filter of the public access CIDRs; none without public access |
//! | cross-account interface | port in the VPC with its security groups |
//!
//! The host answers where it was asked; what it asks itself of the VPC (a kubelet, a webhook) leaves by the first
//! interface, and is held to that interface's security groups.
//! <https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html>

use super::security_group::address_match;
use super::touched::differing;
use super::{Outside, put};
use crate::model::eks::{Cluster, ClusterKey, interface};
use crate::model::{NetworkInterfaceId, State, VpcId};
use fabric::{
    AddressMatch, Fabric, Filter, FilterAction, FilterId, FilterKind, FilterRule, Host, HostId,
    HostRoute, Layer, Mac, NumberRange, Port, PortId, Protocol, ProtocolMatch, Tracking,
};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Where the Kubernetes API listens.
const API: u16 = 443;

/// The host of a cluster's Kubernetes API.
pub fn host_id(cluster: &ClusterKey) -> HostId {
    HostId::from(place(cluster))
}

/// The filter of a cluster's public access CIDRs.
pub fn public_filter_id(cluster: &ClusterKey) -> FilterId {
    FilterId::from(format!("{}/public-access-cidrs", place(cluster)))
}

/// The cluster that a filter of public access CIDRs belongs to.
pub fn cluster_of_filter<'s>(state: &'s State, filter: &FilterId) -> Option<&'s Cluster> {
    let mut all = state.eks_clusters.values();
    all.find(|cluster| public_filter_id(&cluster.key) == *filter)
        .map(AsRef::as_ref)
}

/// The port of a cluster's endpoint on the internet.
fn public_port_id(cluster: &ClusterKey) -> PortId {
    PortId::from(place(cluster))
}

fn place(cluster: &ClusterKey) -> String {
    format!("eks/{}/{}", cluster.name, cluster.region)
}

/// The host behind a control plane's interface and the interface's index there: the internet's comes first.
pub(super) fn host_of(state: &State, id: &NetworkInterfaceId) -> Option<(HostId, u16)> {
    let cluster = interface::cluster_of(state, id)?;
    let index = cluster.interfaces.iter().position(|own| own == id)?;
    Some((host_id(&cluster.key), u16::try_from(index).ok()? + 1))
}

pub(super) fn update(fabric: &mut Fabric, old: &State, new: &State, outside: &Outside) {
    for key in touched(old, new) {
        let cluster = new.eks_clusters.get(&key);
        let public = cluster.filter(|cluster| cluster.endpoint.public);
        put(
            &mut fabric.filters,
            public_filter_id(&key),
            public.map(|cluster| public_filter(cluster)),
        );
        put(
            &mut fabric.ports,
            public_port_id(&key),
            public.map(|cluster| public_port(cluster, outside)),
        );
        put(
            &mut fabric.hosts,
            host_id(&key),
            cluster.map(|cluster| host(new, cluster)),
        );
    }
}

/// The clusters to compile anew: their routes follow their VPC's ranges.
fn touched(old: &State, new: &State) -> BTreeSet<ClusterKey> {
    let mut touched = BTreeSet::new();
    differing(&old.eks_clusters, &new.eks_clusters, |key, _| {
        touched.insert(key.clone());
    });
    let mut vpcs: BTreeSet<VpcId> = BTreeSet::new();
    differing(&old.vpcs, &new.vpcs, |id, _| {
        vpcs.insert(id.clone());
    });
    if !vpcs.is_empty() {
        let clusters = new.eks_clusters.values();
        let inside = clusters.filter(|cluster| vpcs.contains(&cluster.vpc));
        touched.extend(inside.map(|cluster| cluster.key.clone()));
    }
    touched
}

fn everywhere() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)
}

fn host(state: &State, cluster: &Cluster) -> Host {
    let mut routes = Vec::new();
    let mut add = |from: Option<Ipv4Net>, prefix, port: PortId, metric| {
        routes.push(HostRoute {
            from,
            prefix,
            port,
            metric,
        });
    };
    let public = public_port_id(&cluster.key);
    if cluster.endpoint.public {
        let own = Ipv4Net::from(cluster.endpoint.public_address);
        add(Some(own), everywhere(), public.clone(), 0);
        add(None, everywhere(), public, 0);
    }
    let vpc = state.vpcs.get(&cluster.vpc);
    let ranges: Vec<Ipv4Net> = vpc
        .into_iter()
        .flat_map(|vpc| vpc.cidrs.iter().map(|of| of.cidr))
        .collect();
    for (id, metric) in cluster.interfaces.iter().zip(1..) {
        let port = || PortId::from(id.as_str());
        let interface = state.network_interfaces.get(id);
        if let Some(address) = interface.and_then(|interface| interface.primary()) {
            add(Some(address.ip.into()), everywhere(), port(), 0);
        }
        for range in &ranges {
            add(None, *range, port(), metric);
        }
    }
    Host {
        id: host_id(&cluster.key),
        running: true,
        forwarding: false,
        routes,
        source_translation: None,
        answers: Vec::new(),
        opaque: None,
    }
}

fn public_port(cluster: &Cluster, outside: &Outside) -> Port {
    let address = cluster.endpoint.public_address;
    let [a, b, c, d] = address.octets();
    Port {
        id: public_port_id(&cluster.key),
        network: outside.internet.clone(),
        segment: outside.internet.as_str().into(),
        host: Some((host_id(&cluster.key), 0)),
        mac: Mac([0x02, 0x0e, a, b, c, d]),
        addresses: vec![address],
        prefixes: Vec::new(),
        guard: true,
        layers: vec![Layer::AnyOf(vec![public_filter_id(&cluster.key)])],
        always_tracked: true,
    }
}

fn public_filter(cluster: &Cluster) -> Filter {
    let rule = |cidr: &ipnet::IpNet| {
        Some(FilterRule {
            id: cidr.to_string().into(),
            action: FilterAction::Allow,
            protocol: ProtocolMatch::Ports {
                protocol: Protocol::TCP,
                source: Vec::new(),
                destination: vec![NumberRange::one(API)],
            },
            source: address_match(cidr)?,
            destination: AddressMatch::Any,
        })
    };
    Filter {
        id: public_filter_id(&cluster.key),
        kind: FilterKind::AnyAllow,
        stateful: true,
        tracking: Tracking::Always,
        ingress: cluster
            .endpoint
            .public_cidrs
            .iter()
            .filter_map(rule)
            .collect(),
        egress: vec![FilterRule {
            id: "egress".into(),
            action: FilterAction::Allow,
            protocol: ProtocolMatch::Any,
            source: AddressMatch::Any,
            destination: AddressMatch::Any,
        }],
    }
}
