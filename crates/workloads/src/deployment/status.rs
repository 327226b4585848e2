//! A Deployment's status: numbers, conditions and the deadline for progress.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status>

use serde_json::Value;

use super::rollout::Rollout;
use super::set::Set;
use crate::condition::{self, Finding};
use crate::{clock, object};

/// The condition that tells whether a rollout gets on.
pub(super) const PROGRESSING: &str = "Progressing";
/// The reason of a rollout that does not get on any more.
pub(super) const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// The reason of a rollout that is done.
const DONE: &str = "NewReplicaSetAvailable";

/// Puts a condition in place unless status and reason are the same; beside the time of the
/// transition there is one of the last update (`SetDeploymentCondition`).
pub(super) fn set(conditions: &mut Vec<Value>, finding: &Finding, now: i64) {
    if let Some(current) = condition::find(conditions, finding.kind) {
        let same = condition::field(current, "status") == finding.status
            && condition::field(current, "reason") == finding.reason;
        if same {
            return;
        }
    }
    let mut others = std::mem::take(conditions);
    finding.set(&mut others, now);
    // Upstream moves a condition that changes to the end.
    let (changed, mut kept): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|c| condition::field(c, "type") == finding.kind);
    kept.extend(changed.into_iter().map(|mut condition| {
        object::put(
            &mut condition,
            &["lastUpdateTime"],
            clock::format(now).into(),
        );
        condition
    }));
    *conditions = kept;
}

/// The numbers of a Deployment's status.
struct Numbers {
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
}

impl Numbers {
    fn stored(deployment: &Value) -> Self {
        let number = |field: &str| object::count(deployment, &format!("/status/{field}"), 0);
        Self {
            replicas: number("replicas"),
            updated: number("updatedReplicas"),
            ready: number("readyReplicas"),
            available: number("availableReplicas"),
        }
    }

    /// Whether the rollout got on since `before`.
    const fn progressed(&self, before: &Self) -> bool {
        self.updated > before.updated
            || self.replicas - self.updated < before.replicas - before.updated
            || self.ready > before.ready
            || self.available > before.available
    }

    const fn complete(&self, wanted: i64) -> bool {
        self.updated == wanted && self.replicas == wanted && self.available == wanted
    }
}

