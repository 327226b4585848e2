//! Claims that pods bring themselves and that go with them.
//!
//! <https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes>

use serde_json::{Value, json};

use super::CLAIMS;
use crate::{Action, EventKind, Outcome, Resource, View, claim, object, pod};

/// The name of the claim of a pod's volume.
pub(super) fn name(pod: &Value, volume: &Value) -> String {
    format!("{}-{}", object::name(pod), object::text(volume, "/name"))
}

/// Makes the claims of a pod's ephemeral volumes.
///
/// It depends on the pod and its claims.
pub fn ephemeral_claims(view: &dyn View, namespace: &str, pod_name: &str, _now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(pod) = view.get(Resource::Pods, namespace, pod_name) else {
        return outcome;
    };
    if !pod::active(&pod) {
        return outcome;
    }
    for volume in object::list(&pod, "/spec/volumes") {
        let Some(template) = volume.pointer("/ephemeral/volumeClaimTemplate") else {
            continue;
        };
        let name = name(&pod, volume);
        if let Some(found) = view.get(CLAIMS, namespace, &name) {
            if !claim::controlled_by(&found, object::uid(&pod)) {
                let told = format!(
                    "PVC \"{namespace}/{name}\" was not created for pod \"{namespace}/{pod_name}\" (pod is not owner)"
                );
                let (of, reason) = (Resource::Pods, "FailedBinding");
                outcome.event(of, &pod, EventKind::Warning, reason, told);
            }
            continue;
        }
        outcome.push(Action::Create {
            resource: CLAIMS,
            object: json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": object::map(template, "/metadata/labels"),
                    "annotations": object::map(template, "/metadata/annotations"),
                    "ownerReferences": [claim::reference(Resource::Pods, &pod)],
                },
                "spec": template.get("spec"),
            }),
        });
    }
    outcome
}
