//! A NetworkPolicy and its filter.

use super::block;
use super::member::{Cluster, Pod};
use super::named::{NamedPorts, TallyKey};
use super::peer::{NamedPort, SetKey, Within};
use crate::object::{Name, list, port, protocol, text, texts};
use fabric::{
    AddressMatch, AddressSetId, AddressTerm, Filter, FilterAction, FilterKind, FilterRule,
    NumberRange, Protocol, ProtocolMatch, Tracking,
};
use ipnet::Ipv4Net;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use workloads::Selector;

/// A rule that names more blocks has them in a set, which changes member by member and leaves the filter as it is.
const MOST_WRITTEN: usize = 32;

/// What a filter names.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// Sets.
    pub(super) sets: BTreeMap<AddressSetId, SetKey>,
    /// Blocks, where a rule has so many that they are a set.
    pub(super) blocks: BTreeMap<AddressSetId, Vec<Ipv4Net>>,
    /// Named ports.
    pub(super) ports: BTreeSet<TallyKey>,
}

/// A policy, read.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pods: Value,
    selector: Option<Selector>,
    pub(super) isolates_ingress: bool,
    pub(super) isolates_egress: bool,
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
}

/// One of its rules.
#[derive(Clone, Debug)]
struct Rule {
    /// `None` for everybody.
    peers: Option<Vec<Peer>>,
    /// `None` for everything.
    ports: Option<Vec<Port>>,
}

#[derive(Clone, Debug)]
enum Peer {
    Pods(SetKey),
    Block(Vec<Ipv4Net>),
}

#[derive(Clone, Debug)]
enum Port {
    All(Protocol),
    Range(Protocol, NumberRange),
    Named(Protocol, String),
}

impl Policy {
    pub(super) fn read(object: &Value) -> Self {
        let namespace = text(object, "/metadata/namespace");
        let pods = object
            .pointer("/spec/podSelector")
            .filter(|selector| selector.is_object())
            .cloned()
            .unwrap_or_else(|| json!({}));
        let rules = |pointer: &str, peers: &str| -> Vec<Rule> {
            let rules = list(object, pointer).iter();
            rules
                .map(|rule| Rule::read(rule, peers, namespace))
                .collect()
        };
        let egress = rules("/spec/egress", "/to");
        let types: Vec<&str> = texts(object, "/spec/policyTypes").collect();
        // Without types every policy is about ingress, and about egress if it has such rules.
        let (isolates_ingress, isolates_egress) = if types.is_empty() {
            (true, !egress.is_empty())
        } else {
            (types.contains(&"Ingress"), types.contains(&"Egress"))
        };
        Self {
            selector: Selector::parse(&pods),
            pods,
            isolates_ingress,
            isolates_egress,
            ingress: rules("/spec/ingress", "/from"),
            egress,
        }
    }

    /// Whether it selects a pod of its namespace.
    pub(super) fn selects(&self, pod: &Pod) -> bool {
        let selector = self.selector.as_ref();
        selector.is_some_and(|selector| selector.matches_labels(&pod.labels))
    }

    /// Whether it isolates the same pods, in the same directions, as another one of its namespace.
    pub(super) fn isolates_as(&self, other: &Self) -> bool {
        self.pods == other.pods
            && self.isolates_ingress == other.isolates_ingress
            && self.isolates_egress == other.isolates_egress
    }

    /// Its filter, and what that names.
    pub(super) fn filter(
        &self,
        name: &Name,
        cluster: &Cluster,
        ports: &mut NamedPorts,
    ) -> (Filter, Used) {
        let selected = SetKey {
            within: Within::Namespace(name.namespace.clone()),
            pods: self.pods.clone(),
            port: None,
        };
        let mut writer = Writer {
            name,
            cluster,
            ports,
            used: Used::default(),
        };
        let mut ingress = Vec::new();
        for (index, rule) in self.ingress.iter().enumerate() {
            writer.ingress(&format!("ingress[{index}]"), rule, &selected, &mut ingress);
        }
        let mut egress = Vec::new();
        for (index, rule) in self.egress.iter().enumerate() {
            writer.egress(&format!("egress[{index}]"), rule, &mut egress);
        }
        let filter = Filter {
            id: name.to_string().into(),
            kind: FilterKind::AnyAllow,
            stateful: true,
            tracking: Tracking::Always,
            ingress,
            egress,
        };
        (filter, writer.used)
    }
}

