#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::action::{Action, TargetRef};
use crate::model::object::read;
use serde_json::{Value, json};

fn settings() -> Settings {
    Settings {
        cluster: "demo".to_owned(),
        target_type: "instance".to_owned(),
        scheme: "internal".to_owned(),
        ssl_policy: "ELBSecurityPolicy-2016-08".to_owned(),
        tags: Pairs::new(),
    }
}

fn service(annotations: &Value, spec: &Value) -> Service {
    let mut object = json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "u-1", "annotations": annotations},
        "spec": {
            "type": "LoadBalancer", "loadBalancerClass": CLASS,
            "ports": [{"port": 80, "targetPort": 8080, "nodePort": 31_000, "protocol": "TCP"}],
        },
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        object["spec"][key] = value.clone();
    }
    read(&object).unwrap()
}

fn surround() -> Surroundings {
    let subnet = |id: &str, role: &str| {
        json!({
            "subnetId": id, "availabilityZone": id, "availableIpAddressCount": "100",
            "tagSet": [{"key": format!("kubernetes.io/role/{role}"), "value": "1"}],
        })
    };
    Surroundings {
        subnets: vec![
            subnet("subnet-a", "elb"),
            subnet("subnet-b", "internal-elb"),
        ],
        ..Surroundings::default()
    }
}

fn built(annotations: &Value, spec: &Value) -> Result<Stack, BuildError> {
    build_service(&settings(), &service(annotations, spec), &surround())
}

/// AWS-LBC: a service is the controller's by its class or its annotations, and internal with nodes behind it unless it
/// says otherwise.
#[test]
fn a_service_is_an_internal_network_load_balancer() {
    let stack = built(&json!({}), &json!({})).unwrap();
    let balancer = stack.balancer.unwrap();
    assert_eq!(
        (balancer.kind, balancer.scheme.as_str()),
        ("network", "internal")
    );
    assert_eq!(balancer.subnets[0].subnet, "subnet-b");
    assert!(balancer.name.starts_with("k8s-default-web-"));
    assert_eq!(balancer.groups, [GroupRef::Managed, GroupRef::Backend]);
    let group = &stack.target_groups[0];
    assert_eq!((group.port, group.target_type), (31_000, "instance"));
    let check = &group.check;
    assert_eq!(
        (check.protocol.as_str(), check.interval, check.timeout),
        ("TCP", 10, 10)
    );
    assert_eq!((check.healthy, check.unhealthy), (3, 3));
    assert_eq!(group.attributes["proxy_protocol_v2.enabled"], "false");
    let listener = &balancer.listeners[0];
    let forward = Action::Forward {
        groups: vec![(TargetRef::Own(group.name.clone()), 1)],
        sticky: None,
    };
    assert_eq!((listener.port, listener.protocol), (80, "TCP"));
    assert_eq!(listener.default, [forward]);
    let peers = &stack.bindings[0].networking;
    assert_eq!(peers[0].ports, [("TCP", json!(31_000))]);
    let clients = crate::model::stack::PeerSource::Range("0.0.0.0/0".to_owned());
    assert_eq!((peers.len(), &peers[1].from), (2, &clients));
}

/// AWS-LBC: the class decides, then the older annotations.
#[test]
fn services_are_chosen_by_class_or_annotations() {
    let ours = |annotations: Value, spec: Value| is_ours(&service(&annotations, &spec));
    assert!(ours(json!({}), json!({})));
    assert!(!ours(json!({}), json!({"loadBalancerClass": "other"})));
    assert!(!ours(json!({}), json!({"loadBalancerClass": null})));
    assert!(!ours(json!({}), json!({"type": "NodePort"})));
    let kind = |kind: &str| json!({"service.beta.kubernetes.io/aws-load-balancer-type": kind});
    assert!(ours(kind("nlb-ip"), json!({"loadBalancerClass": null})));
    assert!(!ours(kind("nlb"), json!({"loadBalancerClass": null})));
    assert!(!ours(kind("external"), json!({"loadBalancerClass": null})));
}

/// AWS-LBC: pods behind the load balancer, TLS at it, fixed addresses; nodes that keep to their own pods are asked.
#[test]
fn annotations_say_how() {
    let name = |suffix: &str| format!("service.beta.kubernetes.io/aws-load-balancer-{suffix}");
    let annotations = json!({
        name("scheme"): "internet-facing", name("nlb-target-type"): "ip",
        name("ssl-cert"): "arn:a,arn:b", name("eip-allocations"): "eipalloc-1",
        name("attributes"): "load_balancing.cross_zone.enabled=true",
    });
    let stack = built(&annotations, &json!({})).unwrap();
    let balancer = stack.balancer.unwrap();
    assert_eq!(
        balancer.subnets[0].allocation.as_deref(),
        Some("eipalloc-1")
    );
    assert_eq!(
        balancer.attributes["load_balancing.cross_zone.enabled"],
        "true"
    );
    let listener = &balancer.listeners[0];
    assert_eq!((listener.protocol, listener.certificates.len()), ("TLS", 2));
    assert_eq!(stack.target_groups[0].port, 8080);
    assert_eq!(stack.target_groups[0].protocol, "TCP");
    assert_eq!(stack.bindings[0].networking.len(), 1);

    let local = json!({"externalTrafficPolicy": "Local", "healthCheckNodePort": 32_000});
    let stack = built(&json!({}), &local).unwrap();
    let check = &stack.target_groups[0].check;
    assert_eq!(
        (check.protocol.as_str(), check.port.as_str()),
        ("HTTP", "32000")
    );
    assert_eq!(
        (check.path.as_deref(), check.timeout, check.healthy),
        (Some("/healthz"), 6, 2)
    );
    let ports: Vec<_> = stack.bindings[0].networking[0].ports.clone();
    assert_eq!(ports, [("TCP", json!(31_000)), ("TCP", json!(32_000))]);

    let both = json!({"ports": [
        {"port": 53, "targetPort": 53, "nodePort": 31_053, "protocol": "UDP"},
        {"port": 53, "targetPort": 53, "nodePort": 31_053, "protocol": "TCP"},
    ]});
    let stack = built(&json!({}), &both).unwrap();
    assert_eq!(stack.target_groups[0].protocol, "TCP_UDP");
    assert_eq!(stack.managed_group.unwrap().permissions.len(), 2);
    let logs = json!({name("access-log-enabled"): "true"});
    assert!(built(&logs, &json!({})).is_err());
}
