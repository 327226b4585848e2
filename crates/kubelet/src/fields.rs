//! What a pod may know of itself: the downward API.
//! <https://kubernetes.io/docs/concepts/workloads/pods/downward-api/>

use crate::config::Capacity;
use crate::pod::{Container, Pod, ResourceFieldRef};
use crate::quantity::Quantity;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What a pod's fields are told from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The pod.
    pub(crate) pod: &'a Pod,
    /// Its address, once it has one.
    pub(crate) address: Option<Ipv4Addr>,
    /// Its node's address.
    pub(crate) host: Ipv4Addr,
    /// What its node has for pods.
    pub(crate) allocatable: Capacity,
}

impl Facts<'_> {
    /// The value of a field.
    pub(crate) fn field(&self, path: &str) -> Result<String, String> {
        let metadata = &self.pod.metadata;
        if let Some((map, key)) = subscript(path) {
            let found = match map {
                "metadata.labels" => metadata.labels.get(key),
                "metadata.annotations" => metadata.annotations.get(key),
                _ => return Err(format!("field path {path:?} does not support subscript")),
            };
            return Ok(found.cloned().unwrap_or_default());
        }
        let address = || self.address.map(|a| a.to_string()).unwrap_or_default();
        Ok(match path {
            "metadata.name" => metadata.name.clone(),
            "metadata.namespace" => metadata.namespace.clone(),
            "metadata.uid" => metadata.uid.clone(),
            "metadata.labels" => lines(&metadata.labels),
            "metadata.annotations" => lines(&metadata.annotations),
            "spec.nodeName" => self.pod.spec.node_name.clone(),
            "spec.serviceAccountName" => self.pod.spec.service_account_name.clone(),
            "status.hostIP" | "status.hostIPs" => self.host.to_string(),
            "status.podIP" | "status.podIPs" => address(),
            _ => return Err(format!("unsupported fieldPath: {path}")),
        })
    }

    /// What a container may use, or asks for.
    pub(crate) fn resource(
        &self,
        of: &ResourceFieldRef,
        own: Option<&Container>,
    ) -> Result<String, String> {
        let named = self.pod.container(&of.container_name).map(|(_, c)| c);
        let container = if of.container_name.is_empty() {
            own
        } else {
            named
        };
        let Some(container) = container else {
            return Err(format!("container {} not found", of.container_name));
        };
        let resources = &container.resources;
        let amount = match of.resource.split_once('.') {
            Some(("requests", name)) => resources.request(name),
            Some(("limits", name)) => match resources.limits.get(name) {
                Some(limit) if !limit.is_zero() => *limit,
                _ => self.node_has(name),
            },
            _ => return Err(format!("unsupported container resource : {}", of.resource)),
        };
        Ok(amount.divided(of.divisor).to_string())
    }

    /// What is not limited is limited by the node.
    fn node_has(&self, resource: &str) -> Quantity {
        match resource {
            "cpu" => Quantity::of_millis(self.allocatable.cpu_millis),
            "memory" => Quantity::of_units(self.allocatable.memory),
            "ephemeral-storage" => Quantity::of_units(self.allocatable.storage),
            _ => Quantity::default(),
        }
    }
}

/// The map and the key of `metadata.labels['key']`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, rest) = path.split_once("['")?;
    Some((map, rest.strip_suffix("']")?))
}

/// A map as a file says it.
fn lines(map: &BTreeMap<String, String>) -> String {
    let lines = map.iter().map(|(key, value)| format!("{key}={value:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Pod {
        Pod::read(&json!({
            "metadata": {"name": "web", "namespace": "shop", "uid": "u",
                "labels": {"app": "web", "tier": "a \"b\""}},
            "spec": {"nodeName": "n1", "serviceAccountName": "default", "containers": [
                {"name": "c", "resources": {"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}}}]},
        }))
        .unwrap()
    }

    fn facts(pod: &Pod) -> Facts<'_> {
        Facts {
            pod,
            address: Some(Ipv4Addr::new(10, 244, 0, 5)),
            host: Ipv4Addr::new(10, 0, 0, 1),
            allocatable: Capacity {
                cpu_millis: 4000,
                memory: 8 << 30,
                storage: 0,
                pods: 10,
            },
        }
    }

    /// K8S-RUN: the fields that are documented, and none else.
    #[test]
    fn fields_of_a_pod() {
        let pod = pod();
        let facts = facts(&pod);
        for (path, value) in [
            ("metadata.name", "web"),
            ("metadata.namespace", "shop"),
            ("metadata.uid", "u"),
            ("metadata.labels['app']", "web"),
            ("metadata.labels['none']", ""),
            ("metadata.labels", "app=\"web\"\ntier=\"a \\\"b\\\"\""),
            ("spec.nodeName", "n1"),
            ("status.podIP", "10.244.0.5"),
            ("status.hostIP", "10.0.0.1"),
        ] {
            assert_eq!(facts.field(path).as_deref(), Ok(value), "{path}");
        }
        assert!(facts.field("spec.containers").is_err());
        assert!(facts.field("spec.nodeName['x']").is_err());
    }

    #[test]
    fn resources_of_a_container() {
        let pod = pod();
        let facts = facts(&pod);
        let told = |resource: &str, divisor: &str| {
            let of = ResourceFieldRef {
                container_name: "c".into(),
                resource: resource.into(),
                divisor: Quantity::parse(divisor).unwrap(),
            };
            facts.resource(&of, None).unwrap()
        };
        assert_eq!(told("limits.cpu", "0"), "2");
        assert_eq!(told("limits.cpu", "1m"), "1500");
        assert_eq!(told("requests.memory", "1Mi"), "64");
        assert_eq!(told("limits.memory", "1Gi"), "8", "the node's");
    }
}
