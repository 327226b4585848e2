//! Makes control planes and nodes agree with the account, as its snapshots come.

use super::fargate;
use super::nodeadm::{self, Joined};
use super::{forget, key, place, start};
use crate::cloud::Snapshot;
use crate::clusters::running::{Kind, Running};
use crate::clusters::{ClusterError, Clusters};
use crate::store::Record;
use aws::model::eks::{Cluster, ClusterStatus};
use aws::model::instance::{Instance, InstanceState};
use aws::model::{InstanceId, image};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fabric::HostId;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Follows the account until the lab ends. `records` are the store's at the start.
pub(in crate::clusters) async fn follow(clusters: Clusters, records: Arc<Vec<Record>>) {
    let mut snapshots = clusters.ground.cloud.snapshots();
    let mut machines = Machines::default();
    let mut records = Some(records);
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        let old = records.take();
        control_planes(&clusters, &snapshot, old.as_deref().map_or(&[], |all| all)).await;
        machines.agree(&clusters, &snapshot);
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Starts and ends control planes.
async fn control_planes(clusters: &Clusters, snapshot: &Snapshot, records: &[Record]) {
    end_the_gone(clusters, snapshot);
    for cluster in snapshot.state.eks_clusters.values() {
        let wanted = !matches!(
            cluster.status,
            ClusterStatus::Deleting | ClusterStatus::Failed
        );
        let name = key(&cluster.key.region, &cluster.key.name);
        // What compiles to its host is in the fabric with the same snapshot.
        let host = place(&cluster.key.region, &cluster.key.name);
        let there = snapshot.fabric.hosts.contains_key(&host);
        if !wanted || !there {
            continue;
        }
        let begun = match stale(clusters, snapshot, cluster, &name) {
            None if clusters.running().contains_key(&name) => continue,
            None => begin(clusters, snapshot, cluster, &name, records).await,
            Some(old) => renew(clusters, snapshot, cluster, &name, old).await,
        };
        if let Err(error) = begun {
            tracing::error!(cluster = name, %error, "no control plane");
            clusters.ground.cloud.health().bad(&name, &error);
        }
    }
}

/// A control plane that was started for another version or other interfaces than its cluster has now.
fn stale(
    clusters: &Clusters,
    snapshot: &Snapshot,
    cluster: &Cluster,
    name: &str,
) -> Option<Running> {
    let mut running = clusters.running();
    let Kind::Eks(definition) = &running.get(name)?.kind else {
        return None;
    };
    let current = definition.is_of(&snapshot.state, cluster);
    if current { None } else { running.remove(name) }
}

/// Starts a control plane anew; its nodes stay.
async fn renew(
    clusters: &Clusters,
    snapshot: &Snapshot,
    cluster: &Cluster,
    name: &str,
    old: Running,
) -> Result<(), ClusterError> {
    let Running { nodes, plane, .. } = old;
    drop(plane);
    let records = clusters.ground.store.load()?;
    begin(clusters, snapshot, cluster, name, &records).await?;
    if let Some(running) = clusters.running().get_mut(name) {
        running.nodes.extend(nodes);
    }
    Ok(())
}

async fn begin(
    clusters: &Clusters,
    snapshot: &Snapshot,
    cluster: &Cluster,
    name: &str,
    records: &[Record],
) -> Result<(), ClusterError> {
    let ground = &clusters.ground;
    let (mut running, authority) = start(ground, &snapshot.state, cluster, records).await?;
    let of = running.plane.cluster.clone();
    let placing = fargate::run(clusters.clone(), of, cluster.key.clone());
    running.plane.add(ground, placing);
    clusters.running().insert(name.to_owned(), running);
    ground.cloud.health().good(name);
    let authority = STANDARD.encode(authority);
    if cluster.authority.as_ref() == Some(&authority) {
        return Ok(());
    }
    let key = cluster.key.clone();
    let reporting = ground.cloud.change("eks", move |state| {
        let mut next = state.clone();
        next.control_plane_ready(&key, &authority);
        (Some(next), ())
    });
    Ok(reporting.await?)
}

/// Ends the control planes of clusters that are gone or were made anew.
fn end_the_gone(clusters: &Clusters, snapshot: &Snapshot) {
    let stays = |running: &Running| {
        let Kind::Eks(definition) = &running.kind else {
            return true;
        };
        let found = snapshot.state.eks_clusters.get(&definition.key);
        found.is_some_and(|of| of.id == definition.id && of.status != ClusterStatus::Deleting)
    };
    let gone: Vec<Running> = {
        let mut running = clusters.running();
        let names = running.iter().filter(|(_, running)| !stays(running));
        let names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
        names
            .iter()
            .filter_map(|name| running.remove(name))
            .collect()
    };
    for running in gone {
        if let Err(error) = forget(&clusters.ground, running) {
            tracing::error!(%error, "what a cluster had is not forgotten");
        }
    }
}

/// The instances that are nodes, by their boots.
#[derive(Default)]
struct Machines {
    joining: BTreeMap<InstanceId, (u64, JoinHandle<()>)>,
}

impl Machines {
    fn agree(&mut self, clusters: &Clusters, snapshot: &Snapshot) {
        let runs = |id: &InstanceId, boots: u64| {
            let found = snapshot.state.instances.get(id);
            found.is_some_and(|of| of.state == InstanceState::Running && of.boots == boots)
        };
        self.joining.retain(|id, (boots, task)| {
            let stays = runs(id, *boots);
            if !stays {
                task.abort();
                dismiss(clusters, id);
            }
            stays
        });
        for instance in snapshot.state.instances.values() {
            let node = image::find(instance.image.as_str()).is_some_and(|of| of.kubernetes_node);
            let running = instance.state == InstanceState::Running;
            if !node || !running || self.joining.contains_key(&instance.id) {
                continue;
            }
            let task = join(clusters.clone(), instance.clone());
            let task = clusters.ground.runtime.spawn(task);
            let entry = (instance.boots, task);
            self.joining.insert(instance.id.clone(), entry);
        }
    }
}

/// Boots an instance as a node, and keeps its credentials fresh.
async fn join(clusters: Clusters, instance: Arc<Instance>) {
    let Joined {
        cluster,
        name,
        node,
        session,
    } = nodeadm::join(&clusters.ground, &instance).await;
    {
        let mut running = clusters.running();
        if let Some(found) = running.get_mut(&key(&instance.region, &cluster)) {
            found.nodes.insert(name, node);
        }
    }
    session.renew().await;
}

/// Ends the node that an instance was.
fn dismiss(clusters: &Clusters, instance: &InstanceId) {
    let host = HostId::from(instance.as_str());
    let gone: Vec<_> = {
        let mut running = clusters.running();
        let nodes = running.values_mut().map(|running| &mut running.nodes);
        nodes
            .filter_map(|nodes| {
                let found = nodes.iter().find(|(_, node)| *node.host() == host);
                let name = found.map(|(name, _)| name.clone())?;
                nodes.remove(&name)
            })
            .collect()
    };
    drop(gone);
    crate::clusters::node::power_failure(&host);
}
