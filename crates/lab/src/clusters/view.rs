//! A cluster in the fabric, for whoever asks for a way: its nodes with their services and policies,
//! its pods behind them. The kernel's engine is not given this: on nodes it is the cluster's own
//! programs that set up what is told here.

use super::eks;
use super::running::Kind;
use crate::place::in_cluster::pod_host;
use aws::model::State;
use fabric::{Fabric, HostId};
use kube::object;
use kube::store::Store;
use serde_json::Value;
use service_proxy::services::{Catalog, Options};
use service_proxy::{host_ports, policies};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Puts a cluster as its API tells of it into a fabric.
pub(super) fn add(fabric: &mut Fabric, state: &State, kind: &Kind, store: &Store) {
    let list = |resource: &'static str| store.list(resource, None).map(|(_, of)| of.as_ref());
    let catalog = Catalog::read(list("services"), list("endpointslices.discovery.k8s.io"));
    let mut policies = policies::Compiler::new();
    list("namespaces").for_each(|namespace| policies.namespace(namespace));
    list("networkpolicies.networking.k8s.io").for_each(|policy| policies.policy(policy));
    list("pods").for_each(|pod| policies.pod(pod));
    let mut hosts = BTreeMap::new();
    for node in list("nodes") {
        let Some(host) = host_of(fabric, kind, node) else {
            continue;
        };
        let addresses = addresses(node);
        hosts.insert(object::name(node), host.clone());
        let translation = match kind {
            Kind::Plain(_) => None,
            Kind::Eks(_) => eks::translation::of(state, &host, store),
        };
        let entry = Arc::make_mut(fabric.nodes.entry(host).or_default());
        object::name(node).clone_into(&mut entry.name);
        entry.source_nat = translation;
        entry.services = catalog.on(&Options {
            node: object::name(node).to_owned(),
            addresses,
            pods: kind.pods().map(|range| vec![range]),
            ranges: vec![kind.services()],
            ..Options::default()
        });
        entry.policies = policies.on(object::name(node));
    }
    for pod in list("pods") {
        add_pod(fabric, &hosts, pod);
    }
}

/// The host of a node; none where it isn't in the fabric.
fn host_of(fabric: &Fabric, kind: &Kind, node: &Value) -> Option<HostId> {
    let host = kind.host_of(node)?;
    fabric.hosts.contains_key(&host).then_some(host)
}

/// A node's own addresses, where it takes node ports.
fn addresses(node: &Value) -> Vec<Ipv4Addr> {
    object::list(node, &["status", "addresses"])
        .iter()
        .filter(|address| address["type"] == "InternalIP")
        .filter_map(|address| address["address"].as_str()?.parse().ok())
        .collect()
}

/// A pod that runs in a network of its own.
fn add_pod(fabric: &mut Fabric, hosts: &BTreeMap<&str, HostId>, pod: &Value) {
    let runs = matches!(
        object::text(pod, &["status", "phase"]),
        "Running" | "Pending"
    );
    let (own, hosts_own) = (&pod["status"]["podIP"], &pod["status"]["hostIP"]);
    let shares = pod["spec"]["hostNetwork"] == true || own == hosts_own;
    let address = object::text(pod, &["status", "podIP"]).parse();
    let node = object::text(pod, &["spec", "nodeName"]);
    let (true, false, Ok(address), Some(node)) = (runs, shares, address, hosts.get(node).cloned())
    else {
        return;
    };
    let host = pod_host(object::namespace(pod), object::name(pod));
    fabric.attach_pod(&host, &node, address);
    let ports = host_ports::of(pod, address);
    let entry = Arc::make_mut(fabric.nodes.entry(node).or_default());
    for port in ports {
        let id = port.id.clone();
        entry.services.services.insert(id, Arc::new(port));
    }
}
