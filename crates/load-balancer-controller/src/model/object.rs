//! Objects of Kubernetes, as much of them as matters here.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What every object has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its uid.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// What keeps it from going.
    pub finalizers: Vec<String>,
    /// Since when it goes.
    pub deletion_timestamp: Option<String>,
    /// Its revision.
    pub resource_version: String,
}

impl Metadata {
    /// `namespace/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether it is to go.
    pub fn going(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// Whether it has a finalizer.
    pub fn held_by(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|of| of == finalizer)
    }
}

/// A number or a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum NumberOrName {
    /// A number.
    Number(u16),
    /// A name.
    Name(String),
}

impl NumberOrName {
    /// As JSON has it.
    pub fn wire(&self) -> Value {
        match self {
            Self::Number(number) => Value::from(*number),
            Self::Name(name) => Value::from(name.as_str()),
        }
    }
}

impl fmt::Display for NumberOrName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// An ingress.
/// <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/>
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Ingress {
    /// What every object has.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: IngressSpec,
    /// Where it is.
    pub status: Value,
}

/// What an ingress wants.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IngressSpec {
    /// Its class.
    pub ingress_class_name: Option<String>,
    /// Where requests go that no rule takes.
    pub default_backend: Option<Backend>,
    /// Rules.
    pub rules: Vec<IngressRule>,
    /// Hosts with TLS.
    pub tls: Vec<IngressTls>,
}

/// Hosts with TLS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct IngressTls {
    /// The hosts.
    pub hosts: Vec<String>,
}

/// Paths of a host.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// The host; empty for all.
    pub host: String,
    /// Its paths.
    pub http: Option<IngressPaths>,
}

/// Paths.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct IngressPaths {
    /// The paths.
    pub paths: Vec<IngressPath>,
}

/// Where a path leads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IngressPath {
    /// The path; empty for all.
    pub path: String,
    /// `Exact`, `Prefix` or `ImplementationSpecific`.
    pub path_type: Option<String>,
    /// Where it leads.
    pub backend: Backend,
}

/// A backend.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Backend {
    /// A service's port.
    pub service: Option<BackendService>,
}

/// A service's port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BackendService {
    /// The service.
    pub name: String,
    /// Its port.
    pub port: BackendPort,
}

/// A port by name or number.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BackendPort {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: u16,
}

impl BackendPort {
    /// As one value.
    pub fn value(&self) -> NumberOrName {
        if self.name.is_empty() {
            NumberOrName::Number(self.number)
        } else {
            NumberOrName::Name(self.name.clone())
        }
    }
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Service {
    /// What every object has.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: ServiceSpec,
    /// Where it is.
    pub status: Value,
}

/// What a service wants.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Who makes its load balancer.
    pub load_balancer_class: Option<String>,
    /// `Cluster` or `Local`.
    pub external_traffic_policy: String,
    /// Where nodes tell whether they have pods of it.
    pub health_check_node_port: u16,
    /// Who may call its load balancer.
    pub load_balancer_source_ranges: Vec<String>,
}

/// A port of a service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServicePort {
    /// Its name.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Its number.
    pub port: u16,
    /// Pods' port.
    pub target_port: Option<NumberOrName>,
    /// Nodes' port.
    pub node_port: u16,
}

impl ServicePort {
    /// Pods' port.
    pub fn target(&self) -> NumberOrName {
        let own = NumberOrName::Number(self.port);
        self.target_port.clone().unwrap_or(own)
    }
}

impl Service {
    /// The port of a name or number.
    pub fn port(&self, wanted: &NumberOrName) -> Option<&ServicePort> {
        self.spec.ports.iter().find(|port| match wanted {
            NumberOrName::Number(number) => port.port == *number,
            NumberOrName::Name(name) => port.name == *name,
        })
    }

    /// Whether nodes have ports for it.
    pub fn has_node_ports(&self) -> bool {
        ["NodePort", "LoadBalancer"].contains(&self.spec.kind.as_str())
    }

    /// Its namespace, name and uid.
    pub fn identity(&self) -> (&str, &str, &str) {
        let of = &self.metadata;
        (&of.namespace, &of.name, &of.uid)
    }
}

/// A class of ingresses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct IngressClass {
    /// What every object has.
    pub metadata: Metadata,
    /// Who serves it.
    pub spec: IngressClassSpec,
}

/// Who serves a class.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct IngressClassSpec {
    /// The controller.
    pub controller: String,
    /// Its parameters.
    pub parameters: Option<ClassParameters>,
}

/// An object with a class' parameters.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClassParameters {
    /// Its group.
    pub api_group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// An object as its type, if it is one.
pub fn read<T: for<'de> Deserialize<'de>>(object: &Value) -> Option<T> {
    T::deserialize(object).ok()
}
