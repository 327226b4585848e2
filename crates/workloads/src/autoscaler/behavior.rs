//! How fast an autoscaler may change a size.
//! <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{Pace, object};

/// Seconds over which the largest recommendation counts, where the spec says nothing.
const STABILIZATION: i64 = 300;

/// A change of so many pods in so many seconds.
#[derive(Clone, Copy, Debug)]
enum Policy {
    Pods { value: i64, period: i64 },
    Percent { value: i64, period: i64 },
}

/// The rules for one direction.
#[derive(Clone, Debug)]
struct Rules {
    window: i64,
    /// Whether nothing may be changed in the direction.
    disabled: bool,
    /// Whether the policy with the smallest change counts.
    smallest: bool,
    policies: Vec<Policy>,
}

/// The limits of an autoscaler's spec.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub least: i64,
    pub most: i64,
    up: Rules,
    down: Rules,
}

impl Limits {
    pub(super) fn of(scaler: &Value, pace: Pace) -> Self {
        let percent = Policy::Percent {
            value: 100,
            period: 15,
        };
        let pods = Policy::Pods {
            value: 4,
            period: 15,
        };
        Self {
            least: object::count(scaler, "/spec/minReplicas", 1),
            most: object::count(scaler, "/spec/maxReplicas", 1),
            up: Rules::of(scaler, "scaleUp", 0, &[pods, percent]),
            down: Rules::of(scaler, "scaleDown", pace.timer(STABILIZATION), &[percent]),
        }
    }
}

impl Rules {
    fn of(scaler: &Value, direction: &str, window: i64, policies: &[Policy]) -> Self {
        let path = format!("/spec/behavior/{direction}");
        let rules = scaler.pointer(&path).unwrap_or(&Value::Null);
        let given: Vec<Policy> = object::list(rules, "/policies")
            .iter()
            .map(|policy| {
                let value = object::count(policy, "/value", 0);
                let period = object::count(policy, "/periodSeconds", 15);
                match object::text(policy, "/type") {
                    "Percent" => Policy::Percent { value, period },
                    _ => Policy::Pods { value, period },
                }
            })
            .collect();
        let select = object::text(rules, "/selectPolicy");
        Self {
            window: object::count(rules, "/stabilizationWindowSeconds", window),
            disabled: select == "Disabled",
            smallest: select == "Min",
            policies: if given.is_empty() {
                policies.to_vec()
            } else {
                given
            },
        }
    }

    /// The largest, or smallest, of the policies' sizes.
    fn choose(&self, grows: bool, sizes: impl Iterator<Item = i64>) -> Option<i64> {
        // The largest change is to the largest size upwards, and to the smallest downwards.
        if grows == self.smallest {
            sizes.min()
        } else {
            sizes.max()
        }
    }
}

/// What was recommended and done in one autoscaler's recent past.
#[derive(Debug, Default)]
struct Past {
    /// (when, size)
    recommendations: Vec<(i64, i64)>,
    /// (when, change of size)
    scales: Vec<(i64, i64)>,
}

/// What the autoscalers recommended and did lately. The driver keeps it; after a restart it is
/// empty, as upstream's is.
#[derive(Debug, Default)]
pub struct ScaleHistory(BTreeMap<(String, String), Past>);

/// An autoscaler's namespace and name.
type Key<'a> = (&'a str, &'a str);

/// A size within the limits, and which limit made it so.
pub(super) struct Bounded {
    pub replicas: i64,
    limit: Limit,
}

enum Limit {
    None,
    Most,
    Least,
    UpRate,
    DownRate,
}

