//! Empties nodes before EKS terminates them: no new pods, and those that are there are evicted.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html>

use super::host_of;
use crate::cloud::Cloud;
use aws::model::eks::{ClusterKey, PartKey};
use aws::model::{InstanceId, State};
use kube::api::{Method, Status};
use kube::client::{Client, path, resource};
use kube::cluster::Cluster;
use kube::object;
use kube::store::Store;
use serde_json::{Value, json};
use std::time::Duration;

/// How often it is tried again to evict pods that a budget protects.
const AGAIN: Duration = Duration::from_secs(1);

/// Empties a cluster's nodes until the task is ended.
pub(super) async fn run(cluster: Cluster, cloud: Cloud, key: ClusterKey) {
    let client = Client::of_control_plane(cluster, "eks:node-manager");
    let mut snapshots = cloud.snapshots();
    loop {
        let leaving = leaving(&snapshots.borrow_and_update().state, &key);
        let idle = leaving.is_empty();
        for (group, instance) in leaving {
            match empty(&client, &instance).await {
                Ok(true) => report(&cloud, group, instance).await,
                Ok(false) => {}
                Err(status) => tracing::debug!(%status, %instance, "a node is not empty"),
            }
        }
        let changed = if idle {
            snapshots.changed().await
        } else {
            tokio::time::sleep(AGAIN).await;
            Ok(())
        };
        if changed.is_err() {
            return;
        }
    }
}

/// The instances that are to be emptied, with their node groups.
fn leaving(state: &State, cluster: &ClusterKey) -> Vec<(PartKey, InstanceId)> {
    let groups = state.eks_nodegroups.values();
    let own = groups.filter(|group| group.key.cluster == *cluster);
    own.flat_map(|group| {
        let leaving = group.leaving.iter().filter(|(_, of)| !of.drained);
        leaving.map(|(id, _)| (group.key.clone(), id.clone()))
    })
    .collect()
}

async fn report(cloud: &Cloud, group: PartKey, instance: InstanceId) {
    let reporting = cloud.change("eks", move |state| {
        let mut next = state.clone();
        next.node_drained(&group, &instance);
        (Some(next), ())
    });
    // A lab that ends needs no reports.
    let _ = reporting.await;
}

/// Takes pods off a node, once; whether none is left.
async fn empty(client: &Client, instance: &InstanceId) -> Result<bool, Status> {
    let store = client.cluster().now().store.clone();
    let mut nodes = store.list("nodes", None).map(|(_, node)| node);
    let own = |node: &&std::sync::Arc<Value>| {
        host_of(node).is_some_and(|host| host.as_str() == instance.as_str())
    };
    let Some(node) = nodes.find(own) else {
        return Ok(true);
    };
    let name = object::name(node);
    if node["spec"]["unschedulable"] != true {
        let nodes = resource("nodes").ok_or_else(Status::no_such_path)?;
        let cordon = json!({"spec": {"unschedulable": true}});
        client.patch(nodes, "", name, &cordon).await?;
    }
    let pods = pods(&store, name);
    for pod in pods.iter().filter(|pod| !object::is_terminating(pod)) {
        evict(client, pod).await?;
    }
    Ok(pods.is_empty())
}

/// The pods of a node that an eviction moves: neither a daemon set's, nor the node's own, nor those that are over.
fn pods<'s>(store: &'s Store, node: &str) -> Vec<&'s Value> {
    let all = store.list("pods", None).map(|(_, pod)| pod.as_ref());
    all.filter(|pod| {
        let mut owners = object::list(pod, &["metadata", "ownerReferences"]).iter();
        let mirror = &pod["metadata"]["annotations"]["kubernetes.io/config.mirror"];
        let over = ["Succeeded", "Failed"].contains(&object::text(pod, &["status", "phase"]));
        pod["spec"]["nodeName"] == node
            && !owners.any(|owner| owner["kind"] == "DaemonSet")
            && mirror.is_null()
            && !over
    })
    .collect()
}

async fn evict(client: &Client, pod: &Value) -> Result<(), Status> {
    let pods = resource("pods").ok_or_else(Status::no_such_path)?;
    let (namespace, name) = (object::namespace(pod), object::name(pod));
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"namespace": namespace, "name": name},
    });
    let path = path(pods, namespace, name, "eviction");
    let sent = client.send(Method::Post, &path, "application/json", &eviction);
    match sent.await {
        // Its budget forbids it for now; others' don't.
        Err(status) if ![404, 429].contains(&status.code) => Err(status),
        _ => Ok(()),
    }
}
