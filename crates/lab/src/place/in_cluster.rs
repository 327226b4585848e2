//! Places of a Kubernetes cluster, in a fabric that its view was put into.

use super::{NoSuchPlace, Place, list};
use fabric::{Fabric, Frontend, HostId, Node, Service};
use std::sync::Arc;

/// The host of a pod that has a network of its own.
pub(crate) fn pod_host(namespace: &str, name: &str) -> HostId {
    HostId::from(format!("pod/{namespace}/{name}"))
}

/// What a host's id says that [`pod_host`] made: the namespace and the name.
pub(crate) fn pod_of(host: &HostId) -> Option<(&str, &str)> {
    host.as_str().strip_prefix("pod/")?.split_once('/')
}

pub(super) fn node(fabric: &Fabric, name: &str) -> Result<Place, NoSuchPlace> {
    let own = |(host, node): &(&HostId, &Arc<Node>)| name_of(host) == name || node.name == name;
    match fabric.nodes.iter().find(own) {
        Some((host, _)) => Ok(at(host.clone())),
        None => Err(NoSuchPlace::InCluster {
            what: format!("node {name}"),
            known: list(fabric.nodes.values().map(|node| node.name.clone())),
        }),
    }
}

/// A node's name, from its host's id.
fn name_of(host: &HostId) -> &str {
    host.as_str().rsplit('/').next().unwrap_or_default()
}

pub(super) fn pod(fabric: &Fabric, namespace: &str, name: &str) -> Result<Place, NoSuchPlace> {
    let host = pod_host(namespace, name);
    if fabric.hosts.contains_key(&host) {
        return Ok(at(host));
    }
    let pods = fabric.hosts.keys().filter_map(|host| {
        let (namespace, name) = pod_of(host)?;
        Some(format!("{namespace}/{name}"))
    });
    Err(NoSuchPlace::InCluster {
        what: format!("pod {namespace}/{name} with a network of its own"),
        known: list(pods),
    })
}

pub(super) fn service(fabric: &Fabric, namespace: &str, name: &str) -> Result<Place, NoSuchPlace> {
    let services = || {
        let first = fabric.nodes.values().next();
        first
            .into_iter()
            .flat_map(|node| node.services.services.values())
    };
    let wanted = format!("{namespace}/{name}");
    let frontends = services()
        .filter(|service| service_of(service.id.as_str()) == wanted)
        .flat_map(|service| &service.frontends);
    let mut cluster = frontends.filter_map(|frontend| match frontend {
        Frontend::Cluster { address, port } => Some((*address, *port)),
        _ => None,
    });
    match cluster.next() {
        Some((address, port)) => Ok(Place {
            host: None,
            port: None,
            address: Some(address),
            called_at: Some(port),
        }),
        None => {
            let has_address = |service: &&Arc<Service>| {
                let mut frontends = service.frontends.iter();
                frontends.any(|frontend| matches!(frontend, Frontend::Cluster { .. }))
            };
            let mut known: Vec<String> = services()
                .filter(has_address)
                .map(|service| service_of(service.id.as_str()).to_owned())
                .collect();
            known.dedup();
            Err(NoSuchPlace::InCluster {
                what: format!("service {namespace}/{name} with a cluster address"),
                known: list(known.into_iter()),
            })
        }
    }
}

/// The service of an id: what comes before the name of its port, if that has one.
fn service_of(id: &str) -> &str {
    id.split_once(':').map_or(id, |(service, _)| service)
}

fn at(host: HostId) -> Place {
    Place {
        host: Some(host),
        port: None,
        address: None,
        called_at: None,
    }
}
