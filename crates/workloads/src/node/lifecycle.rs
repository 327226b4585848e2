//! Whether a node lives, and what follows from it.

use serde_json::{Value, json};

use super::health::{NodeHealth, ready};
use super::{pods, taints, zone};
use crate::condition;
use crate::{EventKind, Outcome, Pace, Resource, View, clock, object};

/// Seconds without a sign of life after which a node is unknown (`--node-monitor-grace-period`).
const GRACE: i64 = 40;
/// The same for a node whose kubelet never wrote a status (`--node-startup-grace-period`).
const STARTUP_GRACE: i64 = 60;
/// Where kubelets keep their leases.
const LEASES: &str = "kube-node-lease";
/// The conditions that are unknown when the kubelet is silent.
const CONDITIONS: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// Reconciles one node with the signs of life of its kubelet: conditions, taints, and the readiness
/// of its pods. Labels are left alone.
///
/// It depends on the node, its lease in `kube-node-lease`, its pods and the readiness of all nodes.
/// `health` is kept by the driver between calls.
pub fn node_lifecycle(
    view: &dyn View,
    health: &mut NodeHealth,
    pace: Pace,
    name: &str,
    now: i64,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(node) = view.get(Resource::Nodes, "", name) else {
        health.forget(name);
        return outcome;
    };
    let lease = view.get(Resource::Leases, LEASES, name);
    let (seen, new) = health.look(&node, lease.as_deref(), now);
    if new {
        let told = format!("Node {name} event: Registered Node {name} in Controller");
        outcome.event(
            Resource::Nodes,
            &node,
            EventKind::Normal,
            "RegisteredNode",
            told,
        );
    }
    let grace = if ready(&node).is_empty() {
        STARTUP_GRACE
    } else {
        GRACE
    };
    let left = seen.at + pace.timer(grace) - now;
    if left >= 0 {
        outcome.again(left + 1);
    }
    let silent = (left < 0).then(|| silence(&node, now)).flatten();
    let after = silent.as_ref().unwrap_or(&node);
    let lost = ready(after) != "True" && ready(&node) == "True";
    let fell = ready(&node) == "False" && seen.ready == "True";
    if let Some(after) = &silent {
        let status = after.get("status").cloned().unwrap_or_default();
        outcome.status(Resource::Nodes, &node, status);
    }
    if lost || fell {
        let told = format!("Node {name} status is now: NodeNotReady");
        outcome.event(
            Resource::Nodes,
            &node,
            EventKind::Normal,
            "NodeNotReady",
            told,
        );
    }
    // Pods of a node that is silent can't tell of themselves; the kubelet of one that speaks can.
    if fell || ready(after) == "Unknown" {
        pods::not_ready(view, &node, now, &mut outcome);
    }
    if silent.is_none() {
        // A status that was just written brings the node here again, with a newer version.
        let may = zone::may_evict(view, health, pace, &node, now, &mut outcome);
        taints::reconcile(&node, may, now, &mut outcome);
    }
    outcome
}

/// The node as it is when nobody heard of it for too long; none if it says so already.
fn silence(node: &Value, now: i64) -> Option<Value> {
    let mut conditions = object::list(node, "/status/conditions").to_vec();
    let mut changed = false;
    for kind in CONDITIONS {
        match conditions
            .iter_mut()
            .find(|c| condition::field(c, "type") == kind)
        {
            None => {
                conditions.push(json!({
                    "type": kind, "status": "Unknown", "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                    "lastHeartbeatTime": node.pointer("/metadata/creationTimestamp"),
                    "lastTransitionTime": clock::format(now),
                }));
                changed = true;
            }
            Some(found) if condition::field(found, "status") != "Unknown" => {
                for (field, value) in [
                    ("status", "Unknown"),
                    ("reason", "NodeStatusUnknown"),
                    ("message", "Kubelet stopped posting node status."),
                    ("lastTransitionTime", &clock::format(now)),
                ] {
                    object::put(found, &[field], value.into());
                }
                changed = true;
            }
            Some(_) => {}
        }
    }
    changed.then(|| {
        let mut after = node.clone();
        object::put(&mut after, &["status", "conditions"], conditions.into());
        after
    })
}
