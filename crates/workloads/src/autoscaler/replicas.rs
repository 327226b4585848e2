//! How many replicas bring a metric to its target.
//! <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details>

use std::sync::Arc;

use serde_json::Value;

use super::Usage;
use super::metric::Source;
use crate::{condition, object, pod, quantity};

/// How far, in hundredths, usage may be off the target before anything is changed.
const TOLERANCE: i128 = 10;
/// Seconds after a pod's start in which its CPU is not trusted unless it is ready.
const INITIALIZATION: i64 = 300;
/// Seconds after a pod's start in which it counts as not having been ready yet.
const READINESS_DELAY: i64 = 30;

/// What a pod used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub milli: i64,
    pub at: i64,
    pub window: i64,
}

/// What a metric is to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// Percent of what the pods request.
    Utilization(i64),
    /// Thousandths for each pod.
    Average(i64),
}

/// What was found.
pub(super) struct Found {
    pub replicas: i64,
    /// Thousandths that the pods use on average.
    pub average: i64,
    /// Percent of the requests that the pods use.
    pub utilization: Option<i64>,
}

/// Pods by what can be said of their usage.
#[derive(Default)]
struct Groups<'a> {
    /// (usage, request) of pods that count.
    ready: Vec<(i64, i64)>,
    unready: Vec<&'a Value>,
    missing: Vec<&'a Value>,
}

/// Usage over target, as a fraction of positive numbers.
#[derive(Clone, Copy)]
struct Ratio {
    used: i128,
    target: i128,
}

impl Ratio {
    /// Whether the ratio is close enough to one.
    const fn tolerable(self) -> bool {
        (self.used - self.target).abs() * 100 <= self.target * TOLERANCE
    }

    const fn above(self) -> bool {
        self.used > self.target
    }

    const fn below(self) -> bool {
        self.used < self.target
    }

    /// The ratio of a number of pods, rounded up.
    fn of(self, pods: usize) -> i64 {
        let pods = i128::try_from(pods).unwrap_or(i128::MAX);
        let exact = self.used.saturating_mul(pods);
        let rounded = exact.saturating_add(self.target - 1) / self.target.max(1);
        i64::try_from(rounded)
            .unwrap_or(i64::MAX)
            .min(i64::from(i32::MAX))
    }
}

/// The size that brings the usage to the target.
pub(super) fn propose(
    source: &Source,
    usage: &Usage,
    resource: &str,
    container: Option<&str>,
    target: Target,
) -> Result<Found, String> {
    let requests = |pod: &Value| match target {
        Target::Utilization(_) => request(pod, resource, container),
        Target::Average(_) => Ok(0),
    };
    let groups = group(source, usage, resource, &requests)?;
    if groups.ready.is_empty() {
        return Err(format!(
            "did not receive metrics for targeted pods (pods might be unready): {resource}"
        ));
    }
    let first = ratio(&groups.ready, target);
    let count = groups.ready.len();
    let used: i128 = groups.ready.iter().map(|(used, _)| i128::from(*used)).sum();
    let requested: i128 = groups.ready.iter().map(|(_, r)| i128::from(*r)).sum();
    let average = used / i128::try_from(count).unwrap_or(1).max(1);
    let utilization = match target {
        Target::Utilization(_) => i64::try_from(used * 100 / requested.max(1)).ok(),
        Target::Average(_) => None,
    };
    let found = |replicas| Found {
        replicas,
        average: i64::try_from(average).unwrap_or(i64::MAX),
        utilization,
    };
    let grows_unready = !groups.unready.is_empty() && first.above();
    if !grows_unready && groups.missing.is_empty() {
        let replicas = if first.tolerable() {
            source.current
        } else {
            first.of(count)
        };
        return Ok(found(replicas));
    }
    // Pods of which nothing is known are taken to be such that less is changed.
    let all = with_assumed(&groups, first, grows_unready, target, &requests)?;
    let second = ratio(&all, target);
    let flipped = (first.below() && second.above()) || (first.above() && second.below());
    if second.tolerable() || flipped {
        return Ok(found(source.current));
    }
    let replicas = second.of(all.len());
    let wrong_way = (second.below() && replicas > source.current)
        || (second.above() && replicas < source.current);
    Ok(found(if wrong_way { source.current } else { replicas }))
}

