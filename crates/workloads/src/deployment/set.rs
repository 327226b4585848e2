//! A `ReplicaSet` while its Deployment is reconciled.

use std::sync::Arc;

use serde_json::Value;

use super::spec::Spec;
use crate::{Action, EventKind, Outcome, Resource, object};

/// Counts the templates of a Deployment.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Revisions that a set had before a rollback to it.
pub(super) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// `spec.replicas` of the Deployment when the set was last scaled.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The most pods that the Deployment could have when the set was last scaled.
pub(super) const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// Annotations that are no business of the Deployment's sets.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];

/// A set, with the changes made to it in this reconcile.
pub(super) struct Set {
    object: Value,
    /// None for a set that this reconcile creates.
    cached: Option<Arc<Value>>,
    events: Vec<String>,
}

impl Set {
    pub(super) fn cached(object: Arc<Value>) -> Self {
        Self {
            object: (*object).clone(),
            cached: Some(object),
            events: Vec::new(),
        }
    }

    pub(super) fn created(object: Value) -> Self {
        let mut set = Self {
            object,
            cached: None,
            events: Vec::new(),
        };
        if set.replicas() > 0 {
            set.tell("up", 0);
        }
        set
    }

    pub(super) fn object(&self) -> &Value {
        &self.object
    }

    pub(super) fn name(&self) -> &str {
        object::name(&self.object)
    }

    /// `spec.replicas`.
    pub(super) fn replicas(&self) -> i64 {
        object::count(&self.object, "/spec/replicas", 1)
    }

    /// A number of the status.
    pub(super) fn status(&self, field: &str) -> i64 {
        let status = self.object.get("status").and_then(|s| s.get(field));
        status.and_then(Value::as_i64).unwrap_or(0).max(0)
    }

    pub(super) fn available(&self) -> i64 {
        self.status("availableReplicas")
    }

    pub(super) fn creation(&self) -> (i64, &str) {
        (object::creation(&self.object), self.name())
    }

    pub(super) fn revision(&self) -> i64 {
        object::annotation_int(&self.object, REVISION).unwrap_or(0)
    }

    /// Whether the set is empty, and its controller has seen that it is to be.
    pub(super) fn idle(&self) -> bool {
        let observed = self.object.pointer("/status/observedGeneration");
        let observed = observed.and_then(Value::as_i64).unwrap_or(0);
        self.status("replicas") == 0
            && self.replicas() == 0
            && object::generation(&self.object) <= observed
            && !object::terminating(&self.object)
    }

    /// Sets the size, tells it in an Event and notes the Deployment's sizes; whether the size
    /// changed.
    pub(super) fn scale(&mut self, replicas: i64, spec: &Spec) -> bool {
        let before = self.replicas();
        let changed = before != replicas;
        self.note_sizes(spec);
        if changed {
            object::put(&mut self.object, &["spec", "replicas"], replicas.into());
            self.tell(if before < replicas { "up" } else { "down" }, before);
        }
        changed
    }

    /// Notes the Deployment's size and its largest size, from which the set's share is found
    /// when the Deployment is scaled in the middle of a rollout.
    pub(super) fn note_sizes(&mut self, spec: &Spec) {
        let largest = spec.replicas + spec.max_surge;
        object::annotate(&mut self.object, DESIRED, spec.replicas.to_string());
        object::annotate(&mut self.object, MAX, largest.to_string());
    }

    /// Copies the Deployment's annotations and gives the set a new revision, if it is larger. The
    /// old one goes to the history: the Deployment was rolled back to this set.
    pub(super) fn annotate(&mut self, deployment: &Value, revision: i64) {
        for (key, value) in object::map(deployment, "/metadata/annotations") {
            if !NOT_COPIED.contains(&key.as_str()) {
                object::annotate(&mut self.object, &key, value);
            }
        }
        let old = object::annotation(&self.object, REVISION).map(str::to_owned);
        if self.revision() >= revision {
            return;
        }
        object::annotate(&mut self.object, REVISION, revision.to_string());
        let Some(old) = old else { return };
        let history = match object::annotation(&self.object, REVISION_HISTORY) {
            Some(history) if !history.is_empty() => format!("{history},{old}"),
            _ => old,
        };
        object::annotate(&mut self.object, REVISION_HISTORY, history);
    }

    /// Sets `spec.minReadySeconds`.
    pub(super) fn require_ready_for(&mut self, seconds: i64) {
        if object::count(&self.object, "/spec/minReadySeconds", 0) != seconds {
            let path = ["spec", "minReadySeconds"];
            object::put(&mut self.object, &path, seconds.into());
        }
    }

    fn tell(&mut self, direction: &str, before: i64) {
        let (name, replicas) = (self.name(), self.replicas());
        self.events.push(format!(
            "Scaled {direction} replica set {name} from {before} to {replicas}"
        ));
    }

    /// Adds the write of what changed and the Events about it.
    pub(super) fn finish(self, deployment: &Value, outcome: &mut Outcome) {
        let resource = Resource::ReplicaSets;
        match self.cached {
            Some(cached) if *cached == self.object => return,
            Some(_) => outcome.push(Action::Update {
                resource,
                object: self.object,
            }),
            None => outcome.push(Action::Create {
                resource,
                object: self.object,
            }),
        }
        for message in self.events {
            outcome.event(
                Resource::Deployments,
                deployment,
                EventKind::Normal,
                "ScalingReplicaSet",
                message,
            );
        }
    }
}
