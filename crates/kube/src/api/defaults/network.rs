//! Services, endpoints, policies.

use super::{each, spec};
use crate::object::default;
use serde_json::{Map, Value, json};

pub(super) fn apply(kind: &str, map: &mut Map<String, Value>) {
    match kind {
        "Service" => service(spec(map)),
        "Endpoints" => {
            for subset in each(map, "subsets") {
                for port in each(subset, "ports") {
                    default(port, "protocol", "TCP");
                }
            }
        }
        "EndpointSlice" => {
            for port in each(map, "ports") {
                default(port, "protocol", "TCP");
                default(port, "name", "");
            }
        }
        "NetworkPolicy" => policy(spec(map)),
        _ => {}
    }
}

fn service(spec: &mut Map<String, Value>) {
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    if spec
        .get("sessionAffinity")
        .is_some_and(|kind| kind == "ClientIP")
    {
        default(
            spec,
            "sessionAffinityConfig",
            json!({"clientIP": {"timeoutSeconds": 10_800}}),
        );
    }
    for port in each(spec, "ports") {
        default(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    }
    let kind = spec
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if kind == "ExternalName" {
        return;
    }
    default(spec, "internalTrafficPolicy", "Cluster");
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", "SingleStack");
    if kind == "NodePort" || kind == "LoadBalancer" {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
}

fn policy(spec: &mut Map<String, Value>) {
    let mut types = vec!["Ingress"];
    if spec
        .get("egress")
        .and_then(Value::as_array)
        .is_some_and(|rules| !rules.is_empty())
    {
        types.push("Egress");
    }
    default(spec, "policyTypes", json!(types));
    default(spec, "podSelector", json!({}));
    for direction in ["ingress", "egress"] {
        for rule in each(spec, direction) {
            for port in each(rule, "ports") {
                default(port, "protocol", "TCP");
            }
        }
    }
}
