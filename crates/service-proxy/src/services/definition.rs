//! A Service, as far as a proxy looks at it.

use super::Options;
use crate::object::{Name, address, list, port, protocol, text, texts};
use fabric::{Frontend, Protocol, ServiceId, TrafficPolicy};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Services with this label are another proxy's.
const OTHER_PROXY: &str = "/metadata/labels/service.kubernetes.io~1service-proxy-name";
/// For how long a client stays with its backend unless the service says.
const STAY: u32 = 10_800;

/// A service with addresses of its own.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    cluster: Ipv4Addr,
    external_addresses: Vec<Ipv4Addr>,
    balancers: Vec<Ipv4Addr>,
    sources: Vec<Ipv4Net>,
    pub(super) ports: Vec<Port>,
    pub(super) internal: TrafficPolicy,
    pub(super) external: TrafficPolicy,
    pub(super) affinity: Option<u32>,
    pub(super) health_check: Option<u16>,
}

/// One of its ports.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) protocol: Protocol,
    number: u16,
    node_port: Option<u16>,
}

impl Port {
    pub(super) fn id(&self, service: &Name) -> ServiceId {
        if self.name.is_empty() {
            service.to_string().into()
        } else {
            format!("{service}:{}", self.name).into()
        }
    }

    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "/name").to_owned(),
            protocol: protocol(text(value, "/protocol"))?,
            number: port(value, "/port")?,
            node_port: port(value, "/nodePort"),
        })
    }
}

impl Definition {
    /// Reads a service; none where a proxy has nothing to do for it.
    pub(super) fn read(object: &Value) -> Option<Self> {
        let kind = text(object, "/spec/type");
        if kind == "ExternalName" || object.pointer(OTHER_PROXY).is_some() {
            return None;
        }
        // Headless services say "None", which is no address.
        let of_either = texts(object, "/spec/clusterIPs").chain([text(object, "/spec/clusterIP")]);
        let cluster = of_either.filter_map(address).next()?;
        let external_addresses: Vec<Ipv4Addr> = texts(object, "/spec/externalIPs")
            .filter_map(address)
            .collect();
        let accessible =
            matches!(kind, "NodePort" | "LoadBalancer") || !external_addresses.is_empty();
        let external = policy(text(object, "/spec/externalTrafficPolicy"));
        let external = if accessible {
            external
        } else {
            TrafficPolicy::Cluster
        };
        let checked = kind == "LoadBalancer" && external == TrafficPolicy::Local;
        Some(Self {
            cluster,
            external_addresses,
            balancers: balancers(object),
            sources: sources(object),
            ports: list(object, "/spec/ports")
                .iter()
                .filter_map(Port::read)
                .collect(),
            internal: policy(text(object, "/spec/internalTrafficPolicy")),
            external,
            affinity: affinity(object),
            health_check: port(object, "/spec/healthCheckNodePort").filter(|_| checked),
        })
    }

    /// Where a port takes packets.
    pub(super) fn frontends(&self, port: &Port, options: &Options) -> Vec<Frontend> {
        let number = port.number;
        let mut frontends = vec![Frontend::Cluster {
            address: self.cluster,
            port: number,
        }];
        let external = self.external_addresses.iter();
        frontends.extend(external.map(|address| Frontend::External {
            address: *address,
            port: number,
        }));
        let balancers = self.balancers.iter();
        frontends.extend(balancers.map(|address| Frontend::LoadBalancer {
            address: *address,
            port: number,
            sources: self.sources_on(options),
        }));
        frontends.extend(port.node_port.map(|port| Frontend::Node { port }));
        frontends
    }

    /// The source ranges. Where they let the node in, they let the balancers' own addresses in too: a
    /// node that has such an address as one of its own calls itself under it.
    fn sources_on(&self, options: &Options) -> Vec<Ipv4Net> {
        let mut sources = self.sources.clone();
        let node = options.addresses.first();
        if node.is_some_and(|node| sources.iter().any(|range| range.contains(node))) {
            sources.extend(self.balancers.iter().copied().map(Ipv4Net::from));
        }
        sources
    }
}

fn policy(word: &str) -> TrafficPolicy {
    if word == "Local" {
        TrafficPolicy::Local
    } else {
        TrafficPolicy::Cluster
    }
}

/// Addresses of load balancers that pass packets on as they are; those in mode Proxy send their own.
/// <https://kubernetes.io/docs/concepts/services-networking/service/#load-balancer-ip-mode>
fn balancers(object: &Value) -> Vec<Ipv4Addr> {
    list(object, "/status/loadBalancer/ingress")
        .iter()
        .filter(|ingress| text(ingress, "/ipMode") != "Proxy")
        .filter_map(|ingress| address(text(ingress, "/ip")))
        .collect()
}

fn sources(object: &Value) -> Vec<Ipv4Net> {
    texts(object, "/spec/loadBalancerSourceRanges")
        .filter_map(|range| range.trim().parse::<Ipv4Net>().ok())
        .map(|range| range.trunc())
        .collect()
}

fn affinity(object: &Value) -> Option<u32> {
    if text(object, "/spec/sessionAffinity") != "ClientIP" {
        return None;
    }
    let seconds = object
        .pointer("/spec/sessionAffinityConfig/clientIP/timeoutSeconds")
        .and_then(Value::as_u64);
    Some(seconds.map_or(STAY, |seconds| u32::try_from(seconds).unwrap_or(STAY)))
}
