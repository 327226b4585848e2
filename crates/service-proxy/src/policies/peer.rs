//! Peers by labels: sets of pods' addresses.

use super::member::{Cluster, Pod};
use crate::object::Name;
use fabric::{AddressSet, AddressSetId, FilterId, Protocol};
use imbl::OrdSet;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeSet;
use workloads::Selector;

/// In which namespaces a set's pods are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Within {
    /// In this one.
    Namespace(String),
    /// In those that are selected, as the policy writes it.
    Selected(Value),
}

/// A port that the pods of a set must have at this number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NamedPort {
    pub(super) protocol: Protocol,
    pub(super) name: String,
    pub(super) number: u16,
}

/// Which pods are in a set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SetKey {
    pub(super) within: Within,
    /// The selector as the policy writes it.
    pub(super) pods: Value,
    pub(super) port: Option<NamedPort>,
}

impl SetKey {
    /// The set's id says what is in it, so that policies which name the same pods share it.
    pub(super) fn id(&self) -> AddressSetId {
        let mut id = match &self.within {
            Within::Namespace(name) => format!("{name}/{}", self.pods),
            Within::Selected(selector) => format!("namespaces {selector}/{}", self.pods),
        };
        if let Some(port) = &self.port {
            let NamedPort {
                protocol,
                name,
                number,
            } = port;
            id.push_str(&format!(":{}/{name}={number}", protocol.0));
        }
        id.into()
    }

    /// The same pods, as far as they have a named port at a number.
    pub(super) fn with_port(&self, port: NamedPort) -> Self {
        Self {
            port: Some(port),
            ..self.clone()
        }
    }
}

/// Tells which pods are in a set.
#[derive(Clone, Debug)]
pub(super) struct Matcher {
    key: SetKey,
    namespaces: Option<Selector>,
    pods: Option<Selector>,
}

impl Matcher {
    pub(super) fn new(key: SetKey) -> Self {
        let namespaces = match &key.within {
            Within::Namespace(_) => None,
            Within::Selected(selector) => Selector::parse(selector),
        };
        Self {
            namespaces,
            pods: Selector::parse(&key.pods),
            key,
        }
    }

    /// Whether namespaces' labels decide too.
    pub(super) fn asks_namespaces(&self) -> bool {
        matches!(self.key.within, Within::Selected(_))
    }

    pub(super) fn has(&self, cluster: &Cluster, name: &Name, pod: &Pod) -> bool {
        let within = || match &self.key.within {
            Within::Namespace(namespace) => *namespace == name.namespace,
            Within::Selected(_) => {
                let labels = cluster.namespace_labels(&name.namespace);
                labels.is_some_and(|labels| {
                    let selector = self.namespaces.as_ref();
                    selector.is_some_and(|selector| selector.matches_labels(labels))
                })
            }
        };
        let port = || {
            self.key
                .port
                .as_ref()
                .is_none_or(|port| pod.port(port.protocol, &port.name) == Some(port.number))
        };
        let selected = |selector: &Selector| selector.matches_labels(&pod.labels);
        !pod.host_network && self.pods.as_ref().is_some_and(selected) && within() && port()
    }
}

/// A set that is kept.
#[derive(Clone, Debug)]
pub(super) struct PeerSet {
    matcher: Matcher,
    members: OrdSet<Ipv4Net>,
    /// The filters that name it.
    pub(super) users: BTreeSet<FilterId>,
    /// Whether its members differ from those that were published.
    pub(super) changed: bool,
}

impl PeerSet {
    pub(super) fn new(key: SetKey, cluster: &Cluster) -> Self {
        let mut set = Self {
            matcher: Matcher::new(key),
            members: OrdSet::new(),
            users: BTreeSet::new(),
            changed: true,
        };
        for (name, pod) in &cluster.pods {
            if set.matcher.has(cluster, name, pod) {
                set.members.insert(pod.address.into());
            }
        }
        set
    }

    /// A pod was, and is, so.
    pub(super) fn pod_changed(
        &mut self,
        cluster: &Cluster,
        name: &Name,
        old: Option<&Pod>,
        new: Option<&Pod>,
    ) {
        if let Some(pod) = new
            && self.matcher.has(cluster, name, pod)
        {
            self.changed |= self.members.insert(pod.address.into()).is_none();
        }
        if let Some(pod) = old {
            self.drop_unless_wanted(cluster, pod);
        }
    }

    /// A namespace has other labels.
    pub(super) fn namespace_changed(&mut self, cluster: &Cluster, namespace: &str) {
        if !self.matcher.asks_namespaces() {
            return;
        }
        for (name, pod) in cluster.of_namespace(namespace) {
            if self.matcher.has(cluster, name, pod) {
                self.changed |= self.members.insert(pod.address.into()).is_none();
            } else {
                self.drop_unless_wanted(cluster, pod);
            }
        }
    }

    fn drop_unless_wanted(&mut self, cluster: &Cluster, pod: &Pod) {
        let mut others = cluster.at(pod.address);
        if !others.any(|(name, pod)| self.matcher.has(cluster, name, pod)) {
            self.changed |= self.members.remove(&Ipv4Net::from(pod.address)).is_some();
        }
    }

    pub(super) fn published(&self, id: &AddressSetId) -> AddressSet {
        AddressSet {
            id: id.clone(),
            members: self.members.clone(),
        }
    }
}
