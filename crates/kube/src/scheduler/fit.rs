//! Whether a pod can run on a node, and if not, why, in upstream's words.

use super::{NodeView, affinity, spread};
use crate::object;
use crate::quantity::{self, Amount};
use crate::store::Store;
use serde_json::Value;

/// What is against running a pod on a node; nothing if it fits.
pub(super) fn reasons(
    pod: &Value,
    view: &NodeView<'_>,
    nodes: &[NodeView<'_>],
    store: &Store,
) -> Vec<String> {
    let node = view.node;
    let unschedulable = node["spec"]["unschedulable"] == true;
    if unschedulable && !tolerates(pod, &cordon()) {
        return vec!["node(s) were unschedulable".to_owned()];
    }
    if let Some(taint) = untolerated(pod, node) {
        let (key, value) = (
            object::text(taint, &["key"]),
            object::text(taint, &["value"]),
        );
        return vec![format!("node(s) had untolerated taint {{{key}: {value}}}")];
    }
    if !affinity::of_node(pod, node) {
        return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
    }
    if !ports_free(pod, view) {
        return vec!["node(s) didn't have free ports for the requested pod ports".to_owned()];
    }
    let lacking = lacking(pod, view);
    if !lacking.is_empty() {
        return lacking;
    }
    if !spread::fits(pod, view, nodes) {
        return vec!["node(s) didn't match pod topology spread constraints".to_owned()];
    }
    affinity::of_pods(pod, view, nodes, store)
        .err()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// Whether a reason is the node's: no pod that leaves it changes anything.
pub(super) fn is_of_node(reason: &str) -> bool {
    reason == "node(s) were unschedulable"
        || reason.starts_with("node(s) had untolerated taint")
        || reason == "node(s) didn't match Pod's node affinity/selector"
}

/// The taint of a node that takes no new pods.
fn cordon() -> Value {
    serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
}

/// Whether one of a pod's tolerations is for a taint.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>
pub(crate) fn tolerates(pod: &Value, taint: &Value) -> bool {
    object::list(pod, &["spec", "tolerations"])
        .iter()
        .any(|toleration| {
            let key = object::text(toleration, &["key"]);
            let effect = object::text(toleration, &["effect"]);
            let exists = toleration["operator"] == "Exists";
            (effect.is_empty() || taint["effect"] == effect)
                && ((key.is_empty() && exists) || taint["key"] == key)
                && (exists
                    || object::text(taint, &["value"]) == object::text(toleration, &["value"]))
        })
}

/// The first taint that keeps a pod off a node.
fn untolerated<'n>(pod: &Value, node: &'n Value) -> Option<&'n Value> {
    object::list(node, &["spec", "taints"])
        .iter()
        .find(|taint| {
            let keeps_off = taint["effect"] == "NoSchedule" || taint["effect"] == "NoExecute";
            keeps_off && !tolerates(pod, taint)
        })
}

fn host_ports(pod: &Value) -> Vec<(i64, &str, &str)> {
    object::list(pod, &["spec", "containers"])
        .iter()
        .flat_map(|container| object::list(container, &["ports"]))
        .filter_map(|port| {
            let number = port["hostPort"].as_i64().filter(|number| *number > 0)?;
            Some((
                number,
                object::text(port, &["protocol"]),
                object::text(port, &["hostIP"]),
            ))
        })
        .collect()
}

fn ports_free(pod: &Value, view: &NodeView<'_>) -> bool {
    let wanted = host_ports(pod);
    let any = |address: &str| address.is_empty() || address == "0.0.0.0";
    wanted.iter().all(|(port, protocol, address)| {
        !view
            .pods
            .iter()
            .flat_map(|other| host_ports(other))
            .any(|(taken, of, at)| {
                taken == *port && of == *protocol && (any(at) || any(address) || at == *address)
            })
    })
}

/// What a pod asks for: processors in thousandths, memory in bytes.
pub(super) fn requests(pod: &Value) -> (i64, f64) {
    let asked = crate::quota::asked(pod, "requests");
    let of = |name: &str| asked.get(name).map(ToString::to_string).unwrap_or_default();
    (
        quantity::milli(&of("cpu")).unwrap_or(0),
        quantity::parse(&of("memory")).unwrap_or(0.0),
    )
}

/// What a node has for pods: processors in thousandths, memory in bytes, a number of pods.
pub(super) fn allocatable(node: &Value) -> (i64, f64, usize) {
    let of = |name| object::text(node, &["status", "allocatable", name]);
    let pods = of("pods").parse().unwrap_or(usize::MAX);
    (
        quantity::milli(of("cpu")).unwrap_or(i64::MAX),
        quantity::parse(of("memory")).unwrap_or(f64::MAX),
        pods,
    )
}

fn lacking(pod: &Value, view: &NodeView<'_>) -> Vec<String> {
    let (cpu, memory, most) = allocatable(view.node);
    let (mut used_cpu, mut used_memory) = requests(pod);
    let wanted = (used_cpu, used_memory);
    for other in &view.pods {
        let (c, m) = requests(other);
        used_cpu += c;
        used_memory += m;
    }
    let mut lacking = Vec::new();
    if view.pods.len() + 1 > most {
        lacking.push("Too many pods".to_owned());
    }
    // Who asks for nothing lacks nothing.
    if wanted.0 > 0 && used_cpu > cpu {
        lacking.push("Insufficient cpu".to_owned());
    }
    if wanted.1 > 0.0 && used_memory > memory {
        lacking.push("Insufficient memory".to_owned());
    }
    // Whatever else a node has a number of, devices for one.
    let asked = crate::quota::asked(pod, "requests");
    for (name, wanted) in asked {
        if ["cpu", "memory"].contains(&name.as_str()) || wanted.is_zero() {
            continue;
        }
        let has = Amount::of(&view.node["status"]["allocatable"][&name]).unwrap_or_default();
        let used = view
            .pods
            .iter()
            .filter_map(|other| crate::quota::asked(other, "requests").get(&name).copied());
        if (used.sum::<Amount>() + wanted).exceeds(has) {
            lacking.push(format!("Insufficient {name}"));
        }
    }
    lacking
}
