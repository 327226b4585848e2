//! Volumes and the claims on them: binding, making volumes for claims, giving them back.
//!
//! * [`persistent_volume_claim`]: a claim finds its volume, or has one made.
//! * [`persistent_volume`]: a volume's phase, and what becomes of it when its claim is gone.
//! * [`ephemeral_claims`]: claims that pods bring themselves.
//! * [`matching_volume`]: which volume suits a claim, for the scheduler too.
//!
//! Classes whose provisioner is [`PROVISIONER`] get volumes that are directories below [`FOLDER`] of one
//! node; the kubelet makes the directory and removes it when its volume is gone. Snapshots, data sources and
//! attaching are not modelled.
//!
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/>

mod claim;
mod ephemeral;
mod matching;
mod protection;
mod provision;
mod reclaim;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::{EventKind, Outcome, Resource, View, object};

pub use claim::persistent_volume_claim;
pub use ephemeral::ephemeral_claims;
pub use matching::{matching_volume, volume_allows};
pub use provision::{FOLDER, PROVISIONER};
pub use reclaim::persistent_volume;

const CLAIMS: Resource = Resource::PersistentVolumeClaims;
const VOLUMES: Resource = Resource::PersistentVolumes;

/// The claim's end of the binding is written.
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// The binding is this controller's choice, not the user's.
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// The annotation that says who made a volume.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// The node that the scheduler chose for the first pod of a claim.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// The name of a claim's or volume's class, empty for none.
fn class(object: &Value) -> &str {
    object::text(object, "/spec/storageClassName")
}

/// Whether a claim's class waits for the first pod before it binds.
fn waits(view: &dyn View, claim: &Value) -> bool {
    let found = view.get(Resource::StorageClasses, "", class(claim));
    found.is_some_and(|class| object::text(&class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

/// Whether a volume is kept for a claim or bound to it.
fn is_for(volume: &Value, claim: &Value) -> bool {
    let reference = |field| object::text(volume, field);
    let uid = reference("/spec/claimRef/uid");
    reference("/spec/claimRef/name") == object::name(claim)
        && reference("/spec/claimRef/namespace") == object::namespace(claim)
        && (uid.is_empty() || uid == object::uid(claim))
}

/// Whether a volume has a claim, be it only named.
fn is_claimed(volume: &Value) -> bool {
    !object::text(volume, "/spec/claimRef/name").is_empty()
}

/// Tells something of a claim.
fn tell(
    outcome: &mut Outcome,
    claim: &Value,
    kind: EventKind,
    reason: &'static str,
    message: impl Into<String>,
) {
    outcome.event(CLAIMS, claim, kind, reason, message);
}
