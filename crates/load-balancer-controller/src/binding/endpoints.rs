//! Which targets a binding has: pods that can be called, or the nodes.

use super::Binding;
use super::readiness::gate_of;
use crate::events::said;
use crate::model::Services;
use crate::model::class::selects;
use crate::model::object::{NumberOrName, Service, ServicePort, read};
use crate::world::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A target, as target groups know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    /// An instance's id, or an address.
    pub(crate) id: String,
    /// The port.
    pub(crate) port: u16,
}

/// A pod behind a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PodTarget {
    pub(crate) target: Target,
    /// The pod's `namespace/name`, where the target is one.
    pub(crate) pod: Option<String>,
}

/// Labels of nodes that don't take part.
const EXCLUDED: [&str; 3] = [
    "node-role.kubernetes.io/master",
    "node.kubernetes.io/exclude-from-external-load-balancers",
    "alpha.service-controller.kubernetes.io/exclude-balancer",
];
/// Taints of nodes that are about to go.
const GOING: [&str; 2] = ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"];

/// The service of a binding, and its port; or what is missing.
pub(super) fn service(world: &World, binding: &Binding) -> Result<(Service, ServicePort), String> {
    let (namespace, name) = (&binding.metadata.namespace, &binding.spec.service_ref.name);
    let found = world.service(namespace, name);
    let service = found.ok_or_else(|| format!("Service {name:?} not found"))?;
    let wanted = binding.spec.service_ref.port.clone();
    let wanted = wanted.unwrap_or(NumberOrName::Number(0));
    let port = service.port(&wanted).cloned();
    let port =
        port.ok_or_else(|| format!("unable to find port {wanted} on service {namespace}/{name}"))?;
    Ok((service, port))
}

/// The pods behind a service's port that are ready, or that wait for nothing but their target's health.
pub(super) fn pods(world: &World, binding: &Binding, port: &ServicePort) -> Vec<PodTarget> {
    let (namespace, service) = (&binding.metadata.namespace, &binding.spec.service_ref.name);
    let mut all = BTreeSet::new();
    for slice in world.slices_of(namespace, service) {
        let ports = slice["ports"].as_array().into_iter().flatten();
        let number = ports
            .filter(|of| said(of, &["name"]) == port.name)
            .find_map(|of| u16::try_from(of["port"].as_u64()?).ok());
        let Some(number) = number else { continue };
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            let pod = match said(endpoint, &["targetRef", "kind"]) {
                "Pod" => Some(format!(
                    "{namespace}/{}",
                    said(endpoint, &["targetRef", "name"])
                )),
                _ => None,
            };
            let ready = endpoint["conditions"]["ready"] != false;
            let waits = || {
                let pod = pod.as_ref().and_then(|key| world.pods.get(key));
                pod.is_some_and(|pod| waits_for_health(pod, &binding.metadata.name))
            };
            if !ready && !waits() {
                continue;
            }
            let addresses = endpoint["addresses"].as_array().into_iter().flatten();
            let first = addresses.filter_map(Value::as_str).next();
            if let Some(address) = first.filter(|of| !of.contains(':')) {
                all.insert(PodTarget {
                    target: Target {
                        id: address.to_owned(),
                        port: number,
                    },
                    pod: pod.clone(),
                });
            }
        }
    }
    all.into_iter().collect()
}

/// Whether a pod's containers are ready and its readiness depends on a binding.
fn waits_for_health(pod: &Value, binding: &str) -> bool {
    let gates = pod["spec"]["readinessGates"]
        .as_array()
        .into_iter()
        .flatten();
    let gated = gates
        .filter_map(|gate| gate["conditionType"].as_str())
        .any(|gate| gate == gate_of(binding));
    let going = !pod["metadata"]["deletionTimestamp"].is_null();
    gated && !going && condition(pod, "ContainersReady") == "True"
}

/// The status of an object's condition.
pub(super) fn condition<'v>(object: &'v Value, kind: &str) -> &'v str {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let found = conditions.find(|of| of["type"] == kind);
    found.map_or("", |of| said(of, &["status"]))
}

/// The instances of the nodes that take part, by id, with their node's name.
pub(super) fn nodes(world: &World, binding: &Binding) -> BTreeMap<String, String> {
    let selector = binding.spec.node_selector.as_ref();
    let takes_part = |node: &Value| {
        let labels: BTreeMap<String, String> =
            read(&node["metadata"]["labels"]).unwrap_or_default();
        let chosen = match selector {
            Some(selector) => selects(selector, &labels),
            None => !EXCLUDED.iter().any(|label| labels.contains_key(*label)),
        };
        let fargate = labels.get("eks.amazonaws.com/compute-type");
        let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
        let going = taints.any(|taint| GOING.contains(&said(taint, &["key"])));
        chosen && !going && fargate.is_none_or(|of| of != "fargate")
    };
    let with = |status: &str| -> BTreeMap<String, String> {
        let nodes = world.nodes.values();
        let nodes = nodes.filter(|of| condition(of, "Ready") == status && takes_part(of));
        nodes
            .filter_map(|node| {
                let (_, instance) = said(node, &["spec", "providerID"]).rsplit_once('/')?;
                let name = said(node, &["metadata", "name"]).to_owned();
                instance
                    .starts_with("i-")
                    .then(|| (instance.to_owned(), name))
            })
            .collect()
    };
    // Where none is ready, those that nobody has heard of are better than nothing.
    match with("True") {
        ready if ready.is_empty() => with("Unknown"),
        ready => ready,
    }
}

/// A number that changes with everything that a binding's targets depend on.
pub(crate) fn fingerprint(world: &World, object: &Value, binding: &Binding) -> u64 {
    let mut hasher = DefaultHasher::new();
    let metadata = &object["metadata"];
    object["spec"].to_string().hash(&mut hasher);
    (
        metadata["deletionTimestamp"].is_null(),
        said(metadata, &["uid"]),
    )
        .hash(&mut hasher);
    match service(world, binding) {
        Err(missing) => missing.hash(&mut hasher),
        Ok((service, port)) => {
            (port.node_port, &port.name, service.has_node_ports()).hash(&mut hasher);
            if binding.spec.target_type == "ip" {
                for of in pods(world, binding, &port) {
                    of.target.hash(&mut hasher);
                    let pod = of.pod.and_then(|key| world.pods.get(&key));
                    let told = pod.map(|pod| condition(pod, &gate_of(&binding.metadata.name)));
                    told.hash(&mut hasher);
                }
            } else {
                nodes(world, binding).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
