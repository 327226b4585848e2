//! What one object uses.

use crate::object::{self, list, text};
use crate::quantity::Amount;
use serde_json::Value;
use std::collections::BTreeMap;

/// Amounts by what they are of: `requests.cpu`, `pods`.
pub(crate) type Amounts = BTreeMap<String, Amount>;

/// The amounts of a map of JSON.
pub(crate) fn amounts(map: &Value) -> Amounts {
    object::entries(map, &[])
        .filter_map(|(name, value)| Some((name.clone(), Amount::of(value)?)))
        .collect()
}

/// The resource whose objects use what has a name.
pub(super) fn resource_of(name: &str) -> &str {
    match name {
        "configmaps"
        | "secrets"
        | "services"
        | "persistentvolumeclaims"
        | "resourcequotas"
        | "replicationcontrollers" => name,
        "services.loadbalancers" | "services.nodeports" => "services",
        "requests.storage" => "persistentvolumeclaims",
        name if name.contains(".storageclass.storage.k8s.io/") => "persistentvolumeclaims",
        _ => "pods",
    }
}

/// What an object of a resource uses.
pub(crate) fn of(resource: &str, object: &Value) -> Amounts {
    let mut used = match resource {
        "pods" => pod(object),
        "services" => service(object),
        "persistentvolumeclaims" => claim(object),
        "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => {
            one(resource.to_owned())
        }
        _ => Amounts::new(),
    };
    used.insert(format!("count/{resource}"), Amount::count(1));
    used
}

fn one(name: String) -> Amounts {
    Amounts::from([(name, Amount::count(1))])
}

/// Pods that have ended use nothing.
fn pod(pod: &Value) -> Amounts {
    if ["Succeeded", "Failed"].contains(&text(pod, &["status", "phase"])) {
        return Amounts::new();
    }
    let mut used = one("pods".to_owned());
    for (name, amount) in asked(pod, "requests") {
        // The two names of the same.
        if ["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()) {
            used.insert(name.clone(), amount);
        }
        used.insert(format!("requests.{name}"), amount);
    }
    for (name, amount) in asked(pod, "limits") {
        used.insert(format!("limits.{name}"), amount);
    }
    used
}

/// What a pod asks for altogether: its containers and sidecars beside each other, or the largest of the
/// others that go before them, and what its runtime needs.
pub(crate) fn asked(pod: &Value, kind: &str) -> Amounts {
    let of = |container: &Value| amounts(&container["resources"][kind]);
    let mut sum = Amounts::new();
    let add = |sum: &mut Amounts, more: Amounts| {
        for (name, amount) in more {
            let held = sum.entry(name).or_default();
            *held = *held + amount;
        }
    };
    for container in list(pod, &["spec", "containers"]) {
        add(&mut sum, of(container));
    }
    let mut most = Amounts::new();
    for container in list(pod, &["spec", "initContainers"]) {
        if container["restartPolicy"] == "Always" {
            add(&mut sum, of(container));
            continue;
        }
        for (name, amount) in of(container) {
            let held = most.entry(name).or_default();
            *held = amount.most(*held);
        }
    }
    for (name, amount) in most {
        let held = sum.entry(name).or_default();
        *held = held.most(amount);
    }
    let overhead = amounts(&pod["spec"]["overhead"]);
    let counted = overhead
        .into_iter()
        .filter(|(name, _)| kind == "requests" || sum.contains_key(name));
    let counted: Amounts = counted.collect();
    add(&mut sum, counted);
    sum
}

/// Which containers of a pod leave out what a quota limits, in upstream's words: `limits.cpu for: a,b`.
pub(crate) fn unspecified(pod: &Value, limited: &Amounts) -> Vec<String> {
    let compute = limited.keys().filter_map(|name| {
        let (kind, of) = match name.split_once('.') {
            Some((kind @ ("requests" | "limits"), of)) => (kind, of),
            _ => ("requests", name.as_str()),
        };
        ["cpu", "memory"].contains(&of).then_some((name, kind, of))
    });
    let mut told = Vec::new();
    for (name, kind, of) in compute {
        let all = list(pod, &["spec", "containers"]).iter();
        let all = all.chain(list(pod, &["spec", "initContainers"]));
        let lacking: Vec<&str> = all
            .filter(|container| container["resources"][kind][of].is_null())
            .map(|container| text(container, &["name"]))
            .collect();
        if !lacking.is_empty() {
            told.push(format!("{name} for: {}", lacking.join(",")));
        }
    }
    told
}

fn service(service: &Value) -> Amounts {
    let mut used = one("services".to_owned());
    let ports = list(service, &["spec", "ports"]);
    let balanced = service["spec"]["type"] == "LoadBalancer";
    let ported = match text(service, &["spec", "type"]) {
        "NodePort" => ports.len(),
        "LoadBalancer" if service["spec"]["allocateLoadBalancerNodePorts"] != false => ports.len(),
        "LoadBalancer" => {
            let with = ports
                .iter()
                .filter(|port| port["nodePort"].as_i64().is_some_and(|n| n > 0));
            with.count()
        }
        _ => 0,
    };
    used.insert("services.nodeports".to_owned(), Amount::count(ported));
    used.insert(
        "services.loadbalancers".to_owned(),
        Amount::count(usize::from(balanced)),
    );
    used
}

fn claim(claim: &Value) -> Amounts {
    let mut used = one("persistentvolumeclaims".to_owned());
    let class = text(claim, &["spec", "storageClassName"]);
    let of_class = format!("{class}.storageclass.storage.k8s.io");
    let storage = Amount::of(&claim["spec"]["resources"]["requests"]["storage"]);
    if !class.is_empty() {
        used.insert(
            format!("{of_class}/persistentvolumeclaims"),
            Amount::count(1),
        );
    }
    if let Some(storage) = storage {
        used.insert("requests.storage".to_owned(), storage);
        if !class.is_empty() {
            used.insert(format!("{of_class}/requests.storage"), storage);
        }
    }
    used
}
