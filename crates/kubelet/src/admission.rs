//! Whether a node has room for a pod that was bound to it; the scheduler may have been wrong, or
//! wasn't asked. A kubelet repeats its filters on resources, node affinity and ports.
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename>

use crate::config::Capacity;
use crate::pod::{Pod, Port};
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a pod isn't taken: a reason and a message.
pub(crate) type Rejection = (String, String);

/// The reason of pods that chose other nodes; it may rest on labels that are not the newest.
pub(crate) const AFFINITY: &str = "NodeAffinity";

/// A node as pods see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a BTreeMap<String, String>,
    pub(crate) allocatable: Capacity,
}

/// Whether a pod fits beside those that are there.
pub(crate) fn admit(pod: &Pod, others: &[&Pod], ground: &Ground<'_>) -> Result<(), Rejection> {
    let os = pod.spec.os.name.as_str();
    if !matches!(os, "" | "linux") {
        let why = "Failed to admit pod as the OS field doesn't match node OS";
        return Err(("PodOSNotSupported".to_owned(), why.to_owned()));
    }
    resources(pod, others, ground.allocatable)?;
    if !chosen(pod, ground) {
        return Err(failed(
            AFFINITY,
            "node(s) didn't match Pod's node affinity/selector",
        ));
    }
    let wanted = host_ports(pod);
    let taken: Vec<&Port> = others.iter().flat_map(|other| host_ports(other)).collect();
    if wanted
        .iter()
        .any(|port| taken.iter().any(|other| clash(port, other)))
    {
        return Err(failed(
            "NodePorts",
            "node(s) didn't have free ports for the requested pod ports",
        ));
    }
    Ok(())
}

fn failed(predicate: &str, why: &str) -> Rejection {
    let message = format!("Predicate {predicate} failed: {why}");
    (predicate.to_owned(), message)
}

fn resources(pod: &Pod, others: &[&Pod], has: Capacity) -> Result<(), Rejection> {
    let used = others.len() as u64;
    if used + 1 > has.pods {
        return Err(short("pods", 1, used, has.pods));
    }
    let capacities = [
        ("cpu", has.cpu_millis),
        ("memory", has.memory),
        ("ephemeral-storage", has.storage),
    ];
    for (resource, capacity) in capacities {
        // Processors are counted in thousandths.
        let asked = |pod: &Pod| match resource {
            "cpu" => pod.request(resource).millis(),
            _ => pod.request(resource).units(),
        };
        let used: u64 = others.iter().map(|other| asked(other)).sum();
        let asked = asked(pod);
        if asked > 0 && asked + used > capacity {
            return Err(short(resource, asked, used, capacity));
        }
    }
    Ok(())
}

fn short(resource: &str, asked: u64, used: u64, capacity: u64) -> Rejection {
    let message = format!(
        "Node didn't have enough resource: {resource}, requested: {asked}, used: {used}, capacity: {capacity}"
    );
    (format!("OutOf{resource}"), message)
}

fn host_ports(pod: &Pod) -> Vec<&Port> {
    let containers = pod.spec.containers.iter();
    containers
        .flat_map(|container| &container.ports)
        .filter(|port| port.host_port > 0)
        .collect()
}

/// Whether two ports of the node can't both be had.
fn clash(a: &Port, b: &Port) -> bool {
    let any = |port: &Port| matches!(port.host_ip.as_str(), "" | "0.0.0.0");
    let protocol = |port: &Port| match port.protocol.as_str() {
        "" => "TCP".to_owned(),
        other => other.to_owned(),
    };
    a.host_port == b.host_port
        && protocol(a) == protocol(b)
        && (any(a) || any(b) || a.host_ip == b.host_ip)
}

/// Whether a pod's node selector and required node affinity choose a node.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>
fn chosen(pod: &Pod, ground: &Ground<'_>) -> bool {
    let mut labels = pod.spec.node_selector.iter();
    if !labels.all(|(key, value)| ground.labels.get(key) == Some(value)) {
        return false;
    }
    let required = &pod.spec.affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    let Some(terms) = required.as_array() else {
        return true;
    };
    let list = |term: &Value, field: &str| term[field].as_array().cloned().unwrap_or_default();
    terms.iter().any(|term| {
        let (labels, fields) = (list(term, "matchExpressions"), list(term, "matchFields"));
        let said = !labels.is_empty() || !fields.is_empty();
        let label = |key: &str| ground.labels.get(key).map(String::as_str);
        let field = |key: &str| (key == "metadata.name").then_some(ground.name);
        said && labels.iter().all(|one| holds(one, label))
            && fields.iter().all(|one| holds(one, field))
    })
}

