//! A node's object, from what its kubelet knows.
//! <https://kubernetes.io/docs/reference/node/node-status/>

use crate::clock;
use crate::config::{Capacity, KubeletConfig};
use crate::eviction::Pressure;
use crate::lifecycle::Event;
use cri::Image;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// So many images are told, the largest first, with so many names each.
const IMAGES: usize = 50;
const NAMES: usize = 5;

/// Whether a node can run pods: nothing, or all that is against it.
pub(super) type Trouble = Vec<String>;

/// A node's conditions, as they were told last.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    known: Vec<Value>,
}

impl Conditions {
    /// Those that an object has.
    pub(super) fn of(node: &Value) -> Self {
        let known = node["status"]["conditions"].as_array();
        Self {
            known: known.cloned().unwrap_or_default(),
        }
    }

    /// As they are now, and what is to be told of what changed.
    pub(super) fn update(
        &mut self,
        name: &str,
        trouble: &Trouble,
        pressure: Pressure,
        now: SystemTime,
    ) -> (Vec<Value>, Vec<Event>) {
        let mut events = Vec::new();
        for (kind, holds, (reason, message, told)) in pressures(pressure) {
            if self.set(kind, holds, reason, message, now) {
                events.push(status_event(name, told));
            }
        }
        let ready = trouble.is_empty();
        let before = self.status("Ready").map(str::to_owned);
        let changed = if ready {
            let message = "kubelet is posting ready status";
            self.set("Ready", true, "KubeletReady", message, now)
        } else {
            self.set("Ready", false, "KubeletNotReady", &trouble.join(","), now)
        };
        if changed && before.is_some() {
            let told = if ready { "NodeReady" } else { "NodeNotReady" };
            events.push(status_event(name, told));
        }
        (self.known.clone(), events)
    }

    fn status(&self, kind: &str) -> Option<&str> {
        let condition = self.known.iter().find(|c| c["type"] == kind)?;
        condition["status"].as_str()
    }

    /// Sets one; says whether its status changed.
    fn set(
        &mut self,
        kind: &str,
        holds: bool,
        reason: &str,
        message: &str,
        now: SystemTime,
    ) -> bool {
        let status = if holds { "True" } else { "False" };
        let now = clock::rfc3339(now);
        let changed = self.status(kind) != Some(status);
        let known = self.known.iter().position(|c| c["type"] == kind);
        let since = known.map(|at| self.known[at]["lastTransitionTime"].clone());
        let condition = json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": since.filter(|_| !changed).unwrap_or_else(|| json!(now)),
        });
        match known {
            Some(at) => self.known[at] = condition,
            None => self.known.push(condition),
        }
        changed
    }
}

/// The conditions that say what a node is short of: whether each holds, its reason and message, and the
/// reason of the event that tells of it.
fn pressures(
    pressure: Pressure,
) -> [(
    &'static str,
    bool,
    (&'static str, &'static str, &'static str),
); 3] {
    let memory = if pressure.memory {
        (
            "KubeletHasInsufficientMemory",
            "kubelet has insufficient memory available",
            "NodeHasInsufficientMemory",
        )
    } else {
        (
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
            "NodeHasSufficientMemory",
        )
    };
    let disk = if pressure.disk {
        (
            "KubeletHasDiskPressure",
            "kubelet has disk pressure",
            "NodeHasDiskPressure",
        )
    } else {
        (
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
            "NodeHasNoDiskPressure",
        )
    };
    let numbers = (
        "KubeletHasSufficientPID",
        "kubelet has sufficient PID available",
        "NodeHasSufficientPID",
    );
    [
        ("MemoryPressure", pressure.memory, memory),
        ("DiskPressure", pressure.disk, disk),
        ("PIDPressure", false, numbers),
    ]
}

fn status_event(name: &str, reason: &str) -> Event {
    Event::normal(reason, format!("Node {name} status is now: {reason}"))
}

/// The labels that every node has, and its own.
pub(super) fn labels(config: &KubeletConfig) -> Map<String, Value> {
    let architecture = config.machine.architecture.as_str();
    let mut labels = Map::new();
    for (key, value) in [
        ("beta.kubernetes.io/arch", architecture),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture),
        ("kubernetes.io/hostname", config.hostname.as_str()),
        ("kubernetes.io/os", "linux"),
    ] {
        labels.insert(key.to_owned(), value.into());
    }
    for (key, value) in &config.labels {
        labels.insert(key.clone(), value.as_str().into());
    }
    labels
}

