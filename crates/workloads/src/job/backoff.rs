//! Waiting after failures, longer with each.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-backoff-failure-policy>

use serde_json::Value;

use super::Run;
use crate::object;

/// Seconds after the first failure.
const FIRST: i64 = 10;
/// Seconds at most.
const MOST: i64 = 600;

/// Seconds until pods may be created again, 0 for at once.
pub(super) fn remaining(run: &Run) -> i64 {
    let success = run.succeeded.iter().map(|p| ended(p)).max();
    let failures = run.failed.iter().map(|p| ended(p));
    let failures: Vec<i64> = failures
        .filter(|at| success.is_none_or(|success| *at > success))
        .collect();
    let Some(last) = failures.iter().max() else {
        return 0;
    };
    let doublings = failures.len().saturating_sub(1).min(10);
    let delay = (FIRST << doublings).min(MOST);
    (last + delay - run.now).max(0)
}

/// Whether the Job has failed for good: more pods failed than `backoffLimit` says, or containers
/// of pods that restart them were restarted that often.
pub(super) fn exceeded(run: &Run) -> bool {
    let limit = object::count(run.job, "/spec/backoffLimit", 6);
    if object::len(&run.failed) > limit {
        return true;
    }
    if object::text(run.job, "/spec/template/spec/restartPolicy") != "OnFailure" {
        return false;
    }
    let restarts: i64 = run
        .active
        .iter()
        .flat_map(|pod| {
            let main = object::list(pod, "/status/containerStatuses");
            let init = object::list(pod, "/status/initContainerStatuses");
            main.iter().chain(init)
        })
        .map(|status| object::count(status, "/restartCount", 0))
        .sum();
    restarts > 0 && restarts >= limit
}

/// When a pod ended: when its last container did.
fn ended(pod: &Value) -> i64 {
    object::list(pod, "/status/containerStatuses")
        .iter()
        .filter_map(|status| object::time(status, "/state/terminated/finishedAt"))
        .max()
        .or_else(|| crate::pod::readiness_since(pod))
        .unwrap_or_else(|| object::creation(pod))
}
