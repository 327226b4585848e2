//! How fast pods may be evicted from the nodes of a zone: a zone that is down as a whole looks like a
//! broken network, and evicting everything would make it worse.
//!
//! <https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction>

use std::sync::Arc;

use serde_json::Value;

use super::health::{NodeHealth, ready};
use super::taints::Evicting;
use crate::{Outcome, Pace, Resource, View, object};

/// Seconds between two nodes of a zone (`--node-eviction-rate` 0.1).
const INTERVAL: i64 = 10;
/// The same for a large zone that is partly down (`--secondary-node-eviction-rate` 0.01).
const SLOW_INTERVAL: i64 = 100;
/// A zone with more nodes is large (`--large-cluster-size-threshold`).
const LARGE: usize = 50;
/// A zone is partly down from this share on, in percent (`--unhealthy-zone-threshold` 0.55).
const UNHEALTHY: usize = 55;
/// Nodes with this label don't count.
const EXCLUDED: &str = "node.kubernetes.io/exclude-disruption";

/// A node's zone.
fn key(node: &Value) -> String {
    let of = |label| object::label(node, label).unwrap_or_default();
    format!(
        "{}/{}",
        of("topology.kubernetes.io/region"),
        of("topology.kubernetes.io/zone")
    )
}

/// Whether a node may get a taint now that evicts its pods. Where it has to wait its turn, the
/// outcome asks to be run again.
pub(super) fn may_evict(
    view: &dyn View,
    health: &mut NodeHealth,
    pace: Pace,
    node: &Value,
    now: i64,
    outcome: &mut Outcome,
) -> Evicting {
    if ready(node) == "True" {
        return Evicting::Never;
    }
    let mut all = view.list(Resource::Nodes, None);
    all.retain(|node| object::label(node, EXCLUDED).is_none());
    if !all.is_empty() && all.iter().all(|node| ready(node) != "True") {
        return Evicting::Never;
    }
    if super::taints::evicts(node) || ready(node).is_empty() {
        return Evicting::Goes;
    }
    let zone = key(node);
    all.retain(|node| key(node) == zone);
    let Some(interval) = interval(&all) else {
        outcome.again(pace.timer(INTERVAL));
        return Evicting::Waits;
    };
    let next = health
        .tainted
        .get(&zone)
        .map_or(now, |at| at + pace.timer(interval));
    if next > now {
        outcome.again(next - now);
        return Evicting::Waits;
    }
    health.tainted.insert(zone, now);
    Evicting::Goes
}

/// How many seconds lie between two nodes of a zone; none where none may be evicted.
fn interval(nodes: &[Arc<Value>]) -> Option<i64> {
    let down = nodes.iter().filter(|node| ready(node) != "True").count();
    let partly = down > 2 && down < nodes.len() && down * 100 >= nodes.len() * UNHEALTHY;
    match (partly, nodes.len() > LARGE) {
        (false, _) => Some(INTERVAL),
        (true, true) => Some(SLOW_INTERVAL),
        (true, false) => None,
    }
}