impl Rollout<'_> {
    fn numbers(&self) -> Numbers {
        Numbers {
            replicas: self.sum("replicas"),
            updated: self.new_set().map_or(0, |set| set.status("replicas")),
            ready: self.sum("readyReplicas"),
            available: self.sum("availableReplicas"),
        }
    }

    /// Whether the stored status tells that the rollout of this generation is done.
    pub(super) fn is_complete(&self) -> bool {
        let observed = self.deployment.pointer("/status/observedGeneration");
        let observed = observed.and_then(Value::as_i64).unwrap_or(0);
        Numbers::stored(self.deployment).complete(self.spec.replicas)
            && observed >= object::generation(self.deployment)
    }

    /// Sets the status' numbers and the `Available` condition.
    pub(super) fn sync_status(&mut self) {
        let numbers = self.numbers();
        let (status, reason, message) = if numbers.available >= self.spec.fewest_available() {
            let message = "Deployment has minimum availability.";
            ("True", "MinimumReplicasAvailable", message)
        } else {
            let message = "Deployment does not have minimum availability.";
            ("False", "MinimumReplicasUnavailable", message)
        };
        let finding = Finding {
            kind: "Available",
            status,
            reason,
            message,
        };
        set(&mut self.conditions, &finding, self.now);
        let mut status = object::counts(&[
            ("observedGeneration", object::generation(self.deployment)),
            ("replicas", numbers.replicas),
            ("updatedReplicas", numbers.updated),
            ("readyReplicas", numbers.ready),
            ("availableReplicas", numbers.available),
            (
                "unavailableReplicas",
                (self.total() - numbers.available).max(0),
            ),
        ]);
        if let Some(collisions) = self.collisions {
            status.insert("collisionCount".to_owned(), collisions.into());
        }
        status.insert("conditions".to_owned(), self.conditions.clone().into());
        self.status = Some(status.into());
    }

    /// [`sync_status`](Self::sync_status) with the conditions of a rollout.
    pub(super) fn sync_rollout_status(&mut self) {
        let numbers = self.numbers();
        // `Available` comes before `Progressing`, where both are new.
        self.sync_status();
        self.judge_progress(&numbers);
        self.judge_failures();
        self.sync_status();
    }

    fn judge_progress(&mut self, numbers: &Numbers) {
        let Some(deadline) = self.spec.deadline else {
            condition::remove(&mut self.conditions, PROGRESSING);
            return;
        };
        let current = condition::find(
            object::list(self.deployment, "/status/conditions"),
            PROGRESSING,
        );
        let reason = current.map_or("", |c| condition::field(c, "reason"));
        if numbers.replicas == numbers.updated && reason == DONE {
            return;
        }
        let subject = self.subject();
        let finding =
            |status, reason, message: &str| (status, reason, format!("{subject} {message}"));
        let complete = numbers.complete(self.spec.replicas);
        let (status, reason, message) = if complete {
            finding("True", DONE, "has successfully progressed.")
        } else if numbers.progressed(&Numbers::stored(self.deployment)) {
            // Every progress is told anew, as the deadline counts from it.
            let since = current
                .filter(|c| condition::field(c, "status") == "True")
                .and_then(|c| c.get("lastTransitionTime").cloned());
            condition::remove(&mut self.conditions, PROGRESSING);
            let (status, reason, message) = finding("True", "ReplicaSetUpdated", "is progressing.");
            self.tell(status, reason, &message);
            if let (Some(since), Some(told)) = (since, self.conditions.last_mut()) {
                object::put(told, &["lastTransitionTime"], since);
            }
            self.wait_for_progress(deadline);
            return;
        } else if self.timed_out(deadline) {
            finding("False", TIMED_OUT, "has timed out progressing.")
        } else {
            self.wait_for_progress(deadline);
            return;
        };
        self.tell(status, reason, &message);
    }

    fn tell(&mut self, status: &str, reason: &str, message: &str) {
        let finding = Finding {
            kind: PROGRESSING,
            status,
            reason,
            message,
        };
        set(&mut self.conditions, &finding, self.now);
    }

    /// Who progresses, for messages.
    fn subject(&self) -> String {
        match self.new_set().map(Set::name) {
            Some(name) => format!("ReplicaSet \"{name}\""),
            None => format!("Deployment \"{}\"", object::name(self.deployment)),
        }
    }

    /// When the deadline passes, counted from the last progress.
    fn deadline_passes(&self, deadline: i64) -> Option<i64> {
        let current = condition::find(&self.conditions, PROGRESSING)?;
        Some(object::time(current, "/lastUpdateTime")? + deadline)
    }

    fn timed_out(&self, deadline: i64) -> bool {
        let current = condition::find(&self.conditions, PROGRESSING);
        let reason = current.map_or("", |c| condition::field(c, "reason"));
        if reason == DONE || reason == TIMED_OUT {
            return reason == TIMED_OUT;
        }
        self.deadline_passes(deadline)
            .is_some_and(|at| at < self.now)
    }

    fn wait_for_progress(&mut self, deadline: i64) {
        let current = condition::find(&self.conditions, PROGRESSING);
        let reason = current.map_or("", |c| condition::field(c, "reason"));
        if reason == DONE || reason == TIMED_OUT {
            return;
        }
        if let Some(at) = self.deadline_passes(deadline) {
            self.outcome.again(at - self.now + 1);
        }
    }

    /// Passes a set's failure to create pods on: the new set's, or any other's.
    fn judge_failures(&mut self) {
        let failure = |set: &Set| {
            let conditions = object::list(set.object(), "/status/conditions");
            let failure = condition::find(conditions, "ReplicaFailure").cloned();
            failure.filter(|c| condition::field(c, "status") == "True")
        };
        let failed = self.new_set().and_then(failure);
        match failed.or_else(|| self.old_sets().find_map(failure)) {
            Some(failed) => {
                let finding = Finding {
                    kind: "ReplicaFailure",
                    status: "True",
                    reason: condition::field(&failed, "reason"),
                    message: condition::field(&failed, "message"),
                };
                set(&mut self.conditions, &finding, self.now);
            }
            None => condition::remove(&mut self.conditions, "ReplicaFailure"),
        }
    }
}