/// Usage and requests with those of missing pods (all of their target where usage is low, nothing
/// where it is high) and of unready ones (nothing).
fn with_assumed(
    groups: &Groups,
    first: Ratio,
    grows_unready: bool,
    target: Target,
    requests: &dyn Fn(&Value) -> Result<i64, String>,
) -> Result<Vec<(i64, i64)>, String> {
    let mut all = groups.ready.clone();
    for pod in &groups.missing {
        let request = requests(pod)?;
        let used = match target {
            _ if !first.below() => 0,
            Target::Utilization(percent) => request.saturating_mul(percent.max(100)) / 100,
            Target::Average(milli) => milli,
        };
        all.push((used, request));
    }
    if grows_unready {
        for pod in &groups.unready {
            all.push((0, requests(pod)?));
        }
    }
    Ok(all)
}

fn ratio(pods: &[(i64, i64)], target: Target) -> Ratio {
    let used: i128 = pods.iter().map(|(used, _)| i128::from(*used)).sum();
    let requested: i128 = pods.iter().map(|(_, request)| i128::from(*request)).sum();
    match target {
        Target::Utilization(percent) => Ratio {
            used: used * 100,
            target: (requested * i128::from(percent)).max(1),
        },
        Target::Average(milli) => Ratio {
            used,
            target: i128::from(milli) * i128::try_from(pods.len()).unwrap_or(1).max(1),
        },
    }
}

/// Sorts the pods (`groupPods`): those that end do not count, those that start count as unready.
fn group<'a>(
    source: &Source<'a>,
    usage: &Usage,
    resource: &str,
    requests: &dyn Fn(&Value) -> Result<i64, String>,
) -> Result<Groups<'a>, String> {
    let mut groups = Groups::default();
    let pods: &'a [Arc<Value>] = source.pods;
    for pod in pods.iter().map(Arc::as_ref) {
        if object::terminating(pod) || pod::phase(pod) == "Failed" {
            continue;
        }
        match usage.get(object::name(pod)) {
            _ if pod::phase(pod) == "Pending" => groups.unready.push(pod),
            None => groups.missing.push(pod),
            Some(sample) if resource == "cpu" && starting(pod, *sample, source) => {
                groups.unready.push(pod);
            }
            Some(sample) => groups.ready.push((sample.milli, requests(pod)?)),
        }
    }
    Ok(groups)
}

/// Whether a pod's CPU is still that of its start.
fn starting(pod: &Value, sample: Sample, source: &Source) -> bool {
    let conditions = object::list(pod, "/status/conditions");
    let ready = condition::find(conditions, "Ready");
    let started = object::time(pod, "/status/startTime");
    let (Some(ready), Some(started)) = (ready, started) else {
        return true;
    };
    let unready = condition::field(ready, "status") == "False";
    let since = object::time(ready, "/lastTransitionTime").unwrap_or(started);
    if started + source.pace.timer(INITIALIZATION) > source.now {
        return unready || sample.at < since + sample.window;
    }
    unready && started + source.pace.timer(READINESS_DELAY) > since
}

/// What a pod's containers, or one of them, request, in thousandths.
fn request(pod: &Value, resource: &str, container: Option<&str>) -> Result<i64, String> {
    let sidecars = object::list(pod, "/spec/initContainers").iter();
    let sidecars = sidecars.filter(|c| object::text(c, "/restartPolicy") == "Always");
    let mut sum: i64 = 0;
    for item in object::list(pod, "/spec/containers").iter().chain(sidecars) {
        let name = object::text(item, "/name");
        if container.is_some_and(|c| c != name) {
            continue;
        }
        let request = item
            .pointer("/resources/requests")
            .and_then(|r| r.get(resource));
        let request = request.and_then(quantity::milli).ok_or_else(|| {
            format!(
                "missing request for {resource} in container {name} of Pod {}",
                object::name(pod)
            )
        })?;
        sum = sum.saturating_add(request);
    }
    Ok(sum)
}
