//! Topology spread constraints.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/>

use super::{NodeView, affinity};
use crate::object;
use crate::selector::Selector;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether one more pod on a node keeps its constraints.
pub(super) fn fits(pod: &Value, view: &NodeView<'_>, nodes: &[NodeView<'_>]) -> bool {
    object::list(pod, &["spec", "topologySpreadConstraints"])
        .iter()
        .filter(|constraint| constraint["whenUnsatisfiable"] == "DoNotSchedule")
        .all(|constraint| keeps(constraint, pod, view, nodes))
}

fn keeps(constraint: &Value, pod: &Value, view: &NodeView<'_>, nodes: &[NodeView<'_>]) -> bool {
    let key = object::text(constraint, &["topologyKey"]);
    let place = |view: &NodeView<'_>| {
        view.node["metadata"]["labels"][key]
            .as_str()
            .map(str::to_owned)
    };
    let Some(here) = place(view) else {
        return false;
    };
    let Some(selector) = Selector::of_labels(&constraint["labelSelector"]) else {
        return true;
    };
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    // Only nodes that the pod may be on at all count.
    for other in nodes
        .iter()
        .filter(|other| affinity::of_node(pod, other.node))
    {
        let Some(place) = place(other) else { continue };
        let selected = other.pods.iter().filter(|other| {
            object::namespace(other) == object::namespace(pod)
                && selector.selects(other)
                && !object::is_terminating(other)
        });
        *counts.entry(place).or_default() += i64::try_from(selected.count()).unwrap_or(i64::MAX);
    }
    let domains = i64::try_from(counts.len()).unwrap_or(i64::MAX);
    let fewest = if constraint["minDomains"]
        .as_i64()
        .is_some_and(|least| domains < least)
    {
        0
    } else {
        counts.values().copied().min().unwrap_or(0)
    };
    let own = i64::from(selector.selects(pod));
    let skew = counts.get(&here).copied().unwrap_or(0) + own - fewest;
    skew <= constraint["maxSkew"].as_i64().unwrap_or(1)
}
