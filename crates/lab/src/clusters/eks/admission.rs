//! Lets nodes of managed node groups and Fargate profiles in, where the cluster keeps that in `aws-auth`: EKS adds
//! their roles when they are made.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html#aws-auth-users>

use crate::cloud::Cloud;
use aws::model::State;
use aws::model::eks::{Authentication, ClusterKey, NodegroupStatus};
use kube::api::Status;
use kube::client::{Client, resource};
use kube::cluster::Cluster;
use kube::object;
use kube::store::{Key, Store};
use serde_json::{Value, json};

/// Adds roles until the task is ended.
pub(super) async fn run(cluster: Cluster, cloud: Cloud, key: ClusterKey) {
    let client = Client::of_control_plane(cluster, "eks:authentication-manager");
    let mut snapshots = cloud.snapshots();
    loop {
        let snapshot = snapshots.borrow_and_update().clone();
        for (role, nodes) in waiting(&snapshot.state, &key) {
            if let Err(status) = admit(&client, &role, nodes).await {
                tracing::warn!(%status, role, "a role is not in aws-auth");
            }
        }
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// Whose role it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nodes {
    /// Instances'.
    Instances,
    /// Fargate's machines'.
    Fargate,
}

/// The roles of nodes that are about to join by `aws-auth`.
fn waiting(state: &State, key: &ClusterKey) -> Vec<(String, Nodes)> {
    let by_map = |of: &aws::model::eks::Cluster| of.authentication == Authentication::ConfigMap;
    if !state.eks_clusters.get(key).is_some_and(|of| by_map(of)) {
        return Vec::new();
    }
    let groups = state.eks_nodegroups.values();
    let groups = groups
        .filter(|group| group.key.cluster == *key && group.status == NodegroupStatus::Creating)
        .map(|group| (group.role.clone(), Nodes::Instances));
    let machines = state.eks_fargate_machines.values();
    let machines = machines
        .filter(|machine| machine.key.cluster == *key)
        .map(|machine| (machine.role.clone(), Nodes::Fargate));
    groups.chain(machines).collect()
}

/// Puts a role of nodes into the map, unless it is there.
async fn admit(client: &Client, role: &str, nodes: Nodes) -> Result<(), Status> {
    let maps = resource("configmaps").ok_or_else(Status::no_such_path)?;
    let known = known(&client.cluster().now().store);
    let text = known
        .as_ref()
        .map(|map| object::text(map, &["data", "mapRoles"]));
    let text = text.unwrap_or_default();
    // Neither roles' names nor accounts have anything that YAML would take for its own.
    if text.contains(role) {
        return Ok(());
    }
    let (more, name) = match nodes {
        Nodes::Instances => ("", "EC2PrivateDNSName"),
        Nodes::Fargate => ("  - system:node-proxier\n", "SessionName"),
    };
    let entry = format!(
        "- groups:\n  - system:bootstrappers\n  - system:nodes\n{more}  rolearn: {role}\n  \
         username: system:node:{{{{{name}}}}}\n"
    );
    let data = json!({"data": {"mapRoles": format!("{text}{entry}")}});
    if known.is_some() {
        client.patch(maps, "kube-system", "aws-auth", &data).await?;
        return Ok(());
    }
    let mut made = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "aws-auth", "namespace": "kube-system"},
    });
    made["data"] = data["data"].clone();
    client.create(maps, &made).await?;
    Ok(())
}

fn known(store: &Store) -> Option<Value> {
    let map = store.get(&Key::new("configmaps", "kube-system", "aws-auth"))?;
    Some(map.as_ref().clone())
}
