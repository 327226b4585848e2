//! Scaling of a Deployment that is paused or in the middle of a rollout.

use super::rollout::Rollout;
use super::set::{DESIRED, MAX, Set};
use super::spec::Strategy;
use crate::object;

/// Sizes the sets for the Deployment's replicas without rolling anything out. A change of size
/// in the middle of a rollout is spread over the sets in proportion to their sizes.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling>
pub(super) fn scale(rollout: &mut Rollout) {
    if let Some(place) = active_or_latest(rollout) {
        rollout.scale_set(place, rollout.spec.replicas);
    } else if saturated(rollout) {
        for place in rollout.active_old() {
            rollout.scale_set(place, 0);
        }
    } else if rollout.spec.strategy == Strategy::RollingUpdate {
        spread(rollout);
    }
}

/// The only set with replicas, or the latest if none has any.
fn active_or_latest(rollout: &Rollout) -> Option<usize> {
    let mut active = (0..rollout.sets.len()).filter(|place| rollout.replicas(*place) > 0);
    match (active.next(), active.next()) {
        (None, _) => rollout.new.or_else(|| rollout.sets.len().checked_sub(1)),
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether the new set has all the pods that are wanted.
fn saturated(rollout: &Rollout) -> bool {
    let wanted = rollout.spec.replicas;
    rollout.new_set().is_some_and(|set| {
        set.replicas() == wanted
            && object::annotation_int(set.object(), DESIRED) == Some(wanted)
            && set.available() == wanted
    })
}

fn spread(rollout: &mut Rollout) {
    let mut active: Vec<usize> = (0..rollout.sets.len())
        .filter(|place| rollout.replicas(*place) > 0)
        .collect();
    let to_add = rollout.spec.most() - rollout.total();
    // Of equally large sets the newest grows and the oldest shrinks first.
    if to_add > 0 {
        active.sort_by_key(|place| std::cmp::Reverse((rollout.replicas(*place), *place)));
    } else {
        active.sort_by_key(|place| (std::cmp::Reverse(rollout.replicas(*place)), *place));
    }
    let mut added = 0;
    let mut sizes = Vec::new();
    for place in active {
        let share = rollout.sets.get(place).map_or(0, |set| share(rollout, set));
        let left = to_add - added;
        let part = share.clamp(left.min(0), left.max(0));
        added += part;
        sizes.push((place, rollout.replicas(place) + part));
    }
    if let Some((_, size)) = sizes.first_mut() {
        // What rounding left over goes to the largest.
        *size = (*size + to_add - added).max(0);
    }
    for (place, size) in sizes {
        if let Some(set) = rollout.sets.get_mut(place) {
            set.scale(size, &rollout.spec);
        }
    }
}

/// How much a set would grow (or shrink) if it kept its share of the largest size.
fn share(rollout: &Rollout, set: &Set) -> i64 {
    if rollout.spec.replicas == 0 {
        return -set.replicas();
    }
    let noted = object::annotation_int(set.object(), MAX).filter(|n| *n > 0);
    let before = noted.or_else(|| object::int(rollout.deployment, "/status/replicas"));
    let most = i64::from(i32::MAX);
    let Some(before) = before.filter(|n| (1..=most).contains(n)) else {
        return 0;
    };
    let largest = rollout.spec.replicas + rollout.spec.max_surge;
    // Rounded to the nearest whole number.
    let exact = set.replicas().saturating_mul(largest);
    exact.saturating_mul(2).saturating_add(before) / (2 * before) - set.replicas()
}
