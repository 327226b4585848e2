//! `CronJob`: creates Jobs at times of a schedule.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/>

mod due;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::job::finished;
use crate::{Action, EventKind, Outcome, Resource, View, claim, clock, object};

use due::{Due, due};
pub use schedule::{Schedule, ScheduleError};

/// When a Job should have started, on the Job.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// Reconciles one `CronJob`. Its Jobs are named after the minute that they are due, so a cache
/// that is behind makes the second creation fail with `AlreadyExists` and not run twice.
pub fn cron_job(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(cron) = view.get(Resource::CronJobs, namespace, name) else {
        return outcome;
    };
    let mut jobs = claim::owned(view, Resource::Jobs, &cron);
    jobs.sort_by_key(|job| (object::creation(job), object::name(job).to_owned()));
    let mut run = Run::new(view, &cron, jobs, now);
    run.clean_up(&mut outcome);
    run.note_ended(&mut outcome);
    if !object::terminating(&cron) && !object::flag(&cron, "/spec/suspend") {
        run.start(&mut outcome);
    }
    let status = run.status();
    outcome.status(Resource::CronJobs, &cron, status);
    outcome
}

/// A `CronJob` and its Jobs, the oldest first.
struct Run<'a> {
    view: &'a dyn View,
    cron: &'a Value,
    jobs: Vec<Arc<Value>>,
    /// Those that have not ended.
    active: Vec<Arc<Value>>,
    /// `status.lastScheduleTime`
    last: Option<i64>,
    now: i64,
}

impl<'a> Run<'a> {
    fn new(view: &'a dyn View, cron: &'a Value, jobs: Vec<Arc<Value>>, now: i64) -> Self {
        let active = jobs.iter().filter(|job| finished(job).is_none());
        Self {
            view,
            cron,
            active: active.cloned().collect(),
            jobs,
            last: object::time(cron, "/status/lastScheduleTime"),
            now,
        }
    }

    fn tell(&self, outcome: &mut Outcome, kind: EventKind, reason: &'static str, message: String) {
        outcome.event(Resource::CronJobs, self.cron, kind, reason, message);
    }

    /// Deletes ended Jobs beyond the history limits, the oldest first.
    fn clean_up(&self, outcome: &mut Outcome) {
        for (kind, field, default) in [
            ("Complete", "successfulJobsHistoryLimit", 3),
            ("Failed", "failedJobsHistoryLimit", 1),
        ] {
            let limit = object::count(self.cron, &format!("/spec/{field}"), default);
            let ended =
                |job: &&Arc<Value>| finished(job) == Some(kind) && !object::terminating(job);
            let ended: Vec<_> = self.jobs.iter().filter(ended).collect();
            let surplus = ended.len().saturating_sub(object::size(limit));
            for job in ended.into_iter().take(surplus) {
                self.delete(job, outcome);
            }
        }
    }

    fn delete(&self, job: &Value, outcome: &mut Outcome) {
        outcome.delete(Resource::Jobs, job);
        let message = format!("Deleted job {}", object::name(job));
        self.tell(outcome, EventKind::Normal, "SuccessfulDelete", message);
    }

    /// Tells which of the Jobs listed as active have ended or are gone.
    fn note_ended(&self, outcome: &mut Outcome) {
        for entry in object::list(self.cron, "/status/active") {
            let (name, uid) = (object::text(entry, "/name"), object::text(entry, "/uid"));
            match self.jobs.iter().find(|job| object::uid(job) == uid) {
                None => {
                    let message = format!("Active job went missing: {name}");
                    self.tell(outcome, EventKind::Normal, "MissingJob", message);
                }
                Some(job) => {
                    let Some(how) = finished(job) else { continue };
                    let message = format!("Saw completed job: {name}, condition: {how}");
                    self.tell(outcome, EventKind::Normal, "SawCompletedJob", message);
                }
            }
        }
    }

