//! The metrics of an autoscaler's spec.

use std::sync::Arc;

use serde_json::{Value, json};

use super::replicas::{self, Sample, Target};
use super::{Metrics, Usage};
use crate::{Pace, object, quantity};

/// What one metric asks for.
pub(super) struct Proposal {
    pub replicas: i64,
    /// The metric's name in messages.
    pub metric: String,
    /// The metric's entry of `status.currentMetrics`.
    pub status: Value,
}

/// Why a metric cannot be had.
pub(super) struct Failure {
    pub reason: &'static str,
    pub message: String,
}

/// `spec.metrics`; without any it is 80 percent of the CPU that pods request.
pub(super) fn specs(scaler: &Value) -> Vec<Value> {
    let specs = object::list(scaler, "/spec/metrics");
    if specs.is_empty() {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        return vec![json!({"type": "Resource", "resource": {"name": "cpu", "target": target}})];
    }
    specs.to_vec()
}

/// Where metrics come from, and the pods they are of.
pub(super) struct Source<'a> {
    pub metrics: &'a dyn Metrics,
    pub namespace: &'a str,
    pub pods: &'a [Arc<Value>],
    pub current: i64,
    pub pace: Pace,
    pub now: i64,
}

impl Source<'_> {
    /// The size that one metric asks for.
    pub(super) fn propose(&self, spec: &Value) -> Result<Proposal, Failure> {
        let (field, label) = match object::text(spec, "/type") {
            "Resource" => ("resource", "resource"),
            "ContainerResource" => ("containerResource", "container resource"),
            other => {
                return Err(Failure {
                    reason: "InvalidMetricSourceType",
                    message: format!("metric source type {other:?} is not available"),
                });
            }
        };
        let metric = spec.get(field).unwrap_or(&Value::Null);
        let name = object::text(metric, "/name");
        let container = match field {
            "containerResource" => Some(object::text(metric, "/container")),
            _ => None,
        };
        let failure = |message: String| Failure {
            reason: match container {
                None => "FailedGetResourceMetric",
                Some(_) => "FailedGetContainerResourceMetric",
            },
            message: format!("failed to get {name} {label} metric value: {message}"),
        };
        let usage = self.usage(name, container).map_err(failure)?;
        let target = target(metric).ok_or_else(|| failure("invalid target".to_owned()))?;
        let found = replicas::propose(self, &usage, name, container, target).map_err(failure)?;
        let mut current = json!({"averageValue": quantity::format(found.average)});
        let mut described = format!("{name} {label}");
        if let Some(percent) = found.utilization {
            object::put(&mut current, &["averageUtilization"], percent.into());
            described.push_str(" utilization (percentage of request)");
        }
        let mut status = json!({"name": name, "current": current});
        if let Some(container) = container {
            object::put(&mut status, &["container"], container.into());
        }
        Ok(Proposal {
            replicas: found.replicas,
            metric: described,
            status: json!({"type": object::text(spec, "/type"), field: status}),
        })
    }

    /// Usage of all containers, or of one, by pod.
    fn usage(&self, resource: &str, container: Option<&str>) -> Result<Usage, String> {
        let error = |e| format!("unable to get metrics for resource {resource}: {e}");
        let found = self.metrics.pod_usage(self.namespace, resource);
        let mut usage = Usage::new();
        for sample in found.map_err(error)? {
            if container.is_some_and(|c| c != sample.container) {
                continue;
            }
            let sum = usage.entry(sample.pod).or_insert(Sample {
                milli: 0,
                at: sample.at,
                window: sample.window,
            });
            sum.milli = sum.milli.saturating_add(sample.milli.max(0));
        }
        if usage.is_empty() {
            return Err(error(
                "no metrics returned from resource metrics API".to_owned(),
            ));
        }
        Ok(usage)
    }
}

/// `target` of a metric: a percentage of the requests, or a quantity for each pod.
fn target(metric: &Value) -> Option<Target> {
    let target = metric.get("target")?;
    if let Some(percent) = object::int(target, "/averageUtilization").filter(|p| *p > 0) {
        return Some(Target::Utilization(percent));
    }
    let milli = target.get("averageValue").and_then(quantity::milli)?;
    (milli > 0).then_some(Target::Average(milli))
}
