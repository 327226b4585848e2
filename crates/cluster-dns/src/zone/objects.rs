//! What matters of Kubernetes' objects.

use serde_json::Value;
use std::net::IpAddr;

/// A namespace and a name in it.
pub(super) type Key = (String, String);

/// What a service stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Addresses of its own.
    Cluster {
        addresses: Vec<IpAddr>,
        ports: Vec<Port>,
    },
    /// Its endpoints.
    Headless,
    /// Another name, in lower case, with the last dot.
    External(String),
}

/// A port; one without a number stands for there being none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) number: Option<u16>,
}

/// Some endpoints of a service that are ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) service: Key,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) ports: Vec<Port>,
}

/// A ready endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: IpAddr,
    pub(super) hostname: Option<String>,
    /// The name of the pod, or whatever it is.
    pub(super) target: Option<String>,
}

impl Endpoint {
    /// What it is called in its service.
    pub(super) fn name(&self, by_pod: bool) -> String {
        let target = self.target.as_ref().filter(|_| by_pod);
        match self.hostname.as_ref().or(target) {
            Some(name) => name.to_ascii_lowercase(),
            None => self.address.to_string().replace(['.', ':'], "-"),
        }
    }
}

impl Service {
    pub(super) fn read(object: &Value) -> Self {
        let spec = &object["spec"];
        if spec["type"] == "ExternalName" {
            let name = text(&spec["externalName"]).unwrap_or_default();
            return Self::External(crate::question::normal(&name));
        }
        let listed = spec["clusterIPs"]
            .as_array()
            .filter(|list| !list.is_empty());
        let addresses = match listed {
            Some(list) => list.clone(),
            None => vec![spec["clusterIP"].clone()],
        };
        if addresses.first().is_some_and(|first| first == "None") {
            return Self::Headless;
        }
        Self::Cluster {
            addresses: addresses.iter().filter_map(address).collect(),
            ports: ports(&spec["ports"]),
        }
    }
}

impl Slice {
    /// Nothing, if it is no service's.
    pub(super) fn read(object: &Value) -> Option<Self> {
        let metadata = &object["metadata"];
        let service = text(&metadata["labels"]["kubernetes.io/service-name"])?;
        let namespace = text(&metadata["namespace"])?;
        let endpoints = object["endpoints"].as_array();
        Some(Self {
            service: (namespace, service),
            endpoints: endpoints.into_iter().flatten().flat_map(ready).collect(),
            ports: ports(&object["ports"]),
        })
    }
}

/// An endpoint's addresses, if it is ready. Where a service publishes what isn't, its slices say that it is.
fn ready(endpoint: &Value) -> Vec<Endpoint> {
    if endpoint["conditions"]["ready"] == false {
        return Vec::new();
    }
    let addresses = endpoint["addresses"].as_array();
    addresses
        .into_iter()
        .flatten()
        .filter_map(address)
        .map(|address| Endpoint {
            address,
            hostname: text(&endpoint["hostname"]),
            target: text(&endpoint["targetRef"]["name"]),
        })
        .collect()
}

/// The addresses of a pod that runs; those of a node's network are the node's.
pub(super) fn pod_addresses(object: &Value) -> Vec<IpAddr> {
    let status = &object["status"];
    if matches!(
        status["phase"].as_str(),
        Some("Succeeded" | "Failed" | "Unknown")
    ) {
        return Vec::new();
    }
    address(&status["podIP"]).into_iter().collect()
}

fn ports(list: &Value) -> Vec<Port> {
    let ports: Vec<_> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|port| Port {
            name: text(&port["name"]).unwrap_or_default(),
            protocol: text(&port["protocol"]).unwrap_or_else(|| "TCP".to_owned()),
            number: port["port"]
                .as_u64()
                .and_then(|port| u16::try_from(port).ok()),
        })
        .collect();
    if !ports.is_empty() {
        return ports;
    }
    vec![Port {
        name: String::new(),
        protocol: String::new(),
        number: None,
    }]
}

fn address(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// A text that isn't empty.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
