//! The ports of a Service on a pod.

use serde_json::{Value, json};

use crate::object;

/// The Service's ports as numbers on one pod; a named port that the pod does not have is left
/// out (`getEndpointPorts`).
pub(super) fn of(service: &Value, pod: &Value) -> Vec<Value> {
    object::list(service, "/spec/ports")
        .iter()
        .filter_map(|port| {
            let number = number(port, pod)?;
            let mut found = json!({
                "name": object::text(port, "/name"),
                "port": number,
                "protocol": protocol(port),
            });
            if let Some(app) = port.get("appProtocol").filter(|a| a.is_string()) {
                object::put(&mut found, &["appProtocol"], app.clone());
            }
            Some(found)
        })
        .collect()
}

fn protocol(port: &Value) -> &str {
    match object::text(port, "/protocol") {
        "" => "TCP",
        protocol => protocol,
    }
}

/// The number of `targetPort`, which is `port` where it is not given.
fn number(port: &Value, pod: &Value) -> Option<i64> {
    match port.get("targetPort") {
        Some(Value::String(name)) => named(pod, name, protocol(port)),
        Some(number) if number.as_i64().is_some_and(|n| n != 0) => number.as_i64(),
        _ => object::int(port, "/port"),
    }
}

/// The number of a pod's named port: of its containers, or of its sidecars, which are those init
/// containers that restart always.
fn named(pod: &Value, name: &str, protocol_name: &str) -> Option<i64> {
    let sidecars = object::list(pod, "/spec/initContainers").iter();
    let sidecars = sidecars.filter(|c| object::text(c, "/restartPolicy") == "Always");
    object::list(pod, "/spec/containers")
        .iter()
        .chain(sidecars)
        .flat_map(|container| object::list(container, "/ports"))
        .find(|p| object::text(p, "/name") == name && protocol(p) == protocol_name)
        .and_then(|p| object::int(p, "/containerPort"))
}
