//! The scheduler: which node a pod runs on.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/>

mod affinity;
mod fit;
mod preempt;
mod score;
mod spread;
mod volumes;

use crate::api::{Method, Status};
use crate::client::{Client, path, resource};
use crate::cluster::{Cluster, Published};
use crate::controllers::events;
use crate::object;
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use volumes::Volumes;

/// The name that pods ask for this scheduler by.
const NAME: &str = "default-scheduler";

/// Places a cluster's pods until it ends.
pub async fn run(cluster: Cluster) {
    let client = Client::of_control_plane(cluster, "kube-scheduler");
    let mut follow = client.cluster().follow();
    let mut seen = None;
    loop {
        let now = follow.borrow_and_update().clone();
        let again = seen.is_none_or(|seen| frees(&now, seen));
        let new = |pod: &Value| {
            let revision = object::text(pod, &["metadata", "resourceVersion"]).parse::<u64>();
            seen.is_none_or(|seen| revision.is_ok_and(|revision| revision > seen))
        };
        for pod in waiting(&now.store) {
            if again || new(&pod) {
                // Who fails now is tried again when something changes.
                let _ = place(&client, &pod).await;
            }
        }
        seen = Some(now.store.revision());
        if follow.changed().await.is_err() {
            return;
        }
    }
}

/// Whether something has changed that lets pods fit that didn't: nodes, or pods that went.
fn frees(now: &Published, seen: u64) -> bool {
    if seen < now.forgotten {
        return true;
    }
    let new = now
        .history
        .iter()
        .rev()
        .take_while(|change| change.revision > seen);
    new.into_iter().any(|change| match &*change.key.resource {
        "nodes"
        | "persistentvolumeclaims"
        | "persistentvolumes"
        | "storageclasses.storage.k8s.io" => true,
        "pods" => change.after.as_ref().is_none_or(|pod| ended(pod)),
        _ => false,
    })
}

/// Whether a pod's containers have ended for good.
fn ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&object::text(pod, &["status", "phase"]))
}

/// The pods that wait for a node, the most important first, then the oldest.
fn waiting(store: &Store) -> Vec<Arc<Value>> {
    let mut pods: Vec<Arc<Value>> = store
        .list("pods", None)
        .map(|(_, pod)| pod)
        .filter(|pod| {
            object::text(pod, &["spec", "nodeName"]).is_empty()
                && object::text(pod, &["spec", "schedulerName"]) == NAME
                && object::list(pod, &["spec", "schedulingGates"]).is_empty()
                && !object::is_terminating(pod)
                && !ended(pod)
        })
        .cloned()
        .collect();
    pods.sort_by_key(|pod| {
        let priority = preempt::priority(pod);
        let made = object::text(pod, &["metadata", "creationTimestamp"]).to_owned();
        (std::cmp::Reverse(priority), made)
    });
    pods
}

/// A node with the pods on it.
#[derive(Clone, Debug)]
pub(crate) struct NodeView<'s> {
    node: &'s Value,
    pods: Vec<&'s Value>,
}

/// The nodes with the pods on them, as another pod finds them: with those that others made room for and
/// that are at least as important.
fn nodes<'s>(store: &'s Store, pod: &Value) -> Vec<NodeView<'s>> {
    let mut by_node: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (_, other) in store.list("pods", None).filter(|(_, other)| !ended(other)) {
        let mut node = object::text(other, &["spec", "nodeName"]);
        let before = preempt::priority(other) >= preempt::priority(pod);
        if node.is_empty() && before && object::uid(other) != object::uid(pod) {
            node = object::text(other, &["status", "nominatedNodeName"]);
        }
        if !node.is_empty() {
            by_node.entry(node).or_default().push(other.as_ref());
        }
    }
    store
        .list("nodes", None)
        .map(|(_, node)| NodeView {
            node,
            pods: by_node.remove(object::name(node)).unwrap_or_default(),
        })
        .collect()
}

/// The node for a pod and what is to be done for its volumes, or why there is none.
fn choose(store: &Store, pod: &Value) -> Result<(String, Volumes), String> {
    let nodes = nodes(store, pod);
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let volumes = Volumes::of(pod, store)
        .map_err(|reason| format!("0/{} nodes are available: {reason}.", nodes.len()))?;
    let mut against: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting = Vec::new();
    for view in &nodes {
        let mut reasons = fit::reasons(pod, view, &nodes, store);
        if reasons.is_empty() {
            reasons.extend(volumes.reason(view.node, store).map(str::to_owned));
        }
        if reasons.is_empty() {
            fitting.push(view);
        }
        for reason in reasons {
            *against.entry(reason).or_default() += 1;
        }
    }
    if let Some(best) = score::best(pod, &fitting, &nodes) {
        return Ok((object::name(best.node).to_owned(), volumes));
    }
    let told: Vec<String> = against
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    Err(format!(
        "0/{} nodes are available: {}.",
        nodes.len(),
        told.join(", ")
    ))
}

