//! Claims that pods use and volumes that are bound don't go before they are free.
//!
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection>

use serde_json::{Value, json};

use super::claim::change;
use super::{CLAIMS, VOLUMES};
use crate::{Outcome, Resource, View, object, pod};

const OF_CLAIMS: &str = "kubernetes.io/pvc-protection";
const OF_VOLUMES: &str = "kubernetes.io/pv-protection";

/// Brings a claim's protection up to date; whether something was to be done.
pub(super) fn of_claim(view: &dyn View, claim: &Value, outcome: &mut Outcome) -> bool {
    let used = || {
        let pods = view.list(Resource::Pods, Some(object::namespace(claim)));
        // A pod without a node has nothing mounted yet, and will get nothing that goes.
        let placed = pods.iter().filter(|pod| !pod::node(pod).is_empty());
        placed.into_iter().any(|pod| uses(pod, object::name(claim)))
    };
    protect(CLAIMS, claim, OF_CLAIMS, used, outcome)
}

/// Brings a volume's protection up to date; whether something was to be done.
pub(super) fn of_volume(volume: &Value, outcome: &mut Outcome) -> bool {
    let used = || object::text(volume, "/status/phase") == "Bound";
    protect(VOLUMES, volume, OF_VOLUMES, used, outcome)
}

fn protect(
    resource: Resource,
    object: &Value,
    finalizer: &str,
    used: impl Fn() -> bool,
    outcome: &mut Outcome,
) -> bool {
    let mut held = object::list(object, "/metadata/finalizers").to_vec();
    let protected = held.iter().any(|f| f == finalizer);
    match (object::terminating(object), protected) {
        (false, false) => held.push(finalizer.into()),
        (true, true) if !used() => held.retain(|f| f != finalizer),
        _ => return false,
    }
    let patch = json!({"metadata": {"finalizers": held}});
    outcome.push(change(resource, object, patch));
    true
}

/// Whether a pod has a volume that is a claim.
pub(super) fn uses(pod: &Value, claim: &str) -> bool {
    object::list(pod, "/spec/volumes").iter().any(|volume| {
        object::text(volume, "/persistentVolumeClaim/claimName") == claim
            || (volume.get("ephemeral").is_some() && super::ephemeral::name(pod, volume) == claim)
    })
}
