//! K8S-NET: policies as the API serves them, and what a node makes of them. Most are the
//! documentation's own.
//! <https://kubernetes.io/docs/concepts/services-networking/network-policies/>

#![allow(clippy::unwrap_used)]

use super::*;
use fabric::walk::filter::{Decision, decide};
use fabric::{Flow, Protocol, Transport};
use serde_json::json;

const NODE: &str = "node-1";

fn pod(namespace: &str, name: &str, address: &str, labels: Value) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"nodeName": NODE, "containers": []},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    })
}

fn with_ports(mut pod: Value, ports: Value) -> Value {
    pod["spec"]["containers"] = json!([{"name": "main", "ports": ports}]);
    pod
}

fn namespace(name: &str, labels: Value) -> Value {
    json!({"metadata": {"name": name, "labels": labels}})
}

fn policy(name: &str, spec: Value) -> Value {
    json!({"metadata": {"namespace": "default", "name": name}, "spec": spec})
}

/// A db and a frontend in `default`, a client in `myproject`, a stranger in `other`.
fn cluster() -> Compiler {
    let mut compiler = Compiler::new();
    compiler.namespace(&namespace("default", json!({})));
    compiler.namespace(&namespace("myproject", json!({"project": "myproject"})));
    compiler.namespace(&namespace("other", json!(null)));
    compiler.pod(&pod("default", "db", "10.244.1.1", json!({"role": "db"})));
    compiler.pod(&pod(
        "default",
        "frontend",
        "10.244.1.2",
        json!({"role": "frontend"}),
    ));
    compiler.pod(&pod(
        "myproject",
        "client",
        "10.244.1.3",
        json!({"role": "client"}),
    ));
    compiler.pod(&pod(
        "other",
        "stranger",
        "10.244.1.4",
        json!({"role": "frontend"}),
    ));
    compiler
}

fn flow(protocol: Protocol, source: &str, destination: &str, port: u16) -> Flow {
    let (source_port, destination_port) = (40_000, port);
    Flow {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        transport: if protocol == Protocol::UDP {
            Transport::Udp {
                source_port,
                destination_port,
            }
        } else {
            Transport::Tcp {
                source_port,
                destination_port,
            }
        },
    }
}

/// Whether the pod at one end lets a flow through; the other end isn't asked.
fn lets(compiler: &Compiler, pod: &str, packet: &Flow, ingress: bool) -> bool {
    let policies = compiler.on(NODE);
    let isolation = &policies.pods[&pod.parse::<Ipv4Addr>().unwrap()];
    isolation.policies(ingress).is_none_or(|ids| {
        ids.iter().any(|id| {
            let filter = &policies.filters[id];
            let decision = decide(&policies.address_sets, filter, ingress, packet);
            matches!(decision, Decision::Allow(_))
        })
    })
}

fn in_tcp(compiler: &Compiler, source: &str, pod: &str, port: u16) -> bool {
    lets(compiler, pod, &flow(Protocol::TCP, source, pod, port), true)
}

fn out_tcp(compiler: &Compiler, pod: &str, destination: &str, port: u16) -> bool {
    let packet = flow(Protocol::TCP, pod, destination, port);
    lets(compiler, pod, &packet, false)
}

