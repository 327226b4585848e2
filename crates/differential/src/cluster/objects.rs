//! Scenarios' parts as objects of Kubernetes' API.

use super::scenario::*;
use serde_json::{Value, json};

fn metadata(namespace: usize, name: &str) -> Value {
    json!({"namespace": NAMESPACES[namespace], "name": name})
}

pub(super) fn namespace(number: usize) -> Value {
    let name = NAMESPACES[number];
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
}

pub(super) fn node_name(number: usize) -> String {
    format!("node-{number}")
}

pub(super) fn pod_name(number: usize) -> String {
    format!("pod-{number}")
}

pub(super) fn service_name(number: usize) -> String {
    format!("service-{number}")
}

pub(super) fn policy_name(number: usize) -> String {
    format!("policy-{number}")
}

pub(super) fn pod(pod: &Pod) -> Value {
    let address = pod_address(pod).to_string();
    let mut metadata = metadata(pod.namespace, &pod_name(pod.number));
    metadata["labels"] = json!({"app": APPS[pod.app]});
    json!({
        "metadata": metadata,
        "spec": {
            "nodeName": node_name(pod.node),
            "hostNetwork": pod.host_network,
            "containers": [{"name": "main", "ports": [
                {"name": "http", "containerPort": pod.http, "protocol": "TCP"}]}],
        },
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    })
}

pub(super) fn service(service: &Service) -> Value {
    let number = service.number;
    let mut port = json!({
        "name": "main", "port": 80, "targetPort": service.target, "protocol": protocol(service.udp),
    });
    if service.kind != Kind::ClusterIp {
        port["nodePort"] = json!(node_port(number));
    }
    let kind = match service.kind {
        Kind::ClusterIp => "ClusterIP",
        Kind::NodePort => "NodePort",
        Kind::LoadBalancer => "LoadBalancer",
    };
    let policy = |local: bool| if local { "Local" } else { "Cluster" };
    let address = cluster_address(number).to_string();
    let mut object = json!({
        "metadata": metadata(service.namespace, &service_name(number)),
        "spec": {
            "type": kind,
            "clusterIP": address, "clusterIPs": [address],
            "selector": {"app": APPS[service.app]},
            "ports": [port],
            "externalTrafficPolicy": policy(service.external_local),
            "internalTrafficPolicy": policy(service.internal_local),
            "sessionAffinity": if service.affinity { "ClientIP" } else { "None" },
        },
        "status": {"loadBalancer": {}},
    });
    if service.affinity {
        object["spec"]["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 60}});
    }
    if service.external_address {
        object["spec"]["externalIPs"] = json!([external_address(number).to_string()]);
    }
    if service.kind == Kind::LoadBalancer {
        let address = balancer_address(number).to_string();
        object["status"]["loadBalancer"] = json!({"ingress": [{"ip": address, "ipMode": "VIP"}]});
        if let Some(block) = service.sources {
            let (cidr, _) = range(block);
            object["spec"]["loadBalancerSourceRanges"] = json!([cidr]);
        }
    }
    object
}

/// The slice of a service, as the endpoint slice controller makes it.
pub(super) fn slice<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Value {
    let endpoints: Vec<Value> = pods
        .filter(|pod| pod.namespace == service.namespace && pod.app == service.app)
        .map(|pod| {
            let (ready, serving, terminating) = match pod.condition {
                Condition::Ready => (true, true, false),
                Condition::Starting => (false, false, false),
                Condition::Terminating => (false, true, true),
            };
            json!({
                "addresses": [pod_address(pod).to_string()],
                "nodeName": node_name(pod.node),
                "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": NAMESPACES[pod.namespace], "name": pod_name(pod.number),
                },
            })
        })
        .collect();
    let name = service_name(service.number);
    let mut metadata = metadata(service.namespace, &format!("{name}-slice"));
    metadata["labels"] = json!({"kubernetes.io/service-name": name});
    json!({
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": [{"name": "main", "port": service.target, "protocol": protocol(service.udp)}],
        "endpoints": endpoints,
    })
}

fn protocol(udp: bool) -> &'static str {
    if udp { "UDP" } else { "TCP" }
}

pub(super) fn policy(policy: &Policy) -> Value {
    let selector = |app: Option<usize>| match app {
        Some(app) => json!({"matchLabels": {"app": APPS[app]}}),
        None => json!({}),
    };
    let mut spec = json!({"podSelector": selector(policy.app)});
    let mut types = Vec::new();
    for (name, rules, peers) in [
        ("ingress", &policy.ingress, "from"),
        ("egress", &policy.egress, "to"),
    ] {
        let Some(rules) = rules else {
            continue;
        };
        types.push(if name == "ingress" {
            "Ingress"
        } else {
            "Egress"
        });
        let rules = rules.iter().map(|one| rule(one, peers));
        spec[name] = Value::Array(rules.collect());
    }
    spec["policyTypes"] = json!(types);
    json!({"metadata": metadata(policy.namespace, &policy_name(policy.number)), "spec": spec})
}

fn rule(rule: &Rule, peers: &str) -> Value {
    let mut object = json!({});
    if !rule.peers.is_empty() {
        object[peers] = rule.peers.iter().map(peer).collect();
    }
    if !rule.ports.is_empty() {
        object["ports"] = rule.ports.iter().map(|one| port(*one)).collect();
    }
    object
}

fn peer(peer: &Peer) -> Value {
    let app = |app: usize| json!({"matchLabels": {"app": APPS[app]}});
    let namespace =
        |number: usize| json!({"matchLabels": {"kubernetes.io/metadata.name": NAMESPACES[number]}});
    match peer {
        Peer::Pods(None) => json!({"podSelector": {}}),
        Peer::Pods(Some(of)) => json!({"podSelector": app(*of)}),
        Peer::Namespace(number) => json!({"namespaceSelector": namespace(*number)}),
        Peer::Both(number, of) => {
            json!({"namespaceSelector": namespace(*number), "podSelector": app(*of)})
        }
        Peer::Block(block) => {
            let (cidr, except) = range(*block);
            json!({"ipBlock": {"cidr": cidr, "except": except}})
        }
    }
}

fn range(block: Block) -> (String, Vec<String>) {
    let of_node = |node: usize| format!("10.244.{}.0/24", node + 1);
    match block {
        Block::Everything => ("0.0.0.0/0".to_owned(), Vec::new()),
        Block::Nodes => ("10.0.1.8/29".to_owned(), Vec::new()),
        Block::AllPods => ("10.244.0.0/16".to_owned(), Vec::new()),
        Block::PodsOf(node) => (of_node(node), Vec::new()),
        Block::PodsBut(node) => ("10.244.0.0/16".to_owned(), vec![of_node(node)]),
        Block::Outside => (format!("{OUTSIDE}/32"), Vec::new()),
    }
}

fn port(port: Port) -> Value {
    match port {
        Port::Number { udp, port } => json!({"protocol": protocol(udp), "port": port}),
        Port::Range { udp, low, high } => {
            json!({"protocol": protocol(udp), "port": low, "endPort": high})
        }
        Port::Whole { udp } => json!({"protocol": protocol(udp)}),
        Port::Http => json!({"protocol": "TCP", "port": "http"}),
    }
}