impl Rule {
    fn read(rule: &Value, peers: &str, namespace: &str) -> Self {
        let peers = list(rule, peers);
        let ports = list(rule, "/ports");
        Self {
            peers: (!peers.is_empty()).then(|| {
                let peers = peers.iter();
                peers
                    .filter_map(|peer| Peer::read(peer, namespace))
                    .collect()
            }),
            ports: (!ports.is_empty()).then(|| ports.iter().filter_map(Port::read).collect()),
        }
    }
}

impl Peer {
    /// Reads a peer; none that is of IPv4.
    fn read(value: &Value, namespace: &str) -> Option<Self> {
        if let Some(block) = value.get("ipBlock").filter(|block| block.is_object()) {
            let cidr: Ipv4Net = text(block, "/cidr").parse().ok()?;
            let except: Vec<Ipv4Net> = texts(block, "/except")
                .filter_map(|range| range.parse().ok())
                .collect();
            return Some(Self::Block(block::without(cidr, &except)));
        }
        let selector = |key: &str| value.get(key).filter(|one| one.is_object()).cloned();
        let (namespaces, pods) = (selector("namespaceSelector"), selector("podSelector"));
        if namespaces.is_none() && pods.is_none() {
            return None;
        }
        let within = match namespaces {
            Some(selector) => Within::Selected(selector),
            None => Within::Namespace(namespace.to_owned()),
        };
        Some(Self::Pods(SetKey {
            within,
            pods: pods.unwrap_or_else(|| json!({})),
            port: None,
        }))
    }
}

impl Port {
    fn read(value: &Value) -> Option<Self> {
        let protocol = protocol(text(value, "/protocol"))?;
        Some(match value.get("port") {
            None | Some(Value::Null) => Self::All(protocol),
            Some(Value::String(name)) => Self::Named(protocol, name.clone()),
            Some(_) => {
                let low = port(value, "/port")?;
                let high = port(value, "/endPort").unwrap_or(low);
                Self::Range(protocol, NumberRange::new(low, high))
            }
        })
    }
}

/// Writes rules, and notes what they name.
struct Writer<'a> {
    name: &'a Name,
    cluster: &'a Cluster,
    ports: &'a mut NamedPorts,
    used: Used,
}

