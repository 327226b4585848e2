//! Requests that go on to a node, a pod or a service: whom they go to, and how they are told there.
//!
//! Kubelets' paths and the refusals are upstream's (`pkg/registry/core/{pod,node,service}`);
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>. A service's endpoint is taken from its
//! `Endpoints`, as there.

use super::read::find;
use super::status::{Cause, Status};
use super::{Answer, Call, Method, Target};
use crate::object;
use crate::resource::{Resource, Subresource};
use crate::store::{Key, Store};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

/// The port of kubelets that name none.
const KUBELET: u16 = 10250;

/// Whom a request goes on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Who it is.
    pub peer: Peer,
    /// The address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path there, decoded.
    pub path: String,
    /// The query there.
    pub query: Query,
    /// How the request is passed on.
    pub manner: Manner,
}

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A kubelet, which has to prove it.
    Kubelet,
    /// A kubelet, whatever it shows.
    AnyKubelet,
    /// A server that speaks HTTP.
    Http,
    /// A server that speaks HTTPS, whatever it shows.
    Https,
}

/// What a request's query is where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The one it came with.
    Same,
    /// These parameters.
    Of(Vec<(&'static str, String)>),
}

/// How a request is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A document is fetched; a refusal is told as one of this object.
    Log {
        /// The pod's name.
        pod: String,
    },
    /// Both sides speak a protocol of their own after the first answer.
    Upgrade,
    /// As it came, from below a path that ends in `/proxy`.
    Proxy {
        /// Of how many parts that path is.
        depth: usize,
    },
}

/// Whether a request for this goes on to somebody else.
pub fn goes_on(subresource: Subresource) -> bool {
    matches!(
        subresource,
        Subresource::Log
            | Subresource::Exec
            | Subresource::Attach
            | Subresource::PortForward
            | Subresource::Proxy
    )
}

pub(super) fn answer(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
    subresource: Subresource,
) -> Result<Answer, Status> {
    let backend = match (subresource, &*resource.kind) {
        (Subresource::Proxy, kind) => proxy(call, resource, target, kind)?,
        (Subresource::Log, _) => match log(call, resource, target)? {
            Some(backend) => backend,
            // A pod that was not placed yet has said nothing.
            None => return Ok(Answer::Nothing),
        },
        _ => stream(call, resource, target, subresource)?,
    };
    Ok(Answer::Backend(Box::new(backend)))
}

fn log(call: &Call<'_>, resource: &Resource, target: &Target) -> Result<Option<Backend>, Status> {
    if call.request.method != Method::Get {
        return Err(Status::method_not_allowed());
    }
    let name = target.name.as_deref().unwrap_or_default();
    let pod = find(call, resource, target, name)?;
    let query = log_query(call, name)?;
    let container = container(&pod, call.request.parameter("container"))?;
    let node = object::text(&pod, &["spec", "nodeName"]);
    if node.is_empty() {
        return Ok(None);
    }
    let (host, port) = kubelet(&call.store, node)?;
    let namespace = object::namespace(&pod);
    Ok(Some(Backend {
        peer: if switch(call, "insecureSkipTLSVerifyBackend") {
            Peer::AnyKubelet
        } else {
            Peer::Kubelet
        },
        host,
        port,
        path: format!("/containerLogs/{namespace}/{name}/{container}"),
        query: Query::Of(query),
        manner: Manner::Log {
            pod: name.to_owned(),
        },
    }))
}

/// The parameters of a log as kubelets take them, in the order of their names.
fn log_query(call: &Call<'_>, pod: &str) -> Result<Vec<(&'static str, String)>, Status> {
    let mut query = Vec::new();
    let mut causes = Vec::new();
    if switch(call, "follow") {
        query.push(("follow", "true".to_owned()));
    }
    let mut number = |name: &'static str, least: i64| -> Result<Option<String>, Status> {
        let found = call.request.number(name)?;
        if let Some(value) = found
            && value < least
        {
            let detail = match least {
                0 => "must be greater than or equal to 0",
                _ => "must be greater than 0",
            };
            causes.push(Cause::invalid(name, &json!(value), detail));
        }
        Ok(found.map(|value| value.to_string()))
    };
    let limit = number("limitBytes", 1)?;
    let since = number("sinceSeconds", 1)?;
    let tail = number("tailLines", 0)?;
    query.extend(limit.map(|value| ("limitBytes", value)));
    if switch(call, "previous") {
        query.push(("previous", "true".to_owned()));
    }
    let time = call.request.parameter("sinceTime").unwrap_or_default();
    if !time.is_empty() && since.is_some() {
        let detail = "at most one of `sinceTime` or `sinceSeconds` may be specified";
        causes.push(Cause::forbidden("", detail));
    }
    if !time.is_empty() && crate::schema::parse_rfc3339(time).is_none() {
        let message = format!(
            "parsing time {time:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {time:?}"
        );
        return Err(Status::bad_request(message));
    }
    query.extend(since.map(|value| ("sinceSeconds", value)));
    if !time.is_empty() {
        query.push(("sinceTime", time.to_owned()));
    }
    query.extend(tail.map(|value| ("tailLines", value)));
    if switch(call, "timestamps") {
        query.push(("timestamps", "true".to_owned()));
    }
    if causes.is_empty() {
        return Ok(query);
    }
    Err(Status::invalid_kind("PodLogOptions", pod, &causes))
}

