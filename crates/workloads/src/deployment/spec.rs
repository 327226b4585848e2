//! What a Deployment's spec asks for, with the API's defaults.

use serde_json::Value;

use crate::object;
use crate::proportion::{Round, scaled};

/// `spec.strategy.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// All old pods go before the first new one comes.
    Recreate,
    /// Old pods are replaced by new ones step by step.
    RollingUpdate,
}

/// The numbers of a Deployment's spec.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// `replicas`.
    pub replicas: i64,
    /// `paused`.
    pub paused: bool,
    /// `strategy.type`.
    pub strategy: Strategy,
    /// How many pods there may be over `replicas`.
    pub max_surge: i64,
    /// How many of `replicas` may be missing.
    pub max_unavailable: i64,
    /// `minReadySeconds`.
    pub min_ready: i64,
    /// `revisionHistoryLimit`, none for no limit.
    pub history: Option<usize>,
    /// `progressDeadlineSeconds`, none for no deadline.
    pub deadline: Option<i64>,
}

impl Spec {
    pub(super) fn of(deployment: &Value) -> Self {
        let unlimited = i64::from(i32::MAX);
        let replicas = object::count(deployment, "/spec/replicas", 1);
        let strategy = match object::text(deployment, "/spec/strategy/type") {
            "Recreate" => Strategy::Recreate,
            _ => Strategy::RollingUpdate,
        };
        let (max_surge, max_unavailable) = match strategy {
            Strategy::Recreate => (0, 0),
            Strategy::RollingUpdate => fenceposts(deployment, replicas),
        };
        Self {
            replicas,
            paused: object::flag(deployment, "/spec/paused"),
            strategy,
            max_surge,
            max_unavailable,
            min_ready: object::count(deployment, "/spec/minReadySeconds", 0),
            history: Some(object::count(deployment, "/spec/revisionHistoryLimit", 10))
                .filter(|limit| *limit != unlimited)
                .map(object::size),
            deadline: Some(object::count(
                deployment,
                "/spec/progressDeadlineSeconds",
                600,
            ))
            .filter(|seconds| *seconds != unlimited),
        }
    }

    /// The most pods that there may be at any time.
    pub(super) const fn most(&self) -> i64 {
        if self.replicas > 0 {
            self.replicas + self.max_surge
        } else {
            0
        }
    }

    /// The fewest pods that have to be available at any time.
    pub(super) const fn fewest_available(&self) -> i64 {
        self.replicas - self.max_unavailable
    }
}

/// `maxSurge` (rounded up) and `maxUnavailable` (rounded down, at most `replicas`). If both come
/// to nothing no rollout could go on, so one pod may be missing (`ResolveFenceposts`).
fn fenceposts(deployment: &Value, replicas: i64) -> (i64, i64) {
    let quarter = Value::from("25%");
    let number = |field: &str, round| {
        let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{field}"));
        scaled(value.unwrap_or(&quarter), replicas, round).unwrap_or(0)
    };
    let surge = number("maxSurge", Round::Up);
    let unavailable = number("maxUnavailable", Round::Down);
    if surge == 0 && unavailable == 0 {
        return (0, 1.min(replicas));
    }
    (surge, unavailable.min(replicas))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn surge_rounds_up_and_unavailable_down() {
        let spec = Spec::of(&json!({"spec": {"replicas": 10}}));
        assert_eq!((spec.max_surge, spec.max_unavailable), (3, 2));
        assert_eq!((spec.most(), spec.fewest_available()), (13, 8));
        assert_eq!((spec.history, spec.deadline), (Some(10), Some(600)));
    }

    #[test]
    fn one_pod_may_be_missing_if_nothing_else_may_happen() {
        let rolling = json!({"maxSurge": 0, "maxUnavailable": "10%"});
        let spec = Spec::of(&json!({"spec": {"replicas": 3, "strategy": {
            "type": "RollingUpdate", "rollingUpdate": rolling}}}));
        assert_eq!((spec.max_surge, spec.max_unavailable), (0, 1));
    }
}
