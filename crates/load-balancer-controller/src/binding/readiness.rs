//! Pods whose readiness waits for their target's health.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/deploy/pod_readiness_gate/>

use super::endpoints::{PodTarget, Target, condition};
use crate::failure::Failure;
use crate::world::World;
use kube_client::{Client, Patch};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the conditions' types begin with.
pub(crate) const GATE: &str = "target-health.elbv2.k8s.aws/";

/// A binding's condition.
pub(super) fn gate_of(binding: &str) -> String {
    format!("{GATE}{binding}")
}

/// How a target is: its state, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) words: String,
}

/// Tells pods how their targets are; whether all that wait were seen to be told that they are healthy.
pub(super) async fn tell(
    client: &Client,
    world: &World,
    binding: &str,
    pods: &[PodTarget],
    health: &BTreeMap<Target, Health>,
) -> Result<bool, Failure> {
    let gate = gate_of(binding);
    let mut all = true;
    for of in pods {
        let pod = of.pod.as_ref().and_then(|key| world.pods.get(key));
        let Some(pod) = pod.filter(|pod| has_gate(pod, &gate)) else {
            continue;
        };
        let (status, reason, words) = match health.get(&of.target) {
            Some(health) if health.state == "healthy" => ("True", "", ""),
            Some(health) => ("False", health.reason.as_str(), health.words.as_str()),
            None => (
                "Unknown",
                "RegistrationPending",
                "Target registration is in progress",
            ),
        };
        // What was seen counts, not what is said now: others write the pod's status too, and may take it back.
        all &= condition(pod, &gate) == "True";
        if condition(pod, &gate) == status {
            continue;
        }
        set(client, pod, &gate, (status, reason, words)).await?;
    }
    Ok(all)
}

fn has_gate(pod: &Value, gate: &str) -> bool {
    let gates = pod["spec"]["readinessGates"].as_array();
    let mut gates = gates.into_iter().flatten();
    gates.any(|of| of["conditionType"] == gate)
}

async fn set(
    client: &Client,
    pod: &Value,
    gate: &str,
    (status, reason, words): (&str, &str, &str),
) -> Result<(), Failure> {
    let text = |name: &str| pod["metadata"][name].as_str().unwrap_or_default();
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/status",
        text("namespace"),
        text("name")
    );
    // Null takes away why it was otherwise before.
    let some = |text: &str| (!text.is_empty()).then(|| json!(text));
    let condition = json!({
        "type": gate, "status": status, "reason": some(reason), "message": some(words),
    });
    let patch = json!({
        "metadata": {"uid": text("uid")}, "status": {"conditions": [condition]},
    });
    match client.patch(&path, Patch::Strategic, &patch).await {
        Err(error) if error.is_not_found() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