async fn place(client: &Client, pod: &Arc<Value>) -> Result<(), Status> {
    let (namespace, name) = (object::namespace(pod), object::name(pod));
    let chosen = choose(&client.cluster().now().store, pod);
    let about = object::reference(pod);
    let pods = resource("pods").ok_or_else(Status::no_such_path)?;
    match chosen {
        Ok((node, volumes)) => {
            if !volumes.settle(client, &node).await? {
                // The pod's turn comes when its claims are bound.
                return Ok(());
            }
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding",
                "metadata": {"name": name, "namespace": namespace},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            });
            let at = path(pods, namespace, name, "binding");
            client
                .send(Method::Post, &at, "application/json", &binding)
                .await?;
            let told = format!("Successfully assigned {namespace}/{name} to {node}");
            events::record(client, &about, "Normal", "Scheduled", &told).await
        }
        Err(message) => {
            let now = client.cluster().now();
            let room = room(&now.store, pod);
            let none = || no_room(&now.store, pod);
            let message = match room.is_none().then(none).flatten() {
                Some(told) => format!("{message} {told}"),
                None => message,
            };
            events::record(client, &about, "Warning", "FailedScheduling", &message).await?;
            let nominated = room.as_ref().map(|(node, _)| node.as_str());
            unschedulable(client, pods, pod, &message, nominated).await?;
            match &room {
                Some((node, victims)) => preempt::carry_out(client, pod, node, victims).await,
                None => Ok(()),
            }
        }
    }
}

/// A node on which less important pods make room for a pod, and which.
fn room(store: &Store, pod: &Value) -> Option<(String, Vec<Value>)> {
    let volumes = Volumes::of(pod, store).ok()?;
    let nodes = nodes(store, pod);
    let plan = preempt::plan(pod, &nodes, &volumes, store)?;
    let victims = plan.victims.into_iter().cloned().collect();
    Some((plan.node.to_owned(), victims))
}

/// That preemption makes no room, in upstream's words; without nodes there is nothing to say.
fn no_room(store: &Store, pod: &Value) -> Option<String> {
    let nodes = nodes(store, pod);
    let volumes = Volumes::of(pod, store).ok();
    let helpless = nodes.iter().filter(|view| {
        let reasons = fit::reasons(pod, view, &nodes, store);
        let bound = volumes
            .as_ref()
            .is_none_or(|v| v.reason(view.node, store).is_some());
        bound || reasons.iter().any(|reason| fit::is_of_node(reason))
    });
    let helpless = helpless.count();
    let told: Vec<String> = [
        (
            nodes.len() - helpless,
            "No preemption victims found for incoming pod",
        ),
        (helpless, "Preemption is not helpful for scheduling"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, reason)| format!("{count} {reason}"))
    .collect();
    (!told.is_empty()).then(|| {
        let told = told.join(", ");
        format!("preemption: 0/{} nodes are available: {told}.", nodes.len())
    })
}

/// Says in a pod's status why it waits, unless it says so already.
async fn unschedulable(
    client: &Client,
    pods: &crate::resource::Resource,
    pod: &Value,
    message: &str,
    nominated: Option<&str>,
) -> Result<(), Status> {
    let conditions = object::list(pod, &["status", "conditions"]);
    let known = conditions
        .iter()
        .any(|c| c["type"] == "PodScheduled" && c["message"] == message);
    if known && nominated.is_none() {
        return Ok(());
    }
    let mut pod = pod.clone();
    if let Some(node) = nominated {
        pod["status"]["nominatedNodeName"] = json!(node);
    }
    let condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastProbeTime": null,
        "lastTransitionTime": crate::schema::rfc3339(client.cluster().clock()),
    });
    set_condition(&mut pod, condition);
    client.replace(pods, "status", &pod).await.map(drop)
}

/// Puts a condition in the place of the one of its type.
fn set_condition(pod: &mut Value, condition: Value) {
    let status = object::map_mut(pod, "status");
    let held = status.entry("conditions").or_insert_with(|| json!([]));
    if let Value::Array(held) = held {
        held.retain(|other| other["type"] != condition["type"]);
        held.push(condition);
    }
}

#[cfg(test)]
mod tests;
