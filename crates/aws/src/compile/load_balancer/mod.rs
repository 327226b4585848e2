//! Load balancer → balancer, and a host for each of its nodes.
//!
//! | AWS | fabric |
//! | --- | --- |
//! | node | host of the node's interface, with a default route and no forwarding |
//! | HTTP and HTTPS listener | listener that understands requests |
//! | TCP, UDP and TCP_UDP listener | listener that passes packets on |
//! | TLS listener, or one whose group has proxy protocol | listener that passes bytes on |
//! | listener of a classic balancer | one that understands requests, or that passes bytes on |
//! | target group; instances behind a classic listener | pool |
//!
//! A network load balancer's nodes send packets with their clients' sources.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#client-ip-preservation>

mod classic;
mod listener;
mod pool;
mod report;
mod rule;
mod touched;

pub use report::{Checked, secret};

use super::put;
use crate::model::State;
use crate::model::load_balancer::{Kind, LoadBalancer, Node};
use fabric::balancer::{self, Balancer};
use fabric::{Fabric, Host, HostId, HostRoute};
use imbl::OrdMap;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;
use touched::Touched;

pub(super) fn update(fabric: &mut Fabric, old: &State, new: &State) {
    let touched = Touched::between(old, new);
    for arn in &touched.balancers {
        let nodes = |state: &State| {
            let found = state.load_balancers.get(arn);
            found.map_or_else(Vec::new, |of| of.nodes.clone())
        };
        put_hosts(fabric, nodes(old), nodes(new));
        let compiled = new.load_balancers.get(arn).map(|of| balancer(new, of));
        put(&mut fabric.balancers, arn.as_str().into(), compiled);
    }
    for key in &touched.classic {
        let nodes = |state: &State| {
            let found = state.classic_load_balancers.get(key);
            found.map_or_else(Vec::new, |of| of.nodes.clone())
        };
        put_hosts(fabric, nodes(old), nodes(new));
        let compiled = new.classic_load_balancers.get(key);
        let compiled = compiled.map(|of| classic::balancer(new, of));
        put(
            &mut fabric.balancers,
            format!("classic/{key}").into(),
            compiled,
        );
    }
}

/// The host of a node's interface.
pub(super) fn host_id(node: &Node) -> HostId {
    node.interface.as_str().into()
}

fn put_hosts(fabric: &mut Fabric, before: Vec<Node>, after: Vec<Node>) {
    for node in before {
        put(&mut fabric.hosts, host_id(&node), None);
    }
    for node in after {
        put(&mut fabric.hosts, host_id(&node), Some(host(&node)));
    }
}

fn host(node: &Node) -> Host {
    Host {
        id: host_id(node),
        running: true,
        forwarding: false,
        routes: vec![HostRoute {
            from: None,
            prefix: Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0),
            port: node.interface.as_str().into(),
            metric: 0,
        }],
        source_translation: None,
        answers: Vec::new(),
        opaque: None,
    }
}

fn nodes(nodes: &[Node]) -> OrdMap<HostId, balancer::Node> {
    let node = |node: &Node| {
        let zone = node.zone.clone();
        (host_id(node), balancer::Node { zone })
    };
    nodes.iter().map(node).collect()
}

fn balancer(state: &State, of: &LoadBalancer) -> Balancer {
    let pools = pool::of_balancer(state, of);
    Balancer {
        id: of.arn.as_str().into(),
        nodes: nodes(&of.nodes),
        listeners: match of.kind {
            // Packets come to a gateway load balancer through endpoints, which there are none of.
            Kind::Gateway => Vec::new(),
            Kind::Application | Kind::Network => listener::of_balancer(state, of),
        },
        pools: pools
            .into_iter()
            .map(|pool| (pool.id.clone(), Arc::new(pool)))
            .collect(),
    }
}
