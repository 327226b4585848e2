//! `DaemonSet`: one pod on every node that it fits.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/>

mod fit;
mod placement;
mod rolling;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::claim::claim;
use crate::history::History;
use crate::selector::Selector;
use crate::{Action, EventKind, Outcome, Resource, View, object, pod, template};

pub(crate) use fit::{term_holds, tolerated};

/// Reconciles one `DaemonSet`. The driver passes the outcome through
/// [`Expectations::admit`](crate::Expectations::admit).
///
/// It depends on the `DaemonSet`, its pods, its revisions and all nodes.
pub fn daemon_set(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(set) = view.get(Resource::DaemonSets, namespace, name) else {
        return outcome;
    };
    let Some(selector) = Selector::at(&set, "/spec/selector") else {
        return outcome;
    };
    if selector.selects_all() || object::terminating(&set) || !template::of(&set).is_object() {
        if selector.selects_all() {
            outcome.event(
                Resource::DaemonSets,
                &set,
                EventKind::Warning,
                "SelectingAll",
                "This daemon set is selecting all pods. A non-empty selector is required.",
            );
        }
        return outcome;
    }
    let claim = claim(
        view,
        Resource::DaemonSets,
        &set,
        Resource::Pods,
        &selector,
        |_| true,
    );
    outcome.actions = claim.patches;
    let history = History::of(view, Resource::DaemonSets, &set);
    let latest = history.latest(&mut outcome);
    let daemons = Daemons::new(view, &set, claim.objects, latest.hash, now);
    let mut step = daemons.manage();
    if step.is_empty() {
        step = rolling::step(&daemons);
    }
    step.finish(&daemons, &mut outcome);
    history.clean_up(|name| daemons.uses(name), &mut outcome);
    let status = status::of(&daemons, latest.collisions);
    outcome.status(Resource::DaemonSets, &set, status);
    if let Some(wait) = pod::next_available(&daemons.pods, daemons.min_ready, now) {
        outcome.again(wait);
    }
    outcome
}

/// A node and the set's pods on it.
struct Place {
    node: Arc<Value>,
    /// Scheduled and running ones first, then the oldest.
    pods: Vec<Arc<Value>>,
    fit: fit::Fit,
}

/// A `DaemonSet` and where its pods are.
struct Daemons<'a> {
    set: &'a Value,
    pods: Vec<Arc<Value>>,
    places: Vec<Place>,
    /// Pods that are meant for nodes that are gone, and were never scheduled.
    homeless: Vec<Arc<Value>>,
    hash: String,
    min_ready: i64,
    now: i64,
}

/// What one reconcile does to the pods.
#[derive(Default)]
struct Step {
    /// Names of nodes that get a pod.
    create: Vec<String>,
    delete: Vec<Arc<Value>>,
    /// Why pods are deleted that ended by themselves.
    ended: Vec<(&'static str, EventKind, String)>,
}

impl<'a> Daemons<'a> {
    fn new(view: &dyn View, set: &'a Value, pods: Vec<Arc<Value>>, hash: String, now: i64) -> Self {
        let mut by_node: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
        for pod in &pods {
            let gone = pod::finished(pod) && object::terminating(pod);
            if let (false, Some(node)) = (gone, placement::target(pod)) {
                by_node
                    .entry(node.to_owned())
                    .or_default()
                    .push(pod.clone());
            }
        }
        let probe = placement::pod(set, "", "");
        let places = view
            .list(Resource::Nodes, None)
            .into_iter()
            .map(|node| {
                let mut pods = by_node.remove(object::name(&node)).unwrap_or_default();
                pods.sort_by_key(|pod| {
                    let waits = pod::node(pod).is_empty();
                    let runs = pod::phase(pod) == "Running";
                    (
                        waits,
                        !runs,
                        object::creation(pod),
                        object::name(pod).to_owned(),
                    )
                });
                Place {
                    fit: fit::of(&probe, &node),
                    node,
                    pods,
                }
            })
            .collect();
        let homeless = by_node.into_values().flatten();
        Self {
            set,
            places,
            homeless: homeless.filter(|pod| pod::node(pod).is_empty()).collect(),
            pods,
            hash,
            min_ready: object::count(set, "/spec/minReadySeconds", 0),
            now,
        }
    }

