//! The best of the nodes that a pod fits on.

use super::fit::{allocatable, requests, tolerates};
use super::{NodeView, affinity};
use crate::object;
use serde_json::Value;

/// The best node; none of none. Of equally good ones the first by name.
pub(super) fn best<'v, 's>(
    pod: &Value,
    fitting: &[&'v NodeView<'s>],
    nodes: &[NodeView<'_>],
) -> Option<&'v NodeView<'s>> {
    let mut best: Option<(f64, &'v NodeView<'s>)> = None;
    for view in fitting {
        let score = score(pod, view, nodes);
        if best.is_none_or(|(other, _)| score > other) {
            best = Some((score, view));
        }
    }
    best.map(|(_, view)| view)
}

/// How good a node is: preferences first, then siblings elsewhere, then room.
fn score(pod: &Value, view: &NodeView<'_>, nodes: &[NodeView<'_>]) -> f64 {
    preferred(pod, view.node) + 2.0 * apart(pod, view, nodes) + free(pod, view)
        - 3.0 * avoided(pod, view.node)
}

/// The weights of the preferred terms that hold, out of 1 for 100.
#[allow(clippy::cast_precision_loss)] // weights are 1 to 100
fn preferred(pod: &Value, node: &Value) -> f64 {
    let terms = object::list(
        pod,
        &[
            "spec",
            "affinity",
            "nodeAffinity",
            "preferredDuringSchedulingIgnoredDuringExecution",
        ],
    );
    let holding = terms
        .iter()
        .filter(|term| affinity::matches(&term["preference"], node));
    let total: i64 = holding.filter_map(|term| term["weight"].as_i64()).sum();
    total as f64 / 100.0
}

/// 1 where no pod with the same owner runs, less the more do.
#[allow(clippy::cast_precision_loss)] // counts of pods on a node
fn apart(pod: &Value, view: &NodeView<'_>, nodes: &[NodeView<'_>]) -> f64 {
    let owner = |pod: &Value| {
        let owners = object::list(pod, &["metadata", "ownerReferences"]);
        let controller = owners.iter().find(|owner| owner["controller"] == true);
        controller.map(|owner| object::text(owner, &["uid"]).to_owned())
    };
    let Some(own) = owner(pod) else { return 0.0 };
    let siblings = |view: &NodeView<'_>| {
        view.pods
            .iter()
            .filter(|other| owner(other).as_ref() == Some(&own))
            .count()
    };
    let most = nodes.iter().map(siblings).max().unwrap_or(0);
    if most == 0 {
        return 1.0;
    }
    1.0 - siblings(view) as f64 / most as f64
}

/// The share of a node that would stay free, processors and memory alike.
#[allow(clippy::cast_precision_loss)] // amounts of processors and bytes
fn free(pod: &Value, view: &NodeView<'_>) -> f64 {
    let (cpu, memory, most) = allocatable(view.node);
    let (mut used_cpu, mut used_memory) = requests(pod);
    for other in &view.pods {
        let (c, m) = requests(other);
        used_cpu += c;
        used_memory += m;
    }
    let share = |used: f64, all: f64| (1.0 - used / all.max(1.0)).clamp(0.0, 1.0);
    let room = share(view.pods.len() as f64, most as f64);
    (share(used_cpu as f64, cpu as f64) + share(used_memory, memory) + room) / 3.0
}

/// How many taints would rather keep the pod off.
#[allow(clippy::cast_precision_loss)] // a node has a handful of taints
fn avoided(pod: &Value, node: &Value) -> f64 {
    let taints = object::list(node, &["spec", "taints"]).iter();
    let avoiding = taints.filter(|t| t["effect"] == "PreferNoSchedule" && !tolerates(pod, t));
    avoiding.count() as f64
}
