//! Deployment: rolls a pod template out over `ReplicaSet`s.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>

mod recreate;
mod revision;
mod rolling;
mod rollout;
mod scale;
mod set;
mod spec;
mod status;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::claim::claim;
use crate::condition::{self, Finding};
use crate::selector::Selector;
use crate::{EventKind, Outcome, Resource, View, object, template};

use rollout::Rollout;
use spec::Strategy;

/// Reconciles one Deployment.
///
/// `ReplicaSet`s have names made of their template's hash, so a creation that the cache does not
/// show yet fails with `AlreadyExists`; the driver then runs the reconcile again.
pub fn deployment(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(deployment) = view.get(Resource::Deployments, namespace, name) else {
        return outcome;
    };
    let Some(selector) = Selector::at(&deployment, "/spec/selector") else {
        return outcome;
    };
    if !template::of(&deployment).is_object() {
        // Nothing could be created that would be found to have the same template again.
        return outcome;
    }
    if selector.selects_all() {
        selects_all(&deployment, &mut outcome);
        return outcome;
    }
    let claim = claim(
        view,
        Resource::Deployments,
        &deployment,
        Resource::ReplicaSets,
        &selector,
        |_| true,
    );
    if !claim.patches.is_empty() {
        // The sets' new versions come with the next reconcile, after these writes.
        outcome.actions = claim.patches;
        return outcome;
    }
    let mut rollout = Rollout::new(view, &deployment, claim.objects, now);
    if object::terminating(&deployment) {
        rollout.find_new_set(false);
        rollout.sync_status();
    } else {
        reconcile(&mut rollout);
    }
    rollout.finish(&mut outcome);
    outcome
}

fn reconcile(rollout: &mut Rollout) {
    check_paused(rollout);
    if rollout.spec.paused {
        rollout.find_new_set(false);
        scale::scale(rollout);
        rollout.clean_up();
        rollout.sync_status();
    } else if rollout.was_scaled() {
        rollout.find_new_set(false);
        scale::scale(rollout);
        rollout.sync_status();
    } else {
        match rollout.spec.strategy {
            Strategy::Recreate => recreate::recreate(rollout),
            Strategy::RollingUpdate => rolling::roll(rollout),
        }
        rollout.sync_rollout_status();
    }
}

/// A selector of everything would take every pod of the namespace.
fn selects_all(deployment: &Value, outcome: &mut Outcome) {
    let generation = object::generation(deployment);
    if deployment.pointer("/status/observedGeneration") == Some(&generation.into()) {
        return;
    }
    outcome.event(
        Resource::Deployments,
        deployment,
        EventKind::Warning,
        "SelectingAll",
        "This deployment is selecting all pods. A non-empty selector is required.",
    );
    let mut status = deployment.get("status").cloned().unwrap_or_default();
    object::put(&mut status, &["observedGeneration"], generation.into());
    outcome.status(Resource::Deployments, deployment, status);
}

/// Tells a pause and its end in the `Progressing` condition, so that the time of a pause does not
/// count towards the deadline.
fn check_paused(rollout: &mut Rollout) {
    if rollout.spec.deadline.is_none() {
        return;
    }
    let progressing = condition::find(&rollout.conditions, status::PROGRESSING);
    let reason = progressing.map_or("", |c| condition::field(c, "reason"));
    let told = reason == "DeploymentPaused";
    if reason == status::TIMED_OUT || told == rollout.spec.paused {
        return;
    }
    let (reason, message) = if rollout.spec.paused {
        ("DeploymentPaused", "Deployment is paused")
    } else {
        ("DeploymentResumed", "Deployment is resumed")
    };
    let finding = Finding {
        kind: status::PROGRESSING,
        status: "Unknown",
        reason,
        message,
    };
    status::set(&mut rollout.conditions, &finding, rollout.now);
}
