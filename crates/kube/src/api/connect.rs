//! Requests that go on to a node, a pod or a service: whom they go to, and how they are told there.
//!
//! Kubelets' paths and the refusals are upstream's (`pkg/registry/core/{pod,node,service}`);
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>. A service's endpoint is taken from its
//! `Endpoints`, as there.

use super::admission::{Operation, What};
mod proxy;

pub(super) use proxy::endpoint;

use super::read::find;
use super::status::{Cause, Status};
use super::{Answer, Call, Method, Target, webhook};
use crate::object;
use crate::resource::{Resource, Subresource};
use crate::store::{Key, Store};
use serde_json::{Value, json};
use std::net::IpAddr;

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
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    subresource: Subresource,
) -> Result<Answer, Status> {
    let backend = match (subresource, &*resource.kind) {
        (Subresource::Proxy, kind) => proxy::backend(call, resource, target, kind)?,
        (Subresource::Log, _) => match log(call, resource, target)? {
            Some(backend) => backend,
            // A pod that was not placed yet has said nothing.
            None => return Ok(Answer::Nothing),
        },
        _ => stream(call, resource, target, subresource)?,
    };
    let kind = match subresource {
        Subresource::Exec => "PodExecOptions",
        Subresource::Attach => "PodAttachOptions",
        Subresource::PortForward => "PodPortForwardOptions",
        Subresource::Proxy if resource.kind == "Node" => "NodeProxyOptions",
        Subresource::Proxy if resource.kind == "Pod" => "PodProxyOptions",
        Subresource::Proxy => "ServiceProxyOptions",
        // Reading a log is no connection.
        _ => return Ok(Answer::Backend(Box::new(backend))),
    };
    let options = options(call, kind);
    let what = What {
        operation: Operation::Connect,
        resource,
        subresource: subresource.as_str(),
        namespace: target.namespace.as_deref().unwrap_or_default(),
        name: target.name.as_deref().unwrap_or_default(),
    };
    webhook::consult(call, what, Some(&options), None)?;
    Ok(Answer::Backend(Box::new(backend)))
}

/// What somebody wants to connect for, as an object.
fn options(call: &Call<'_>, kind: &str) -> Value {
    let mut options = json!({"kind": kind, "apiVersion": "v1"});
    for field in ["stdin", "stdout", "stderr", "tty"] {
        if switch(call, field) {
            options[field] = json!(true);
        }
    }
    if let Some(container) = call.request.parameter("container") {
        options["container"] = json!(container);
    }
    let words = call
        .request
        .query
        .iter()
        .filter(|(name, _)| name == "command");
    let words: Vec<&String> = words.map(|(_, word)| word).collect();
    if !words.is_empty() {
        options["command"] = json!(words);
    }
    options
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
