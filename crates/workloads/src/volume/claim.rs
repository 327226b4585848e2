//! Claims: each finds its volume, or has one made.

use serde_json::{Value, json};

use super::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, CLAIMS, SELECTED_NODE, VOLUMES, class, is_claimed, is_for,
    matching_volume, protection, provision, tell, waits,
};
use crate::{Action, EventKind, Outcome, Resource, View, object, pod};

/// The annotation that makes a class the one of claims that name none.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// Reconciles one claim.
///
/// It depends on the claim, all volumes, its class, and the pods that use it.
pub fn persistent_volume_claim(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(claim) = view.get(CLAIMS, namespace, name) else {
        return outcome;
    };
    if protection::of_claim(view, &claim, &mut outcome) || object::terminating(&claim) {
        return outcome;
    }
    if object::annotation(&claim, BIND_COMPLETED).is_some() {
        bound(view, &claim, now, &mut outcome);
    } else if !defaulted(view, &claim, &mut outcome) {
        unbound(view, &claim, &mut outcome);
    }
    outcome
}

/// Gives a claim without a class the default one, should there be one by now.
fn defaulted(view: &dyn View, claim: &Value, outcome: &mut Outcome) -> bool {
    if claim
        .pointer("/spec/storageClassName")
        .is_some_and(Value::is_string)
    {
        return false;
    }
    let mut classes = view.list(Resource::StorageClasses, None);
    classes.retain(|class| object::annotation(class, DEFAULT) == Some("true"));
    let newest = classes.iter().max_by_key(|class| object::creation(class));
    let Some(newest) = newest else { return false };
    let patch = json!({"spec": {"storageClassName": object::name(newest)}});
    outcome.push(change(CLAIMS, claim, patch));
    true
}

/// A patch of what was read, and of nothing newer.
pub(super) fn change(resource: Resource, of: &Value, mut patch: Value) -> Action {
    let version = object::text(of, "/metadata/resourceVersion").to_owned();
    object::put(&mut patch, &["metadata", "uid"], object::uid(of).into());
    object::put(&mut patch, &["metadata", "resourceVersion"], version.into());
    Action::Patch {
        resource,
        namespace: object::namespace(of).to_owned(),
        name: object::name(of).to_owned(),
        patch,
    }
}

fn unbound(view: &dyn View, claim: &Value, outcome: &mut Outcome) {
    let wanted = object::text(claim, "/spec/volumeName");
    if !wanted.is_empty() {
        match view.get(VOLUMES, "", wanted) {
            Some(volume) if !is_claimed(&volume) || is_for(&volume, claim) => {
                bind(&volume, claim, outcome);
            }
            // The user named a volume that is not there yet, or another's.
            _ => pending(claim, outcome),
        }
        return;
    }
    if let Some(volume) = matching_volume(view, claim, None) {
        return bind(&volume, claim, outcome);
    }
    let selected = object::annotation(claim, SELECTED_NODE).is_some();
    if waits(view, claim) && !selected {
        waiting(view, claim, outcome);
    } else if class(claim).is_empty() {
        let told = "no persistent volumes available for this claim and no storage class is set";
        tell(outcome, claim, EventKind::Normal, "FailedBinding", told);
    } else {
        provision::volume(view, claim, outcome);
        return;
    }
    pending(claim, outcome);
}

/// Says what a claim of a class that waits is waiting for.
fn waiting(view: &dyn View, claim: &Value, outcome: &mut Outcome) {
    let mut pods = view.list(Resource::Pods, Some(object::namespace(claim)));
    pods.retain(|pod| {
        pod::active(pod) && pod::node(pod).is_empty() && protection::uses(pod, object::name(claim))
    });
    let names: Vec<&str> = pods.iter().map(|pod| object::name(pod)).collect();
    let (reason, told) = match names.as_slice() {
        [] => {
            let told = "waiting for first consumer to be created before binding".to_owned();
            ("WaitForFirstConsumer", told)
        }
        [one] => (
            "WaitForPodScheduled",
            format!("waiting for pod {one} to be scheduled"),
        ),
        many => {
            let told = format!("waiting for pods {} to be scheduled", many.join(","));
            ("WaitForPodScheduled", told)
        }
    };
    tell(outcome, claim, EventKind::Normal, reason, told);
}

