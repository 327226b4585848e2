//! `PodDisruptionBudget`: how many pods may be evicted now.
//! <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::claim::controller;
use crate::condition::Finding;
use crate::proportion::{Round, percent, scaled};
use crate::selector::Selector;
use crate::{EventKind, Outcome, Resource, View, object, pod};

/// Seconds that an evicted pod has to begin its end (`DeletionTimeout`).
const TIMEOUT: i64 = 2 * 60;

/// Reconciles the status of one `PodDisruptionBudget`.
///
/// It depends on the pods and on the objects that control them.
pub fn pod_disruption_budget(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(budget) = view.get(Resource::PodDisruptionBudgets, namespace, name) else {
        return outcome;
    };
    if object::terminating(&budget) {
        return outcome;
    }
    let selector = Selector::at(&budget, "/spec/selector");
    let mut pods = view.list(Resource::Pods, Some(namespace));
    pods.retain(|pod| selector.as_ref().is_some_and(|s| s.matches(pod)));
    let disrupted = disrupted(&budget, &pods, now, &mut outcome);
    let status = match expected(view, &budget, &pods) {
        Ok(expected) => status(&budget, &pods, &expected, disrupted, now),
        Err(message) => failed(&budget, &message, now),
    };
    let before = outcome.actions.len();
    outcome.status(Resource::PodDisruptionBudgets, &budget, status);
    if pods.is_empty() && outcome.actions.len() > before {
        outcome.event(
            Resource::PodDisruptionBudgets,
            &budget,
            EventKind::Normal,
            "NoPods",
            "No matching pods found",
        );
    }
    outcome
}

/// How many pods there should be and how many of them have to be healthy.
struct Expected {
    pods: i64,
    healthy: i64,
}

fn expected(view: &dyn View, budget: &Value, pods: &[Arc<Value>]) -> Result<Expected, String> {
    if let Some(limit) = budget
        .pointer("/spec/maxUnavailable")
        .filter(|v| !v.is_null())
    {
        let pods = scale(view, pods)?;
        let unavailable = scaled(limit, pods, Round::Up).ok_or("invalid maxUnavailable")?;
        let healthy = (pods - unavailable).max(0);
        return Ok(Expected { pods, healthy });
    }
    let limit = budget
        .pointer("/spec/minAvailable")
        .filter(|v| !v.is_null());
    let one = json!(1);
    let limit = limit.unwrap_or(&one);
    let total = match percent(limit) {
        Some(_) => scale(view, pods)?,
        None => object::len(pods),
    };
    let healthy = scaled(limit, total, Round::Up).ok_or("invalid minAvailable")?;
    Ok(Expected {
        pods: total,
        healthy,
    })
}

/// The sum of the sizes of the pods' controllers; pods that nobody controls do not count.
fn scale(view: &dyn View, pods: &[Arc<Value>]) -> Result<i64, String> {
    let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = controller(pod) else {
            continue;
        };
        let (uid, size) = controller_scale(view, object::namespace(pod), owner)?;
        sizes.insert(uid, size);
    }
    Ok(sizes.values().sum())
}

/// The uid and size of a controller: a `ReplicaSet` gives that of its Deployment.
fn controller_scale(
    view: &dyn View,
    namespace: &str,
    owner: &Value,
) -> Result<(String, i64), String> {
    let (kind, name) = (object::text(owner, "/kind"), object::text(owner, "/name"));
    let unknown = || format!("found no controller ref for {kind} {name:?}");
    let resource =
        Resource::of_kind(object::text(owner, "/apiVersion"), kind).ok_or_else(unknown)?;
    if !matches!(
        resource,
        Resource::ReplicaSets
            | Resource::StatefulSets
            | Resource::Deployments
            | Resource::ReplicationControllers
    ) {
        let (plural, group) = (resource.plural(), resource.group());
        return Err(format!(
            "{plural}.{group} does not implement the scale subresource"
        ));
    }
    let found = view.get(resource, namespace, name).ok_or_else(unknown)?;
    match controller(&found).filter(|_| resource == Resource::ReplicaSets) {
        Some(parent) if object::text(parent, "/kind") == Resource::Deployments.kind() => {
            controller_scale(view, namespace, parent)
        }
        _ => {
            let size = object::count(&found, "/spec/replicas", 1);
            Ok((object::uid(&found).to_owned(), size))
        }
    }
}

/// Pods whose eviction was allowed and that have not begun their end, by name; those that never
/// do are taken out after a while.
fn disrupted(
    budget: &Value,
    pods: &[Arc<Value>],
    now: i64,
    outcome: &mut Outcome,
) -> Map<String, Value> {
    let mut disrupted = object::map(budget, "/status/disruptedPods");
    disrupted.retain(|name, since| {
        let pod = pods.iter().find(|pod| object::name(pod) == name);
        if pod.is_none_or(|pod| object::terminating(pod)) {
            return false;
        }
        let since = since.as_str().and_then(crate::clock::parse).unwrap_or(0);
        let left = since + TIMEOUT - now;
        if left > 0 {
            outcome.again(left);
        }
        left > 0
    });
    disrupted
}

