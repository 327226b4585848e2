//! Preemption: less important pods make room for a more important one.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/>

use super::volumes::Volumes;
use super::{NodeView, fit};
use crate::api::Status;
use crate::client::{Client, resource};
use crate::controllers::events;
use crate::object;
use crate::schema::rfc3339;
use crate::selector::Selector;
use crate::store::Store;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A node and who would have to leave it.
#[derive(Debug)]
pub(super) struct Plan<'s> {
    pub(super) node: &'s str,
    pub(super) victims: Vec<&'s Value>,
    /// How many of them a disruption budget is against.
    violations: usize,
}

/// A pod's priority.
pub(super) fn priority(pod: &Value) -> i64 {
    object::number(pod, &["spec", "priority"]).unwrap_or(0)
}

/// When a pod began.
fn began(pod: &Value) -> &str {
    match object::text(pod, &["status", "startTime"]) {
        "" => object::text(pod, &["metadata", "creationTimestamp"]),
        time => time,
    }
}

/// Whether a pod may make others leave: its class lets it, and those that it made leave before are gone.
fn may(pod: &Value, nodes: &[NodeView<'_>]) -> bool {
    if pod["spec"]["preemptionPolicy"] == "Never" {
        return false;
    }
    let nominated = object::text(pod, &["status", "nominatedNodeName"]);
    let at = nodes
        .iter()
        .find(|view| object::name(view.node) == nominated);
    at.is_none_or(|view| {
        let mut leaving = view.pods.iter();
        !leaving.any(|other| object::is_terminating(other) && priority(other) < priority(pod))
    })
}

/// The node on which the least is lost if pods leave it for another; none where that doesn't help.
pub(super) fn plan<'s>(
    pod: &Value,
    nodes: &[NodeView<'s>],
    volumes: &Volumes,
    store: &'s Store,
) -> Option<Plan<'s>> {
    if !may(pod, nodes) {
        return None;
    }
    let plans = (0..nodes.len()).filter_map(|at| on_node(pod, at, nodes, volumes, store));
    plans.min_by_key(|plan| {
        let priorities = plan.victims.iter().map(|victim| priority(victim));
        let first = plan.victims.iter().map(|victim| began(victim)).min();
        (
            plan.violations,
            priorities.clone().max(),
            priorities.sum::<i64>(),
            plan.victims.len(),
            // Of those that are alike the one whose pods ran for the shortest time.
            Reverse(first.unwrap_or_default().to_owned()),
        )
    })
}

/// Who would have to leave a node: first all who are less important, then as many as can stay are kept.
fn on_node<'s>(
    pod: &Value,
    at: usize,
    nodes: &[NodeView<'s>],
    volumes: &Volumes,
    store: &'s Store,
) -> Option<Plan<'s>> {
    let view = nodes.get(at)?;
    let less = |other: &&'s Value| priority(other) < priority(pod);
    let (mut leaving, staying): (Vec<&'s Value>, Vec<&'s Value>) =
        view.pods.iter().copied().partition(less);
    if leaving.is_empty() || volumes.reason(view.node, store).is_some() {
        return None;
    }
    let fits = |pods: &[&'s Value]| {
        let mut changed = nodes.to_vec();
        changed[at].pods = pods.to_vec();
        fit::reasons(pod, &changed[at], &changed, store).is_empty()
    };
    let mut kept = staying;
    if !fits(&kept) {
        return None;
    }
    let guarded = guarded(&leaving, store);
    // Who is guarded and who is important is let stay first.
    leaving.sort_by_key(|victim| {
        let guarded = guarded.contains(&object::uid(victim));
        (
            !guarded,
            Reverse(priority(victim)),
            began(victim).to_owned(),
        )
    });
    let mut victims = Vec::new();
    for other in leaving {
        kept.push(other);
        if !fits(&kept) {
            kept.pop();
            victims.push(other);
        }
    }
    let violations = victims
        .iter()
        .filter(|victim| guarded.contains(&object::uid(victim)));
    Some(Plan {
        node: object::name(view.node),
        violations: violations.count(),
        victims,
    })
}

/// The uids of those whose leaving a disruption budget is against.
fn guarded<'s>(pods: &[&'s Value], store: &Store) -> Vec<&'s str> {
    let mut left: BTreeMap<String, i64> = BTreeMap::new();
    let mut guarded = Vec::new();
    for pod in pods {
        let mut against = false;
        let budgets = store.list("poddisruptionbudgets.policy", Some(object::namespace(pod)));
        for (key, budget) in budgets {
            let selector = Selector::of_labels(&budget["spec"]["selector"]);
            if !selector.is_some_and(|selector| selector.selects(pod)) {
                continue;
            }
            let allowed = object::number(budget, &["status", "disruptionsAllowed"]).unwrap_or(0);
            let name = format!("{}/{}", key.namespace, key.name);
            let left = left.entry(name).or_insert(allowed);
            *left -= 1;
            against |= *left < 0;
        }
        if against {
            guarded.push(object::uid(pod));
        }
    }
    guarded
}

/// Has the pods of a plan leave, and notes for whom.
///
/// # Errors
/// Kubernetes' own.
pub(super) async fn carry_out(
    client: &Client,
    pod: &Value,
    node: &str,
    victims: &[Value],
) -> Result<(), Status> {
    let pods = resource("pods").ok_or_else(Status::no_such_path)?;
    for victim in victims
        .iter()
        .filter(|victim| !object::is_terminating(victim))
    {
        let mut marked = victim.clone();
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
            "message": "default-scheduler: preempting to accommodate a higher priority pod",
            "lastProbeTime": null, "lastTransitionTime": rfc3339(client.cluster().clock()),
        });
        super::set_condition(&mut marked, condition);
        client.replace(pods, "status", &marked).await?;
        let options = json!({"preconditions": {"uid": object::uid(victim)}});
        let (namespace, name) = (object::namespace(victim), object::name(victim));
        client.delete(pods, namespace, name, &options).await?;
        let told = format!("Preempted by pod {} on node {node}", object::uid(pod));
        let about = object::reference(victim);
        events::record(client, &about, "Normal", "Preempted", &told).await?;
    }
    Ok(())
}