/// The documentation's first example.
/// <https://kubernetes.io/docs/concepts/services-networking/network-policies/#networkpolicy-resource>
#[test]
fn the_documentations_example() {
    let mut compiler = cluster();
    compiler.policy(&policy(
        "test-network-policy",
        json!({
            "podSelector": {"matchLabels": {"role": "db"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{
                "from": [
                    {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}},
                    {"namespaceSelector": {"matchLabels": {"project": "myproject"}}},
                    {"podSelector": {"matchLabels": {"role": "frontend"}}},
                ],
                "ports": [{"protocol": "TCP", "port": 6379}],
            }],
            "egress": [{
                "to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}],
                "ports": [{"protocol": "TCP", "port": 5978}],
            }],
        }),
    ));
    let db = "10.244.1.1";
    for (source, allowed) in [
        ("172.17.0.5", true),
        ("172.17.1.5", false),
        ("172.18.0.5", false),
        ("10.244.1.2", true),
        ("10.244.1.3", true),
        ("10.244.1.4", false),
    ] {
        assert_eq!(in_tcp(&compiler, source, db, 6379), allowed, "{source}");
        assert!(!in_tcp(&compiler, source, db, 6380), "{source}");
    }
    assert!(out_tcp(&compiler, db, "10.0.0.7", 5978));
    assert!(!out_tcp(&compiler, db, "10.0.1.7", 5978));
    assert!(!out_tcp(&compiler, db, "10.0.0.7", 80));
    // Others are not isolated.
    assert!(in_tcp(&compiler, "192.0.2.1", "10.244.1.2", 22));
    assert_eq!(
        compiler.on(NODE).pods[&"10.244.1.2".parse::<Ipv4Addr>().unwrap()].ingress,
        None
    );
}

/// <https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors>
#[test]
fn one_element_and_two() {
    let both = json!([{
        "namespaceSelector": {"matchLabels": {"project": "myproject"}},
        "podSelector": {"matchLabels": {"role": "client"}},
    }]);
    let either = json!([
        {"namespaceSelector": {"matchLabels": {"project": "myproject"}}},
        {"podSelector": {"matchLabels": {"role": "client"}}},
    ]);
    let mut compiler = cluster();
    let server = pod(
        "myproject",
        "server",
        "10.244.1.9",
        json!({"role": "server"}),
    );
    compiler.pod(&server);
    for (from, server_may) in [(both, false), (either, true)] {
        compiler.policy(&policy(
            "p",
            json!({"podSelector": {}, "ingress": [{"from": from}]}),
        ));
        assert!(in_tcp(&compiler, "10.244.1.3", "10.244.1.1", 80));
        assert_eq!(
            in_tcp(&compiler, "10.244.1.9", "10.244.1.1", 80),
            server_may
        );
        assert!(!in_tcp(&compiler, "10.244.1.4", "10.244.1.1", 80));
    }
}

/// The documentation's default policies: all denied, all allowed, in each direction.
/// <https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-policies>
#[test]
fn default_policies() {
    let (db, other) = ("10.244.1.1", "10.244.1.4");
    for (spec, ingress, egress) in [
        (
            json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
            false,
            true,
        ),
        (
            json!({"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]}),
            true,
            true,
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Egress"]}),
            true,
            false,
        ),
        (
            json!({"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]}),
            true,
            true,
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            false,
            false,
        ),
        // Without types: ingress, and egress where there are rules for it.
        (json!({"podSelector": {}}), false, true),
        (json!({"podSelector": {}, "egress": []}), false, true),
        (
            json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}]}),
            false,
            false,
        ),
    ] {
        let mut compiler = cluster();
        compiler.policy(&policy("p", spec.clone()));
        assert_eq!(in_tcp(&compiler, other, db, 80), ingress, "{spec}");
        assert_eq!(out_tcp(&compiler, db, other, 80), egress, "{spec}");
        // Other namespaces are not concerned.
        assert!(in_tcp(&compiler, db, other, 80));
    }
}

/// <https://kubernetes.io/docs/concepts/services-networking/network-policies/#targeting-a-range-of-ports>
#[test]
fn ports() {
    let mut compiler = cluster();
    compiler.policy(&policy(
        "multi-port-egress",
        json!({
            "podSelector": {"matchLabels": {"role": "db"}},
            "policyTypes": ["Egress"],
            "egress": [{
                "to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}],
                "ports": [
                    {"protocol": "TCP", "port": 32000, "endPort": 32768},
                    {"port": 443}, {"protocol": "UDP"},
                ],
            }],
        }),
    ));
    let db = "10.244.1.1";
    for (port, allowed) in [
        (31999, false),
        (32000, true),
        (32768, true),
        (32769, false),
        (443, true),
    ] {
        assert_eq!(out_tcp(&compiler, db, "10.0.0.7", port), allowed, "{port}");
    }
    let udp = flow(Protocol::UDP, db, "10.0.0.7", 7);
    assert!(lets(&compiler, db, &udp, false));
}