fn status(
    budget: &Value,
    pods: &[Arc<Value>],
    expected: &Expected,
    disrupted: Map<String, Value>,
    now: i64,
) -> Value {
    let healthy = pods.iter().filter(|pod| {
        pod::ready(pod) && !object::terminating(pod) && !disrupted.contains_key(object::name(pod))
    });
    let healthy = object::len(&healthy.collect::<Vec<_>>());
    let allowed = match expected.pods {
        0 => 0,
        _ => (healthy - expected.healthy).max(0),
    };
    let (truth, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let mut status = json!({
        "observedGeneration": object::generation(budget),
        "currentHealthy": healthy,
        "desiredHealthy": expected.healthy,
        "expectedPods": expected.pods,
        "disruptionsAllowed": allowed,
        "conditions": conditions(budget, truth, reason, "", now),
    });
    if !disrupted.is_empty() {
        object::put(&mut status, &["disruptedPods"], disrupted.into());
    }
    status
}

/// Nothing may be evicted while it is not known how many pods there should be.
fn failed(budget: &Value, message: &str, now: i64) -> Value {
    let mut status = budget.get("status").cloned().unwrap_or_default();
    object::put(&mut status, &["disruptionsAllowed"], 0.into());
    let conditions = conditions(budget, "False", "SyncFailed", message, now);
    object::put(&mut status, &["conditions"], conditions);
    status
}

fn conditions(budget: &Value, status: &str, reason: &str, message: &str, now: i64) -> Value {
    let mut conditions = object::list(budget, "/status/conditions").to_vec();
    let finding = Finding {
        kind: "DisruptionAllowed",
        status,
        reason,
        message,
    };
    finding.set(&mut conditions, now);
    for condition in &mut conditions {
        let generation = object::generation(budget).into();
        object::put(condition, &["observedGeneration"], generation);
    }
    conditions.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;
    use crate::{clock, condition};

    const BUDGETS: Resource = Resource::PodDisruptionBudgets;

    fn settled(spec: &Value) -> Cluster {
        let mut cluster = Cluster::new();
        cluster.create(
            Resource::Deployments,
            json!({"metadata": {"name": "web", "namespace": "a"},
            "spec": {"replicas": 5, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}}}}),
        );
        let mut budget = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": spec});
        budget["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
        cluster.create(BUDGETS, budget);
        cluster.settle();
        cluster
    }

    fn numbers(cluster: &Cluster) -> [i64; 4] {
        let stored = cluster.object(BUDGETS, "web");
        [
            "currentHealthy",
            "desiredHealthy",
            "expectedPods",
            "disruptionsAllowed",
        ]
        .map(|field| stored["status"][field].as_i64().unwrap())
    }

    #[test]
    fn numbers_and_percentages_are_of_the_controllers_size() {
        for (spec, wanted) in [
            (json!({"minAvailable": 2}), [5, 2, 5, 3]),
            (json!({"minAvailable": "50%"}), [5, 3, 5, 2]),
            (json!({"maxUnavailable": 1}), [5, 4, 5, 1]),
            (json!({"maxUnavailable": "30%"}), [5, 3, 5, 2]),
            (json!({"minAvailable": "100%"}), [5, 5, 5, 0]),
        ] {
            assert_eq!(numbers(&settled(&spec)), wanted, "{spec}");
        }
    }

    #[test]
    fn pods_whose_eviction_was_allowed_do_not_count_until_the_timeout() {
        let mut cluster = settled(&json!({"maxUnavailable": 1}));
        let pod = object::name(&cluster.stored(Resource::Pods)[0]).to_owned();
        let mut stored = cluster.object(BUDGETS, "web");
        stored["status"]["disruptedPods"] = json!({pod: clock::format(cluster.now)});
        cluster.perform(vec![crate::Action::UpdateStatus {
            resource: BUDGETS,
            object: stored,
        }]);
        cluster.settle();
        assert_eq!(numbers(&cluster), [4, 4, 5, 0]);
        let stored = cluster.object(BUDGETS, "web");
        let conditions = object::list(&stored, "/status/conditions");
        let found = condition::find(conditions, "DisruptionAllowed").unwrap();
        assert_eq!(condition::field(found, "reason"), "InsufficientPods");
        cluster.now += 121;
        cluster.settle();
        assert_eq!(numbers(&cluster), [5, 4, 5, 1]);
    }

    #[test]
    fn a_size_that_cannot_be_found_allows_nothing() {
        let mut cluster = settled(&json!({"maxUnavailable": 1}));
        cluster.create(
            Resource::Pods,
            json!({"metadata": {"name": "odd", "namespace": "a",
            "labels": {"app": "web"}, "ownerReferences": [{"apiVersion": "batch/v1",
                "kind": "Job", "name": "j", "uid": object::uid(&cluster.object(BUDGETS, "web")),
                "controller": true}]}}),
        );
        cluster.settle();
        let stored = cluster.object(BUDGETS, "web");
        assert_eq!(stored["status"]["disruptionsAllowed"], 0);
        assert_eq!(stored["status"]["conditions"][0]["reason"], "SyncFailed");
    }
}
