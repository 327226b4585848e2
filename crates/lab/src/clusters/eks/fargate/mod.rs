//! Fargate: pods that a profile takes get a machine each, which joins the cluster as the node of that one pod.
//!
//! A webhook gives such pods to this scheduler (`webhook::fargate`). It asks the account for a machine, boots it, and
//! binds the pod when the node is ready.
//! <https://docs.aws.amazon.com/eks/latest/userguide/fargate.html>

mod machine;
mod proxy;
mod size;

pub(super) use proxy::rights;
pub(super) use size::{Size, size};

use super::super::Clusters;
use super::key;
use crate::cloud::unix_time;
use aws::model::eks::fargate_machine::PROFILE_LABEL;
use aws::model::eks::{ClusterKey, FargateMachine, PartKey};
use kube::api::{Method, Status};
use kube::client::{Client, path, resource};
use kube::cluster::Cluster;
use kube::controllers::events;
use kube::object;
use kube::store::{Key, Store};
use machine::Machine;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name that Fargate's pods ask for their scheduler by.
pub(super) const SCHEDULER: &str = "fargate-scheduler";
/// The label of its nodes, and its value.
pub(super) const COMPUTE: (&str, &str) = ("eks.amazonaws.com/compute-type", "fargate");

/// The machines that boot or run.
type Machines = BTreeMap<PartKey, Machine>;

/// Places a cluster's pods on Fargate until the task is ended.
pub(super) async fn run(clusters: Clusters, cluster: Cluster, key: ClusterKey) {
    let client = Client::of_control_plane(cluster, SCHEDULER);
    let mut follow = client.cluster().follow();
    let mut snapshots = clusters.ground.cloud.snapshots();
    let mut machines = Machines::new();
    loop {
        let store = follow.borrow_and_update().store.clone();
        let state = snapshots.borrow_and_update().state.clone();
        for pod in waiting(&store) {
            want(&clusters, &client, &key, pod).await;
        }
        let own = state.eks_fargate_machines.values();
        for machine in own.filter(|machine| machine.key.cluster == key) {
            tend(&clusters, &client, machine, &store, &mut machines).await;
        }
        tokio::select! {
            changed = follow.changed() => if changed.is_err() { return },
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// The pods that wait for a machine.
fn waiting(store: &Store) -> impl Iterator<Item = &Value> {
    let pods = store.list("pods", None).map(|(_, pod)| pod.as_ref());
    pods.filter(|pod| {
        object::text(pod, &["spec", "schedulerName"]) == SCHEDULER
            && object::text(pod, &["spec", "nodeName"]).is_empty()
            && !object::is_terminating(pod)
    })
}

/// Asks the account for a pod's machine. Where there can't be one, the pod's events say why.
async fn want(clusters: &Clusters, client: &Client, key: &ClusterKey, pod: &Value) {
    let uid = object::uid(pod).to_owned();
    let cloud = &clusters.ground.cloud;
    let snapshot = cloud.snapshot();
    let mut known = snapshot.state.eks_fargate_machines.values();
    if known.any(|machine| machine.pod == uid) {
        return;
    }
    let profile = PartKey::new(
        key,
        object::text(pod, &["metadata", "labels", PROFILE_LABEL]),
    );
    let wanting = cloud.change("eks", move |state| {
        let mut next = state.clone();
        match next.fargate_machine_wanted(&profile, &uid, unix_time()) {
            Ok(()) => (Some(next), None),
            Err(refusal) => (None, Some(refusal.message)),
        }
    });
    if let Ok(Some(message)) = wanting.await {
        let about = object::reference(pod);
        let told = events::record(client, &about, "Warning", "FailedScheduling", &message).await;
        if let Err(status) = told {
            tracing::debug!(%status, "an event is not recorded");
        }
    }
}

/// Brings one machine on: it boots, its pod is bound to it, and with its pod it goes.
async fn tend(
    clusters: &Clusters,
    client: &Client,
    machine: &Arc<FargateMachine>,
    store: &Store,
    machines: &mut Machines,
) {
    let mut pods = store.list("pods", None).map(|(_, pod)| pod);
    let pod = pods.find(|pod| object::uid(pod) == machine.pod);
    let over = |pod: &&Arc<Value>| {
        ["Succeeded", "Failed"].contains(&object::text(pod, &["status", "phase"]))
    };
    let Some(pod) = pod.filter(|pod| !over(pod)) else {
        machines.remove(&machine.key);
        return dismiss(clusters, client, machine).await;
    };
    if !machines.contains_key(&machine.key) {
        let booted = Machine::boot(clusters.clone(), machine.clone(), pod.clone());
        machines.insert(machine.key.clone(), booted);
    }
    let name = &machine.key.name;
    let node = store.get(&Key::new("nodes", "", name));
    let unbound = object::text(pod, &["spec", "nodeName"]).is_empty();
    if unbound
        && node.is_some_and(|node| super::is_ready(node))
        && let Err(status) = bind(client, pod, name).await
    {
        tracing::debug!(%status, node = name, "its pod is not bound");
    }
}

/// Puts a pod on its node.
async fn bind(client: &Client, pod: &Value, node: &str) -> Result<(), Status> {
    let pods = resource("pods").ok_or_else(Status::no_such_path)?;
    let (namespace, name) = (object::namespace(pod), object::name(pod));
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": {"name": name, "namespace": namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    });
    let at = path(pods, namespace, name, "binding");
    let sent = client.send(Method::Post, &at, "application/json", &binding);
    sent.await?;
    let told = format!("Successfully assigned {namespace}/{name} to {node}");
    let about = object::reference(pod);
    events::record(client, &about, "Normal", "Scheduled", &told).await
}

/// Ends a machine and gives its interface back.
async fn dismiss(clusters: &Clusters, client: &Client, machine: &FargateMachine) {
    let ClusterKey { region, name } = &machine.key.cluster;
    let node = {
        let mut running = clusters.running();
        let found = running.get_mut(&key(region, name));
        found.and_then(|found| found.nodes.remove(&machine.key.name))
    };
    drop(node);
    let host = aws::compile::fargate::host_id(machine);
    let ground = clusters.ground.clone();
    // Ending a machine waits for its processes.
    let ending = tokio::task::spawn_blocking(move || {
        ground.guests.dismiss(&host);
        super::super::node::power_failure(&host);
        super::super::node::forget_images(&ground, &host);
    });
    if let Err(error) = ending.await {
        tracing::error!(%error, "a machine of Fargate is not taken down");
    }
    if let Some(nodes) = resource("nodes") {
        // One that never joined has no object.
        let _ = client
            .delete(nodes, "", &machine.key.name, &json!({}))
            .await;
    }
    let gone = machine.key.clone();
    let reporting = clusters.ground.cloud.change("eks", move |state| {
        let mut next = state.clone();
        next.fargate_machine_gone(&gone);
        (Some(next), ())
    });
    // A lab that ends needs no reports.
    let _ = reporting.await;
}
