//! K8S-RUN: placing by resources, taints, affinity, spread and the number of pods.
#![allow(clippy::unwrap_used)]

use super::*;

/// The node that is chosen, or why there is none.
fn choose(store: &Store, pod: &Value) -> Result<String, String> {
    super::choose(store, pod).map(|(node, _)| node)
}
use crate::store::Key;

fn store(nodes: &[Value], pods: &[Value]) -> Store {
    let mut store = Store::default();
    for node in nodes {
        store.put(Key::new("nodes", "", object::name(node)), node.clone());
    }
    for pod in pods {
        store.put(Key::new("pods", "default", object::name(pod)), pod.clone());
    }
    store
}

fn node(name: &str, zone: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"zone": zone, "kubernetes.io/hostname": name}},
        "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "3"}},
    })
}

fn pod(name: &str, at: &str, spec: Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"nodeName": at, "containers": [{"name": "c"}]},
    });
    for (field, value) in spec.as_object().unwrap() {
        pod["spec"][field] = value.clone();
    }
    pod
}

fn asks(cpu: &str) -> Value {
    json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]})
}

#[test]
fn without_nodes_nothing_is_placed() {
    let refused = choose(&store(&[], &[]), &pod("p", "", json!({}))).unwrap_err();
    assert_eq!(refused, "no nodes available to schedule pods");
}

#[test]
fn resources_decide() {
    let nodes = [node("a", "1"), node("b", "2")];
    let busy = [pod("x", "a", asks("1500m"))];
    assert_eq!(
        choose(&store(&nodes, &busy), &pod("p", "", asks("1"))).unwrap(),
        "b"
    );
    let full = [pod("x", "a", asks("1500m")), pod("y", "b", asks("1500m"))];
    let refused = choose(&store(&nodes, &full), &pod("p", "", asks("1"))).unwrap_err();
    assert_eq!(refused, "0/2 nodes are available: 2 Insufficient cpu.");
    let three: Vec<_> = ["x", "y", "z"].map(|name| pod(name, "a", json!({}))).into();
    let refused = choose(&store(&nodes[..1], &three), &pod("p", "", json!({}))).unwrap_err();
    assert_eq!(refused, "0/1 nodes are available: 1 Too many pods.");
}

#[test]
fn taints_keep_off_and_tolerations_let_in() {
    let mut tainted = node("a", "1");
    tainted["spec"] = json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]});
    let store = store(&[tainted], &[]);
    let refused = choose(&store, &pod("p", "", json!({}))).unwrap_err();
    assert_eq!(
        refused,
        "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}."
    );
    for toleration in [
        json!({"key": "gpu", "operator": "Exists"}),
        json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"}),
        json!({"operator": "Exists"}),
    ] {
        let tolerant = pod("p", "", json!({"tolerations": [toleration]}));
        assert_eq!(choose(&store, &tolerant).unwrap(), "a");
    }
}

#[test]
fn cordoned_nodes_take_nothing() {
    let mut cordoned = node("a", "1");
    cordoned["spec"] = json!({"unschedulable": true});
    let refused = choose(&store(&[cordoned], &[]), &pod("p", "", json!({}))).unwrap_err();
    assert_eq!(
        refused,
        "0/1 nodes are available: 1 node(s) were unschedulable."
    );
}

#[test]
fn selectors_and_affinity_choose_nodes() {
    let store = store(&[node("a", "1"), node("b", "2")], &[]);
    let by_selector = pod("p", "", json!({"nodeSelector": {"zone": "2"}}));
    assert_eq!(choose(&store, &by_selector).unwrap(), "b");
    let term = |operator: &str| {
        json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "zone", "operator": operator, "values": ["1"]},
            ]}],
        }}}})
    };
    assert_eq!(choose(&store, &pod("p", "", term("In"))).unwrap(), "a");
    assert_eq!(choose(&store, &pod("p", "", term("NotIn"))).unwrap(), "b");
    assert_eq!(choose(&store, &pod("p", "", term("Gt"))).unwrap(), "b");
}

#[test]
fn pods_keep_apart_and_together() {
    let nodes = [node("a", "1"), node("b", "2")];
    let running = [pod("x", "a", json!({}))];
    let rule = |kind: &str| {
        json!({"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}},
        ]}}})
    };
    let store = store(&nodes, &running);
    assert_eq!(
        choose(&store, &pod("p", "", rule("podAntiAffinity"))).unwrap(),
        "b"
    );
    assert_eq!(
        choose(&store, &pod("p", "", rule("podAffinity"))).unwrap(),
        "a"
    );
}

#[test]
fn spread_constraints_hold() {
    let nodes = [node("a", "1"), node("b", "2")];
    let running = [pod("x", "a", json!({})), pod("y", "a", json!({}))];
    let spread = json!({"topologySpreadConstraints": [{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }]});
    assert_eq!(
        choose(&store(&nodes, &running), &pod("p", "", spread)).unwrap(),
        "b"
    );
}

#[test]
fn host_ports_are_taken_once() {
    let port =
        json!({"containers": [{"name": "c", "ports": [{"hostPort": 80, "protocol": "TCP"}]}]});
    let store = store(&[node("a", "1")], &[pod("x", "a", port.clone())]);
    let refused = choose(&store, &pod("p", "", port)).unwrap_err();
    assert!(refused.contains("didn't have free ports"), "{refused}");
}
