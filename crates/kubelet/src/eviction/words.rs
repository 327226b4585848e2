//! What evicted pods are told, in upstream's words.
//! <https://github.com/kubernetes/kubernetes/blob/v1.32.0/pkg/kubelet/eviction/helpers.go>

use super::signal::Crossing;
use super::{Pressure, Resource, Tenant};
use crate::quantity::bytes;

/// Why a pod isn't taken.
pub(super) fn conditions(pressure: Pressure) -> String {
    let each = [
        (pressure.memory, "MemoryPressure"),
        (pressure.disk, "DiskPressure"),
    ];
    let held = each.into_iter().filter(|(holds, _)| *holds);
    let names: Vec<&str> = held.map(|(_, name)| name).collect();
    format!("The node had condition: [{}]. ", names.join(" "))
}

/// Why a pod goes that its node is short for.
pub(super) fn low(tenant: &Tenant, crossing: &Crossing) -> String {
    let resource = crossing.resource;
    let name = resource.name();
    let mut told = format!(
        "The node was low on resource: {name}. Threshold quantity: {}, available: {}. ",
        bytes(crossing.threshold),
        bytes(crossing.available),
    );
    for container in &tenant.pod().spec.containers {
        let used = match resource {
            Resource::Memory => tenant.memory.get(&container.name).copied().unwrap_or(0),
            Resource::Disk => tenant.held.of_container(&container.name),
        };
        let asked = container.resources.request(name).units();
        if used > asked {
            told.push_str(&format!(
                "Container {} was using {}, request is {}, has larger consumption of {name}. ",
                container.name,
                bytes(used),
                bytes(asked),
            ));
        }
    }
    told
}

/// Why a pod goes that has more on disk than it may, if it has.
pub(super) fn exceeded(tenant: &Tenant) -> Option<String> {
    let spec = &tenant.pod().spec;
    for volume in &spec.volumes {
        let Some(limit) = volume.empty_dir.as_ref().and_then(|dir| dir.size_limit) else {
            continue;
        };
        let limit = limit.units();
        if limit > 0 && tenant.held.of_volume(&volume.name) > limit {
            return Some(format!(
                "Usage of EmptyDir volume {:?} exceeds the limit {:?}. ",
                volume.name,
                bytes(limit)
            ));
        }
    }
    let name = Resource::Disk.name();
    let limits = spec.containers.iter();
    let limit: u64 = limits
        .map(|container| container.resources.limit(name).units())
        .sum();
    if limit > 0 && tenant.held.total() > limit {
        return Some(format!(
            "Pod ephemeral local storage usage exceeds the total limit of containers {}. ",
            bytes(limit)
        ));
    }
    spec.containers.iter().find_map(|container| {
        let limit = container.resources.limit(name).units();
        (limit > 0 && tenant.held.of_container(&container.name) > limit).then(|| {
            format!(
                "Container {} exceeded its local ephemeral storage limit {:?}. ",
                container.name,
                bytes(limit)
            )
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::eviction::disk::Held;
    use crate::pod::{Pod, Wanted};
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// A pod of one container that uses so much memory.
    pub(in crate::eviction) fn tenant(
        name: &str,
        priority: i64,
        resources: Value,
        memory: u64,
    ) -> Tenant {
        let object = json!({
            "metadata": {"name": name, "namespace": "default", "uid": name},
            "spec": {
                "priority": priority,
                "containers": [{"name": "c", "resources": resources}],
                "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Mi"}}],
            },
        });
        Tenant {
            wanted: Wanted {
                pod: Arc::new(Pod::read(&object).unwrap()),
                object: Arc::new(object),
            },
            memory: [("c".to_owned(), memory)].into(),
            held: Held::default(),
        }
    }

    /// K8S-RUN
    #[test]
    fn upstreams_words() {
        let greedy = tenant("a", 0, json!({"requests": {"memory": "1Mi"}}), 3 << 20);
        let crossing = Crossing {
            resource: Resource::Memory,
            threshold: 100 << 20,
            available: 52_224,
        };
        assert_eq!(
            low(&greedy, &crossing),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51Ki. Container c was using 3Mi, request is 1Mi, has larger consumption of memory. "
        );
        let both = Pressure {
            memory: true,
            disk: true,
        };
        assert_eq!(
            conditions(both),
            "The node had condition: [MemoryPressure DiskPressure]. "
        );
        assert_eq!(exceeded(&greedy), None);
        let mut full = tenant("b", 0, json!({"limits": {"ephemeral-storage": "2Mi"}}), 0);
        full.held.volume("cache", (1 << 20) + 1);
        assert_eq!(
            exceeded(&full).unwrap(),
            "Usage of EmptyDir volume \"cache\" exceeds the limit \"1Mi\". "
        );
        full.held = Held::default();
        full.held.volume("other", 3 << 20);
        assert_eq!(
            exceeded(&full).unwrap(),
            "Pod ephemeral local storage usage exceeds the total limit of containers 2Mi. "
        );
    }
}
