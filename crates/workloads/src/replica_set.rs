//! `ReplicaSet` and `ReplicationController`: keep a number of pods of one template.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/>,
//! <https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller/>

use std::sync::Arc;

use serde_json::{Value, json};

use crate::claim::{claim, controller};
use crate::condition::{self, Finding};
use crate::selector::Selector;
use crate::{Action, EventKind, Outcome, Resource, View, object, pod, template};

/// The most pods that one reconcile creates or deletes (`BurstReplicas`).
const BURST: usize = 500;

/// Reconciles one `ReplicaSet`. The driver passes the outcome through
/// [`Expectations::admit`](crate::Expectations::admit).
pub fn replica_set(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    reconcile(view, Resource::ReplicaSets, namespace, name, now)
}

/// Reconciles one `ReplicationController`, which is a `ReplicaSet` that selects by a plain map of labels.
/// The driver passes the outcome through [`Expectations::admit`](crate::Expectations::admit).
pub fn replication_controller(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    reconcile(view, Resource::ReplicationControllers, namespace, name, now)
}

/// A set and what kind of set it is.
#[derive(Clone, Copy)]
struct Of<'a> {
    resource: Resource,
    set: &'a Value,
}

fn reconcile(
    view: &dyn View,
    resource: Resource,
    namespace: &str,
    name: &str,
    now: i64,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(set) = view.get(resource, namespace, name) else {
        return outcome;
    };
    let selector = match resource {
        Resource::ReplicationControllers => {
            set.pointer("/spec/selector").and_then(Selector::of_map)
        }
        _ => Selector::at(&set, "/spec/selector"),
    };
    let Some(selector) = selector else {
        return outcome;
    };
    let claim = claim(view, resource, &set, Resource::Pods, &selector, pod::active);
    outcome.actions = claim.patches;
    let pods = claim.objects;
    let of = Of {
        resource,
        set: &set,
    };
    let settled = object::terminating(&set) || manage(view, of, &pods, now, &mut outcome);
    let status = status(&set, &pods, settled, now);
    outcome.status(resource, &set, status);
    let min_ready = object::count(&set, "/spec/minReadySeconds", 0);
    if let Some(wait) = pod::next_available(&pods, min_ready, now) {
        outcome.again(wait);
    }
    outcome
}

/// The write of the `ReplicaFailure` condition, for a driver whose creation (`FailedCreate`) or
/// deletion (`FailedDelete`) of a pod failed. `set` is the cached object; none where the
/// condition is there already.
#[must_use]
pub fn replica_failure(
    resource: Resource,
    set: &Value,
    reason: &'static str,
    message: &str,
    now: i64,
) -> Option<Action> {
    let mut conditions = object::list(set, "/status/conditions").to_vec();
    if condition::find(&conditions, "ReplicaFailure").is_some() {
        return None;
    }
    let finding = Finding {
        kind: "ReplicaFailure",
        status: "True",
        reason,
        message,
    };
    finding.set(&mut conditions, now);
    let mut object = set.clone();
    object::put(&mut object, &["status", "conditions"], conditions.into());
    Some(Action::UpdateStatus { resource, object })
}

/// Creates what is missing or deletes what is too much; whether nothing was to be done.
fn manage(
    view: &dyn View,
    Of { resource, set }: Of<'_>,
    pods: &[Arc<Value>],
    now: i64,
    outcome: &mut Outcome,
) -> bool {
    let wanted = object::size(object::count(set, "/spec/replicas", 1));
    if pods.len() < wanted {
        let pod = template::generated_pod(template::of(set), resource, set);
        for _ in 0..(wanted - pods.len()).min(BURST) {
            outcome.push(Action::Create {
                resource: Resource::Pods,
                object: pod.clone(),
            });
        }
    }
    let surplus = pods.len().saturating_sub(wanted).min(BURST);
    if surplus > 0 {
        let mut pods = pods.to_vec();
        pod::sort_for_deletion(&mut pods, &pod::per_node(related(view, set).iter()), now);
        for pod in pods.iter().take(surplus) {
            outcome.delete(Resource::Pods, pod);
            outcome.event(
                resource,
                set,
                EventKind::Normal,
                "SuccessfulDelete",
                format!("Deleted pod: {}", object::name(pod)),
            );
        }
    }
    pods.len() == wanted
}

/// The pods of every `ReplicaSet` that has the same controller (a Deployment), or of this one: a
/// node with many of them loses one first.
fn related(view: &dyn View, set: &Value) -> Vec<Arc<Value>> {
    let parent = controller(set).map(|c| object::text(c, "/uid"));
    let sets: Vec<String> = match parent {
        Some(parent) => view
            .list(Resource::ReplicaSets, Some(object::namespace(set)))
            .iter()
            .filter(|s| crate::claim::controlled_by(s, parent))
            .map(|s| object::uid(s).to_owned())
            .collect(),
        None => vec![object::uid(set).to_owned()],
    };
    let mut pods = view.list(Resource::Pods, Some(object::namespace(set)));
    pods.retain(|pod| {
        let owner = controller(pod).map(|c| object::text(c, "/uid"));
        owner.is_some_and(|uid| sets.iter().any(|s| s == uid))
    });
    pods
}

