//! Creating and deleting the pods of a Job.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Run, backoff, pods};
use crate::{Action, EventKind, Outcome, Resource, object, pod};

/// The most pods that one reconcile creates or deletes (`MaxPodCreateDeletePerSync`).
const BURST: usize = 500;

/// Has as many pods run as can be of use.
pub(super) fn manage(run: &Run, outcome: &mut Outcome) {
    if run.suspended {
        delete(run, &run.active, outcome);
        return;
    }
    let active = object::len(&run.active);
    let wanted = wanted(run, active);
    if active > wanted {
        let surplus = object::size(active - wanted);
        let surplus: Vec<_> = removable(run).into_iter().take(surplus).collect();
        delete(run, &surplus, outcome);
        return;
    }
    let waits = object::text(run.job, "/spec/podReplacementPolicy") == "Failed";
    let ending = if waits {
        object::len(&run.terminating)
    } else {
        0
    };
    let missing = object::size((wanted - active - ending).max(0)).min(BURST);
    if missing == 0 {
        return;
    }
    let wait = backoff::remaining(run);
    if wait > 0 {
        outcome.again(wait);
        return;
    }
    for index in indexes(run, missing, waits) {
        outcome.push(Action::Create {
            resource: Resource::Pods,
            object: pods::new(run.job, index),
        });
    }
}

/// How many pods are to be active.
fn wanted(run: &Run, active: i64) -> i64 {
    match run.completions {
        // Pods of a work queue end by themselves when one found that nothing is left to do.
        None if run.successes() > 0 => active.min(run.parallelism),
        None => run.parallelism,
        Some(completions) => (completions - run.successes()).clamp(0, run.parallelism),
    }
}

/// The indexes of `missing` new pods, or as many without an index.
fn indexes(run: &Run, missing: usize, waits: bool) -> Vec<Option<i64>> {
    let (Some(done), Some(completions)) = (&run.done, run.completions) else {
        return vec![None; missing];
    };
    let ending = run.terminating.iter().filter(|_| waits);
    let busy: BTreeSet<i64> = run
        .active
        .iter()
        .chain(ending)
        .filter_map(|pod| pods::index(pod))
        .collect();
    (0..completions)
        .filter(|index| !done.contains(*index) && !busy.contains(index))
        .take(missing)
        .map(Some)
        .collect()
}

/// Active pods in the order in which they may be deleted: those of an index that is done or has
/// another pod first.
fn removable(run: &Run) -> Vec<Arc<Value>> {
    let mut pods = run.active.clone();
    pod::sort_for_deletion(&mut pods, &pod::per_node(run.active.iter()), run.now);
    let Some(done) = &run.done else {
        return pods;
    };
    let mut kept = BTreeSet::new();
    let (mut useful, mut useless) = (Vec::new(), Vec::new());
    // Of the pods of an index the last one in the order stays.
    for pod in pods.into_iter().rev() {
        match pods::index(&pod) {
            Some(index) if !done.contains(index) && kept.insert(index) => useful.push(pod),
            _ => useless.push(pod),
        }
    }
    useless
        .into_iter()
        .rev()
        .chain(useful.into_iter().rev())
        .collect()
}

/// Deletes pods and tells it.
pub(super) fn delete(run: &Run, pods: &[Arc<Value>], outcome: &mut Outcome) {
    for pod in pods.iter().take(BURST) {
        outcome.delete(Resource::Pods, pod);
        outcome.event(
            Resource::Jobs,
            run.job,
            EventKind::Normal,
            "SuccessfulDelete",
            format!("Deleted pod: {}", object::name(pod)),
        );
    }
}