    /// Whether a pod is of the latest revision.
    fn updated(&self, pod: &Value) -> bool {
        object::label(pod, template::REVISION_LABEL) == Some(&self.hash)
    }

    fn available(&self, pod: &Value) -> bool {
        pod::available(pod, self.min_ready, self.now)
    }

    /// Whether the revision of a name is the latest or that of a pod.
    fn uses(&self, revision: &str) -> bool {
        let prefix = format!("{}-", object::name(self.set));
        let hash = revision.strip_prefix(&prefix).unwrap_or(revision);
        let label = |pod: &Arc<Value>| object::label(pod, template::REVISION_LABEL) == Some(hash);
        hash == self.hash || self.pods.iter().any(label)
    }

    /// Pods where they have to be and nowhere else.
    fn manage(&self) -> Step {
        let mut step = Step::default();
        for place in &self.places {
            let name = object::name(&place.node);
            if place.fit.run && place.pods.is_empty() {
                step.create.push(name.to_owned());
            } else if place.fit.keep {
                self.prune(place, &mut step);
            } else {
                step.delete.extend(place.pods.iter().cloned());
            }
        }
        step.delete.extend(self.homeless.iter().cloned());
        step.delete.retain(|pod| !object::terminating(pod));
        step
    }

    /// Deletes pods of a node that have ended, and those that are too many.
    fn prune(&self, place: &Place, step: &mut Step) {
        let mut running = Vec::new();
        for pod in place.pods.iter().filter(|pod| !object::terminating(pod)) {
            let ended = match pod::phase(pod) {
                "Failed" => Some(("FailedDaemonPod", EventKind::Warning, "failed", "kill")),
                "Succeeded" => Some((
                    "SucceededDaemonPod",
                    EventKind::Normal,
                    "succeeded",
                    "delete",
                )),
                _ => None,
            };
            let Some((reason, kind, how, verb)) = ended else {
                running.push(pod);
                continue;
            };
            let (namespace, name) = (object::namespace(pod), object::name(pod));
            let node = object::name(&place.node);
            step.ended.push((
                reason,
                kind,
                format!(
                    "Found {how} daemon pod {namespace}/{name} on node {node}, will try to {verb} it"
                ),
            ));
            step.delete.push(pod.clone());
        }
        if rolling::limits(self).surge == 0 {
            step.delete.extend(running.into_iter().skip(1).cloned());
            return;
        }
        // While a new pod starts an old one may stay beside it.
        let (new, old): (Vec<_>, Vec<_>) = running.into_iter().partition(|p| self.updated(p));
        if let (Some(new), Some(old)) = (new.first(), old.first())
            && (!pod::ready(old) || self.available(new))
        {
            step.delete.push((*old).clone());
        }
        step.delete.extend(new.into_iter().skip(1).cloned());
        step.delete.extend(old.into_iter().skip(1).cloned());
    }
}

impl Step {
    fn is_empty(&self) -> bool {
        self.create.is_empty() && self.delete.is_empty()
    }

    fn finish(self, daemons: &Daemons, outcome: &mut Outcome) {
        let resource = Resource::DaemonSets;
        for (reason, kind, message) in self.ended {
            outcome.event(resource, daemons.set, kind, reason, message);
        }
        for node in self.create {
            outcome.push(Action::Create {
                resource: Resource::Pods,
                object: placement::pod(daemons.set, &node, &daemons.hash),
            });
        }
        for pod in self.delete {
            outcome.delete(Resource::Pods, &pod);
            let message = format!("Deleted pod: {}", object::name(&pod));
            outcome.event(
                resource,
                daemons.set,
                EventKind::Normal,
                "SuccessfulDelete",
                message,
            );
        }
    }
}
