//! `StatefulSet`: pods with names, claims and an order.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>

mod claims;
mod control;
mod identity;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::claim::claim;
use crate::history::{History, Latest};
use crate::selector::Selector;
use crate::{EventKind, Outcome, Resource, View, object, pod, template};

/// The most pods that one reconcile creates.
const BURST: usize = 500;

/// Reconciles one `StatefulSet`. Its pods and claims have names that follow from the set's, so a
/// cache that is behind makes creations fail with `AlreadyExists`.
pub fn stateful_set(view: &dyn View, namespace: &str, name: &str, now: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(set) = view.get(Resource::StatefulSets, namespace, name) else {
        return outcome;
    };
    let Some(selector) = Selector::at(&set, "/spec/selector") else {
        return outcome;
    };
    if selector.selects_all() || object::terminating(&set) || !template::of(&set).is_object() {
        return outcome;
    }
    let claim = claim(
        view,
        Resource::StatefulSets,
        &set,
        Resource::Pods,
        &selector,
        |pod| identity::ordinal(&set, pod).is_some(),
    );
    outcome.actions = claim.patches;
    let history = History::of(view, Resource::StatefulSets, &set);
    let latest = history.latest(&mut outcome);
    let run = Run::new(view, &set, &history, latest, claim.objects, now);
    control::control(&run, &mut outcome);
    history.clean_up(|name| run.uses(name), &mut outcome);
    let status = status::of(&run);
    outcome.status(Resource::StatefulSets, &set, status);
    if let Some(wait) = pod::next_available(&run.pods, run.min_ready, now) {
        outcome.again(wait);
    }
    outcome
}

/// A `StatefulSet` and its pods.
struct Run<'a> {
    view: &'a dyn View,
    set: &'a Value,
    history: &'a History<'a>,
    latest: Latest,
    /// The name of the revision that is being replaced by the latest.
    current: String,
    /// Every pod of the set.
    pods: Vec<Arc<Value>>,
    /// The pods that are to be, by ordinal; of those that are missing only the first.
    slots: BTreeMap<i64, Option<Arc<Value>>>,
    /// The pods that are too many, the highest ordinal first.
    condemned: Vec<Arc<Value>>,
    /// The first ordinal.
    start: i64,
    min_ready: i64,
    now: i64,
}

impl<'a> Run<'a> {
    fn new(
        view: &'a dyn View,
        set: &'a Value,
        history: &'a History<'a>,
        latest: Latest,
        pods: Vec<Arc<Value>>,
        now: i64,
    ) -> Self {
        let start = object::count(set, "/spec/ordinals/start", 0);
        let wanted = object::count(set, "/spec/replicas", 1);
        let mut found: BTreeMap<i64, Arc<Value>> = pods
            .iter()
            .filter_map(|pod| Some((identity::ordinal(set, pod)?, pod.clone())))
            .collect();
        let condemned = found.split_off(&(start + wanted));
        let (low, found): (BTreeMap<_, _>, BTreeMap<_, _>) =
            found.into_iter().partition(|(ordinal, _)| *ordinal < start);
        let missing: Vec<i64> = (start..start + wanted)
            .filter(|ordinal| !found.contains_key(ordinal))
            .take(BURST)
            .collect();
        let mut slots: BTreeMap<i64, Option<Arc<Value>>> = found
            .into_iter()
            .map(|(ordinal, pod)| (ordinal, Some(pod)))
            .collect();
        slots.extend(missing.into_iter().map(|ordinal| (ordinal, None)));
        let stored = object::text(set, "/status/currentRevision");
        let known = history.template(stored).is_some();
        Self {
            view,
            set,
            history,
            current: if known { stored } else { &latest.name }.to_owned(),
            latest,
            pods,
            slots,
            condemned: condemned
                .into_values()
                .rev()
                .chain(low.into_values().rev())
                .collect(),
            start,
            min_ready: object::count(set, "/spec/minReadySeconds", 0),
            now,
        }
    }

    /// Whether pods come and go one after the other.
    fn ordered(&self) -> bool {
        object::text(self.set, "/spec/podManagementPolicy") != "Parallel"
    }

    fn rolling(&self) -> bool {
        object::text(self.set, "/spec/updateStrategy/type") != "OnDelete"
    }

    /// The first ordinal that is updated.
    fn partition(&self) -> i64 {
        let path = "/spec/updateStrategy/rollingUpdate/partition";
        self.start + object::count(self.set, path, 0)
    }

    /// Whether the pod is of the revision of that name.
    fn is_of(pod: &Value, revision: &str) -> bool {
        object::label(pod, template::REVISION_LABEL) == Some(revision)
    }

    fn uses(&self, revision: &str) -> bool {
        revision == self.current
            || revision == self.latest.name
            || self.pods.iter().any(|pod| Self::is_of(pod, revision))
    }

    /// Whether the pod runs and has been ready for long enough.
    fn available(&self, pod: &Value) -> bool {
        running_and_ready(pod) && pod::available(pod, self.min_ready, self.now)
    }

    fn tell(&self, outcome: &mut Outcome, kind: EventKind, reason: &'static str, message: String) {
        outcome.event(Resource::StatefulSets, self.set, kind, reason, message);
    }
}

fn running_and_ready(pod: &Value) -> bool {
    pod::phase(pod) == "Running" && pod::ready(pod)
}
