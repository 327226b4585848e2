//! Job: runs pods until enough of them have succeeded.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/>

mod backoff;
mod indexes;
mod manage;
mod pods;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::claim::claim;
use crate::condition;
use crate::selector::Selector;
use crate::{Outcome, Propagation, Resource, View, object, pod, template};

use indexes::Indexes;

/// Reconciles one Job, to the deletion after `ttlSecondsAfterFinished`. The driver passes the
/// outcome through [`Expectations::admit`](crate::Expectations::admit).
///
/// Pods are counted as long as they exist: there is no finalizer that keeps them until they are
/// counted (an Indexed Job remembers its completed indexes).
pub fn job(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(job) = view.get(Resource::Jobs, namespace, name) else {
        return outcome;
    };
    let manager = object::text(&job, "/spec/managedBy");
    let ours = manager.is_empty() || manager == "kubernetes.io/job-controller";
    if !ours || object::terminating(&job) || !template::of(&job).is_object() {
        return outcome;
    }
    if finished(&job).is_some() {
        expire(&job, now, &mut outcome);
        return outcome;
    }
    let by_uid = json!({"matchLabels": {pods::CONTROLLER_UID: object::uid(&job)}});
    let selector = Selector::at(&job, "/spec/selector").or_else(|| Selector::parse(&by_uid));
    let Some(selector) = selector else {
        return outcome;
    };
    let claim = claim(
        view,
        Resource::Jobs,
        &job,
        Resource::Pods,
        &selector,
        |_| true,
    );
    outcome.actions = claim.patches;
    let run = Run::new(&job, claim.objects, now);
    status::reconcile(&run, &mut outcome);
    outcome
}

/// The type of the condition that ended a Job: `Complete` or `Failed`.
pub(crate) fn finished(job: &Value) -> Option<&'static str> {
    let conditions = object::list(job, "/status/conditions");
    ["Complete", "Failed"]
        .into_iter()
        .find(|kind| condition::is_true(conditions, kind))
}

/// Deletes a finished Job when its time is over.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/>
fn expire(job: &Value, now: i64, outcome: &mut Outcome) {
    let Some(ttl) = object::int(job, "/spec/ttlSecondsAfterFinished") else {
        return;
    };
    let conditions = object::list(job, "/status/conditions");
    let ended = finished(job).and_then(|kind| condition::find(conditions, kind));
    let Some(ended) = ended.and_then(|c| object::time(c, "/lastTransitionTime")) else {
        return;
    };
    let left = ended + ttl.max(0) - now;
    if left > 0 {
        outcome.again(left);
    } else {
        outcome.delete_with(Resource::Jobs, job, Propagation::Foreground);
    }
}

/// A Job and its pods.
struct Run<'a> {
    job: &'a Value,
    active: Vec<Arc<Value>>,
    /// Pods that are being deleted and have not ended yet.
    terminating: Vec<Arc<Value>>,
    succeeded: Vec<Arc<Value>>,
    failed: Vec<Arc<Value>>,
    /// None for a Job that is done when any of its pods is.
    completions: Option<i64>,
    parallelism: i64,
    suspended: bool,
    /// The completed indexes of an Indexed Job.
    done: Option<Indexes>,
    now: i64,
}

impl<'a> Run<'a> {
    fn new(job: &'a Value, pods: Vec<Arc<Value>>, now: i64) -> Self {
        let (ended, live): (Vec<_>, Vec<_>) = pods.into_iter().partition(|p| pod::finished(p));
        let (succeeded, failed): (Vec<_>, Vec<_>) = ended
            .into_iter()
            .partition(|p| pod::phase(p) == "Succeeded");
        let (terminating, active) = live.into_iter().partition(|p| object::terminating(p));
        let completions = object::int(job, "/spec/completions").map(|n| n.max(0));
        let indexed = object::text(job, "/spec/completionMode") == "Indexed";
        let done = completions.filter(|_| indexed).map(|completions| {
            let mut done =
                Indexes::parse(object::text(job, "/status/completedIndexes"), completions);
            for index in succeeded.iter().filter_map(|p| pods::index(p)) {
                done.insert(index, completions);
            }
            done
        });
        Self {
            job,
            active,
            terminating,
            succeeded,
            failed,
            completions,
            parallelism: object::count(job, "/spec/parallelism", 1),
            suspended: object::flag(job, "/spec/suspend"),
            done,
            now,
        }
    }

    /// How many completions there are.
    fn successes(&self) -> i64 {
        match &self.done {
            Some(done) => done.len(),
            None => object::len(&self.succeeded),
        }
    }

    /// Whether nothing is left to run.
    fn complete(&self) -> bool {
        let enough = match self.completions {
            Some(completions) => self.successes() >= completions,
            None => self.successes() > 0,
        };
        enough && self.active.is_empty()
    }
}
