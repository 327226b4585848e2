//! The claims of a set's pods: their creation and who they are deleted with.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention>

use serde_json::{Value, json};

use super::{Run, identity};
use crate::{Action, EventKind, Outcome, Resource, object};

const CLAIMS: Resource = Resource::PersistentVolumeClaims;

/// Creates the claims that a pod lacks; whether the pod can have all of them, which it cannot
/// while one is being deleted.
pub(super) fn create(run: &Run, ordinal: i64, outcome: &mut Outcome) -> bool {
    for mut claim in identity::claims(run.set, ordinal) {
        let name = object::name(&claim).to_owned();
        match run.view.get(CLAIMS, object::namespace(run.set), &name) {
            Some(existing) if object::terminating(&existing) => return false,
            Some(_) => {}
            None => {
                if deletes(run, "whenDeleted") {
                    let owner = identity::owner(Resource::StatefulSets, run.set);
                    object::put(&mut claim, &["metadata", "ownerReferences"], json!([owner]));
                }
                outcome.push(Action::Create {
                    resource: CLAIMS,
                    object: claim,
                });
                let pod = identity::pod_name(run.set, ordinal);
                let set = object::name(run.set);
                let message = format!("create Claim {name} Pod {pod} in StatefulSet {set} success");
                run.tell(outcome, EventKind::Normal, "SuccessfulCreate", message);
            }
        }
    }
    true
}

/// Whether claims are deleted on an occasion.
fn deletes(run: &Run, occasion: &str) -> bool {
    let path = format!("/spec/persistentVolumeClaimRetentionPolicy/{occasion}");
    object::text(run.set, &path) == "Delete"
}

/// Gives the claims of a pod the owner that they are to be deleted with: the pod, if it is too
/// many and claims go when the set is scaled down, or the set, or none.
pub(super) fn retain(run: &Run, ordinal: i64, pod: &Value, condemned: bool, outcome: &mut Outcome) {
    let owner = if condemned && deletes(run, "whenScaled") {
        Some(identity::owner(Resource::Pods, pod))
    } else if deletes(run, "whenDeleted") {
        Some(identity::owner(Resource::StatefulSets, run.set))
    } else {
        None
    };
    let owned_by = |reference: &Value, resource: Resource, name: &str| {
        object::text(reference, "/kind") == resource.kind()
            && object::text(reference, "/name") == name
    };
    for claim in identity::claims(run.set, ordinal) {
        let (namespace, name) = (object::namespace(run.set), object::name(&claim));
        let Some(claim) = run.view.get(CLAIMS, namespace, name) else {
            continue;
        };
        let current = object::list(&claim, "/metadata/ownerReferences");
        let mut owners = current.to_vec();
        owners.retain(|o| {
            let ours = owned_by(o, Resource::StatefulSets, object::name(run.set))
                || owned_by(o, Resource::Pods, object::name(pod));
            !ours || owner.as_ref() == Some(o)
        });
        if let Some(owner) = owner.as_ref().filter(|owner| !owners.contains(owner)) {
            owners.push(owner.clone());
        }
        if owners != current {
            outcome.push(Action::Patch {
                resource: CLAIMS,
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                patch: json!({"metadata": {
                    "uid": object::uid(&claim),
                    "resourceVersion": claim.pointer("/metadata/resourceVersion"),
                    "ownerReferences": owners,
                }}),
            });
        }
    }
}
