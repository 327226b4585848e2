//! What containers ask for and may use.

use super::{Container, Pod, Role};
use crate::quantity::Quantity;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Amounts by the resource's name.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// A container's resources.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resources {
    pub(crate) requests: Amounts,
    pub(crate) limits: Amounts,
}

impl Resources {
    /// What it asks for of a resource; what is limited is asked for.
    pub(crate) fn request(&self, resource: &str) -> Quantity {
        let asked = self.requests.get(resource);
        asked.copied().unwrap_or_else(|| self.limit(resource))
    }

    /// The most it may use of a resource; nothing where there is no limit.
    pub(crate) fn limit(&self, resource: &str) -> Quantity {
        self.limits.get(resource).copied().unwrap_or_default()
    }
}

/// How a pod fares when a node is short of something.
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Qos {
    /// Everything is limited and asked for alike.
    Guaranteed,
    /// Something is asked for.
    Burstable,
    /// Nothing is.
    BestEffort,
}

impl Qos {
    /// Its name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

impl Pod {
    /// Its class.
    pub(crate) fn qos(&self) -> Qos {
        let (mut any, mut all) = (false, true);
        for (role, container) in self.containers() {
            if role == Role::Ephemeral {
                continue;
            }
            for resource in ["cpu", "memory"] {
                let limit = container.resources.limit(resource);
                let request = container.resources.request(resource);
                any |= !limit.is_zero() || !request.is_zero();
                all &= !limit.is_zero() && limit == request;
            }
        }
        match (any, all) {
            (false, _) => Qos::BestEffort,
            (true, true) => Qos::Guaranteed,
            (true, false) => Qos::Burstable,
        }
    }

    /// What it asks of its node: init containers run one after another before the others, sidecars
    /// beside all that follow.
    /// <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>
    pub(crate) fn request(&self, resource: &str) -> Quantity {
        let asked = |container: &Container| container.resources.request(resource);
        let (mut beside, mut highest) = (Quantity::default(), Quantity::default());
        for container in &self.spec.init_containers {
            if container.restarts_always() {
                beside = beside + asked(container);
                highest = highest.max(beside);
            } else {
                highest = highest.max(beside + asked(container));
            }
        }
        let main = self.spec.containers.iter().map(asked);
        main.fold(beside, |sum, amount| sum + amount).max(highest)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(init: Value, main: Value) -> Pod {
        Pod::read(&json!({"spec": {"initContainers": init, "containers": main}})).unwrap()
    }

    fn cpu(amount: &str) -> Value {
        json!({"resources": {"requests": {"cpu": amount}}})
    }

    /// K8S-RUN: the three classes, as documented.
    #[test]
    fn pods_have_a_class() {
        let both = json!({"cpu": "1", "memory": "1Gi"});
        for (resources, class) in [
            (json!({}), Qos::BestEffort),
            (json!({"requests": {"cpu": "100m"}}), Qos::Burstable),
            (json!({"limits": both}), Qos::Guaranteed),
            (
                json!({"limits": both, "requests": {"cpu": "500m"}}),
                Qos::Burstable,
            ),
            (json!({"limits": {"memory": "1Gi"}}), Qos::Burstable),
        ] {
            let pod = pod(json!([]), json!([{"resources": resources}]));
            assert_eq!(pod.qos(), class, "{resources}");
        }
    }

    #[test]
    fn sidecars_add_up_and_init_containers_do_not() {
        let sidecar = json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}});
        let millis = |pod: &Pod| pod.request("cpu").millis();
        let plain = pod(json!([cpu("3"), cpu("2")]), json!([cpu("1"), cpu("500m")]));
        assert_eq!(millis(&plain), 3000);
        let beside = pod(json!([sidecar, cpu("3")]), json!([cpu("1")]));
        assert_eq!(millis(&beside), 4000);
        let after = pod(json!([cpu("1"), sidecar]), json!([cpu("1")]));
        assert_eq!(millis(&after), 2000);
    }
}