/// Whether a requirement holds for a value.
fn holds<'a>(requirement: &Value, value: impl Fn(&str) -> Option<&'a str>) -> bool {
    let key = requirement["key"].as_str().unwrap_or_default();
    let value = value(key);
    let values: Vec<&str> = requirement["values"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = values.first().and_then(|bound| number(bound));
    let found = value.and_then(number);
    match requirement["operator"].as_str() {
        Some("In") => value.is_some_and(|value| values.contains(&value)),
        Some("NotIn") => value.is_none_or(|value| !values.contains(&value)),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        Some("Gt") => found.zip(bound).is_some_and(|(found, bound)| found > bound),
        Some("Lt") => found.zip(bound).is_some_and(|(found, bound)| found < bound),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(spec: Value) -> Pod {
        Pod::read(&json!({"spec": spec})).unwrap()
    }

    fn admitted(pod: &Pod, others: &[&Pod]) -> Result<(), Rejection> {
        let labels = BTreeMap::from([
            ("zone".to_owned(), "a".to_owned()),
            ("n".into(), "5".into()),
        ]);
        let ground = Ground {
            name: "n1",
            labels: &labels,
            allocatable: Capacity {
                cpu_millis: 2000,
                memory: 1 << 30,
                storage: 0,
                pods: 2,
            },
        };
        admit(pod, others, &ground)
    }

    fn asking(requests: Value) -> Pod {
        pod(json!({"containers": [{"resources": {"requests": requests}}]}))
    }

    /// K8S-RUN: what a node is short of, in upstream's words.
    #[test]
    fn nodes_run_out() {
        let one = asking(json!({"cpu": "1500m"}));
        assert_eq!(admitted(&one, &[]), Ok(()));
        let (reason, message) = admitted(&one, &[&one]).unwrap_err();
        assert_eq!(reason, "OutOfcpu");
        assert_eq!(
            message,
            "Node didn't have enough resource: cpu, requested: 1500, used: 1500, capacity: 2000"
        );
        let (reason, _) = admitted(&asking(json!({"memory": "2Gi"})), &[]).unwrap_err();
        assert_eq!(reason, "OutOfmemory");
        let small = asking(json!({}));
        let (reason, message) = admitted(&small, &[&small, &small]).unwrap_err();
        assert_eq!(reason, "OutOfpods");
        assert_eq!(
            message,
            "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2"
        );
    }

    /// K8S-RUN: pods that chose other nodes.
    #[test]
    fn pods_choose_their_nodes() {
        let affinity = |expression: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}})
        };
        for (spec, fits) in [
            (json!({"nodeSelector": {"zone": "a"}}), true),
            (json!({"nodeSelector": {"zone": "b"}}), false),
            (
                affinity(json!({"key": "zone", "operator": "In", "values": ["a", "b"]})),
                true,
            ),
            (
                affinity(json!({"key": "zone", "operator": "NotIn", "values": ["a"]})),
                false,
            ),
            (
                affinity(json!({"key": "none", "operator": "DoesNotExist"})),
                true,
            ),
            (
                affinity(json!({"key": "n", "operator": "Gt", "values": ["4"]})),
                true,
            ),
            (
                affinity(json!({"key": "n", "operator": "Lt", "values": ["4"]})),
                false,
            ),
        ] {
            let found = admitted(&pod(spec.clone()), &[]);
            assert_eq!(found.is_ok(), fits, "{spec}");
            if let Err((reason, message)) = found {
                assert_eq!(reason, "NodeAffinity");
                assert_eq!(
                    message,
                    "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
                );
            }
        }
    }

    /// K8S-RUN: two pods can't have one port of the node.
    #[test]
    fn ports_of_the_node_are_had_once() {
        let with = |ports: Value| pod(json!({"containers": [{"ports": ports}]}));
        let web = with(json!([{"containerPort": 80, "hostPort": 80}]));
        for (other, fits) in [
            (
                json!([{"containerPort": 8080, "hostPort": 80, "hostIP": "10.0.0.1"}]),
                false,
            ),
            (
                json!([{"containerPort": 80, "hostPort": 80, "protocol": "UDP"}]),
                true,
            ),
            (json!([{"containerPort": 80}]), true),
        ] {
            let found = admitted(&with(other.clone()), &[&web]);
            assert_eq!(found.is_ok(), fits, "{other}");
        }
    }
}
