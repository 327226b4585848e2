//! Pods that nobody ends: those of nodes that are gone, those that never had one, and ended ones
//! beyond a number.
//!
//! <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::{health, pods};
use crate::{Outcome, Pace, Resource, View, object, pod};

/// Seconds between two looks (`gcCheckPeriod`).
const PERIOD: i64 = 20;
/// Seconds for which a node has to be missing (`quarantineTime`).
const QUARANTINE: i64 = 40;
/// So many ended pods stay (`--terminated-pod-gc-threshold`).
const KEPT: usize = 12_500;
/// The taint by which people say that a node is down for good.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Since when nodes that pods name are missing. The driver keeps it between calls.
#[derive(Debug, Default)]
pub struct Orphanage(BTreeMap<String, i64>);

impl Orphanage {
    /// No node is missing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// Removes the pods that nobody ends. The outcome always asks to be run again.
pub fn pod_garbage(view: &dyn View, missing: &mut Orphanage, pace: Pace, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.again(pace.timer(PERIOD));
    let pods = view.list(Resource::Pods, None);
    let nodes: BTreeMap<String, Arc<Value>> = view
        .list(Resource::Nodes, None)
        .into_iter()
        .map(|node| (object::name(&node).to_owned(), node))
        .collect();
    ended(&pods, &mut outcome);
    let gone = quarantined(&pods, &nodes, missing, pace, now);
    for pod in &pods {
        let node = pod::node(pod);
        let terminating = object::terminating(pod);
        if gone.contains(node) {
            let told = "PodGC: node no longer exists";
            let status = pods::disrupted(pod, "DeletionByPodGC", told, now);
            remove(pod, status, &mut outcome);
        } else if terminating && (node.is_empty() || nodes.get(node).is_some_and(|n| is_out(n))) {
            let status = pod.get("status").cloned().unwrap_or_default();
            remove(pod, status, &mut outcome);
        }
    }
    outcome
}

/// The nodes that pods name and that are missing for long enough.
fn quarantined(
    pods: &[Arc<Value>],
    nodes: &BTreeMap<String, Arc<Value>>,
    missing: &mut Orphanage,
    pace: Pace,
    now: i64,
) -> BTreeSet<String> {
    let named: BTreeSet<&str> = pods
        .iter()
        .map(|pod| pod::node(pod))
        .filter(|node| !node.is_empty() && !nodes.contains_key(*node))
        .collect();
    missing.0.retain(|node, _| named.contains(node.as_str()));
    for node in named {
        missing.0.entry(node.to_owned()).or_insert(now);
    }
    missing
        .0
        .iter()
        .filter(|(_, since)| now - **since >= pace.timer(QUARANTINE))
        .map(|(node, _)| node.clone())
        .collect()
}

/// Whether a node that is not ready is said to be down for good.
fn is_out(node: &Value) -> bool {
    let taints = object::list(node, "/spec/taints");
    health::ready(node) != "True"
        && taints
            .iter()
            .any(|t| object::text(t, "/key") == OUT_OF_SERVICE)
}

/// Marks a pod as failed unless it has ended, and deletes it at once.
fn remove(pod: &Arc<Value>, mut status: Value, outcome: &mut Outcome) {
    if !pod::finished(pod) {
        object::put(&mut status, &["phase"], "Failed".into());
        outcome.status(Resource::Pods, pod, status);
    }
    outcome.delete_at_once(Resource::Pods, pod);
}

/// Removes the oldest ended pods beyond the number that stays; evicted ones first.
fn ended(pods: &[Arc<Value>], outcome: &mut Outcome) {
    let mut ended: Vec<&Arc<Value>> = pods.iter().filter(|pod| pod::finished(pod)).collect();
    let Some(surplus) = ended.len().checked_sub(KEPT).filter(|n| *n > 0) else {
        return;
    };
    ended.sort_by_key(|pod| {
        let evicted = object::text(pod, "/status/reason") == "Evicted";
        (
            !evicted,
            object::creation(pod),
            object::name(pod).to_owned(),
        )
    });
    for pod in ended.into_iter().take(surplus) {
        outcome.delete_at_once(Resource::Pods, pod);
    }
}