/// A named port is whatever number the receiving pod gives it.
#[test]
fn named_ports() {
    let web = |name: &str, address: &str, number: u16| {
        with_ports(
            pod("default", name, address, json!({"app": "web"})),
            json!([{"name": "http", "containerPort": number}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}]),
        )
    };
    let mut compiler = cluster();
    compiler.pod(&web("web-1", "10.244.1.11", 8080));
    compiler.pod(&web("web-2", "10.244.1.12", 9090));
    compiler.policy(&policy(
        "in",
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"ports": [{"port": "http"}, {"port": "dns", "protocol": "UDP"}]}],
        }),
    ));
    compiler.policy(&policy(
        "out",
        json!({
            "podSelector": {"matchLabels": {"role": "db"}}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": "http"}]}],
        }),
    ));
    let check = |compiler: &Compiler, address: &str, number: u16, wrong: u16| {
        assert!(in_tcp(compiler, "192.0.2.1", address, number));
        assert!(!in_tcp(compiler, "192.0.2.1", address, wrong));
        assert!(out_tcp(compiler, "10.244.1.1", address, number));
        assert!(!out_tcp(compiler, "10.244.1.1", address, wrong));
    };
    check(&compiler, "10.244.1.11", 8080, 9090);
    check(&compiler, "10.244.1.12", 9090, 8080);
    let dns = flow(Protocol::UDP, "192.0.2.1", "10.244.1.11", 53);
    assert!(lets(&compiler, "10.244.1.11", &dns, true));
    // Another pod, another number.
    compiler.pod(&web("web-3", "10.244.1.13", 7070));
    check(&compiler, "10.244.1.13", 7070, 8080);
    compiler.pod_gone("default", "web-1");
    assert!(!out_tcp(&compiler, "10.244.1.1", "10.244.1.11", 8080));
}

/// Pods come, change and go; sets follow without the filter changing.
#[test]
fn members_come_and_go() {
    let mut compiler = cluster();
    compiler.policy(&policy(
        "p",
        json!({
            "podSelector": {"matchLabels": {"role": "db"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "frontend"}}}]}],
        }),
    ));
    let db = "10.244.1.1";
    let filters = compiler.on(NODE).filters;
    let late = |address: &str| pod("default", "late", address, json!({"role": "frontend"}));
    compiler.pod(&late("10.244.1.20"));
    assert!(in_tcp(&compiler, "10.244.1.20", db, 80));
    compiler.pod(&late("10.244.1.21"));
    assert!(!in_tcp(&compiler, "10.244.1.20", db, 80));
    assert!(in_tcp(&compiler, "10.244.1.21", db, 80));
    compiler.pod(&pod(
        "default",
        "late",
        "10.244.1.21",
        json!({"role": "backend"}),
    ));
    assert!(!in_tcp(&compiler, "10.244.1.21", db, 80));
    // A new pod may have an address before the old one's end is known.
    compiler.pod(&late("10.244.1.22"));
    compiler.pod(&pod(
        "default",
        "next",
        "10.244.1.22",
        json!({"role": "frontend"}),
    ));
    compiler.pod_gone("default", "late");
    assert!(in_tcp(&compiler, "10.244.1.22", db, 80));
    let mut finished = pod(
        "default",
        "next",
        "10.244.1.22",
        json!({"role": "frontend"}),
    );
    finished["status"]["phase"] = json!("Succeeded");
    compiler.pod(&finished);
    assert!(!in_tcp(&compiler, "10.244.1.22", db, 80));
    let mut of_host = late("10.0.1.10");
    of_host["spec"]["hostNetwork"] = json!(true);
    compiler.pod(&of_host);
    assert!(!in_tcp(&compiler, "10.0.1.10", db, 80));
    assert_eq!(compiler.on(NODE).filters, filters);
}

