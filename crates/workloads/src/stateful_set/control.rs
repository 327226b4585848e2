//! The order in which a set's pods come, go and are replaced.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees>

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Run, claims, identity, running_and_ready};
use crate::{Action, EventKind, Outcome, Resource, object, pod, template};

/// Whether a pod is as it is to be for now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// The next pod may be looked at.
    GoOn,
    /// Later pods have to wait.
    Wait,
}

/// Does what is next: missing pods are created from the lowest ordinal, those that are too many
/// are deleted from the highest, and when all of that is done old ones are replaced from the
/// highest.
pub(super) fn control(run: &Run, outcome: &mut Outcome) {
    for (ordinal, pod) in &run.slots {
        if fill(run, *ordinal, pod.as_ref(), outcome) == Pace::Wait {
            return;
        }
    }
    for pod in &run.condemned {
        if condemn(run, pod, outcome) == Pace::Wait {
            return;
        }
    }
    if run.rolling() {
        update(run, outcome);
    }
}

/// In order, a pod has to be there and available before the next is looked at; otherwise none
/// waits for another.
fn fill(run: &Run, ordinal: i64, pod: Option<&Arc<Value>>, outcome: &mut Outcome) -> Pace {
    let not_yet = if run.ordered() {
        Pace::Wait
    } else {
        Pace::GoOn
    };
    let Some(pod) = pod else {
        if claims::create(run, ordinal, outcome) {
            create(run, ordinal, outcome);
        }
        return not_yet;
    };
    if object::terminating(pod) {
        return not_yet;
    }
    if pod::finished(pod) {
        recreate(run, pod, outcome);
        return Pace::Wait;
    }
    if pod::phase(pod) == "Pending" && !claims::create(run, ordinal, outcome) {
        return not_yet;
    }
    claims::retain(run, ordinal, pod, false, outcome);
    label(run, ordinal, pod, outcome);
    if run.available(pod) {
        Pace::GoOn
    } else {
        not_yet
    }
}

fn create(run: &Run, ordinal: i64, outcome: &mut Outcome) {
    let pod = identity::pod(run, ordinal);
    let (name, set) = (object::name(&pod).to_owned(), object::name(run.set));
    outcome.push(Action::Create {
        resource: Resource::Pods,
        object: pod,
    });
    let message = format!("create Pod {name} in StatefulSet {set} successful");
    run.tell(outcome, EventKind::Normal, "SuccessfulCreate", message);
}

/// Deletes a pod that has ended; its name is free for another when it is gone.
fn recreate(run: &Run, pod: &Value, outcome: &mut Outcome) {
    let (namespace, name) = (object::namespace(pod), object::name(pod));
    let set = object::name(run.set);
    let (kind, reason, how) = if pod::phase(pod) == "Failed" {
        (EventKind::Warning, "RecreatingFailedPod", "failed")
    } else {
        (EventKind::Normal, "RecreatingTerminatedPod", "terminated")
    };
    let message = format!("StatefulSet {namespace}/{set} is recreating {how} Pod {name}");
    run.tell(outcome, kind, reason, message);
    outcome.delete(Resource::Pods, pod);
}

/// Gives an adopted pod the labels of its identity.
fn label(run: &Run, ordinal: i64, pod: &Value, outcome: &mut Outcome) {
    let name = object::name(pod);
    if object::label(pod, identity::POD_NAME) == Some(name) {
        return;
    }
    let labels = json!({
        identity::POD_NAME: name,
        identity::POD_INDEX: ordinal.to_string(),
    });
    outcome.push(Action::Patch {
        resource: Resource::Pods,
        namespace: object::namespace(run.set).to_owned(),
        name: name.to_owned(),
        patch: json!({"metadata": {"uid": object::uid(pod), "labels": labels}}),
    });
}

/// In order, a pod goes only when those after it are gone and, unless it is the first unhealthy
/// one itself, all those before it are available.
fn condemn(run: &Run, pod: &Arc<Value>, outcome: &mut Outcome) -> Pace {
    let not_yet = if run.ordered() {
        Pace::Wait
    } else {
        Pace::GoOn
    };
    if object::terminating(pod) {
        return not_yet;
    }
    let unhealthy = run
        .slots
        .values()
        .flatten()
        .chain(run.condemned.iter().rev())
        .find(|p| !running_and_ready(p));
    let first = unhealthy.is_some_and(|p| object::uid(p) == object::uid(pod));
    if run.ordered() && !run.available(pod) && !first {
        return Pace::Wait;
    }
    if let Some(ordinal) = identity::ordinal(run.set, pod) {
        claims::retain(run, ordinal, pod, true, outcome);
    }
    delete(run, pod, outcome);
    not_yet
}

fn delete(run: &Run, pod: &Value, outcome: &mut Outcome) {
    outcome.delete(Resource::Pods, pod);
    let (name, set) = (object::name(pod), object::name(run.set));
    let message = format!("delete Pod {name} in StatefulSet {set} successful");
    run.tell(outcome, EventKind::Normal, "SuccessfulDelete", message);
}

/// Replaces the highest pod that is not of the latest revision, if all above it are healthy.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#rolling-updates>
fn update(run: &Run, outcome: &mut Outcome) {
    for (_, pod) in run.slots.range(run.partition()..).rev() {
        let Some(pod) = pod else {
            return;
        };
        let revision = object::label(pod, template::REVISION_LABEL);
        if revision != Some(&run.latest.name) && !object::terminating(pod) {
            delete(run, pod, outcome);
            return;
        }
        if object::terminating(pod) || !run.available(pod) {
            return;
        }
    }
}
