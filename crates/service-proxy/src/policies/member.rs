//! Pods and namespaces, as far as policies look at them.

use crate::object::{Name, address, flag, list, port, protocol, text};
use fabric::Protocol;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A pod that has an address and has not finished.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pod {
    pub(super) labels: Value,
    pub(super) node: String,
    pub(super) address: Ipv4Addr,
    pub(super) host_network: bool,
    ports: Vec<(String, Protocol, u16)>,
}

impl Pod {
    /// Reads a pod.
    pub(super) fn read(object: &Value) -> Option<Self> {
        if matches!(text(object, "/status/phase"), "Succeeded" | "Failed") {
            return None;
        }
        let addresses = list(object, "/status/podIPs")
            .iter()
            .map(|entry| text(entry, "/ip"));
        let address = addresses
            .chain([text(object, "/status/podIP")])
            .find_map(address)?;
        // Init containers that stay are containers like the others.
        let containers = list(object, "/spec/containers")
            .iter()
            .chain(list(object, "/spec/initContainers"));
        let ports = containers.flat_map(|container| list(container, "/ports"));
        let ports = ports.filter_map(|value| {
            let name = text(value, "/name");
            let protocol = protocol(text(value, "/protocol"))?;
            let number = port(value, "/containerPort")?;
            (!name.is_empty()).then(|| (name.to_owned(), protocol, number))
        });
        Some(Self {
            labels: labels(object),
            node: text(object, "/spec/nodeName").to_owned(),
            address,
            host_network: flag(object, "/spec/hostNetwork") == Some(true),
            ports: ports.collect(),
        })
    }

    /// The number of a named port.
    pub(super) fn port(&self, protocol: Protocol, name: &str) -> Option<u16> {
        let mut ports = self.ports.iter();
        ports
            .find(|(known, of, _)| known == name && *of == protocol)
            .map(|(_, _, number)| *number)
    }
}

fn labels(object: &Value) -> Value {
    object
        .pointer("/metadata/labels")
        .cloned()
        .unwrap_or(Value::Null)
}

/// The pods and namespaces there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub(super) pods: BTreeMap<Name, Pod>,
    by_address: BTreeMap<Ipv4Addr, Vec<Name>>,
    namespaces: BTreeMap<String, Value>,
}

impl Cluster {
    /// Puts a pod in the place of what was there.
    pub(super) fn set_pod(&mut self, name: &Name, pod: Option<Pod>) -> Option<Pod> {
        let old = match &pod {
            Some(new) => self.pods.insert(name.clone(), new.clone()),
            None => self.pods.remove(name),
        };
        if let Some(old) = &old
            && let Some(names) = self.by_address.get_mut(&old.address)
        {
            names.retain(|known| known != name);
            if names.is_empty() {
                self.by_address.remove(&old.address);
            }
        }
        if let Some(new) = &pod {
            let names = self.by_address.entry(new.address).or_default();
            names.push(name.clone());
        }
        old
    }

    /// Whether the labels differ from before.
    pub(super) fn set_namespace(&mut self, name: &str, object: &Value) -> bool {
        let labels = labels(object);
        let old = self.namespaces.insert(name.to_owned(), labels.clone());
        old != Some(labels)
    }

    pub(super) fn remove_namespace(&mut self, name: &str) -> bool {
        self.namespaces.remove(name).is_some()
    }

    /// A namespace's labels; none of one that isn't known.
    pub(super) fn namespace_labels(&self, name: &str) -> Option<&Value> {
        self.namespaces.get(name)
    }

    /// The pods of a namespace.
    pub(super) fn of_namespace<'a>(
        &'a self,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Name, &'a Pod)> {
        self.pods
            .range(Name::new(namespace, "")..)
            .take_while(move |(name, _)| name.namespace == namespace)
    }

    /// The pods that have an address: for a moment a new pod may have that of one which goes.
    pub(super) fn at(&self, address: Ipv4Addr) -> impl Iterator<Item = (&Name, &Pod)> {
        let names = self.by_address.get(&address).into_iter().flatten();
        names.filter_map(|name| Some((name, self.pods.get(name)?)))
    }
}
