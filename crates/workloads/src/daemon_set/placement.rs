//! Pods that are meant for one node.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled>

use serde_json::{Value, json};

use crate::{Resource, object, pod, template};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// What daemons tolerate, as they are needed before (and while) a node is in order:
/// (key, effect, only with the host's network).
/// <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations>
const TOLERATED: [(&str, &str, bool); 7] = [
    ("node.kubernetes.io/not-ready", "NoExecute", false),
    ("node.kubernetes.io/unreachable", "NoExecute", false),
    ("node.kubernetes.io/disk-pressure", "NoSchedule", false),
    ("node.kubernetes.io/memory-pressure", "NoSchedule", false),
    ("node.kubernetes.io/pid-pressure", "NoSchedule", false),
    ("node.kubernetes.io/unschedulable", "NoSchedule", false),
    ("node.kubernetes.io/network-unavailable", "NoSchedule", true),
];

/// The set's pod for a node. With an empty node's name it has the template's own affinity, by
/// which is found out whether it fits nodes.
pub(super) fn pod(set: &Value, node: &str, hash: &str) -> Value {
    let mut pod = template::generated_pod(template::of(set), Resource::DaemonSets, set);
    let label = ["metadata", "labels", template::REVISION_LABEL];
    object::put(&mut pod, &label, hash.into());
    tolerate(&mut pod);
    if !node.is_empty() {
        let term = json!({"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": [node]}]});
        let path = ["spec", "affinity", "nodeAffinity", REQUIRED];
        object::put(&mut pod, &path, json!({"nodeSelectorTerms": [term]}));
    }
    pod
}

fn tolerate(pod: &mut Value) {
    let host_network = object::flag(pod, "/spec/hostNetwork");
    let mut tolerations = object::list(pod, "/spec/tolerations").to_vec();
    for (key, effect, needs_host) in TOLERATED {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        if (host_network || !needs_host) && !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
    object::put(pod, &["spec", "tolerations"], tolerations.into());
}

/// The node that a pod runs on or is meant for.
pub(super) fn target(daemon: &Value) -> Option<&str> {
    let node = pod::node(daemon);
    if !node.is_empty() {
        return Some(node);
    }
    let path = format!("/spec/affinity/nodeAffinity/{REQUIRED}/nodeSelectorTerms");
    object::list(daemon, &path)
        .iter()
        .flat_map(|term| object::list(term, "/matchFields"))
        .filter(|field| object::text(field, "/key") == "metadata.name")
        .find_map(|field| field.pointer("/values/0")?.as_str())
}