/// Whether a parameter is on, read as upstream reads them: there and not `false` or `0`.
fn switch(call: &Call<'_>, name: &str) -> bool {
    let value = call.request.parameter(name);
    value.is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
}

/// The container that is meant.
fn container(pod: &Value, asked: Option<&str>) -> Result<String, Status> {
    let names = |list: &str| -> Vec<&str> {
        object::list(pod, &["spec", list])
            .iter()
            .map(|container| object::text(container, &["name"]))
            .collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    let name = object::name(pod);
    let asked = asked.unwrap_or_default();
    if !asked.is_empty() {
        let ephemeral = names("ephemeralContainers");
        let known = [&containers[..], &init, &ephemeral].concat();
        if known.contains(&asked) {
            return Ok(asked.to_owned());
        }
        let message = format!("container {asked} is not valid for pod {name}");
        return Err(Status::bad_request(message));
    }
    if let [only] = containers[..] {
        return Ok(only.to_owned());
    }
    let mut message = format!("a container name must be specified for pod {name}");
    if !containers.is_empty() {
        message = format!("{message}, choose one of: [{}]", containers.join(" "));
        if !init.is_empty() {
            let init = init.join(" ");
            message = format!("{message} or one of the init containers: [{init}]");
        }
    }
    Err(Status::bad_request(message))
}

/// Where a node's kubelet is.
pub(crate) fn kubelet(store: &Store, name: &str) -> Result<(String, u16), Status> {
    let nodes = crate::client::resource("nodes").ok_or_else(Status::no_such_path)?;
    let node = store.get(&Key::new("nodes", "", name));
    let node = node.ok_or_else(|| Status::not_found(nodes, name))?;
    let addresses = object::list(node, &["status", "addresses"]);
    let internal = addresses
        .iter()
        .filter(|address| address["type"] == "InternalIP")
        .map(|address| object::text(address, &["address"]))
        .find(|address| address.parse::<IpAddr>().is_ok());
    let Some(address) = internal else {
        let known: Vec<String> = addresses
            .iter()
            .map(|address| {
                let text = |field| object::text(address, &[field]);
                format!("{{{} {}}}", text("type"), text("address"))
            })
            .collect();
        let message = format!(
            "no preferred addresses found; known addresses: [{}]",
            known.join(" ")
        );
        return Err(Status::unknown(message));
    };
    let path = ["status", "daemonEndpoints", "kubeletEndpoint", "Port"];
    let port = object::number(node, &path).and_then(|port| u16::try_from(port).ok());
    let port = port.filter(|port| *port > 0).unwrap_or(KUBELET);
    Ok((address.to_owned(), port))
}

/// A command, a process' streams, or connections to ports.
fn stream(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
    subresource: Subresource,
) -> Result<Backend, Status> {
    if !matches!(call.request.method, Method::Get | Method::Post) {
        return Err(Status::method_not_allowed());
    }
    let name = target.name.as_deref().unwrap_or_default();
    let pod = find(call, resource, target, name)?;
    let namespace = object::namespace(&pod);
    let mut query = Vec::new();
    let path = if subresource == Subresource::PortForward {
        let ports = call
            .request
            .query
            .iter()
            .filter(|(name, _)| name == "ports");
        let ports: Vec<&str> = ports.map(|(_, value)| value.as_str()).collect();
        if !ports.is_empty() {
            query.push(("port", ports.join(",")));
        }
        format!("/portForward/{namespace}/{name}")
    } else {
        let container = container(&pod, call.request.parameter("container"))?;
        let exec = subresource == Subresource::Exec;
        if exec {
            let words = call.request.query.iter();
            let words = words.filter(|(name, _)| name == "command");
            query.extend(words.map(|(_, word)| ("command", word.clone())));
        }
        for (asked, told) in [
            ("stderr", "error"),
            ("stdin", "input"),
            ("stdout", "output"),
            ("tty", "tty"),
        ] {
            if switch(call, asked) {
                query.push((told, "1".to_owned()));
            }
        }
        let what = if exec { "exec" } else { "attach" };
        format!("/{what}/{namespace}/{name}/{container}")
    };
    let node = object::text(&pod, &["spec", "nodeName"]);
    if node.is_empty() {
        let message = format!("pod {name} does not have a host assigned");
        return Err(Status::bad_request(message));
    }
    let (host, port) = kubelet(&call.store, node)?;
    Ok(Backend {
        peer: Peer::Kubelet,
        host,
        port,
        path,
        query: Query::Of(query),
        manner: Manner::Upgrade,
    })
}

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

fn proxy(
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
pub(super) fn endpoint(endpoints: &Value, port: &str, chance: u8) -> Option<(String, i64)> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