    /// Starts the Job that is due, if the concurrency policy lets it, and asks to be run again
    /// when the next one is.
    fn start(&mut self, outcome: &mut Outcome) {
        let (schedule, offset) = match due::schedule(self.cron) {
            Ok(parsed) => parsed,
            Err((reason, message)) => {
                self.tell(outcome, EventKind::Warning, reason, message);
                return;
            }
        };
        let Due { at, next, too_many } = due(self.cron, &schedule, offset, self.last, self.now);
        if let Some(next) = next {
            outcome.again(next - self.now);
        }
        if too_many {
            let message = "too many missed start times. Set or decrease \
                .spec.startingDeadlineSeconds or check clock skew";
            let message = message.to_owned();
            self.tell(outcome, EventKind::Warning, "TooManyMissedTimes", message);
        }
        let Some(at) = at.filter(|at| self.last.is_none_or(|last| *at > last)) else {
            return;
        };
        let deadline = object::int(self.cron, "/spec/startingDeadlineSeconds");
        if deadline.is_some_and(|seconds| at + seconds < self.now) {
            let message = format!("Missed scheduled time to start a job: {}", due::rfc1123(at));
            self.tell(outcome, EventKind::Warning, "MissSchedule", message);
            return;
        }
        self.create(at, offset, outcome);
    }

    fn create(&mut self, at: i64, offset: i64, outcome: &mut Outcome) {
        let namespace = object::namespace(self.cron);
        let name = format!("{}-{}", object::name(self.cron), at / 60);
        let existing = self.view.get(Resource::Jobs, namespace, &name);
        if let Some(job) = existing {
            // It was created, but the status could not be written.
            if claim::controlled_by(&job, object::uid(self.cron)) {
                self.last = Some(at);
            }
            return;
        }
        if !self.active.is_empty() {
            match object::text(self.cron, "/spec/concurrencyPolicy") {
                "Forbid" => {
                    let message = "Not starting job because prior execution is running and \
                        concurrency policy is Forbid";
                    let message = message.to_owned();
                    self.tell(outcome, EventKind::Normal, "JobAlreadyActive", message);
                    return;
                }
                "Replace" => {
                    for job in std::mem::take(&mut self.active) {
                        self.delete(&job, outcome);
                    }
                }
                _ => {}
            }
        }
        outcome.push(Action::Create {
            resource: Resource::Jobs,
            object: self.new_job(&name, at, offset),
        });
        let message = format!("Created job {name}");
        self.tell(outcome, EventKind::Normal, "SuccessfulCreate", message);
        self.last = Some(at);
    }

    fn new_job(&self, name: &str, at: i64, offset: i64) -> Value {
        let template = self.cron.pointer("/spec/jobTemplate");
        let template = template.unwrap_or(&Value::Null);
        let mut annotations = object::map(template, "/metadata/annotations");
        annotations.insert(SCHEDULED.to_owned(), due::local(at, offset).into());
        json!({
            "apiVersion": Resource::Jobs.api_version(),
            "kind": Resource::Jobs.kind(),
            "metadata": {
                "name": name,
                "namespace": object::namespace(self.cron),
                "labels": object::map(template, "/metadata/labels"),
                "annotations": annotations,
                "ownerReferences": [claim::reference(Resource::CronJobs, self.cron)],
            },
            "spec": template.get("spec").cloned().unwrap_or_else(|| json!({})),
        })
    }

    fn status(&self) -> Value {
        let mut status = json!({});
        let active: Vec<Value> = self
            .active
            .iter()
            .map(|job| object::reference(Resource::Jobs, job))
            .collect();
        if !active.is_empty() {
            object::put(&mut status, &["active"], active.into());
        }
        if let Some(last) = self.last {
            object::put(
                &mut status,
                &["lastScheduleTime"],
                clock::format(last).into(),
            );
        }
        let succeeded = self
            .jobs
            .iter()
            .filter(|job| finished(job) == Some("Complete"));
        let succeeded = succeeded
            .filter_map(|job| object::time(job, "/status/completionTime"))
            .chain(object::time(self.cron, "/status/lastSuccessfulTime"))
            .max();
        if let Some(at) = succeeded {
            object::put(
                &mut status,
                &["lastSuccessfulTime"],
                clock::format(at).into(),
            );
        }
        status
    }
}
