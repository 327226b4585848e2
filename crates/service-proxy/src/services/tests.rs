//! K8S-NET: objects as the API serves them, and what a node makes of them.

#![allow(clippy::unwrap_used)]

use super::*;
use fabric::{Backend, Frontend, Protocol, Service, TrafficPolicy};
use serde_json::json;

fn options(node: &str) -> Options {
    Options {
        node: node.to_owned(),
        addresses: vec!["10.0.1.10".parse().unwrap()],
        pods: Some(vec!["10.244.0.0/16".parse().unwrap()]),
        ..Options::default()
    }
}

fn service(spec: Value) -> Value {
    json!({"metadata": {"namespace": "default", "name": "web"}, "spec": spec})
}

/// One endpoint: address, node, and conditions ready, serving, terminating.
fn endpoint(address: &str, node: &str, conditions: [bool; 3]) -> Value {
    let [ready, serving, terminating] = conditions;
    json!({
        "addresses": [address],
        "nodeName": node,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": "default", "name": format!("pod-{address}")},
    })
}

const READY: [bool; 3] = [true, true, false];
const STARTING: [bool; 3] = [false, false, false];
const UNREADY_SERVING: [bool; 3] = [false, true, true];

fn slice(name: &str, endpoints: &[Value]) -> Value {
    json!({
        "metadata": {
            "namespace": "default", "name": name,
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": endpoints,
    })
}

fn http() -> Value {
    service(json!({
        "type": "ClusterIP", "clusterIP": "10.96.0.80", "clusterIPs": ["10.96.0.80"],
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
    }))
}

fn only(compiler: &Compiler) -> Service {
    let services = &compiler.services().services;
    assert_eq!(services.len(), 1, "{services:?}");
    services.values().next().unwrap().as_ref().clone()
}

fn addresses(backends: &[Backend]) -> Vec<String> {
    let backends = backends.iter();
    backends
        .map(|backend| backend.address.to_string())
        .collect()
}

/// The example of the documentation: one port to a pod port, whatever order the objects come in.
/// <https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service>
#[test]
fn a_cluster_service() {
    let slices = [slice("web-1", &[endpoint("10.244.1.5", "a", READY)])];
    let mut forwards = Compiler::new(options("a"));
    forwards.service(&http());
    forwards.slice(&slices[0]);
    let mut backwards = Compiler::new(options("a"));
    backwards.slice(&slices[0]);
    backwards.service(&http());
    assert_eq!(forwards.services(), backwards.services());
    let catalog = Catalog::read([&http()], &slices);
    assert_eq!(*forwards.services(), catalog.on(&options("a")));
    let service = only(&forwards);
    assert_eq!(service.id.as_str(), "default/web:http");
    assert_eq!(service.protocol, Protocol::TCP);
    let address = "10.96.0.80".parse().unwrap();
    assert_eq!(service.frontends, [Frontend::Cluster { address, port: 80 }]);
    let backend = Backend {
        address: "10.244.1.5".parse().unwrap(),
        port: 8080,
        name: "default/pod-10.244.1.5".to_owned(),
    };
    assert_eq!(service.local, [backend]);
    assert_eq!(service.backends, service.local);
    assert!(service.lingering.is_empty());
}

#[test]
fn every_kind_of_frontend() {
    let mut object = service(json!({
        "type": "LoadBalancer", "clusterIP": "10.96.0.80",
        "externalIPs": ["198.51.100.7", "2001:db8::7"],
        "loadBalancerSourceRanges": [" 10.0.0.0/8", "2001:db8::/32"],
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 31000,
        "sessionAffinity": "ClientIP",
        "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
        "ports": [{"protocol": "UDP", "port": 53, "nodePort": 30053}],
    }));
    object["status"] = json!({"loadBalancer": {"ingress": [
        {"ip": "203.0.113.1"}, {"ip": "203.0.113.2", "ipMode": "Proxy"},
        {"ip": "203.0.113.3", "ipMode": "VIP"}, {"hostname": "lb.example.com"},
    ]}});
    let mut compiler = Compiler::new(options("a"));
    compiler.service(&object);
    let service = only(&compiler);
    assert_eq!(service.id.as_str(), "default/web");
    assert_eq!(service.protocol, Protocol::UDP);
    let kinds: Vec<(&str, String)> = service
        .frontends
        .iter()
        .map(|frontend| {
            let places = frontend.places(&compiler.services().node_addresses);
            let (address, port) = places[0];
            (frontend.kind(), format!("{address}:{port}"))
        })
        .collect();
    let expected = [
        ("clusterIP", "10.96.0.80:53"),
        ("externalIP", "198.51.100.7:53"),
        ("loadBalancer", "203.0.113.1:53"),
        ("loadBalancer", "203.0.113.3:53"),
        ("nodePort", "10.0.1.10:30053"),
    ];
    assert_eq!(kinds, expected.map(|(kind, at)| (kind, at.to_owned())));
    // The node is in the ranges, so the balancers' addresses are too.
    let Frontend::LoadBalancer { sources, .. } = &service.frontends[2] else {
        panic!("{:?}", service.frontends);
    };
    let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["10.0.0.0/8", "203.0.113.1/32", "203.0.113.3/32"]);
    assert_eq!(service.external, TrafficPolicy::Local);
    assert_eq!(service.affinity, Some(60));
    let check = compiler.health_checks();
    assert_eq!((check.len(), check[0].port, check[0].local), (1, 31000, 0));
}

