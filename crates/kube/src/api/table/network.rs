//! Services, endpoints, ingresses, policies.

use super::{Printer, age, col, labels, or_none, selector, wide};
use crate::object::{list, text};
use serde_json::{Value, json};

pub(super) const SERVICE: Printer = Printer {
    columns: &[
        col("Type"),
        col("Cluster-IP"),
        col("External-IP"),
        col("Port(s)"),
        col("Age"),
        wide("Selector"),
    ],
    cells: |object, now| {
        vec![
            json!(text(object, &["spec", "type"])),
            or_none(text(object, &["spec", "clusterIP"])),
            json!(external(object)),
            json!(ports(object)),
            age::of(object, now),
            labels(&object["spec"]["selector"]),
        ]
    },
};

/// Addresses or names by which a load balancer is reached.
fn ingress_points(object: &Value) -> Vec<&str> {
    list(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(|point| {
            let address = text(point, &["ip"]);
            if address.is_empty() {
                text(point, &["hostname"])
            } else {
                address
            }
        })
        .filter(|point| !point.is_empty())
        .collect()
}

fn external(object: &Value) -> String {
    let own = list(object, &["spec", "externalIPs"])
        .iter()
        .filter_map(Value::as_str);
    match text(object, &["spec", "type"]) {
        "ExternalName" => text(object, &["spec", "externalName"]).to_owned(),
        "LoadBalancer" => {
            let all: Vec<&str> = ingress_points(object).into_iter().chain(own).collect();
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        _ => {
            let all: Vec<&str> = own.collect();
            if all.is_empty() {
                "<none>".to_owned()
            } else {
                all.join(",")
            }
        }
    }
}

fn ports(object: &Value) -> String {
    let told: Vec<String> = list(object, &["spec", "ports"])
        .iter()
        .map(|port| {
            let (number, protocol) = (&port["port"], text(port, &["protocol"]));
            match port["nodePort"].as_i64().filter(|port| *port > 0) {
                Some(node) => format!("{number}:{node}/{protocol}"),
                None => format!("{number}/{protocol}"),
            }
        })
        .collect();
    if told.is_empty() {
        "<none>".to_owned()
    } else {
        told.join(",")
    }
}

/// The first three, and how many more.
fn first_three(all: &[String]) -> String {
    match all.len() {
        0 => "<none>".to_owned(),
        1..=3 => all.join(","),
        more => format!("{} + {} more...", all[..3].join(","), more - 3),
    }
}

pub(super) const ENDPOINTS: Printer = Printer {
    columns: &[col("Endpoints"), col("Age")],
    cells: |object, now| {
        let mut all = Vec::new();
        for subset in list(object, &["subsets"]) {
            let addresses = list(subset, &["addresses"]);
            let ports = list(subset, &["ports"]);
            for address in addresses {
                let ip = text(address, &["ip"]);
                if ports.is_empty() {
                    all.push(ip.to_owned());
                }
                all.extend(ports.iter().map(|port| format!("{ip}:{}", port["port"])));
            }
        }
        vec![json!(first_three(&all)), age::of(object, now)]
    },
};

pub(super) const ENDPOINT_SLICE: Printer = Printer {
    columns: &[
        col("AddressType"),
        col("Ports"),
        col("Endpoints"),
        col("Age"),
    ],
    cells: |object, now| {
        let port = |port: &Value| {
            port["port"]
                .as_i64()
                .map_or("*".to_owned(), |number| number.to_string())
        };
        let ports: Vec<String> = list(object, &["ports"]).iter().map(port).collect();
        let addresses: Vec<String> = list(object, &["endpoints"])
            .iter()
            .flat_map(|endpoint| list(endpoint, &["addresses"]))
            .filter_map(|address| address.as_str().map(str::to_owned))
            .collect();
        let unset = |told: String| {
            if told == "<none>" {
                "<unset>".to_owned()
            } else {
                told
            }
        };
        vec![
            json!(text(object, &["addressType"])),
            json!(unset(first_three(&ports))),
            json!(unset(first_three(&addresses))),
            age::of(object, now),
        ]
    },
};

pub(super) const INGRESS: Printer = Printer {
    columns: &[
        col("Class"),
        col("Hosts"),
        col("Address"),
        col("Ports"),
        col("Age"),
    ],
    cells: |object, now| {
        let hosts: Vec<String> = list(object, &["spec", "rules"])
            .iter()
            .map(|rule| text(rule, &["host"]))
            .filter(|host| !host.is_empty())
            .map(str::to_owned)
            .collect();
        let hosts = if hosts.is_empty() {
            "*".to_owned()
        } else {
            first_three(&hosts)
        };
        let secure = !list(object, &["spec", "tls"]).is_empty();
        vec![
            or_none(text(object, &["spec", "ingressClassName"])),
            json!(hosts),
            json!(ingress_points(object).join(",")),
            json!(if secure { "80, 443" } else { "80" }),
            age::of(object, now),
        ]
    },
};

pub(super) const INGRESS_CLASS: Printer = Printer {
    columns: &[col("Controller"), col("Parameters"), col("Age")],
    cells: |object, now| {
        let parameters = &object["spec"]["parameters"];
        let told = if parameters.is_null() {
            "<none>".to_owned()
        } else {
            let group = text(parameters, &["apiGroup"]);
            let kind = text(parameters, &["kind"]);
            format!("{kind}.{group}/{}", text(parameters, &["name"]))
        };
        vec![
            json!(text(object, &["spec", "controller"])),
            json!(told),
            age::of(object, now),
        ]
    },
};

pub(super) const POLICY: Printer = Printer {
    columns: &[col("Pod-Selector"), col("Age")],
    cells: |object, now| {
        vec![
            selector(&object["spec"]["podSelector"]),
            age::of(object, now),
        ]
    },
};
