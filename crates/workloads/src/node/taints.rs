//! A node's conditions as taints.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions>

use serde_json::{Value, json};

use super::health::ready;
use crate::{Action, Outcome, Resource, clock, condition, object};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// A condition, its status, and the taint that follows from it.
const OF_CONDITIONS: [(&str, &str, &str); 6] = [
    ("Ready", "False", NOT_READY),
    ("Ready", "Unknown", UNREACHABLE),
    (
        "MemoryPressure",
        "True",
        "node.kubernetes.io/memory-pressure",
    ),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
    (
        "NetworkUnavailable",
        "True",
        "node.kubernetes.io/network-unavailable",
    ),
];

/// Whether a node's pods are to leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evicting {
    /// They are.
    Goes,
    /// They will be, when it is this node's turn.
    Waits,
    /// They are not: the node is ready, or all nodes are not.
    Never,
}

/// Whether a node has one of the taints that evict pods from nodes that are not ready.
pub(super) fn evicts(node: &Value) -> bool {
    object::list(node, "/spec/taints")
        .iter()
        .any(ours_executing)
}

fn ours_executing(taint: &Value) -> bool {
    object::text(taint, "/effect") == "NoExecute"
        && [NOT_READY, UNREACHABLE].contains(&object::text(taint, "/key"))
}

/// Gives a node the taints that follow from its conditions, and takes those that no longer do.
pub(super) fn reconcile(node: &Value, evicting: Evicting, now: i64, outcome: &mut Outcome) {
    let wanted = wanted(node, evicting);
    let ours = |taint: &Value| {
        let key = object::text(taint, "/key");
        let known = key == UNSCHEDULABLE || OF_CONDITIONS.iter().any(|(.., of)| *of == key);
        ours_executing(taint) || (known && object::text(taint, "/effect") == "NoSchedule")
    };
    let same = |taint: &Value, (key, effect): (&str, &str)| {
        object::text(taint, "/key") == key && object::text(taint, "/effect") == effect
    };
    let current = object::list(node, "/spec/taints");
    let mut taints: Vec<Value> = current
        .iter()
        .filter(|taint| !ours(taint) || wanted.iter().any(|w| same(taint, *w)))
        .cloned()
        .collect();
    for (key, effect) in wanted {
        if !current.iter().any(|taint| same(taint, (key, effect))) {
            taints.push(json!({"key": key, "effect": effect, "timeAdded": clock::format(now)}));
        }
    }
    if taints != current {
        outcome.push(Action::Patch {
            resource: Resource::Nodes,
            namespace: String::new(),
            name: object::name(node).to_owned(),
            patch: json!({
                "metadata": {
                    "uid": object::uid(node),
                    "resourceVersion": node.pointer("/metadata/resourceVersion"),
                },
                "spec": {"taints": taints},
            }),
        });
    }
}

fn wanted(node: &Value, evicting: Evicting) -> Vec<(&'static str, &'static str)> {
    let conditions = object::list(node, "/status/conditions");
    let mut wanted: Vec<_> = OF_CONDITIONS
        .iter()
        .filter(|(kind, status, _)| {
            condition::find(conditions, kind)
                .is_some_and(|c| condition::field(c, "status") == *status)
        })
        .map(|(.., key)| (*key, "NoSchedule"))
        .collect();
    if object::flag(node, "/spec/unschedulable") {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    let executing = match ready(node) {
        "False" => Some(NOT_READY),
        "Unknown" => Some(UNREACHABLE),
        _ => None,
    };
    // A node that the kubelet has not told of yet keeps the taint that it was made with.
    if ready(node).is_empty() {
        let made = object::list(node, "/spec/taints").iter();
        let made = made.filter(|t| object::text(t, "/key") == NOT_READY);
        wanted.extend(made.map(|_| (NOT_READY, "NoSchedule")));
    }
    if let (Evicting::Goes, Some(key)) = (evicting, executing) {
        wanted.push((key, "NoExecute"));
    }
    wanted
}