#[test]
fn what_has_no_address_of_its_own_is_left_out() {
    let mut compiler = Compiler::new(options("a"));
    for spec in [
        json!({"clusterIP": "None", "ports": [{"port": 80}]}),
        json!({"type": "ExternalName", "externalName": "example.com"}),
        json!({"clusterIP": "2001:db8::1", "ports": [{"port": 80}]}),
        json!({"clusterIP": "", "ports": [{"port": 80}]}),
        json!(null),
    ] {
        compiler.service(&service(spec));
        assert!(compiler.services().services.is_empty());
    }
    let mut other = http();
    other["metadata"]["labels"] = json!({"service.kubernetes.io/service-proxy-name": "mesh"});
    compiler.service(&other);
    assert!(compiler.services().services.is_empty());
    let dual = json!({
        "clusterIP": "2001:db8::1", "clusterIPs": ["2001:db8::1", "10.96.0.1"],
        "ports": [{"port": 80}],
    });
    compiler.service(&service(dual));
    assert_eq!(compiler.services().services.len(), 1);
}

/// Local only counts for what can be reached from outside.
#[test]
fn the_external_policy_of_a_cluster_service() {
    let mut object = http();
    object["spec"]["externalTrafficPolicy"] = json!("Local");
    let mut compiler = Compiler::new(options("a"));
    compiler.service(&object);
    assert_eq!(only(&compiler).external, TrafficPolicy::Cluster);
    object["spec"]["externalIPs"] = json!(["198.51.100.7"]);
    compiler.service(&object);
    assert_eq!(only(&compiler).external, TrafficPolicy::Local);
}

/// <https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions>
#[test]
fn conditions_choose_endpoints() {
    let mut compiler = Compiler::new(options("a"));
    compiler.service(&http());
    let all = [
        endpoint("10.244.1.1", "a", READY),
        endpoint("10.244.1.2", "a", UNREADY_SERVING),
        endpoint("10.244.2.1", "b", READY),
        endpoint("10.244.2.2", "b", STARTING),
        endpoint("10.244.2.3", "b", UNREADY_SERVING),
    ];
    compiler.slice(&slice("web-1", &all));
    let service = only(&compiler);
    assert_eq!(addresses(&service.backends), ["10.244.1.1", "10.244.2.1"]);
    assert_eq!(addresses(&service.local), ["10.244.1.1"]);
    assert_eq!(addresses(&service.lingering), ["10.244.1.2", "10.244.2.3"]);
    // This node's ready one goes: Local falls back by itself.
    compiler.slice(&slice("web-1", &all[1..]));
    let service = only(&compiler);
    assert_eq!(addresses(&service.backends), ["10.244.2.1"]);
    assert_eq!(addresses(&service.local), ["10.244.1.2"]);
    assert_eq!(addresses(&service.lingering), ["10.244.2.3"]);
    // None is ready any more.
    compiler.slice(&slice(
        "web-1",
        &[all[1].clone(), all[3].clone(), all[4].clone()],
    ));
    let service = only(&compiler);
    assert_eq!(addresses(&service.backends), ["10.244.1.2", "10.244.2.3"]);
    // Missing conditions mean ready.
    compiler.slice(&slice("web-1", &[json!({"addresses": ["10.244.3.1"]})]));
    assert_eq!(addresses(&only(&compiler).backends), ["10.244.3.1"]);
}