fn pending(claim: &Value, outcome: &mut Outcome) {
    phase(claim, "Pending", outcome);
}

/// Writes a claim's phase, and nothing else of its status; whether it is news.
fn phase(claim: &Value, phase: &str, outcome: &mut Outcome) -> bool {
    if object::text(claim, "/status/phase") == phase {
        return false;
    }
    let mut status = claim.get("status").cloned().unwrap_or_default();
    object::put(&mut status, &["phase"], phase.into());
    outcome.status(CLAIMS, claim, status);
    true
}

/// Makes both ends of a binding say so. What is left, the phases, follows from the changes.
fn bind(volume: &Value, claim: &Value, outcome: &mut Outcome) {
    if let Some(patch) = of_volume(volume, claim) {
        outcome.push(change(VOLUMES, volume, patch));
    }
    let mut annotations = json!({BIND_COMPLETED: "yes"});
    if object::text(claim, "/spec/volumeName").is_empty() {
        object::put(&mut annotations, &[BOUND_BY_CONTROLLER], "yes".into());
    }
    let patch = json!({
        "metadata": {"annotations": annotations},
        "spec": {"volumeName": object::name(volume)},
    });
    outcome.push(change(CLAIMS, claim, patch));
}

/// The patch that binds a volume to a claim; none if it is bound.
pub(super) fn of_volume(volume: &Value, claim: &Value) -> Option<Value> {
    if object::text(volume, "/spec/claimRef/uid") == object::uid(claim) {
        return None;
    }
    let mut patch = json!({"spec": {"claimRef": reference(claim)}});
    // Who named the claim beforehand decided, not this controller.
    if !is_claimed(volume) {
        object::put(
            &mut patch,
            &["metadata", "annotations", BOUND_BY_CONTROLLER],
            "yes".into(),
        );
    }
    Some(patch)
}

/// A volume's reference to a claim.
pub(super) fn reference(claim: &Value) -> Value {
    json!({
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": object::namespace(claim),
        "name": object::name(claim),
        "uid": object::uid(claim),
        "resourceVersion": object::text(claim, "/metadata/resourceVersion"),
    })
}

/// A claim that was bound: it still is, or has lost its volume for good.
fn bound(view: &dyn View, claim: &Value, now: i64, outcome: &mut Outcome) {
    let lost = |outcome: &mut Outcome, reason, told: &str| {
        if phase(claim, "Lost", outcome) {
            tell(outcome, claim, EventKind::Warning, reason, told);
        }
    };
    let name = object::text(claim, "/spec/volumeName");
    if name.is_empty() {
        let told =
            "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return lost(outcome, "ClaimLost", told);
    }
    let Some(volume) = view.get(VOLUMES, "", name) else {
        let told = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return lost(outcome, "ClaimLost", told);
    };
    let owner = object::text(&volume, "/spec/claimRef/uid");
    if !owner.is_empty() && owner != object::uid(claim) {
        let told = "Two claims are bound to the same volume, this one is bound incorrectly";
        return lost(outcome, "ClaimMisbound", told);
    }
    if let Some(patch) = of_volume(&volume, claim) {
        outcome.push(change(VOLUMES, &volume, patch));
        return;
    }
    if provision::grow(&volume, claim, outcome) {
        return;
    }
    let mut status = claim.get("status").cloned().unwrap_or_default();
    for (field, value) in [
        ("phase", json!("Bound")),
        (
            "accessModes",
            json!(object::list(&volume, "/spec/accessModes")),
        ),
        ("capacity", object::map(&volume, "/spec/capacity").into()),
    ] {
        object::put(&mut status, &[field], value);
    }
    outcome.status(CLAIMS, claim, status);
    super::reclaim::phase(&volume, "Bound", "", now, outcome);
}
