//! The `Recreate` strategy: the new set starts when no old pod runs any more.

use super::rollout::Rollout;
use super::set::Set;
use crate::claim::controller;
use crate::{Resource, object, pod};

/// Takes one step: old sets to nothing, waiting for their pods' end, the new set to full size.
pub(super) fn recreate(rollout: &mut Rollout) {
    rollout.find_new_set(false);
    let mut scaled = false;
    for place in rollout.active_old() {
        scaled |= rollout.scale_set(place, 0);
    }
    if scaled || old_pods_run(rollout) {
        return;
    }
    if rollout.new.is_none() {
        rollout.find_new_set(true);
    }
    if let Some(new) = rollout.new {
        rollout.scale_set(new, rollout.spec.replicas);
    }
    if rollout.is_complete() {
        rollout.clean_up();
    }
}

/// Whether an old set has pods that have not ended, those being deleted among them.
fn old_pods_run(rollout: &Rollout) -> bool {
    if rollout.old_sets().any(|set| set.status("replicas") > 0) {
        return true;
    }
    let old: Vec<&str> = rollout
        .old_sets()
        .map(Set::object)
        .map(object::uid)
        .collect();
    let namespace = object::namespace(rollout.deployment);
    rollout
        .view
        .list(Resource::Pods, Some(namespace))
        .iter()
        .filter(|pod| !pod::finished(pod))
        .any(|pod| controller(pod).is_some_and(|c| old.contains(&object::text(c, "/uid"))))
}