#[test]
fn slices_add_up_and_go() {
    let mut compiler = Compiler::new(options("a"));
    compiler.service(&http());
    let first = slice("web-1", &[endpoint("10.244.1.1", "a", READY)]);
    compiler.slice(&first);
    compiler.slice(&slice("web-2", &[endpoint("10.244.1.2", "a", READY)]));
    let mut foreign = slice("web-6", &[endpoint("10.244.1.3", "a", READY)]);
    foreign["addressType"] = json!("IPv6");
    compiler.slice(&foreign);
    assert_eq!(only(&compiler).backends.len(), 2);
    // A slice that becomes another service's.
    let mut moved = first;
    moved["metadata"]["labels"] = json!({"kubernetes.io/service-name": "other"});
    compiler.slice(&moved);
    assert_eq!(addresses(&only(&compiler).backends), ["10.244.1.2"]);
    compiler.slice_gone("default", "web-2");
    assert!(only(&compiler).backends.is_empty());
    compiler.service_gone("default", "web");
    assert!(compiler.services().services.is_empty());
}

/// Ports belong together by name; the number is the slice's, which may differ from slice to slice.
#[test]
fn ports_by_name() {
    let mut object = http();
    object["spec"]["ports"] = json!([
        {"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"},
    ]);
    let mut compiler = Compiler::new(options("a"));
    compiler.service(&object);
    let mut first = slice("web-1", &[endpoint("10.244.1.1", "a", READY)]);
    first["ports"] =
        json!([{"name": "http", "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    compiler.slice(&first);
    let mut second = slice("web-2", &[endpoint("10.244.1.2", "a", READY)]);
    second["ports"] =
        json!([{"name": "http", "port": 9090}, {"name": "dns", "port": 53, "protocol": "TCP"}]);
    compiler.slice(&second);
    let of = |id: &str| {
        let backends = &compiler.services().services[&ServiceId::from(id)].backends;
        let backends = backends.iter();
        backends.map(ToString::to_string).collect::<Vec<_>>()
    };
    let web = [
        "10.244.1.1:8080 (default/pod-10.244.1.1)",
        "10.244.1.2:9090 (default/pod-10.244.1.2)",
    ];
    assert_eq!(of("default/web:http"), web);
    assert_eq!(
        of("default/web:dns"),
        ["10.244.1.1:53 (default/pod-10.244.1.1)"]
    );
}

/// <https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution>
#[test]
fn hints_choose_by_zone_and_node() {
    let zone = |address: &str, zone: &str| {
        let mut one = endpoint(address, "x", READY);
        one["hints"] = json!({"forZones": [{"name": zone}]});
        one
    };
    let mut in_west = options("a");
    in_west.zone = Some("west".to_owned());
    let mut compiler = Compiler::new(in_west.clone());
    compiler.service(&http());
    let (west, east) = (zone("10.244.1.1", "west"), zone("10.244.2.1", "east"));
    compiler.slice(&slice("web-1", &[west.clone(), east.clone()]));
    assert_eq!(addresses(&only(&compiler).backends), ["10.244.1.1"]);
    // One that says nothing, or none for this zone, and hints are ignored.
    let silent = endpoint("10.244.3.1", "x", READY);
    compiler.slice(&slice("web-1", &[west.clone(), east.clone(), silent]));
    assert_eq!(only(&compiler).backends.len(), 3);
    compiler.slice(&slice("web-1", std::slice::from_ref(&east)));
    assert_eq!(only(&compiler).backends.len(), 1);
    let mut here = west;
    here["hints"]["forNodes"] = json!([{"name": "a"}]);
    let mut there = zone("10.244.1.2", "west");
    there["hints"]["forNodes"] = json!([{"name": "b"}]);
    compiler.slice(&slice("web-1", &[here, there]));
    assert_eq!(addresses(&only(&compiler).backends), ["10.244.1.1"]);
    in_west.node = "c".to_owned();
    compiler.set_options(in_west);
    assert_eq!(only(&compiler).backends.len(), 2);
}

/// What doesn't change stays the same value: comparing with what was costs nothing.
#[test]
fn what_is_the_same_is_shared() {
    let mut compiler = Compiler::new(options("a"));
    compiler.service(&http());
    compiler.slice(&slice("web-1", &[endpoint("10.244.1.1", "a", READY)]));
    let before = compiler.services().clone();
    compiler.service(&http());
    compiler.slice(&slice("web-1", &[endpoint("10.244.1.1", "a", READY)]));
    let id = ServiceId::from("default/web:http");
    assert!(Arc::ptr_eq(
        &before.services[&id],
        &compiler.services().services[&id]
    ));
}
