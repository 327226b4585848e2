//! The `RollingUpdate` strategy: the new set grows and the old ones shrink within `maxSurge` and
//! `maxUnavailable`.

use super::rollout::Rollout;
use super::set::Set;

/// Takes one step: first the new set is sized, and if it is as it may be the old ones are.
pub(super) fn roll(rollout: &mut Rollout) {
    rollout.find_new_set(true);
    if size_new(rollout) || size_old(rollout) {
        return;
    }
    if rollout.is_complete() {
        rollout.clean_up();
    }
}

fn size_new(rollout: &mut Rollout) -> bool {
    let Some(new) = rollout.new else {
        return false;
    };
    let wanted = rollout.spec.replicas;
    let replicas = rollout.replicas(new);
    let next = if replicas > wanted {
        wanted
    } else {
        rollout.new_set_replicas(replicas)
    };
    rollout.scale_set(new, next)
}

/// Shrinks old sets as far as enough pods stay available: first by pods that are not available
/// anyway, then by available ones.
fn size_old(rollout: &mut Rollout) -> bool {
    let old = rollout.active_old();
    if old.is_empty() {
        return false;
    }
    let new_unavailable = rollout
        .new_set()
        .map_or(0, |new| new.replicas() - new.available());
    let room = rollout.total() - rollout.spec.fewest_available() - new_unavailable;
    if room <= 0 {
        return false;
    }
    let mut scaled = false;
    let mut left = room;
    for place in &old {
        let replicas = rollout.replicas(*place);
        let available = rollout.sets.get(*place).map_or(0, Set::available);
        let surplus = (replicas - available).clamp(0, left);
        left -= surplus;
        scaled |= rollout.scale_set(*place, replicas - surplus);
    }
    let mut left = rollout.sum("availableReplicas") - rollout.spec.fewest_available();
    for place in &old {
        let replicas = rollout.replicas(*place);
        let surplus = replicas.min(left).max(0);
        left -= surplus;
        scaled |= rollout.scale_set(*place, replicas - surplus);
    }
    scaled
}
