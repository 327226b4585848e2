//! Takes nodes out of a cluster whose instances are gone, and keeps pods off those whose instances are stopped.
//!
//! Only nodes that are not ready are looked into: a node that answers is there.
//! <https://kubernetes.io/docs/concepts/architecture/cloud-controller/#node-controller>

use super::fargate::COMPUTE;
use super::{host_of, is_ready};
use crate::cloud::Cloud;
use aws::model::State;
use aws::model::instance::InstanceState;
use kube::api::Status;
use kube::client::{Client, resource};
use kube::cluster::Cluster;
use kube::object;
use serde_json::{Value, json};

/// The taint of nodes whose instances are stopped.
const STOPPED: &str = "node.cloudprovider.kubernetes.io/shutdown";

/// What a node needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Its instance is gone.
    Deletion,
    /// Its instance is stopped.
    Taint,
    /// Its instance runs again.
    NoTaint,
}

/// Looks after a cluster's nodes until the task is ended.
pub(super) async fn run(cluster: Cluster, cloud: Cloud) {
    let client = Client::of_control_plane(cluster, "cloud-node-lifecycle-controller");
    let mut follow = client.cluster().follow();
    let mut snapshots = cloud.snapshots();
    loop {
        let now = follow.borrow_and_update().clone();
        let snapshot = snapshots.borrow_and_update().clone();
        for (_, node) in now.store.list("nodes", None) {
            let Some(due) = due(&snapshot.state, node) else {
                continue;
            };
            if let Err(status) = act(&client, node, due).await
                && status.code != 404
            {
                tracing::debug!(%status, node = object::name(node), "a node stays as it is");
            }
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

fn due(state: &State, node: &Value) -> Option<Due> {
    let taints = object::list(node, &["spec", "taints"]);
    let tainted = taints.iter().any(|of| of["key"] == STOPPED);
    if is_ready(node) {
        return tainted.then_some(Due::NoTaint);
    }
    if object::text(node, &["metadata", "labels", COMPUTE.0]) == COMPUTE.1 {
        return None;
    }
    let instance = host_of(node)?;
    let now = state
        .instances
        .get(instance.as_str())
        .map(|instance| instance.state);
    match now {
        None | Some(InstanceState::Terminated) => Some(Due::Deletion),
        Some(InstanceState::Stopping | InstanceState::Stopped) if !tainted => Some(Due::Taint),
        _ => None,
    }
}

async fn act(client: &Client, node: &Value, due: Due) -> Result<(), Status> {
    let nodes = resource("nodes").ok_or_else(Status::no_such_path)?;
    let name = object::name(node);
    if due == Due::Deletion {
        tracing::info!(node = name, "its instance is gone");
        return client.delete(nodes, "", name, &json!({})).await.map(drop);
    }
    let mut taints = object::list(node, &["spec", "taints"]).to_vec();
    taints.retain(|taint| taint["key"] != STOPPED);
    if due == Due::Taint {
        taints.push(json!({"key": STOPPED, "effect": "NoSchedule"}));
    }
    // Who changed the node meanwhile is heard first.
    let seen = &node["metadata"]["resourceVersion"];
    let patch = json!({"metadata": {"resourceVersion": seen}, "spec": {"taints": taints}});
    client.patch(nodes, "", name, &patch).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-EKS: a node whose instance is gone goes, but not while it answers.
    #[test]
    fn nodes_go_with_their_instances() {
        let node = |ready: &str| {
            json!({
                "metadata": {"name": "n"},
                "spec": {"providerID": "aws:///us-west-2a/i-0123456789abcdef0"},
                "status": {"conditions": [{"type": "Ready", "status": ready}]},
            })
        };
        let state = State::empty(aws::model::Settings {
            account: "123456789012".to_owned(),
            seed: 1,
        });
        assert_eq!(due(&state, &node("True")), None);
        assert_eq!(due(&state, &node("Unknown")), Some(Due::Deletion));
    }
}