impl ScaleHistory {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets an autoscaler that is gone.
    pub(super) fn forget(&mut self, namespace: &str, name: &str) {
        self.0.remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn past(&mut self, key: Key) -> &mut Past {
        self.0
            .entry((key.0.to_owned(), key.1.to_owned()))
            .or_default()
    }

    /// Notes a change of size.
    pub(super) fn note_scale(&mut self, key: Key, change: i64, now: i64) {
        // No policy looks back farther than half an hour.
        let past = self.past(key);
        past.scales.retain(|(at, _)| now - at <= 1800);
        past.scales.push((now, change));
    }

    /// The recommendation that the windows let through: upwards the smallest, downwards the
    /// largest of those within the window (`stabilizeRecommendationWithBehaviors`).
    pub(super) fn stabilize(
        &mut self,
        key: Key,
        limits: &Limits,
        current: i64,
        wanted: i64,
        now: i64,
    ) -> i64 {
        let past = self.past(key);
        let longest = limits.up.window.max(limits.down.window);
        past.recommendations.retain(|(at, _)| now - at < longest);
        let within = |window: i64| {
            let recent = past.recommendations.iter();
            recent
                .filter(move |(at, _)| now - at < window)
                .map(|(_, size)| *size)
        };
        let up = within(limits.up.window).chain([wanted]).min();
        let down = within(limits.down.window).chain([wanted]).max();
        let stable = current
            .max(up.unwrap_or(wanted))
            .min(down.unwrap_or(wanted));
        past.recommendations.push((now, wanted));
        stable
    }

    /// A size within the smallest and largest and within the policies' rates
    /// (`convertDesiredReplicasWithBehaviorRate`).
    pub(super) fn bound(
        &mut self,
        key: Key,
        limits: &Limits,
        current: i64,
        wanted: i64,
        now: i64,
    ) -> Bounded {
        let past = self.past(key);
        let bounded = |replicas, limit| Bounded { replicas, limit };
        if wanted > current {
            let rate = past.most_up(&limits.up, current, now);
            let most = limits.most.min(rate);
            if wanted > most {
                let limit = if rate < limits.most {
                    Limit::UpRate
                } else {
                    Limit::Most
                };
                return bounded(most.max(current.min(limits.most)), limit);
            }
        } else if wanted < current {
            let rate = past.least_down(&limits.down, current, now);
            let least = limits.least.max(rate);
            if wanted < least {
                let limit = if rate > limits.least {
                    Limit::DownRate
                } else {
                    Limit::Least
                };
                return bounded(least.min(current.max(limits.least)), limit);
            }
        } else if wanted > limits.most {
            return bounded(limits.most, Limit::Most);
        } else if wanted < limits.least {
            return bounded(limits.least, Limit::Least);
        }
        bounded(wanted, Limit::None)
    }
}

impl Past {
    /// By how much the size grew (`sign` 1) or shrank (-1) within a policy's period.
    fn changed(&self, period: i64, sign: i64, now: i64) -> i64 {
        let recent = self.scales.iter().filter(|(at, _)| now - at < period);
        recent.map(|(_, change)| (change * sign).max(0)).sum()
    }

    fn most_up(&self, rules: &Rules, current: i64, now: i64) -> i64 {
        if rules.disabled {
            return current;
        }
        let sizes = rules.policies.iter().map(|policy| match *policy {
            Policy::Pods { value, period } => current - self.added(period, now) + value,
            Policy::Percent { value, period } => {
                let start = current - self.added(period, now);
                start + (start.saturating_mul(value).saturating_add(99)) / 100
            }
        });
        rules.choose(true, sizes).unwrap_or(current)
    }

    fn least_down(&self, rules: &Rules, current: i64, now: i64) -> i64 {
        if rules.disabled {
            return current;
        }
        let sizes = rules.policies.iter().map(|policy| match *policy {
            Policy::Pods { value, period } => current - self.added(period, now) - value,
            Policy::Percent { value, period } => {
                let start = current - self.added(period, now);
                start.saturating_mul(100 - value.min(100)) / 100
            }
        });
        rules.choose(false, sizes).unwrap_or(current).max(0)
    }

    /// How much larger the size is than at the start of a period.
    fn added(&self, period: i64, now: i64) -> i64 {
        self.changed(period, 1, now) - self.changed(period, -1, now)
    }
}

/// The `AbleToScale` condition's status, reason and message after stabilization.
pub(super) const fn stability(
    wanted: i64,
    stable: i64,
) -> (&'static str, &'static str, &'static str) {
    if stable > wanted {
        let message = "recent recommendations were higher than current one, applying the highest recent recommendation";
        ("True", "ScaleDownStabilized", message)
    } else if stable < wanted {
        let message = "recent recommendations were lower than current one, applying the lowest recent recommendation";
        ("True", "ScaleUpStabilized", message)
    } else {
        let message = "recommended size matches current size";
        ("True", "ReadyForNewScale", message)
    }
}

impl Bounded {
    /// The `ScalingLimited` condition's status, reason and message.
    pub(super) const fn told(&self) -> (&'static str, &'static str, &'static str) {
        match self.limit {
            Limit::None => (
                "False",
                "DesiredWithinRange",
                "the desired count is within the acceptable range",
            ),
            Limit::Most => (
                "True",
                "TooManyReplicas",
                "the desired replica count is more than the maximum replica count",
            ),
            Limit::Least => (
                "True",
                "TooFewReplicas",
                "the desired replica count is less than the minimum replica count",
            ),
            Limit::UpRate => (
                "True",
                "ScaleUpLimit",
                "the desired replica count is increasing faster than the maximum scale rate",
            ),
            Limit::DownRate => (
                "True",
                "ScaleDownLimit",
                "the desired replica count is decreasing faster than the maximum scale rate",
            ),
        }
    }
}
