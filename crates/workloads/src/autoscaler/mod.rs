//! `HorizontalPodAutoscaler`: sizes a workload by what its pods use.
//! <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>

mod behavior;
mod metric;
mod replicas;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::condition::Finding;
use crate::selector::Selector;
use crate::{Action, EventKind, Outcome, Pace, Resource, View, clock, object};

pub use behavior::ScaleHistory;

/// Seconds between two looks at the metrics (`--horizontal-pod-autoscaler-sync-period`).
const PERIOD: i64 = 15;

/// What one container of a pod used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodUsage {
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub container: String,
    /// The usage in thousandths of the resource's unit: of a CPU, or of a byte.
    pub milli: i64,
    /// The end of the time over which it was measured, in Unix seconds.
    pub at: i64,
    /// The length of that time, in seconds.
    pub window: i64,
}

/// The resource metrics of pods, as `metrics.k8s.io` has them.
pub trait Metrics {
    /// What the containers of a namespace's pods use of a resource (`cpu` or `memory`). Pods that
    /// are not asked for may be among them, and pods without metrics may be missing.
    ///
    /// # Errors
    ///
    /// Where there are no metrics, with a message for the autoscaler's conditions.
    fn pod_usage(&self, namespace: &str, resource: &str) -> Result<Vec<PodUsage>, String>;
}

/// Reconciles one `HorizontalPodAutoscaler` with metrics of type `Resource` and
/// `ContainerResource`; others count as metrics that cannot be had. Targets are Deployments,
/// `ReplicaSet`s, `StatefulSet`s and `ReplicationController`s.
///
/// `history` is kept by the driver between calls. The outcome always asks to be run again after
/// the sync period, as metrics tell no changes.
pub fn horizontal_pod_autoscaler(
    view: &dyn View,
    metrics: &dyn Metrics,
    history: &mut ScaleHistory,
    (namespace, name): (&str, &str),
    pace: Pace,
    now: i64,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(scaler) = view.get(Resource::HorizontalPodAutoscalers, namespace, name) else {
        history.forget(namespace, name);
        return outcome;
    };
    if object::terminating(&scaler) {
        return outcome;
    }
    outcome.again(pace.timer(PERIOD));
    let mut run = Run::new(view, &scaler, pace, now);
    run.reconcile(metrics, history, &mut outcome);
    let status = run.status();
    outcome.status(Resource::HorizontalPodAutoscalers, &scaler, status);
    outcome
}

/// An autoscaler and what is found out about its target.
struct Run<'a> {
    view: &'a dyn View,
    scaler: &'a Value,
    pace: Pace,
    now: i64,
    conditions: Vec<Value>,
    metrics: Vec<Value>,
    current: i64,
    desired: i64,
    scaled_at: Option<i64>,
}

impl<'a> Run<'a> {
    fn new(view: &'a dyn View, scaler: &'a Value, pace: Pace, now: i64) -> Self {
        let stored = |field: &str| object::count(scaler, &format!("/status/{field}"), 0);
        Self {
            view,
            scaler,
            pace,
            now,
            conditions: object::list(scaler, "/status/conditions").to_vec(),
            metrics: object::list(scaler, "/status/currentMetrics").to_vec(),
            current: stored("currentReplicas"),
            desired: stored("desiredReplicas"),
            scaled_at: object::time(scaler, "/status/lastScaleTime"),
        }
    }

    fn find(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let finding = Finding {
            kind,
            status,
            reason,
            message,
        };
        finding.set(&mut self.conditions, self.now);
    }

    fn tell(&self, outcome: &mut Outcome, kind: EventKind, reason: &'static str, message: &str) {
        let resource = Resource::HorizontalPodAutoscalers;
        outcome.event(resource, self.scaler, kind, reason, message);
    }

    /// The object that is scaled.
    fn target(&self) -> Result<(Resource, Arc<Value>), String> {
        let reference = self.scaler.pointer("/spec/scaleTargetRef");
        let reference = reference.unwrap_or(&Value::Null);
        let (kind, name) = (
            object::text(reference, "/kind"),
            object::text(reference, "/name"),
        );
        let resource = Resource::of_kind(object::text(reference, "/apiVersion"), kind);
        let scalable = resource.filter(|r| {
            matches!(
                r,
                Resource::Deployments
                    | Resource::ReplicaSets
                    | Resource::StatefulSets
                    | Resource::ReplicationControllers
            )
        });
        let Some(resource) = scalable else {
            return Err(format!(
                "no matches for kind {kind:?} with a scale subresource"
            ));
        };
        let found = self
            .view
            .get(resource, object::namespace(self.scaler), name);
        let missing = || match resource.group() {
            "" => format!("{} {name:?} not found", resource.plural()),
            group => format!("{}.{group} {name:?} not found", resource.plural()),
        };
        Ok((resource, found.ok_or_else(missing)?))
    }

