//! The `v1` Endpoints object of a Service: one object with every address.
//! <https://kubernetes.io/docs/concepts/services-networking/service/#endpoints>

use std::sync::Arc;

use serde_json::{Value, json};

use super::address::{self, Family};
use super::{labels, ports};
use crate::{Action, Outcome, Resource, View, object, pod};

/// Brings the Endpoints of a Service up to date.
pub(super) fn reconcile(
    view: &dyn View,
    service: &Value,
    pods: &[Arc<Value>],
    family: Family,
    outcome: &mut Outcome,
) {
    let resource = Resource::Endpoints;
    let (namespace, name) = (object::namespace(service), object::name(service));
    let subsets = Value::Array(subsets(service, pods, family));
    let labels = Value::Object(labels(service));
    let Some(current) = view.get(resource, namespace, name) else {
        let object = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind(),
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "subsets": subsets,
        });
        outcome.push(Action::Create { resource, object });
        return;
    };
    let mut object = (*current).clone();
    object::put(&mut object, &["metadata", "labels"], labels);
    object::put(&mut object, &["subsets"], subsets);
    if !object::same(&current, &object) {
        outcome.push(Action::Update { resource, object });
    }
}

/// Addresses grouped by their ports, ready ones apart from others.
fn subsets(service: &Value, pods: &[Arc<Value>], family: Family) -> Vec<Value> {
    let unready_count = address::publishes_unready(service);
    let portless = object::list(service, "/spec/ports").is_empty();
    let mut subsets: Vec<(Vec<Value>, Vec<Value>, Vec<Value>)> = Vec::new();
    for pod in pods
        .iter()
        .filter(|pod| address::eligible(pod, unready_count))
    {
        let Some(ip) = address::of(pod, family) else {
            continue;
        };
        let ports = ports(service, pod);
        if ports.is_empty() && !(portless && super::headless(service)) {
            continue;
        }
        let place = subsets.iter().position(|(p, ..)| *p == ports);
        let place = place.unwrap_or_else(|| {
            subsets.push((ports, Vec::new(), Vec::new()));
            subsets.len() - 1
        });
        let Some((_, ready, unready)) = subsets.get_mut(place) else {
            continue;
        };
        let side = if unready_count || pod::ready(pod) {
            ready
        } else {
            unready
        };
        side.push(entry(service, pod, ip));
    }
    subsets.into_iter().map(subset).collect()
}

fn subset((ports, mut ready, mut unready): (Vec<Value>, Vec<Value>, Vec<Value>)) -> Value {
    let ip = |address: &Value| object::text(address, "/ip").to_owned();
    let mut subset = json!({});
    for (field, side) in [
        ("addresses", &mut ready),
        ("notReadyAddresses", &mut unready),
    ] {
        side.sort_by_key(ip);
        if !side.is_empty() {
            object::put(&mut subset, &[field], std::mem::take(side).into());
        }
    }
    object::put(&mut subset, &["ports"], ports.into());
    subset
}

fn entry(service: &Value, pod: &Value, ip: &str) -> Value {
    let mut entry = json!({"ip": ip, "targetRef": address::target(pod)});
    if let Some(hostname) = address::hostname(pod, service) {
        object::put(&mut entry, &["hostname"], hostname.into());
    }
    if !pod::node(pod).is_empty() {
        object::put(&mut entry, &["nodeName"], pod::node(pod).into());
    }
    entry
}

/// A pod's ports; unlike in slices an unnamed port has no name.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let mut ports = ports::of(service, pod);
    for port in &mut ports {
        let unnamed = object::text(port, "/name").is_empty();
        if let (true, Some(port)) = (unnamed, port.as_object_mut()) {
            port.remove("name");
        }
    }
    ports
}
