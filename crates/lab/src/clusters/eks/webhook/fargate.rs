//! Fargate's pods: those that a profile takes are given to Fargate's scheduler.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html>

use super::super::fargate::{COMPUTE, SCHEDULER, size};
use super::Facts;
use aws::model::eks::fargate_machine::{PROFILE_LABEL, profile_of};
use kube::object;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The priority of Fargate's pods: none of them makes room for another.
const PRIORITY: (&str, i64) = ("system-node-critical", 2_000_001_000);

/// The pod as Fargate runs it, if a profile takes it.
pub(super) fn change(facts: &Facts<'_>, pod: &Value) -> Option<Value> {
    let mut owners = object::list(pod, &["metadata", "ownerReferences"]).iter();
    let elsewhere = &pod["metadata"]["annotations"][COMPUTE.0];
    let chosen = object::text(pod, &["spec", "nodeName"]);
    // A daemon set's pods belong to nodes that are there.
    if owners.any(|owner| owner["kind"] == "DaemonSet") || elsewhere == "ec2" || !chosen.is_empty()
    {
        return None;
    }
    let labels: BTreeMap<String, String> = object::entries(pod, &["metadata", "labels"])
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let profile = profile_of(facts.state, facts.cluster, facts.namespace, &labels)?;
    let mut changed = pod.clone();
    changed["metadata"]["labels"][PROFILE_LABEL] = json!(profile.key.name);
    if let Some(size) = size(pod) {
        changed["metadata"]["annotations"]["CapacityProvisioned"] = json!(size.words());
    }
    let spec = &mut changed["spec"];
    spec["schedulerName"] = json!(SCHEDULER);
    spec["priorityClassName"] = json!(PRIORITY.0);
    spec["priority"] = json!(PRIORITY.1);
    Some(changed)
}
