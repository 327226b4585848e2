//! Tells the account which instances are nodes of a cluster that are ready: node groups wait for theirs.

use super::{host_of, is_ready};
use crate::cloud::Cloud;
use aws::model::eks::{ClusterKey, PartKey};
use aws::model::{InstanceId, State};
use kube::cluster::Cluster;
use kube::object;
use kube::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// The label of a managed node group's nodes.
const NODEGROUP: &str = "eks.amazonaws.com/nodegroup";

type Joined = BTreeMap<String, BTreeSet<InstanceId>>;

/// Reports until the task is ended.
pub(super) async fn run(cluster: Cluster, cloud: Cloud, key: ClusterKey) {
    let mut follow = cluster.follow();
    let mut snapshots = cloud.snapshots();
    loop {
        let found = joined(&follow.borrow_and_update().store);
        let known = wanted(&snapshots.borrow_and_update().state, &key, &found);
        if let Some(known) = known {
            let reporting = cloud.change("eks", move |state| {
                let mut next = state.clone();
                for (group, instances) in known {
                    next.nodes_joined(&group, instances);
                }
                (Some(next), ())
            });
            // A lab that ends needs no reports.
            let _ = reporting.await;
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// The ready nodes of each node group.
fn joined(store: &Store) -> Joined {
    let mut groups = Joined::new();
    for (_, node) in store.list("nodes", None) {
        let group = object::text(node, &["metadata", "labels", NODEGROUP]);
        if let Some(instance) = host_of(node).filter(|_| is_ready(node) && !group.is_empty()) {
            let group = groups.entry(group.to_owned()).or_default();
            group.insert(InstanceId::from(instance.as_str()));
        }
    }
    groups
}

/// What the cluster's node groups have to be told, if anything.
fn wanted(
    state: &State,
    cluster: &ClusterKey,
    found: &Joined,
) -> Option<Vec<(PartKey, BTreeSet<InstanceId>)>> {
    let of_cluster = state
        .eks_nodegroups
        .values()
        .filter(|of| of.key.cluster == *cluster);
    let differing = of_cluster.filter_map(|of| {
        let now = found.get(&of.key.name).cloned().unwrap_or_default();
        (now != of.joined).then(|| (of.key.clone(), now))
    });
    let all: Vec<_> = differing.collect();
    (!all.is_empty()).then_some(all)
}