    fn reconcile(
        &mut self,
        metrics: &dyn Metrics,
        history: &mut ScaleHistory,
        outcome: &mut Outcome,
    ) {
        let (resource, target) = match self.target() {
            Ok(found) => found,
            Err(error) => {
                let message = format!(
                    "the HPA controller was unable to get the target's current scale: {error}"
                );
                self.find("AbleToScale", "False", "FailedGetScale", &message);
                self.tell(outcome, EventKind::Warning, "FailedGetScale", &error);
                return;
            }
        };
        let message = "the HPA controller was able to get the target's current scale";
        self.find("AbleToScale", "True", "SucceededGetScale", message);
        self.current = object::count(&target, "/spec/replicas", 1);
        let limits = behavior::Limits::of(self.scaler, self.pace);
        if self.current == 0 && limits.least > 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            self.find("ScalingActive", "False", "ScalingDisabled", message);
            self.desired = 0;
            return;
        }
        let Some((desired, reason)) =
            self.wanted(resource, &target, metrics, &limits, history, outcome)
        else {
            self.desired = self.current;
            return;
        };
        self.desired = desired;
        if desired == self.current {
            return;
        }
        outcome.push(rescale(resource, &target, desired));
        let message = format!("New size: {desired}; reason: {reason}");
        self.tell(outcome, EventKind::Normal, "SuccessfulRescale", &message);
        let message =
            format!("the HPA controller was able to update the target scale to {desired}");
        self.find("AbleToScale", "True", "SucceededRescale", &message);
        let key = (object::namespace(self.scaler), object::name(self.scaler));
        history.note_scale(key, desired - self.current, self.now);
        self.scaled_at = Some(self.now);
    }

    /// The wanted size and why; none if no metric can be had.
    fn wanted(
        &mut self,
        resource: Resource,
        target: &Value,
        metrics: &dyn Metrics,
        limits: &behavior::Limits,
        history: &mut ScaleHistory,
        outcome: &mut Outcome,
    ) -> Option<(i64, String)> {
        if self.current > limits.most {
            return Some((
                limits.most,
                "Current number of replicas above Spec.MaxReplicas".to_owned(),
            ));
        }
        if self.current < limits.least {
            return Some((
                limits.least,
                "Current number of replicas below Spec.MinReplicas".to_owned(),
            ));
        }
        let proposal = self.propose(resource, target, metrics, outcome)?;
        let mut reason = "All metrics below target".to_owned();
        if proposal.replicas > self.current {
            reason = format!("{} above target", proposal.metric);
        }
        let key = (object::namespace(self.scaler), object::name(self.scaler));
        let stable = history.stabilize(key, limits, self.current, proposal.replicas, self.now);
        let (status, why, message) = behavior::stability(proposal.replicas, stable);
        self.find("AbleToScale", status, why, message);
        let bounded = history.bound(key, limits, self.current, stable, self.now);
        let (status, why, message) = bounded.told();
        self.find("ScalingLimited", status, why, message);
        Some((bounded.replicas, reason))
    }

    /// The largest size that any of the metrics asks for. A size smaller than the current one is
    /// not trusted where a metric is missing.
    fn propose(
        &mut self,
        resource: Resource,
        target: &Value,
        metrics: &dyn Metrics,
        outcome: &mut Outcome,
    ) -> Option<metric::Proposal> {
        let selector = match resource {
            Resource::ReplicationControllers => {
                target.pointer("/spec/selector").and_then(Selector::of_map)
            }
            _ => Selector::at(target, "/spec/selector"),
        };
        let mut pods = self
            .view
            .list(Resource::Pods, Some(object::namespace(self.scaler)));
        pods.retain(|pod| selector.as_ref().is_some_and(|s| s.matches(pod)));
        let source = metric::Source {
            metrics,
            namespace: object::namespace(self.scaler),
            pods: &pods,
            current: self.current,
            pace: self.pace,
            now: self.now,
        };
        let (mut best, mut failure): (Option<metric::Proposal>, Option<metric::Failure>) =
            (None, None);
        let mut statuses = Vec::new();
        for spec in &metric::specs(self.scaler) {
            match source.propose(spec) {
                Ok(proposal) => {
                    statuses.push(proposal.status.clone());
                    if best.as_ref().is_none_or(|b| b.replicas < proposal.replicas) {
                        best = Some(proposal);
                    }
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        self.metrics = statuses;
        let shrinks = best.as_ref().is_none_or(|b| b.replicas < self.current);
        if let Some(failure) = failure.filter(|_| shrinks) {
            let message = format!(
                "the HPA was unable to compute the replica count: {}",
                failure.message
            );
            self.find("ScalingActive", "False", failure.reason, &message);
            self.tell(
                outcome,
                EventKind::Warning,
                failure.reason,
                &failure.message,
            );
            return None;
        }
        let best = best?;
        let message = format!(
            "the HPA was able to successfully calculate a replica count from {}",
            best.metric
        );
        self.find("ScalingActive", "True", "ValidMetricFound", &message);
        Some(best)
    }

    fn status(&self) -> Value {
        let mut status = Map::new();
        for (field, number) in [
            ("currentReplicas", self.current),
            ("desiredReplicas", self.desired),
        ] {
            status.insert(field.to_owned(), number.into());
        }
        let generation = object::generation(self.scaler);
        status.insert("observedGeneration".to_owned(), generation.into());
        status.insert("currentMetrics".to_owned(), self.metrics.clone().into());
        status.insert("conditions".to_owned(), self.conditions.clone().into());
        if let Some(at) = self.scaled_at {
            status.insert("lastScaleTime".to_owned(), clock::format(at).into());
        }
        status.into()
    }
}

/// The write of the target's size, as a PUT of its scale would do.
fn rescale(resource: Resource, target: &Value, replicas: i64) -> Action {
    Action::Patch {
        resource,
        namespace: object::namespace(target).to_owned(),
        name: object::name(target).to_owned(),
        patch: json!({
            "metadata": {
                "uid": object::uid(target),
                "resourceVersion": target.pointer("/metadata/resourceVersion"),
            },
            "spec": {"replicas": replicas},
        }),
    }
}

/// Usage by pod's name.
type Usage = BTreeMap<String, replicas::Sample>;
