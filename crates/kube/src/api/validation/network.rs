//! Services, ingresses, network policies.

use super::super::status::Cause;
use super::metadata;
use crate::object::{list, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::IpAddr;

const PORT: &str = "must be between 1 and 65535, inclusive";

/// What is wrong with a service.
pub(super) fn service(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let kind = text(spec, &["type"]);
    let ports = list(spec, &["ports"]);
    let headless = text(spec, &["clusterIP"]) == "None";
    if ports.is_empty() && kind != "ExternalName" && !headless {
        causes.push(Cause::required("spec.ports", ""));
    }
    if kind == "ExternalName" && text(spec, &["externalName"]).is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    if headless && (kind == "NodePort" || kind == "LoadBalancer") {
        let detail = format!("may not be set to 'None' for {kind} services");
        causes.push(Cause::invalid("spec.clusterIPs[0]", &json!("None"), detail));
    }
    let (mut names, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let field = format!("spec.ports[{index}]");
        let number = port["port"].as_i64().unwrap_or(0);
        if !(1..=65_535).contains(&number) {
            causes.push(Cause::invalid(
                format!("{field}.port"),
                &json!(number),
                PORT,
            ));
        }
        if let Some(number) = port["targetPort"]
            .as_i64()
            .filter(|n| !(1..=65_535).contains(n))
        {
            causes.push(Cause::invalid(
                format!("{field}.targetPort"),
                &json!(number),
                PORT,
            ));
        }
        let name = text(port, &["name"]);
        if name.is_empty() && ports.len() > 1 {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !name.is_empty() {
            causes.extend(metadata::label(&format!("{field}.name"), name));
            if !names.insert(name) {
                causes.push(Cause::duplicate(format!("{field}.name"), &json!(name)));
            }
        }
        if !seen.insert((text(port, &["protocol"]), number)) {
            let value = json!({"port": number, "protocol": port["protocol"]});
            causes.push(Cause::duplicate(field, &value));
        }
    }
    for (index, address) in list(spec, &["externalIPs"]).iter().enumerate() {
        if address
            .as_str()
            .is_none_or(|text| text.parse::<IpAddr>().is_err())
        {
            let field = format!("spec.externalIPs[{index}]");
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            causes.push(Cause::invalid(field, address, detail));
        }
    }
}

/// A service's address stays.
pub(super) fn service_update(live: &Value, object: &Value, causes: &mut Vec<Cause>) {
    let (before, after) = (&live["spec"]["clusterIP"], &object["spec"]["clusterIP"]);
    let either_external = [live, object]
        .iter()
        .any(|of| text(of, &["spec", "type"]) == "ExternalName");
    if before != after && !before.is_null() && !either_external {
        let detail = "may not change once set";
        causes.push(Cause::invalid("spec.clusterIPs[0]", after, detail));
    }
}

/// What is wrong with an ingress.
pub(super) fn ingress(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if list(spec, &["rules"]).is_empty() && spec["defaultBackend"].is_null() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::invalid("spec", &json!(null), detail));
    }
    for (index, rule) in list(spec, &["rules"]).iter().enumerate() {
        for (nth, path) in list(rule, &["http", "paths"]).iter().enumerate() {
            let field = format!("spec.rules[{index}].http.paths[{nth}]");
            let kind = text(path, &["pathType"]);
            let absolute = text(path, &["path"]).starts_with('/');
            if ["Exact", "Prefix"].contains(&kind) && !absolute {
                let detail = "must be an absolute path";
                causes.push(Cause::invalid(
                    format!("{field}.path"),
                    &path["path"],
                    detail,
                ));
            }
            let service = &path["backend"]["service"];
            let port = &service["port"];
            if !service.is_null() && port["number"].is_null() && port["name"].is_null() {
                let field = format!("{field}.backend.service.port");
                causes.push(Cause::required(field, "port name or number is required"));
            }
        }
    }
}

/// What is wrong with a network policy.
pub(super) fn policy(object: &Value, causes: &mut Vec<Cause>) {
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in list(object, &["spec", direction]).iter().enumerate() {
            for (nth, peer) in list(rule, &[peers]).iter().enumerate() {
                let field = format!("spec.{direction}[{index}].{peers}[{nth}]");
                policy_peer(peer, &field, causes);
            }
        }
    }
}

fn policy_peer(peer: &Value, field: &str, causes: &mut Vec<Cause>) {
    let block = &peer["ipBlock"];
    let selects = !peer["podSelector"].is_null() || !peer["namespaceSelector"].is_null();
    match (block.is_null(), selects) {
        (true, false) => causes.push(Cause::required(field, "must specify a peer")),
        (false, true) => causes.push(Cause::forbidden(
            field,
            "may not specify both ipBlock and another peer",
        )),
        _ => {}
    }
    if !block.is_null() && !is_cidr(text(block, &["cidr"])) {
        let field = format!("{field}.ipBlock.cidr");
        let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        causes.push(Cause::invalid(field, &block["cidr"], detail));
    }
}

fn is_cidr(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        let most = match address.parse() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        length.parse::<u8>().is_ok_and(|length| length <= most)
    })
}
