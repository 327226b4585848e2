//! What controllers want to know of pods.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::{condition, object};

/// Which pods go first when there are too many: larger goes first.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost>
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// `status.phase`.
pub(crate) fn phase(pod: &Value) -> &str {
    object::text(pod, "/status/phase")
}

/// Whether the pod's containers have ended for good.
pub(crate) fn finished(pod: &Value) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the pod counts as a replica: neither ended nor being deleted.
pub(crate) fn active(pod: &Value) -> bool {
    !finished(pod) && !object::terminating(pod)
}

/// `spec.nodeName`, empty for a pod that is not scheduled.
pub(crate) fn node(pod: &Value) -> &str {
    object::text(pod, "/spec/nodeName")
}

/// The pod's `Ready` condition.
fn readiness(pod: &Value) -> Option<&Value> {
    condition::find(object::list(pod, "/status/conditions"), "Ready")
}

/// Whether the pod's `Ready` condition is true.
pub(crate) fn ready(pod: &Value) -> bool {
    readiness(pod).is_some_and(|c| condition::field(c, "status") == "True")
}

/// Since when the `Ready` condition is what it is.
pub(crate) fn readiness_since(pod: &Value) -> Option<i64> {
    object::time(readiness(pod)?, "/lastTransitionTime")
}

/// Whether the pod has been ready for `minReadySeconds`.
pub(crate) fn available(pod: &Value, min_ready: i64, now: i64) -> bool {
    until_available(pod, min_ready, now) == Some(0)
}

/// Seconds until a ready pod is available, 0 where it is; none for one that is not ready.
pub(crate) fn until_available(pod: &Value, min_ready: i64, now: i64) -> Option<i64> {
    if !ready(pod) {
        return None;
    }
    if min_ready <= 0 {
        return Some(0);
    }
    let since = readiness_since(pod).unwrap_or(now);
    Some((since + min_ready - now).max(0))
}

/// Seconds until the next of the pods becomes available.
pub(crate) fn next_available(pods: &[Arc<Value>], min_ready: i64, now: i64) -> Option<i64> {
    pods.iter()
        .filter_map(|pod| until_available(pod, min_ready, now))
        .filter(|wait| *wait > 0)
        .min()
}

/// How often the pod's containers were restarted: the most restarted one counts.
fn restarts(pod: &Value) -> i64 {
    let counts = object::list(pod, "/status/containerStatuses").iter();
    counts
        .map(|c| object::count(c, "/restartCount", 0))
        .max()
        .unwrap_or(0)
}

/// Sorts pods so that those to be deleted first come first (`controller.ActivePodsWithRanks`):
/// not scheduled, pending, not ready, of low deletion cost, of high `crowd` (how many related
/// pods share the node), ready for a short time, restarted often, young. Times compare on a
/// logarithmic scale, so that among pods of about the same age none is preferred.
pub(crate) fn sort_for_deletion(
    pods: &mut [Arc<Value>],
    crowd: &BTreeMap<String, usize>,
    now: i64,
) {
    pods.sort_by(|a, b| deletion_order(a, b, crowd, now));
}

fn deletion_order(a: &Value, b: &Value, crowd: &BTreeMap<String, usize>, now: i64) -> Ordering {
    let crowded = |pod| crowd.get(node(pod)).copied().unwrap_or(0);
    let cost = |pod| object::annotation_int(pod, DELETION_COST).unwrap_or(0);
    let started = |pod| match phase(pod) {
        "Pending" | "" => 0,
        "Unknown" => 1,
        _ => 2,
    };
    (!node(a).is_empty())
        .cmp(&!node(b).is_empty())
        .then_with(|| started(a).cmp(&started(b)))
        .then_with(|| ready(a).cmp(&ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| crowded(b).cmp(&crowded(a)))
        .then_with(|| {
            let age = |pod| bucket(readiness_since(pod).filter(|_| ready(pod)), now);
            age(a).cmp(&age(b))
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| {
            let age = |pod| bucket(Some(object::creation(pod)), now);
            age(a).cmp(&age(b))
        })
        .then_with(|| object::uid(a).cmp(object::uid(b)))
}

/// The binary logarithm of an age; 0 for what has no time yet.
fn bucket(since: Option<i64>, now: i64) -> u32 {
    let age = since.map_or(0, |since| (now - since).max(0));
    age.checked_ilog2().map_or(0, |log| log + 1)
}

/// The number of active pods on each node.
pub(crate) fn per_node<'a>(pods: impl Iterator<Item = &'a Arc<Value>>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for pod in pods.filter(|pod| active(pod)) {
        *counts.entry(node(pod).to_owned()).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock;

    fn pod(name: &str, node: &str, ready_since: Option<i64>) -> Arc<Value> {
        let status = if ready_since.is_some() {
            "True"
        } else {
            "False"
        };
        Arc::new(json!({
            "metadata": {"name": name, "uid": name},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status,
                "lastTransitionTime": clock::format(ready_since.unwrap_or(0))}]},
        }))
    }

    #[test]
    fn unscheduled_unready_costly_and_crowded_pods_are_ranked() {
        let mut cheap = (*pod("cheap", "n1", Some(0))).clone();
        object::annotate(&mut cheap, DELETION_COST, "-5");
        let mut pods = vec![
            pod("old", "n1", Some(0)),
            pod("crowded", "n2", Some(0)),
            Arc::new(cheap),
            pod("unready", "n1", None),
            pod("young", "n1", Some(9_990)),
            pod("unscheduled", "", None),
        ];
        let crowd = BTreeMap::from([("n2".to_owned(), 2), ("n1".to_owned(), 1)]);
        sort_for_deletion(&mut pods, &crowd, 10_000);
        let order: Vec<_> = pods.iter().map(|p| object::name(p)).collect();
        let wanted = ["unscheduled", "unready", "cheap", "crowded", "young", "old"];
        assert_eq!(order, wanted);
    }

    #[test]
    fn a_pod_is_available_when_it_was_ready_long_enough() {
        let pod = pod("a", "n1", Some(100));
        assert_eq!(until_available(&pod, 30, 110), Some(20));
        assert!(available(&pod, 30, 130));
        assert!(available(&pod, 0, 100));
    }
}