#[test]
fn namespaces_change_their_labels() {
    let mut compiler = cluster();
    compiler.policy(&policy(
        "p",
        json!({
            "podSelector": {},
            "ingress": [{"from": [{"namespaceSelector": {"matchExpressions": [
                {"key": "project", "operator": "In", "values": ["myproject", "yours"]}]}}]}],
        }),
    ));
    let db = "10.244.1.1";
    assert!(in_tcp(&compiler, "10.244.1.3", db, 80));
    compiler.namespace(&namespace("myproject", json!({})));
    assert!(!in_tcp(&compiler, "10.244.1.3", db, 80));
    compiler.namespace(&namespace("other", json!({"project": "yours"})));
    assert!(in_tcp(&compiler, "10.244.1.4", db, 80));
    compiler.namespace_gone("other");
    assert!(!in_tcp(&compiler, "10.244.1.4", db, 80));
}

/// Policies add up, and their sets go with the last that names them.
#[test]
fn policies_come_and_go() {
    let mut compiler = cluster();
    let spec = json!({
        "podSelector": {"matchLabels": {"role": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "frontend"}}}]}],
    });
    compiler.policy(&policy("deny", json!({"podSelector": {}})));
    compiler.policy(&policy("one", spec.clone()));
    compiler.policy(&policy("two", spec));
    assert!(in_tcp(&compiler, "10.244.1.2", "10.244.1.1", 80));
    assert_eq!(compiler.on(NODE).address_sets.len(), 1);
    compiler.policy_gone("default", "one");
    assert_eq!(compiler.on(NODE).address_sets.len(), 1);
    compiler.policy_gone("default", "two");
    assert!(compiler.on(NODE).address_sets.is_empty());
    assert!(!in_tcp(&compiler, "10.244.1.2", "10.244.1.1", 80));
    compiler.policy_gone("default", "deny");
    assert!(in_tcp(&compiler, "10.244.1.2", "10.244.1.1", 80));
    assert!(compiler.on(NODE).filters.is_empty());
}

/// Each node has its own pods, and all of them, isolated or not.
#[test]
fn nodes_have_their_pods() {
    let mut compiler = cluster();
    let mut moved = pod("default", "elsewhere", "10.244.2.1", json!({}));
    moved["spec"]["nodeName"] = json!("node-2");
    compiler.pod(&moved);
    assert_eq!(compiler.on(NODE).pods.len(), 4);
    assert_eq!(compiler.on("node-2").pods.len(), 1);
    compiler.pod_gone("default", "elsewhere");
    assert_eq!(compiler.on("node-2").pods.len(), 0);
}

/// Whatever order the objects come in, the result is the same.
#[test]
fn order_does_not_matter() {
    let objects = [
        policy(
            "p",
            json!({
                "podSelector": {},
                "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}],
                "egress": [{"ports": [{"port": "http"}]}],
            }),
        ),
        with_ports(
            pod("default", "web", "10.244.1.11", json!({})),
            json!([{"name": "http", "containerPort": 8080}]),
        ),
        namespace("default", json!({"a": "b"})),
    ];
    let feed = |compiler: &mut Compiler, object: &Value| {
        if object.pointer("/spec/podSelector").is_some() {
            compiler.policy(object);
        } else if object.get("status").is_some() {
            compiler.pod(object);
        } else {
            compiler.namespace(object);
        }
    };
    let mut results = Vec::new();
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let mut compiler = Compiler::new();
        for index in order {
            feed(&mut compiler, &objects[index]);
        }
        results.push(compiler.on(NODE));
    }
    let everybody = results[0]
        .address_sets
        .values()
        .any(|set| !set.members.is_empty());
    assert!(everybody);
    assert!(results.iter().all(|result| *result == results[0]));
}
