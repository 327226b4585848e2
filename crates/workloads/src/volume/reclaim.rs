//! Volumes: their phase, and what becomes of them when their claim is gone.
//!
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming>

use serde_json::{Value, json};

use super::claim::change;
use super::{
    BOUND_BY_CONTROLLER, CLAIMS, PROVISIONED_BY, PROVISIONER, VOLUMES, is_claimed, protection,
};
use crate::{EventKind, Outcome, View, clock, object};

/// Reconciles one volume.
///
/// It depends on the volume and the claim that it names.
pub fn persistent_volume(view: &dyn View, _namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(volume) = view.get(VOLUMES, "", name) else {
        return outcome;
    };
    if protection::of_volume(&volume, &mut outcome) {
        return outcome;
    }
    let uid = object::text(&volume, "/spec/claimRef/uid");
    if !is_claimed(&volume) || uid.is_empty() {
        if !object::terminating(&volume) {
            phase(&volume, "Available", "", now, &mut outcome);
        }
        return outcome;
    }
    let reference = |field| object::text(&volume, field);
    let claim = view.get(
        CLAIMS,
        reference("/spec/claimRef/namespace"),
        reference("/spec/claimRef/name"),
    );
    match claim.filter(|claim| object::uid(claim) == uid) {
        None => reclaim(&volume, now, &mut outcome),
        Some(claim) => match object::text(&claim, "/spec/volumeName") {
            // The claim binds itself.
            "" => {}
            bound if bound == name => {
                phase(&volume, "Bound", "", now, &mut outcome);
            }
            _ => elsewhere(&volume, now, &mut outcome),
        },
    }
    outcome
}

/// Writes a volume's phase if it is news.
pub(super) fn phase(
    volume: &Value,
    phase: &str,
    message: &str,
    now: i64,
    outcome: &mut Outcome,
) -> bool {
    if object::text(volume, "/status/phase") == phase {
        return false;
    }
    let mut status = json!({"phase": phase, "lastPhaseTransitionTime": clock::format(now)});
    if !message.is_empty() {
        object::put(&mut status, &["message"], message.into());
    }
    outcome.status(VOLUMES, volume, status);
    true
}

/// The claim has another volume.
fn elsewhere(volume: &Value, now: i64, outcome: &mut Outcome) {
    let made = object::annotation(volume, PROVISIONED_BY).is_some();
    if made && object::text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete" {
        return reclaim(volume, now, outcome);
    }
    let patch = if object::annotation(volume, BOUND_BY_CONTROLLER).is_some() {
        json!({
            "metadata": {"annotations": {BOUND_BY_CONTROLLER: null}},
            "spec": {"claimRef": null},
        })
    } else {
        // The user named the claim: only what the binding added goes.
        json!({"spec": {"claimRef": {"uid": null, "resourceVersion": null}}})
    };
    outcome.push(change(VOLUMES, volume, patch));
}

/// Nobody claims the volume any more.
fn reclaim(volume: &Value, now: i64, outcome: &mut Outcome) {
    let before = object::text(volume, "/status/phase");
    if !["Released", "Failed"].contains(&before) {
        phase(volume, "Released", "", now, outcome);
        return;
    }
    match object::text(volume, "/spec/persistentVolumeReclaimPolicy") {
        "Delete" if object::terminating(volume) => {}
        "Delete" if object::annotation(volume, PROVISIONED_BY) == Some(PROVISIONER) => {
            outcome.delete(VOLUMES, volume);
        }
        // Another's provisioner deletes what it made.
        "Delete" if object::annotation(volume, PROVISIONED_BY).is_some() => {}
        "Delete" => {
            let told = match object::text(volume, "/spec/hostPath/path") {
                "" => "no deletable volume plugin matched".to_owned(),
                path => {
                    format!("host_path deleter only supports /tmp/.+ but received provided {path}")
                }
            };
            fail(volume, "VolumeFailedDelete", &told, now, outcome);
        }
        "Recycle" => {
            let told = "No recycler plugin found for the volume!";
            fail(volume, "VolumeFailedRecycle", told, now, outcome);
        }
        _ => {}
    }
}

fn fail(volume: &Value, reason: &'static str, told: &str, now: i64, outcome: &mut Outcome) {
    if phase(volume, "Failed", told, now, outcome) {
        outcome.event(VOLUMES, volume, EventKind::Warning, reason, told);
    }
}