/// The annotations of a node.
pub(super) fn annotations(config: &KubeletConfig) -> Map<String, Value> {
    let mut annotations = Map::new();
    let key = "volumes.kubernetes.io/controller-managed-attach-detach";
    annotations.insert(key.to_owned(), "true".into());
    for (key, value) in &config.annotations {
        annotations.insert(key.clone(), value.as_str().into());
    }
    annotations
}

/// The object that a kubelet registers its node with. That it takes no pods before it is ready, the
/// API server's admission sees to.
pub(super) fn registration(config: &KubeletConfig, status: Value) -> Value {
    let taints: Vec<Value> = config
        .taints
        .iter()
        .map(|taint| json!({"key": taint.key, "value": taint.value, "effect": taint.effect}))
        .collect();
    let mut node = json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {
            "name": config.name,
            "labels": labels(config),
            "annotations": annotations(config),
        },
        "spec": {},
        "status": status,
    });
    if !taints.is_empty() {
        node["spec"]["taints"] = taints.into();
    }
    if let Some(id) = &config.provider_id {
        node["spec"]["providerID"] = id.as_str().into();
    }
    node
}

/// A node's status, with these conditions.
pub(super) fn status(config: &KubeletConfig, conditions: Vec<Value>, images: Vec<Image>) -> Value {
    let machine = &config.machine;
    json!({
        "addresses": addresses(config),
        "allocatable": amounts(config.allocatable),
        "capacity": amounts(config.capacity),
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": config.port}},
        "images": told(images),
        "nodeInfo": {
            "architecture": machine.architecture,
            "bootID": machine.boot_id,
            "containerRuntimeVersion": machine.runtime_version,
            "kernelVersion": machine.kernel_version,
            "kubeProxyVersion": machine.kubelet_version,
            "kubeletVersion": machine.kubelet_version,
            "machineID": machine.machine_id,
            "operatingSystem": "linux",
            "osImage": machine.os_image,
            "systemUUID": machine.system_uuid,
        },
    })
}

fn addresses(config: &KubeletConfig) -> Vec<Value> {
    let mut addresses = vec![json!({"type": "InternalIP", "address": config.address.to_string()})];
    for (kind, address) in &config.addresses {
        addresses.push(json!({"type": kind, "address": address}));
    }
    addresses.push(json!({"type": "Hostname", "address": config.hostname}));
    addresses
}

fn amounts(of: Capacity) -> Value {
    let cpu = match of.cpu_millis {
        millis if millis.is_multiple_of(1000) => (millis / 1000).to_string(),
        millis => format!("{millis}m"),
    };
    json!({
        "cpu": cpu,
        "ephemeral-storage": kibibytes(of.storage),
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": kibibytes(of.memory),
        "pods": of.pods.to_string(),
    })
}

fn kibibytes(bytes: u64) -> String {
    if bytes.is_multiple_of(1024) {
        format!("{}Ki", bytes / 1024)
    } else {
        bytes.to_string()
    }
}

fn told(mut images: Vec<Image>) -> Vec<Value> {
    images.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.id.cmp(&b.id)));
    images.truncate(IMAGES);
    let told = images.into_iter().map(|image| {
        let names: Vec<String> = image
            .digests
            .into_iter()
            .chain(image.tags)
            .take(NAMES)
            .collect();
        json!({"names": names, "sizeBytes": image.size})
    });
    told.collect()
}

/// A status as a patch. Addresses and the like are told whole; conditions merge by their type.
pub(super) fn patch(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(addresses) = status["addresses"].as_array_mut() {
        addresses.insert(0, json!({"$patch": "replace"}));
    }
    json!({"status": status})
}

