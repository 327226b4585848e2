//! Affinity: nodes that a pod wants, pods that it wants near or far.
//!
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>

use super::NodeView;
use crate::object;
use crate::selector::{Requirement, Selector};
use crate::store::{Key, Store};
use serde_json::Value;

/// Whether a node is one that a pod's selector and required affinity allow.
pub(super) fn of_node(pod: &Value, node: &Value) -> bool {
    let plain = Selector::of_map(&pod["spec"]["nodeSelector"]);
    if plain.is_some_and(|selector| !selector.selects(node)) {
        return false;
    }
    let required = object::at(
        pod,
        &[
            "spec",
            "affinity",
            "nodeAffinity",
            "requiredDuringSchedulingIgnoredDuringExecution",
        ],
    );
    required.is_null()
        || object::list(required, &["nodeSelectorTerms"])
            .iter()
            .any(|term| matches(term, node))
}

/// Whether a node selector term holds of a node. An empty term holds of none.
pub(super) fn matches(term: &Value, node: &Value) -> bool {
    let labels = object::list(term, &["matchExpressions"]);
    let fields = object::list(term, &["matchFields"]);
    if labels.is_empty() && fields.is_empty() {
        return false;
    }
    let by_label = |key: &str| node["metadata"]["labels"][key].as_str();
    let by_field = |key: &str| (key == "metadata.name").then(|| object::name(node));
    labels
        .iter()
        .all(|of| requirement(of).is_some_and(|r| Selector(vec![r]).holds(by_label)))
        && fields
            .iter()
            .all(|of| requirement(of).is_some_and(|r| Selector(vec![r]).holds(by_field)))
}

fn requirement(expression: &Value) -> Option<Requirement> {
    let key = object::text(expression, &["key"]).to_owned();
    let values: Vec<String> = object::list(expression, &["values"])
        .iter()
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect();
    let number = || values.first()?.parse().ok();
    Some(match object::text(expression, &["operator"]) {
        "In" => Requirement::In(key, values),
        "NotIn" => Requirement::NotIn(key, values),
        "Exists" => Requirement::Exists(key),
        "DoesNotExist" => Requirement::Absent(key),
        "Gt" => Requirement::Compare(key, true, number()?),
        "Lt" => Requirement::Compare(key, false, number()?),
        _ => return None,
    })
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// Whether the pods that are there allow one more on a node.
pub(super) fn of_pods(
    pod: &Value,
    view: &NodeView<'_>,
    nodes: &[NodeView<'_>],
    store: &Store,
) -> Result<(), &'static str> {
    for term in object::list(pod, &["spec", "affinity", "podAntiAffinity", REQUIRED]) {
        if near(term, pod, view, nodes, store) {
            return Err("node(s) didn't match pod anti-affinity rules");
        }
    }
    for other in nodes.iter().flat_map(|other| &other.pods) {
        for term in object::list(other, &["spec", "affinity", "podAntiAffinity", REQUIRED]) {
            let same = together(term, view, nodes, other);
            if same && selects(term, other, pod, store) {
                return Err("node(s) didn't satisfy existing pods anti-affinity rules");
            }
        }
    }
    for term in object::list(pod, &["spec", "affinity", "podAffinity", REQUIRED]) {
        let any = nodes
            .iter()
            .flat_map(|other| &other.pods)
            .any(|other| selects(term, pod, other, store));
        // The first of pods that want each other may be anywhere.
        let first = !any && selects(term, pod, pod, store);
        if !first && !near(term, pod, view, nodes, store) {
            return Err("node(s) didn't match pod affinity rules");
        }
    }
    Ok(())
}

/// Whether a pod that a term selects runs in a node's part of the topology.
fn near(
    term: &Value,
    pod: &Value,
    view: &NodeView<'_>,
    nodes: &[NodeView<'_>],
    store: &Store,
) -> bool {
    let key = object::text(term, &["topologyKey"]);
    let Some(place) = label(view.node, key) else {
        return false;
    };
    nodes
        .iter()
        .filter(|other| label(other.node, key) == Some(place))
        .flat_map(|other| &other.pods)
        .any(|other| selects(term, pod, other, store))
}

/// Whether a running pod is in the same part of a term's topology as a node.
fn together(term: &Value, view: &NodeView<'_>, nodes: &[NodeView<'_>], pod: &Value) -> bool {
    let key = object::text(term, &["topologyKey"]);
    let at = object::text(pod, &["spec", "nodeName"]);
    let node = nodes.iter().find(|other| object::name(other.node) == at);
    let place = node.and_then(|node| label(node.node, key));
    place.is_some() && place == label(view.node, key)
}

fn label<'n>(node: &'n Value, key: &str) -> Option<&'n str> {
    node["metadata"]["labels"][key].as_str()
}

/// Whether a term of one pod selects another.
fn selects(term: &Value, of: &Value, other: &Value, store: &Store) -> bool {
    let namespace = object::namespace(other);
    let named = object::list(term, &["namespaces"]);
    let by_labels = Selector::of_labels(&term["namespaceSelector"]);
    let in_namespace = match (named.is_empty(), &by_labels) {
        (true, None) => object::namespace(of) == namespace,
        _ => {
            named.iter().any(|name| name == namespace)
                || by_labels.is_some_and(|selector| {
                    let found = store.get(&Key::new("namespaces", "", namespace));
                    found.is_some_and(|found| selector.selects(found))
                })
        }
    };
    in_namespace
        && Selector::of_labels(&term["labelSelector"])
            .is_some_and(|selector| selector.selects(other))
}
