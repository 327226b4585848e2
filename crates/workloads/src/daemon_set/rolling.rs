//! The `RollingUpdate` strategy of `DaemonSet`s.
//! <https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/>

use std::sync::Arc;

use serde_json::Value;

use super::{Daemons, Place, Step};
use crate::object;
use crate::proportion::{Round, scaled};

/// How far a rolling update may go.
pub(super) struct Limits {
    /// How many nodes may have two pods for a time.
    pub surge: i64,
    /// How many nodes may have no pod for a time.
    unavailable: i64,
}

/// The limits of the set, percentages being of the nodes that it fits, rounded up.
pub(super) fn limits(daemons: &Daemons) -> Limits {
    let on_delete = object::text(daemons.set, "/spec/updateStrategy/type") == "OnDelete";
    let wanted = object::len(&desired(daemons).collect::<Vec<_>>());
    let number = |field: &str, default: i64| {
        let path = format!("/spec/updateStrategy/rollingUpdate/{field}");
        let value = daemons.set.pointer(&path);
        value.map_or(Some(default), |v| scaled(v, wanted, Round::Up))
    };
    let surge = number("maxSurge", 0).unwrap_or(0);
    let unavailable = number("maxUnavailable", 1).unwrap_or(1);
    Limits {
        surge: if on_delete { 0 } else { surge },
        unavailable: if surge == 0 {
            unavailable.max(1)
        } else {
            unavailable
        },
    }
}

fn desired<'a>(daemons: &'a Daemons) -> impl Iterator<Item = &'a Place> {
    daemons.places.iter().filter(|place| place.fit.run)
}

/// Replaces pods of old revisions as far as the limits let it.
pub(super) fn step(daemons: &Daemons) -> Step {
    if object::text(daemons.set, "/spec/updateStrategy/type") == "OnDelete" {
        return Step::default();
    }
    let limits = limits(daemons);
    if limits.surge == 0 {
        replace(daemons, limits.unavailable)
    } else {
        surge(daemons, limits.surge)
    }
}

/// The new and the old pod of a node; there is at most one of each, as others were pruned.
fn pair<'a>(
    daemons: &Daemons,
    place: &'a Place,
) -> (Option<&'a Arc<Value>>, Option<&'a Arc<Value>>) {
    let live = || place.pods.iter().filter(|pod| !object::terminating(pod));
    let new = live().find(|pod| daemons.updated(pod));
    let old = live().find(|pod| !daemons.updated(pod));
    (new, old)
}

/// Old pods that are not available go at once, others while few enough nodes are without a pod.
fn replace(daemons: &Daemons, limit: i64) -> Step {
    let mut step = Step::default();
    let mut unavailable = 0;
    let mut candidates = Vec::new();
    for place in desired(daemons) {
        match pair(daemons, place) {
            (Some(new), None) => unavailable += i64::from(!daemons.available(new)),
            (None, Some(old)) if daemons.available(old) => candidates.push(old.clone()),
            (None, Some(old)) => {
                unavailable += 1;
                step.delete.push(old.clone());
            }
            _ => unavailable += 1,
        }
    }
    let room = object::size((limit - unavailable).max(0));
    step.delete.extend(candidates.into_iter().take(room));
    step
}

/// New pods start beside old ones on so many nodes; an old one goes when the new is available.
fn surge(daemons: &Daemons, limit: i64) -> Step {
    let mut step = Step::default();
    let mut surging = 0;
    let mut candidates = Vec::new();
    for place in desired(daemons) {
        let node = || object::name(&place.node).to_owned();
        match pair(daemons, place) {
            (None, Some(old)) if daemons.available(old) => candidates.push(node()),
            (None, Some(_)) => step.create.push(node()),
            (Some(new), Some(old)) if daemons.available(new) => step.delete.push(old.clone()),
            (Some(_), Some(_)) => surging += 1,
            _ => {}
        }
    }
    let room = object::size((limit - surging).max(0));
    step.create.extend(candidates.into_iter().take(room));
    step
}