/// The status as the pods are; a `ReplicaFailure` ends when nothing is left to create or delete.
fn status(set: &Value, pods: &[Arc<Value>], settled: bool, now: i64) -> Value {
    let min_ready = object::count(set, "/spec/minReadySeconds", 0);
    let labels = Selector::of_map(
        set.pointer("/spec/template/metadata/labels")
            .unwrap_or(&Value::Null),
    );
    let number = |test: &dyn Fn(&Value) -> bool| {
        object::len(&pods.iter().filter(|pod| test(pod)).collect::<Vec<_>>())
    };
    let mut status = object::counts(&[
        ("observedGeneration", object::generation(set)),
        (
            "fullyLabeledReplicas",
            number(&|pod| labels.as_ref().is_none_or(|l| l.matches(pod))),
        ),
        ("readyReplicas", number(&pod::ready)),
        (
            "availableReplicas",
            number(&|pod| pod::available(pod, min_ready, now)),
        ),
    ]);
    status.insert("replicas".to_owned(), json!(pods.len()));
    let mut conditions = object::list(set, "/status/conditions").to_vec();
    if settled {
        condition::remove(&mut conditions, "ReplicaFailure");
    }
    if !conditions.is_empty() {
        status.insert("conditions".to_owned(), conditions.into());
    }
    status.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;

    fn set(replicas: i64) -> Value {
        json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}}})
    }

    #[test]
    fn pods_are_kept_at_the_number_asked_for() {
        let mut cluster = Cluster::new();
        cluster.create(Resource::ReplicaSets, set(3));
        cluster.settle();
        assert_eq!(cluster.list(Resource::Pods, None).len(), 3);
        let stored = cluster.object(Resource::ReplicaSets, "web");
        assert_eq!(stored["status"]["readyReplicas"], 3);
        assert_eq!(stored["status"]["fullyLabeledReplicas"], 3);
        assert!(
            cluster
                .events()
                .iter()
                .any(|e| e.starts_with("SuccessfulCreate Created pod: web-"))
        );

        cluster.edit(Resource::ReplicaSets, "web", |s| {
            s["spec"]["replicas"] = json!(1);
        });
        cluster.settle();
        assert_eq!(cluster.list(Resource::Pods, None).len(), 1);
        assert!(
            cluster
                .events()
                .iter()
                .any(|e| e.starts_with("SuccessfulDelete Deleted pod: web-"))
        );
    }

    #[test]
    fn orphans_are_adopted_and_relabelled_pods_released() {
        let mut cluster = Cluster::new();
        cluster.create(
            Resource::Pods,
            json!({"metadata": {"name": "orphan", "namespace": "a",
            "labels": {"app": "web"}}, "spec": {}}),
        );
        cluster.create(Resource::ReplicaSets, set(2));
        cluster.settle();
        assert_eq!(cluster.list(Resource::Pods, None).len(), 2);
        let orphan = cluster.object(Resource::Pods, "orphan");
        assert_eq!(orphan["metadata"]["ownerReferences"][0]["name"], "web");

        cluster.edit(Resource::Pods, "orphan", |p| {
            p["metadata"]["labels"]["app"] = json!("other");
        });
        cluster.settle();
        let orphan = cluster.object(Resource::Pods, "orphan");
        assert_eq!(object::list(&orphan, "/metadata/ownerReferences").len(), 0);
        assert_eq!(cluster.list(Resource::Pods, None).len(), 3);
    }

    #[test]
    fn a_failure_is_told_until_all_is_well() {
        let mut cluster = Cluster::new();
        cluster.create(Resource::ReplicaSets, set(0));
        let stored = cluster.object(Resource::ReplicaSets, "web");
        let failure = replica_failure(Resource::ReplicaSets, &stored, "FailedCreate", "quota", 0);
        cluster.perform(failure.into_iter().collect());
        let stored = cluster.object(Resource::ReplicaSets, "web");
        assert!(condition::is_true(
            object::list(&stored, "/status/conditions"),
            "ReplicaFailure"
        ));
        assert_eq!(
            replica_failure(Resource::ReplicaSets, &stored, "FailedCreate", "quota", 0),
            None
        );
        cluster.settle();
        let stored = cluster.object(Resource::ReplicaSets, "web");
        assert!(object::list(&stored, "/status/conditions").is_empty());
    }
}
