//! A Job's status: its numbers, and the conditions that suspend and end it.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup>

use serde_json::{Value, json};

use super::{Run, backoff, manage};
use crate::condition::{self, Finding};
use crate::{EventKind, Outcome, Resource, clock, object, pod};

/// A reason why the Job fails.
struct Failure {
    reason: String,
    message: String,
}

/// Does what the Job needs next and writes its status.
pub(super) fn reconcile(run: &Run, outcome: &mut Outcome) {
    let mut conditions = object::list(run.job, "/status/conditions").to_vec();
    let mut start = object::time(run.job, "/status/startTime");
    let mut completion = None;
    if start.is_none() && !run.suspended {
        start = Some(run.now);
    }
    if let Some(failure) = failure(run, &conditions, start) {
        fail(run, &failure, &mut conditions, outcome);
    } else if run.complete() {
        complete(run, &mut conditions, outcome);
        completion = condition::is_true(&conditions, "Complete").then_some(run.now);
    } else {
        manage::manage(run, outcome);
        if suspend(run, &mut conditions, outcome) {
            start = Some(run.now);
        }
        wait_for_deadline(run, start, outcome);
    }
    let status = numbers(run, start, completion, conditions);
    outcome.status(Resource::Jobs, run.job, status);
}

/// Why the Job fails: what was found before counts on.
fn failure(run: &Run, conditions: &[Value], start: Option<i64>) -> Option<Failure> {
    let found = condition::find(conditions, "FailureTarget");
    if let Some(found) = found.filter(|c| condition::field(c, "status") == "True") {
        return Some(Failure {
            reason: condition::field(found, "reason").to_owned(),
            message: condition::field(found, "message").to_owned(),
        });
    }
    let of = |reason: &str, message: &str| {
        Some(Failure {
            reason: reason.to_owned(),
            message: message.to_owned(),
        })
    };
    if condition::is_true(conditions, "SuccessCriteriaMet") {
        return None;
    }
    if backoff::exceeded(run) {
        return of(
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
        );
    }
    let deadline = deadline(run, start)?;
    if deadline > run.now {
        return None;
    }
    of(
        "DeadlineExceeded",
        "Job was active longer than specified deadline",
    )
}

/// When `activeDeadlineSeconds` are over; a suspended Job has none.
fn deadline(run: &Run, start: Option<i64>) -> Option<i64> {
    let seconds = object::int(run.job, "/spec/activeDeadlineSeconds")?;
    (!run.suspended).then_some(start? + seconds)
}

fn wait_for_deadline(run: &Run, start: Option<i64>, outcome: &mut Outcome) {
    if let Some(deadline) = deadline(run, start) {
        outcome.again(deadline - run.now);
    }
}

/// Ends the Job's pods; it has failed when all of them are gone.
fn fail(run: &Run, failure: &Failure, conditions: &mut Vec<Value>, outcome: &mut Outcome) {
    let mut tell = |kind| {
        let finding = Finding {
            kind,
            status: "True",
            reason: &failure.reason,
            message: &failure.message,
        };
        set(conditions, &finding, run.now);
    };
    tell("FailureTarget");
    if !run.active.is_empty() || !run.terminating.is_empty() {
        manage::delete(run, &run.active, outcome);
        return;
    }
    tell("Failed");
    let reason = match failure.reason.as_str() {
        "DeadlineExceeded" => "DeadlineExceeded",
        _ => "BackoffLimitExceeded",
    };
    let message = failure.message.clone();
    outcome.event(Resource::Jobs, run.job, EventKind::Warning, reason, message);
}

/// Tells success; the Job is complete when no pod is being deleted any more.
fn complete(run: &Run, conditions: &mut Vec<Value>, outcome: &mut Outcome) {
    let mut tell = |kind| {
        let finding = Finding {
            kind,
            status: "True",
            reason: "CompletionsReached",
            message: "Reached expected number of succeeded pods",
        };
        set(conditions, &finding, run.now);
    };
    tell("SuccessCriteriaMet");
    if run.terminating.is_empty() {
        tell("Complete");
        outcome.event(
            Resource::Jobs,
            run.job,
            EventKind::Normal,
            "Completed",
            "Job completed",
        );
    }
}

/// Tells that the Job is suspended or goes on; whether it goes on now, which sets its start time
/// anew.
fn suspend(run: &Run, conditions: &mut Vec<Value>, outcome: &mut Outcome) -> bool {
    let was = condition::is_true(conditions, "Suspended");
    if was == run.suspended {
        return false;
    }
    let (status, reason, message, event) = if run.suspended {
        ("True", "JobSuspended", "Job suspended", "Suspended")
    } else {
        ("False", "JobResumed", "Job resumed", "Resumed")
    };
    let finding = Finding {
        kind: "Suspended",
        status,
        reason,
        message,
    };
    set(conditions, &finding, run.now);
    outcome.event(Resource::Jobs, run.job, EventKind::Normal, event, message);
    was
}

/// A Job's conditions have the time of the last probe too. One that is there stays as it is.
fn set(conditions: &mut Vec<Value>, finding: &Finding, now: i64) {
    let current = condition::find(conditions, finding.kind);
    if current.is_some_and(|c| condition::field(c, "status") == finding.status) {
        return;
    }
    finding.set(conditions, now);
    for condition in conditions {
        if condition::field(condition, "type") == finding.kind {
            object::put(condition, &["lastProbeTime"], clock::format(now).into());
        }
    }
}

fn numbers(
    run: &Run,
    start: Option<i64>,
    completion: Option<i64>,
    conditions: Vec<Value>,
) -> Value {
    let ready: Vec<_> = run.active.iter().filter(|pod| pod::ready(pod)).collect();
    let mut status = object::counts(&[
        ("active", object::len(&run.active)),
        ("succeeded", run.successes()),
        ("failed", object::len(&run.failed)),
    ]);
    status.insert("ready".to_owned(), object::len(&ready).into());
    status.insert(
        "terminating".to_owned(),
        object::len(&run.terminating).into(),
    );
    status.insert("uncountedTerminatedPods".to_owned(), json!({}));
    for (field, time) in [("startTime", start), ("completionTime", completion)] {
        if let Some(time) = time {
            status.insert(field.to_owned(), clock::format(time).into());
        }
    }
    if let Some(done) = &run.done {
        let done = done.to_string();
        if !done.is_empty() {
            status.insert("completedIndexes".to_owned(), done.into());
        }
    }
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), conditions.into());
    }
    status.into()
}
