//! Which volume suits a claim.

use std::sync::Arc;

use serde_json::Value;

use super::{VOLUMES, class, is_claimed, is_for, waits};
use crate::daemon_set::term_holds;
use crate::selector::Selector;
use crate::{View, object, quantity};

/// The volume that suits a claim best: one that is kept for it, or the smallest that is free and has what
/// the claim asks for. With a node only volumes that it can use; without one a claim of a class that waits
/// gets none but its own (`FindMatchingVolume`).
pub fn matching_volume(view: &dyn View, claim: &Value, node: Option<&Value>) -> Option<Arc<Value>> {
    let wanted = size(claim, "/spec/resources/requests/storage");
    let selector = Selector::at(claim, "/spec/selector");
    let selects = claim
        .pointer("/spec/selector")
        .is_some_and(|s| !s.is_null());
    let waits = node.is_none() && waits(view, claim);
    let mut best: Option<(i64, Arc<Value>)> = None;
    for volume in view.list(VOLUMES, None) {
        let has = size(&volume, "/spec/capacity/storage");
        let usable = !object::terminating(&volume)
            && mode(&volume) == mode(claim)
            && has >= wanted
            && node.is_none_or(|node| volume_allows(&volume, node));
        if !usable {
            continue;
        }
        if is_for(&volume, claim) {
            return Some(volume);
        }
        let free = !waits
            && !is_claimed(&volume)
            && object::text(&volume, "/status/phase") == "Available"
            && class(&volume) == class(claim)
            && accessible(&volume, claim)
            && (!selects || selector.as_ref().is_some_and(|s| s.matches(&volume)));
        if free && best.as_ref().is_none_or(|(size, _)| has < *size) {
            best = Some((has, volume));
        }
    }
    best.map(|(_, volume)| volume)
}

/// Whether a node can use a volume (`nodeAffinity`).
#[must_use]
pub fn volume_allows(volume: &Value, node: &Value) -> bool {
    let Some(required) = volume
        .pointer("/spec/nodeAffinity/required")
        .filter(|r| r.is_object())
    else {
        return true;
    };
    let terms = object::list(required, "/nodeSelectorTerms");
    terms.iter().any(|term| term_holds(term, node))
}

/// A size in thousandths of a byte.
pub(super) fn size(object: &Value, pointer: &str) -> i64 {
    object
        .pointer(pointer)
        .and_then(quantity::milli)
        .unwrap_or(0)
}

/// `Filesystem` or `Block`.
fn mode(object: &Value) -> &str {
    match object::text(object, "/spec/volumeMode") {
        "" => "Filesystem",
        mode => mode,
    }
}

/// Whether a volume has all the access modes that a claim asks for.
fn accessible(volume: &Value, claim: &Value) -> bool {
    let has = object::list(volume, "/spec/accessModes");
    let wanted = object::list(claim, "/spec/accessModes");
    wanted.iter().all(|mode| has.contains(mode))
}