impl Writer<'_> {
    fn ingress(&mut self, id: &str, rule: &Rule, selected: &SetKey, into: &mut Vec<FilterRule>) {
        let source = self.peers(id, rule.peers.as_deref());
        for protocol in plain(rule.ports.as_deref()) {
            into.push(allow(id, protocol, source.clone(), AddressMatch::Any));
        }
        // A named port is the receiving pod's.
        for (protocol, name) in named(rule.ports.as_deref()) {
            for number in self.numbers(selected, protocol, name) {
                let set = selected.with_port(port_of(protocol, name, number));
                let destination = AddressMatch::AnyOf(vec![self.set(set)]);
                let ports = one_port(protocol, number);
                into.push(allow(id, ports, source.clone(), destination));
            }
        }
    }

    fn egress(&mut self, id: &str, rule: &Rule, into: &mut Vec<FilterRule>) {
        let destination = self.peers(id, rule.peers.as_deref());
        for protocol in plain(rule.ports.as_deref()) {
            into.push(allow(id, protocol, AddressMatch::Any, destination.clone()));
        }
        let everybody = SetKey {
            within: Within::Selected(json!({})),
            pods: json!({}),
            port: None,
        };
        let keys: Vec<&SetKey> = match &rule.peers {
            None => vec![&everybody],
            Some(peers) => peers
                .iter()
                .filter_map(|peer| match peer {
                    Peer::Pods(key) => Some(key),
                    Peer::Block(_) => None,
                })
                .collect(),
        };
        for (protocol, name) in named(rule.ports.as_deref()) {
            for key in &keys {
                for number in self.numbers(key, protocol, name) {
                    let set = key.with_port(port_of(protocol, name, number));
                    let destination = AddressMatch::AnyOf(vec![self.set(set)]);
                    let ports = one_port(protocol, number);
                    into.push(allow(id, ports, AddressMatch::Any, destination));
                }
            }
        }
    }

    fn set(&mut self, key: SetKey) -> AddressTerm {
        let id = key.id();
        self.used.sets.insert(id.clone(), key);
        AddressTerm::Set(id)
    }

    fn peers(&mut self, id: &str, peers: Option<&[Peer]>) -> AddressMatch {
        let Some(peers) = peers else {
            return AddressMatch::Any;
        };
        let (mut terms, mut blocks) = (Vec::new(), Vec::new());
        for peer in peers {
            match peer {
                Peer::Pods(key) => terms.push(self.set(key.clone())),
                Peer::Block(ranges) => blocks.extend(ranges.iter().copied()),
            }
        }
        if blocks.len() > MOST_WRITTEN {
            let id = AddressSetId::from(format!("{} {id} blocks", self.name));
            self.used.blocks.insert(id.clone(), blocks);
            terms.push(AddressTerm::Set(id));
        } else {
            terms.extend(blocks.into_iter().map(AddressTerm::Prefix));
        }
        AddressMatch::AnyOf(terms)
    }

    /// At which numbers selected pods have a named port.
    fn numbers(&mut self, pods: &SetKey, protocol: Protocol, name: &str) -> BTreeSet<u16> {
        let (key, numbers) = self.ports.numbers(self.cluster, pods, protocol, name);
        self.used.ports.insert(key);
        numbers
    }
}

fn allow(
    id: &str,
    protocol: ProtocolMatch,
    source: AddressMatch,
    destination: AddressMatch,
) -> FilterRule {
    FilterRule {
        id: id.into(),
        action: FilterAction::Allow,
        protocol,
        source,
        destination,
    }
}

fn port_of(protocol: Protocol, name: &str, number: u16) -> NamedPort {
    NamedPort {
        protocol,
        name: name.to_owned(),
        number,
    }
}

fn one_port(protocol: Protocol, number: u16) -> ProtocolMatch {
    ProtocolMatch::Ports {
        protocol,
        source: Vec::new(),
        destination: vec![NumberRange::one(number)],
    }
}

fn named(ports: Option<&[Port]>) -> Vec<(Protocol, &str)> {
    let ports = ports.into_iter().flatten();
    ports
        .filter_map(|port| match port {
            Port::Named(protocol, name) => Some((*protocol, name.as_str())),
            Port::All(_) | Port::Range(..) => None,
        })
        .collect()
}

/// What is allowed of ports that aren't named: the whole protocol, or ranges.
fn plain(ports: Option<&[Port]>) -> Vec<ProtocolMatch> {
    let Some(ports) = ports else {
        return vec![ProtocolMatch::Any];
    };
    let mut whole: BTreeSet<Protocol> = BTreeSet::new();
    let mut ranges: BTreeMap<Protocol, Vec<NumberRange>> = BTreeMap::new();
    for port in ports {
        match port {
            Port::All(protocol) => {
                whole.insert(*protocol);
            }
            Port::Range(protocol, range) => ranges.entry(*protocol).or_default().push(*range),
            Port::Named(..) => {}
        }
    }
    let in_ranges = ranges
        .into_iter()
        .map(|(protocol, destination)| ProtocolMatch::Ports {
            protocol,
            source: Vec::new(),
            destination,
        });
    whole
        .into_iter()
        .map(ProtocolMatch::Whole)
        .chain(in_ranges)
        .collect()
}
