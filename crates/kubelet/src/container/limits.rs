//! What a container may use, as the kernel is told.

use crate::pod::{Container, Pod, Qos, Role};
use cri::Resources;

/// Weight of a container that asks for no processor.
const LEAST_SHARES: u64 = 2;

/// A container's resources on a node with so much memory.
pub(super) fn of(pod: &Pod, role: Role, container: &Container, memory: u64) -> Resources {
    let resources = &container.resources;
    let asked = resources.request("cpu").millis();
    let cpu = resources.limit("cpu").millis();
    let limit = resources.limit("memory").units();
    Resources {
        cpu_shares: Some((asked * 1024 / 1000).max(LEAST_SHARES)),
        cpu_limit_millis: (cpu > 0).then_some(cpu),
        memory_limit: (limit > 0).then_some(limit),
        oom_score: oom_score(pod, role, container, memory),
    }
}

/// How early a container is killed when memory is short: late where it asked for much.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior>
fn oom_score(pod: &Pod, role: Role, container: &Container, memory: u64) -> i32 {
    let critical = pod
        .spec
        .priority
        .is_some_and(|priority| priority >= 2_000_000_000);
    if critical {
        return -997;
    }
    match pod.qos() {
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1000,
        Qos::Burstable => {
            let asked = container.resources.request("memory").units();
            let asked = if role == Role::Ephemeral { 0 } else { asked };
            let share = asked.saturating_mul(1000) / memory.max(1);
            let score = 1000_i64 - i64::try_from(share).unwrap_or(1000);
            // Between what is guaranteed and what has no claim.
            i32::try_from(score.clamp(3, 999)).unwrap_or(999)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn limits(resources: Value) -> Resources {
        let pod = json!({"spec": {"containers": [{"name": "c", "resources": resources}]}});
        let pod = Pod::read(&pod).unwrap();
        of(&pod, Role::Main, &pod.spec.containers[0], 4 << 30)
    }

    /// K8S-RUN: requests and limits, and the documented scores.
    #[test]
    fn limits_are_told() {
        let none = limits(json!({}));
        assert_eq!(
            (none.cpu_shares, none.cpu_limit_millis, none.memory_limit),
            (Some(2), None, None)
        );
        assert_eq!(none.oom_score, 1000);
        let some = limits(json!({"requests": {"cpu": "250m", "memory": "1Gi"}}));
        assert_eq!((some.cpu_shares, some.oom_score), (Some(256), 750));
        let all = limits(json!({"limits": {"cpu": "2", "memory": "1Gi"}}));
        assert_eq!(
            (all.cpu_shares, all.cpu_limit_millis),
            (Some(2048), Some(2000))
        );
        assert_eq!((all.memory_limit, all.oom_score), (Some(1 << 30), -997));
    }
}
