//! Requests that are passed on as they came: to nodes, pods and services.
//!
//! <https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/#manually-constructing-apiserver-proxy-urls>

use super::{Backend, Manner, Peer, Query, kubelet};
use crate::api::read::find;
use crate::api::status::Status;
use crate::api::{Call, Target};
use crate::object;
use crate::resource::Resource;
use crate::store::Key;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;

/// A name in a proxy's path, `https:web:443`: the scheme, the name and the port, the first and last perhaps
/// empty.
fn parts(id: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<&str> = id.split(':').collect();
    let (scheme, name, port) = match parts[..] {
        [name] => ("", name, ""),
        [name, port] => ("", name, port),
        [scheme, name, port] => (scheme, name, port),
        _ => return None,
    };
    (!name.is_empty() && ["", "http", "https"].contains(&scheme)).then_some((scheme, name, port))
}

pub(super) fn backend(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
    kind: &str,
) -> Result<Backend, Status> {
    let id = target.name.as_deref().unwrap_or_default();
    let invalid = || {
        let kind = kind.to_lowercase();
        Status::bad_request(format!("invalid {kind} request {id:?}"))
    };
    let (scheme, name, port) = parts(id).ok_or_else(invalid)?;
    let peer = if scheme == "https" {
        Peer::Https
    } else {
        Peer::Http
    };
    let (peer, host, port) = match kind {
        "Node" => node(call, (peer, name, port))?,
        "Pod" => {
            let pod = find(call, resource, target, name)?;
            of_pod(&pod, peer, port)?
        }
        _ => service(call, resource, target, (peer, id, name, port))?,
    };
    let port = number(&port)?;
    let mut rest = target.rest.clone();
    if call.request.path.ends_with('/') && !rest.ends_with('/') {
        rest.push('/');
    }
    Ok(Backend {
        peer,
        host,
        port,
        path: clean(&rest),
        query: Query::Same,
        manner: Manner::Proxy {
            // `api/v1/nodes/n/proxy`; a namespace is two more.
            depth: if target.namespace.is_some() { 7 } else { 5 },
        },
    })
}

fn number(port: &str) -> Result<u16, Status> {
    let port = port.parse();
    port.map_err(|_| Status::unavailable("error trying to reach service: invalid port"))
}

/// Where a request for a node goes: to its kubelet, unless another port is named.
fn node(
    call: &Call<'_>,
    (peer, name, port): (Peer, &str, &str),
) -> Result<(Peer, String, String), Status> {
    let (host, own) = kubelet(&call.store, name)?;
    let own = own.to_string();
    if port.is_empty() || port == own {
        return Ok((Peer::Kubelet, host, own));
    }
    Ok((peer, host, port.to_owned()))
}

/// Where a request for a pod goes: to its address, and the first port that a container names.
fn of_pod(pod: &Value, peer: Peer, port: &str) -> Result<(Peer, String, String), Status> {
    let address = object::text(pod, &["status", "podIP"]);
    let outside = |address: IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_multicast(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_multicast(),
    };
    let reachable = address
        .parse::<IpAddr>()
        .is_ok_and(|address| !address.is_unspecified() && outside(address));
    if !reachable {
        return Err(Status::bad_request("address not allowed"));
    }
    let declared = || {
        let containers = object::list(pod, &["spec", "containers"]).iter();
        let mut ports =
            containers.filter_map(|container| object::list(container, &["ports"]).first());
        ports.find_map(|port| object::number(port, &["containerPort"]))
    };
    let port = match (port, peer) {
        ("", Peer::Https) => declared().unwrap_or(443).to_string(),
        ("", _) => declared().unwrap_or(80).to_string(),
        (port, _) => port.to_owned(),
    };
    Ok((peer, address.to_owned(), port))
}

/// Where a request for a service goes: to one of its ready endpoints.
fn service(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
    (peer, id, name, port): (Peer, &str, &str, &str),
) -> Result<(Peer, String, String), Status> {
    let mut wanted = port.to_owned();
    if let Ok(number) = port.parse::<i64>() {
        let service = find(call, resource, target, name)?;
        let ports = object::list(&service, &["spec", "ports"]);
        let Some(port) = ports.iter().find(|port| port["port"] == number) else {
            let message = format!("no service port {number} found for service {name:?}");
            return Err(Status::unavailable(message));
        };
        wanted = object::text(port, &["name"]).to_owned();
    }
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let endpoints = call.store.get(&Key::new("endpoints", namespace, name));
    let kind = crate::client::resource("endpoints").ok_or_else(Status::no_such_path)?;
    let endpoints: &Arc<Value> = endpoints.ok_or_else(|| Status::not_found(kind, name))?;
    let chosen = endpoint(endpoints, &wanted, call.context.entropy[0]);
    let none = || Status::unavailable(format!("no endpoints available for service {id:?}"));
    let (host, port) = chosen.ok_or_else(none)?;
    Ok((peer, host, port.to_string()))
}

/// One of the ready addresses that have a port of this name; which one, chance says.
pub(in crate::api) fn endpoint(endpoints: &Value, port: &str, chance: u8) -> Option<(String, i64)> {
    let subsets = object::list(endpoints, &["subsets"]);
    let all: Vec<(String, i64)> = subsets
        .iter()
        .filter_map(|subset| {
            let ports = object::list(subset, &["ports"]);
            let found = ports
                .iter()
                .find(|of| object::text(of, &["name"]) == port)?;
            Some((subset, found["port"].as_i64()?))
        })
        .flat_map(|(subset, port)| {
            let addresses = object::list(subset, &["addresses"]).iter();
            addresses.map(move |address| (object::text(address, &["ip"]).to_owned(), port))
        })
        .collect();
    let index = usize::from(chance) % all.len().max(1);
    all.into_iter().nth(index)
}

/// A path below the other's root, without steps up.
fn clean(rest: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let end = if rest.ends_with('/') && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}
