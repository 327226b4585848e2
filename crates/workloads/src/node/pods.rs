//! The pods of a node.

use std::sync::Arc;

use serde_json::Value;

use crate::{EventKind, Outcome, Resource, View, clock, condition, object, pod};

/// A node's pods.
pub(super) fn of(view: &dyn View, node: &str) -> Vec<Arc<Value>> {
    let mut pods = view.list(Resource::Pods, None);
    pods.retain(|pod| pod::node(pod) == node);
    pods
}

/// Says of a node's ready pods that they are not, so that no service leads to them
/// (`MarkPodsNotReady`).
pub(super) fn not_ready(view: &dyn View, node: &Value, now: i64, outcome: &mut Outcome) {
    for pod in of(view, object::name(node)) {
        if !pod::ready(&pod) {
            continue;
        }
        let mut status = pod.get("status").cloned().unwrap_or_default();
        let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
        for found in conditions.into_iter().flatten() {
            if condition::field(found, "type") == "Ready" {
                object::put(found, &["status"], "False".into());
                object::put(found, &["lastTransitionTime"], clock::format(now).into());
            }
        }
        outcome.status(Resource::Pods, &pod, status);
        let told = "Node is not ready";
        outcome.event(
            Resource::Pods,
            &pod,
            EventKind::Warning,
            "NodeNotReady",
            told,
        );
    }
}

/// A pod's status with the reason why its end is not its own doing.
/// <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions>
pub(super) fn disrupted(pod: &Value, reason: &str, message: &str, now: i64) -> Value {
    let mut status = pod.get("status").cloned().unwrap_or_default();
    let mut conditions = object::list(pod, "/status/conditions").to_vec();
    let finding = condition::Finding {
        kind: "DisruptionTarget",
        status: "True",
        reason,
        message,
    };
    finding.set(&mut conditions, now);
    object::put(&mut status, &["conditions"], conditions.into());
    status
}
