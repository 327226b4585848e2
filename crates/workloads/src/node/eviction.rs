//! Pods leave nodes with `NoExecute` taints that they don't tolerate, or not for longer.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions>

use std::collections::BTreeMap;

use serde_json::Value;

use super::pods;
use crate::daemon_set::tolerated;
use crate::{EventKind, Outcome, Resource, View, object, pod};

/// Since when pods wait on nodes that they tolerate for some time, by uid. The driver keeps it; a new
/// one gives every pod its full time again.
#[derive(Debug, Default)]
pub struct Evictions(BTreeMap<String, i64>);

impl Evictions {
    /// Nobody waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// How long a pod stays on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// As long as it likes.
    Forever,
    /// So many seconds.
    Seconds(i64),
}

/// Evicts a pod from its node if it tolerates its taints no longer.
///
/// It depends on the pod and its node.
pub fn taint_eviction(
    view: &dyn View,
    evictions: &mut Evictions,
    namespace: &str,
    name: &str,
    now: i64,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(pod) = view.get(Resource::Pods, namespace, name) else {
        return outcome;
    };
    let uid = object::uid(&pod).to_owned();
    if object::terminating(&pod) {
        evictions.0.remove(&uid);
        return outcome;
    }
    let node = view.get(Resource::Nodes, "", pod::node(&pod));
    let Some(Stay::Seconds(seconds)) = node.map(|node| stay(&pod, &node)) else {
        if evictions.0.remove(&uid).is_some() {
            let told = format!("Cancelling deletion of Pod {namespace}/{name}");
            tell(&mut outcome, &pod, told);
        }
        return outcome;
    };
    let since = *evictions.0.entry(uid.clone()).or_insert(now);
    let left = since.saturating_add(seconds) - now;
    if left > 0 {
        outcome.again(left);
        return outcome;
    }
    evictions.0.remove(&uid);
    let told = "Taint manager: deleting due to NoExecute taint";
    let status = pods::disrupted(&pod, "DeletionByTaintManager", told, now);
    outcome.status(Resource::Pods, &pod, status);
    outcome.delete(Resource::Pods, &pod);
    tell(
        &mut outcome,
        &pod,
        format!("Marking for deletion Pod {namespace}/{name}"),
    );
    outcome
}

fn tell(outcome: &mut Outcome, pod: &Value, message: String) {
    let reason = "TaintManagerEviction";
    outcome.event(Resource::Pods, pod, EventKind::Normal, reason, message);
}

/// How long a pod may stay: the shortest time of the tolerations that it needs.
fn stay(pod: &Value, node: &Value) -> Stay {
    let tolerations = object::list(pod, "/spec/tolerations");
    let mut stay = Stay::Forever;
    let taints = object::list(node, "/spec/taints").iter();
    for taint in taints.filter(|taint| object::text(taint, "/effect") == "NoExecute") {
        let Some(toleration) = tolerations.iter().find(|t| tolerated(t, taint)) else {
            return Stay::Seconds(0);
        };
        if let Some(seconds) = object::int(toleration, "/tolerationSeconds") {
            let seconds = seconds.max(0);
            stay = match stay {
                Stay::Forever => Stay::Seconds(seconds),
                Stay::Seconds(other) => Stay::Seconds(other.min(seconds)),
            };
        }
    }
    stay
}
