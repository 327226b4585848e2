//! Services: their addresses and node ports.

use super::super::Call;
use super::super::status::{Cause, Status};
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Gives a service its address and node ports.
pub(super) fn allocate(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
) -> Result<(), Status> {
    let kind = object::text(object, &["spec", "type"]).to_owned();
    if kind == "ExternalName" {
        let spec = object::map_mut(object, "spec");
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
        return Ok(());
    }
    let own = (
        object::namespace(object).to_owned(),
        object::name(object).to_owned(),
    );
    cluster_ip(call, resource, object, &own)?;
    let wants = kind == "NodePort"
        || (kind == "LoadBalancer" && object["spec"]["allocateLoadBalancerNodePorts"] != false);
    node_ports(call, resource, object, &own, wants)
}

fn others<'c>(
    call: &'c Call<'_>,
    own: &'c (String, String),
) -> impl Iterator<Item = &'c Value> + 'c {
    call.store
        .list("services", None)
        .map(|(_, service)| service.as_ref())
        .filter(move |service| {
            (object::namespace(service), object::name(service)) != (&own.0, &own.1)
        })
}

fn cluster_ip(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
    own: &(String, String),
) -> Result<(), Status> {
    let wanted = object::text(object, &["spec", "clusterIP"]).to_owned();
    if wanted == "None" {
        object["spec"]["clusterIPs"] = json!(["None"]);
        return Ok(());
    }
    let taken: BTreeSet<String> = others(call, own)
        .map(|service| object::text(service, &["spec", "clusterIP"]).to_owned())
        .collect();
    let (base, prefix) = call.context.settings.service_cidr;
    let size = 1_u32 << (32 - u32::from(prefix.min(31)));
    let chosen = if wanted.is_empty() {
        // The lower part is kept for addresses that users choose.
        let offset = u32::from_be_bytes([0, 0, call.random()[0], call.random()[1]]) % size;
        let nth = |step: u32| u32::from(base) + 1 + (offset + step) % (size - 2).max(1);
        (0..size)
            .map(|step| Ipv4Addr::from(nth(step)).to_string())
            .find(|address| !taken.contains(address))
            .ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))?
    } else {
        let address: Option<Ipv4Addr> = wanted.parse().ok();
        let inside =
            address.is_some_and(|address| u32::from(address).wrapping_sub(u32::from(base)) < size);
        let field = "spec.clusterIPs";
        let causes = match (inside, taken.contains(&wanted)) {
            (false, _) => {
                let detail = format!(
                    "failed to allocate IP {wanted}: the provided IP is not in the valid range. The range of valid IPs is {base}/{prefix}"
                );
                vec![Cause::invalid(field, &json!([wanted]), detail)]
            }
            (true, true) => {
                let detail =
                    format!("failed to allocate IP {wanted}: provided IP is already allocated");
                vec![Cause::invalid(field, &json!([wanted]), detail)]
            }
            (true, false) => Vec::new(),
        };
        if !causes.is_empty() {
            return Err(Status::invalid(resource, object::name(object), &causes));
        }
        wanted
    };
    object["spec"]["clusterIP"] = json!(chosen);
    object["spec"]["clusterIPs"] = json!([chosen]);
    Ok(())
}

fn node_ports(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &mut Value,
    own: &(String, String),
    wants: bool,
) -> Result<(), Status> {
    let mut taken: BTreeSet<(i64, String)> = others(call, own)
        .flat_map(|service| object::list(service, &["spec", "ports"]))
        .filter_map(|port| {
            Some((
                port["nodePort"].as_i64()?,
                object::text(port, &["protocol"]).to_owned(),
            ))
        })
        .collect();
    let range = call.context.settings.node_ports.clone();
    let name = object::name(object).to_owned();
    let count = i64::from(*range.end()) - i64::from(*range.start()) + 1;
    let mut ports = object["spec"]["ports"].take();
    for (index, port) in ports.as_array_mut().into_iter().flatten().enumerate() {
        let map = object::object_mut(port);
        if !wants {
            map.remove("nodePort");
            continue;
        }
        let protocol = map
            .get("protocol")
            .and_then(Value::as_str)
            .unwrap_or("TCP")
            .to_owned();
        let field = format!("spec.ports[{index}].nodePort");
        let chosen = match map
            .get("nodePort")
            .and_then(Value::as_i64)
            .filter(|port| *port != 0)
        {
            Some(asked) => {
                let inside = u16::try_from(asked).is_ok_and(|port| range.contains(&port));
                let wrong = if !inside {
                    format!(
                        "provided port is not in the valid range. The range of valid ports is {}-{}",
                        range.start(),
                        range.end()
                    )
                } else if taken.contains(&(asked, protocol.clone())) {
                    "provided port is already allocated".to_owned()
                } else {
                    String::new()
                };
                if !wrong.is_empty() {
                    let cause = Cause::invalid(field, &json!(asked), wrong);
                    return Err(Status::invalid(resource, &name, &[cause]));
                }
                asked
            }
            None => {
                let random = call.random();
                let offset = i64::from(u16::from_be_bytes([random[0], random[1]])) % count;
                (0..count)
                    .map(|step| i64::from(*range.start()) + (offset + step) % count)
                    .find(|port| !taken.contains(&(*port, protocol.clone())))
                    .ok_or_else(|| {
                        Status::internal("failed to allocate a nodePort: range is full")
                    })?
            }
        };
        taken.insert((chosen, protocol));
        map.insert("nodePort".to_owned(), chosen.into());
    }
    if !ports.is_null() {
        object["spec"]["ports"] = ports;
    }
    Ok(())
}
