//! Plain clusters: those that `skylab kube create` makes, with a network and machines of their own.

mod definition;
mod network;
mod nodes;
mod switch;

pub(super) use definition::Definition;
pub(super) use network::{MOST, MOST_NODES, PODS, SERVICES};

use super::control_plane::{ControlPlane, Plan};
use super::manifests::{self, Images, Values};
use super::running::{Kind, Running};
use super::{ClusterError, Ground, PORT, VERSION, audit, journal};
use crate::store::Record;
use kube::cluster::Cluster;
use std::net::SocketAddrV4;
use std::time::Duration;

/// A new cluster's nodes are waited for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a cluster with the objects that the records have of it.
pub(super) fn start(
    ground: &Ground,
    definition: Definition,
    records: &[Record],
) -> Result<Running, ClusterError> {
    let layout = definition.layout();
    let arranged = layout.clone();
    let arranging = ground
        .cloud
        .arrange("cluster", move |fabric| arranged.add(fabric));
    ground.runtime.block_on(arranging)?;
    let inside = SocketAddrV4::new(network::API, PORT);
    let plan = Plan {
        key: &definition.name,
        host: layout.api(),
        listeners: vec![SocketAddrV4::new(layout.public_api(), PORT), inside],
        endpoints: vec![inside],
        services: SERVICES,
        version: VERSION,
        admin: Some(&definition.admin),
        signing: &definition.signing,
        issuer: "https://kubernetes.default.svc.cluster.local",
        certificates: &definition.certificates,
        others: None,
    };
    let starting = ControlPlane::start(ground, plan, records);
    let plane = ground.runtime.block_on(starting)?;
    let nodes = nodes::start(ground, &definition)?;
    Ok(Running {
        kind: Kind::Plain(definition),
        nodes,
        plane,
    })
}

/// Puts into a new cluster what it begins with, and waits for its nodes.
pub(super) fn install(
    ground: &Ground,
    cluster: &Cluster,
    nodes: usize,
) -> Result<(), ClusterError> {
    let values = Values {
        api: network::API.to_string(),
        port: PORT,
        dns: network::DNS,
        pods: PODS.to_string(),
        images: Images::Host,
    };
    for manifest in [
        manifests::KUBE_PROXY,
        manifests::NETWORK_POLICY,
        manifests::HOST_PATH,
        manifests::COREDNS,
    ] {
        let installing = manifests::install(cluster, manifest, &values);
        let installed = ground.runtime.block_on(installing);
        installed.map_err(|status| ClusterError::Addons(status.message))?;
    }
    ground.runtime.block_on(ready(cluster, nodes));
    Ok(())
}

/// Takes what a cluster had out of the lab; `plane` ends first.
pub(super) fn dismiss(
    ground: &Ground,
    definition: &Definition,
    plane: ControlPlane,
) -> Result<(), ClusterError> {
    nodes::dismiss(ground, definition)?;
    let name = &definition.name;
    let forgotten = journal::forget(name, &plane.cluster.now().store);
    drop(plane);
    ground.store.commit(&forgotten)?;
    audit::forget(&ground.directory, name);
    let layout = definition.layout();
    let leaving = ground
        .cloud
        .arrange("cluster", move |fabric| layout.remove(fabric));
    Ok(ground.runtime.block_on(leaving)?)
}

/// Waits until so many nodes are ready, though not for ever: what keeps one from it, `kubectl describe
/// node` says.
async fn ready(cluster: &Cluster, nodes: usize) {
    let is_ready = |node: &serde_json::Value| {
        let conditions = kube::object::list(node, &["status", "conditions"]);
        let ready = |condition: &&serde_json::Value| condition["type"] == "Ready";
        conditions
            .iter()
            .find(ready)
            .is_some_and(|of| of["status"] == "True")
    };
    let mut followed = cluster.follow();
    let all = followed.wait_for(|now| {
        let list = now.store.list("nodes", None);
        list.filter(|(_, node)| is_ready(node)).count() >= nodes
    });
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        tracing::warn!("not all nodes are ready yet");
    }
}