/// Whether two statuses say the same, whenever they say it.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    let timeless = |status: &Value| {
        let mut status = status.clone();
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            condition["lastHeartbeatTime"] = Value::Null;
        }
        status
    };
    timeless(a) == timeless(b)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::at;
    use crate::testing::config;

    fn node(trouble: &Trouble, conditions: &mut Conditions, now: i64) -> (Value, Vec<String>) {
        let config = config();
        let none = Pressure::default();
        let (known, events) = conditions.update("n1", trouble, none, at(now));
        let status = status(&config, known, Vec::new());
        let node = registration(&config, status);
        (node, events.into_iter().map(|e| e.message).collect())
    }

    /// K8S-RUN: a node as upstream's kubelet registers it.
    #[test]
    fn a_node_is_registered() {
        let mut conditions = Conditions::default();
        let trouble = vec![super::super::network_message("cni plugin not initialized")];
        let (node, told) = node(&trouble, &mut conditions, 0);
        let labels = &node["metadata"]["labels"];
        assert_eq!(labels["kubernetes.io/hostname"], "n1");
        assert_eq!(labels["beta.kubernetes.io/arch"], "amd64");
        assert_eq!(labels["zone"], "a");
        let status = &node["status"];
        assert_eq!(status["capacity"]["cpu"], "4");
        assert_eq!(status["capacity"]["memory"], "8388608Ki");
        assert_eq!(
            status["addresses"][0],
            json!({"type": "InternalIP", "address": "10.0.0.1"})
        );
        assert_eq!(
            status["addresses"][1],
            json!({"type": "Hostname", "address": "n1"})
        );
        assert_eq!(status["daemonEndpoints"]["kubeletEndpoint"]["Port"], 10250);
        let ready = &status["conditions"][3];
        assert_eq!(
            (&ready["type"], &ready["status"]),
            (&json!("Ready"), &json!("False"))
        );
        assert_eq!(
            ready["message"],
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
        );
        assert_eq!(
            told.len(),
            3,
            "a node that begins doesn't become unready: {told:?}"
        );
    }

    /// K8S-RUN: a condition's time is that of its last change.
    #[test]
    fn conditions_change() {
        let mut conditions = Conditions::default();
        node(&vec!["x".into()], &mut conditions, 0);
        let (ready, told) = node(&Vec::new(), &mut conditions, 60);
        assert_eq!(told, ["Node n1 status is now: NodeReady"]);
        let (later, told) = node(&Vec::new(), &mut conditions, 120);
        assert!(told.is_empty());
        let condition = &later["status"]["conditions"][3];
        assert_eq!(condition["lastTransitionTime"], "1970-01-01T00:01:00Z");
        assert_eq!(condition["lastHeartbeatTime"], "1970-01-01T00:02:00Z");
        assert_eq!(condition["message"], "kubelet is posting ready status");
        assert!(same(&ready["status"], &later["status"]));
        let (gone, told) = node(&vec!["x".into(), "y".into()], &mut conditions, 180);
        assert_eq!(told, ["Node n1 status is now: NodeNotReady"]);
        assert_eq!(gone["status"]["conditions"][3]["message"], "x,y");
        assert!(!same(&ready["status"], &gone["status"]));
    }

    /// K8S-RUN: what a node is short of is told as upstream tells it.
    #[test]
    fn pressure_is_a_condition() {
        let mut conditions = Conditions::default();
        node(&Vec::new(), &mut conditions, 0);
        let short = Pressure {
            memory: true,
            disk: false,
        };
        let (known, told) = conditions.update("n1", &Vec::new(), short, at(10));
        assert_eq!(known[0]["type"], "MemoryPressure");
        assert_eq!(known[0]["status"], "True");
        assert_eq!(known[0]["reason"], "KubeletHasInsufficientMemory");
        assert_eq!(known[1]["status"], "False");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].reason, "NodeHasInsufficientMemory");
    }

    #[test]
    fn images_are_told_with_the_largest_first() {
        let image = |id: &str, size| Image {
            id: cri::ImageId(id.into()),
            tags: vec![format!("{id}:1")],
            digests: vec![format!("{id}@sha256:0")],
            size,
            uid: None,
            user: None,
        };
        let told = told(vec![image("a", 1), image("b", 2)]);
        assert_eq!(
            told[0],
            json!({"names": ["b@sha256:0", "b:1"], "sizeBytes": 2})
        );
        assert_eq!(told.len(), 2);
    }
}
