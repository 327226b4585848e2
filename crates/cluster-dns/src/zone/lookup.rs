//! What a name of the cluster stands for.
//!
//! The names and their meaning are those of Kubernetes' DNS specification, version 1.1; where it leaves
//! something open (weights, the authority of negative answers, names below a service with an address), it is
//! as CoreDNS does it: <https://github.com/coredns/coredns/tree/master/plugin/kubernetes>.

use super::objects::{Endpoint, Key, Port, Service, Slice};
use super::{Zone, reverse};
use crate::answer::Answer;
use crate::plugin::kubernetes::{Kubernetes, Pods};
use crate::question::{Question, below, longest, within};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashSet;
use std::net::IpAddr;

const PLUGIN: &str = "kubernetes";
/// The version of the specification that is served.
const SCHEMA: &str = "1.1.0";
/// How long the version holds.
const SCHEMA_TTL: u32 = 28_800;
/// So many aliases are followed at most.
const ALIASES: usize = 8;

/// What the cluster says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// An answer.
    Answer(Answer),
    /// An answer that goes on with what another name stands for, which isn't the cluster's.
    Alias(Answer, Name),
    /// The name isn't the cluster's, or others may know it.
    Pass,
}

/// There is no such name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSuchName;

/// One of the things that a name stands for.
struct Backend {
    /// Its own name.
    name: String,
    address: IpAddr,
    port: Option<u16>,
}

enum Backends {
    Here(Vec<Backend>),
    /// Another name.
    Elsewhere(String),
}

/// What a name says, from the right: `svc` or `pod`, the namespace, the name, and what stands before.
struct Parts<'a> {
    pod: bool,
    namespace: &'a str,
    name: &'a str,
    before: Before<'a>,
}

enum Before<'a> {
    Nothing,
    Endpoint(&'a str),
    Port { name: &'a str, protocol: &'a str },
}

impl Zone {
    /// Answers a question, if the name is the cluster's.
    pub fn answer(&self, plugin: &Kubernetes, question: &Question) -> Found {
        let Some(zone) = longest(&question.text, &plugin.zones) else {
            return Found::Pass;
        };
        let lookup = Lookup {
            cluster: self,
            plugin,
            zone,
            question,
        };
        let found = lookup.records();
        let (code, answer) = match found {
            Ok(Found::Answer(answer)) if answer.answers.is_empty() => {
                (ResponseCode::NoError, answer)
            }
            Ok(found) => return found,
            Err(NoSuchName) if plugin.fallthrough.lets(&question.text) => return Found::Pass,
            Err(NoSuchName) => {
                let code = if self.complete {
                    ResponseCode::NXDomain
                } else {
                    ResponseCode::ServFail
                };
                (code, Answer::authoritative(Vec::new(), PLUGIN))
            }
        };
        Found::Answer(Answer {
            code,
            authorities: lookup.authority(),
            ..answer
        })
    }
}

struct Lookup<'a> {
    cluster: &'a Zone,
    plugin: &'a Kubernetes,
    zone: &'a str,
    question: &'a Question,
}

impl Lookup<'_> {
    /// The records; none where the name has none of the type.
    fn records(&self) -> Result<Found, NoSuchName> {
        let name = self.question.text.as_str();
        let kind = self.question.kind;
        match kind {
            RecordType::A | RecordType::AAAA => self.addresses(),
            RecordType::TXT => Ok(self.schema()),
            RecordType::PTR => match reverse::address(name) {
                Some(address) => self.pointers(address),
                None => self.backends(name).map(|_| none()),
            },
            RecordType::SRV => Ok(self.services(self.backends(name)?)),
            RecordType::CNAME => Ok(match self.backends(name)? {
                Backends::Elsewhere(target) => found(vec![self.alias(&target)]),
                Backends::Here(_) => none(),
            }),
            RecordType::SOA => Ok(found(self.authority())),
            RecordType::NS if name == self.zone => Ok(self.name_servers()),
            _ => self.backends(name).map(|_| none()),
        }
    }

    fn addresses(&self) -> Result<Found, NoSuchName> {
        let mut aliases = Vec::new();
        let mut name = self.question.text.clone();
        let mut owner = self.question.name.clone();
        loop {
            let backends = match self.backends(&name) {
                Ok(backends) => backends,
                // An alias that leads nowhere in the cluster is as good as none.
                Err(NoSuchName) if !aliases.is_empty() => return Ok(none()),
                Err(NoSuchName) => return Err(NoSuchName),
            };
            let target = match backends {
                Backends::Here(backends) => {
                    let records = self.address_records(&owner, &backends);
                    if records.is_empty() {
                        return Ok(none());
                    }
                    aliases.extend(records);
                    return Ok(found(aliases));
                }
                Backends::Elsewhere(target) => target,
            };
            let Some(next) = parse(&target) else {
                return Ok(none());
            };
            if target == name || aliases.len() >= ALIASES {
                return Ok(none());
            }
            aliases.push(self.record(&owner, RData::CNAME(CNAME(next.clone()))));
            if !within(&target, self.zone) {
                return Ok(Found::Alias(Answer::authoritative(aliases, PLUGIN), next));
            }
            (name, owner) = (target, next);
        }
    }

    fn address_records(&self, owner: &Name, backends: &[Backend]) -> Vec<Record> {
        let mut seen = HashSet::new();
        backends
            .iter()
            .filter(|backend| seen.insert(backend.address))
            .filter(|backend| kind_of(backend.address) == self.question.kind)
            .map(|backend| self.record(owner, address_data(backend.address)))
            .collect()
    }

    fn schema(&self) -> Found {
        if below(&self.question.text, self.zone) != Some("dns-version") {
            return none();
        }
        let data = RData::TXT(TXT::new(vec![SCHEMA.to_owned()]));
        let name = self.question.name.clone();
        found(vec![Record::from_rdata(name, SCHEMA_TTL, data)])
    }

    fn services(&self, backends: Backends) -> Found {
        // What stands elsewhere has no records of its own.
        let Backends::Here(backends) = backends else {
            return none();
        };
        let share = (100 / backends.len().max(1)).max(1);
        let weight = u16::try_from(share).unwrap_or(1);
        let (mut answers, mut additionals) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for backend in &backends {
            let Some((port, target)) = backend.port.zip(parse(&backend.name)) else {
                continue;
            };
            if seen.insert((backend.name.as_str(), Some(port), None)) {
                let data = RData::SRV(SRV::new(0, weight, port, target.clone()));
                answers.push(self.record(&self.question.name, data));
            }
            if seen.insert((backend.name.as_str(), None, Some(backend.address))) {
                additionals.push(self.record(&target, address_data(backend.address)));
            }
        }
        Found::Answer(Answer {
            additionals,
            ..Answer::authoritative(answers, PLUGIN)
        })
    }

    fn pointers(&self, address: IpAddr) -> Result<Found, NoSuchName> {
        let names = self.cluster.names_at(self.plugin, address);
        if names.is_empty() {
            return Err(NoSuchName);
        }
        let mut seen = HashSet::new();
        let records = names
            .iter()
            .filter(|name| seen.insert(name.as_str()))
            .filter_map(|name| parse(name))
            .map(|name| self.record(&self.question.name, RData::PTR(PTR(name))));
        Ok(found(records.collect()))
    }

    fn name_servers(&self) -> Found {
        let servers = self.cluster.servers(self.plugin, self.zone);
        let (mut answers, mut additionals) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for (name, address) in &servers {
            let Some(target) = parse(name) else { continue };
            additionals.push(self.record(&target, address_data(*address)));
            if seen.insert(name) {
                answers.push(self.record(&self.question.name, RData::NS(NS(target))));
            }
        }
        Found::Answer(Answer {
            additionals,
            ..Answer::authoritative(answers, PLUGIN)
        })
    }

    fn authority(&self) -> Vec<Record> {
        let own = |label: &str| match self.zone {
            "." => parse(label),
            zone => parse(&format!("{label}{zone}")),
        };
        let (Some(zone), Some(server), Some(mailbox)) =
            (parse(self.zone), own("ns.dns."), own("hostmaster."))
        else {
            return Vec::new();
        };
        let ttl = self.plugin.ttl;
        let serial = self.cluster.changed;
        let data = SOA::new(server, mailbox, serial, 7200, 1800, 86400, ttl);
        vec![Record::from_rdata(zone, ttl.min(300), RData::SOA(data))]
    }

    /// What a name stands for.
    fn backends(&self, name: &str) -> Result<Backends, NoSuchName> {
        let nothing = Ok(Backends::Here(Vec::new()));
        let base = below(name, self.zone).unwrap_or(name);
        if base == "ns.dns" {
            let servers = self.cluster.servers(self.plugin, self.zone);
            let backend = |(name, address)| Backend {
                name,
                address,
                port: None,
            };
            return Ok(Backends::Here(servers.into_iter().map(backend).collect()));
        }
        let Some(parts) = parts(base)? else {
            return nothing;
        };
        if reverse::is_reverse(name) || !self.cluster.shows(self.plugin, parts.namespace) {
            return Err(NoSuchName);
        }
        match parts {
            Parts { pod: true, .. } if self.plugin.pods == Pods::Disabled => Err(NoSuchName),
            Parts { name: "", .. } => nothing,
            Parts { pod: true, .. } => self.pod(&parts),
            _ => self.service(&parts),
        }
    }

    /// A pod's name is its address with dashes.
    fn pod(&self, parts: &Parts) -> Result<Backends, NoSuchName> {
        let address = reverse::undashed(parts.name).ok_or(NoSuchName)?;
        let known = || self.cluster.has_pod(parts.namespace, address);
        if self.plugin.pods == Pods::Verified && !known() {
            return Err(NoSuchName);
        }
        let Parts {
            namespace, name, ..
        } = parts;
        Ok(Backends::Here(vec![Backend {
            name: format!("{name}.{namespace}.pod.{}", self.zone),
            address,
            port: None,
        }]))
    }

    fn service(&self, parts: &Parts) -> Result<Backends, NoSuchName> {
        let key = (parts.namespace.to_owned(), parts.name.to_owned());
        let name = format!("{}.{}.svc.{}", parts.name, parts.namespace, self.zone);
        let is_endpoint = matches!(parts.before, Before::Endpoint(_));
        let backends = match self.cluster.services.get(&key).ok_or(NoSuchName)? {
            Service::External(_) if is_endpoint => return Err(NoSuchName),
            // What looks like an address is no name.
            Service::External(target) if target.trim_end_matches('.').parse::<IpAddr>().is_ok() => {
                return Err(NoSuchName);
            }
            Service::External(target) => return Ok(Backends::Elsewhere(target.clone())),
            Service::Cluster { addresses, ports } if !is_endpoint => {
                if self.plugin.ignore_empty_service && !self.cluster.has_endpoints(&key) {
                    return Err(NoSuchName);
                }
                let wanted = ports.iter().filter(|port| parts.wants(port));
                wanted
                    .flat_map(|port| {
                        addresses.iter().map(|address| Backend {
                            name: name.clone(),
                            address: *address,
                            port: port.number,
                        })
                    })
                    .collect()
            }
            Service::Cluster { .. } | Service::Headless => self.endpoints(&key, &name, parts),
        };
        if backends.is_empty() {
            return Err(NoSuchName);
        }
        Ok(Backends::Here(backends))
    }

    fn endpoints(&self, key: &Key, service: &str, parts: &Parts) -> Vec<Backend> {
        let by_pod = self.plugin.endpoint_pod_names;
        let wanted = |slice: &Slice, endpoint: &Endpoint| {
            let own = endpoint.name(by_pod);
            if matches!(parts.before, Before::Endpoint(asked) if asked != own) {
                return Vec::new();
            }
            let ports = slice.ports.iter().filter(|port| parts.wants(port));
            ports
                .map(|port| Backend {
                    name: format!("{own}.{service}"),
                    address: endpoint.address,
                    port: port.number,
                })
                .collect()
        };
        let slices = self.cluster.slices_of(key);
        slices
            .flat_map(|slice| slice.endpoints.iter().map(move |end| (slice, end)))
            .flat_map(|(slice, endpoint)| wanted(slice, endpoint))
            .collect()
    }

    fn alias(&self, target: &str) -> Record {
        let target = parse(target).unwrap_or_default();
        self.record(&self.question.name, RData::CNAME(CNAME(target)))
    }

    fn record(&self, owner: &Name, data: RData) -> Record {
        Record::from_rdata(owner.clone(), self.plugin.ttl, data)
    }
}

impl Parts<'_> {
    fn wants(&self, port: &Port) -> bool {
        match self.before {
            Before::Port { name, protocol } => {
                (name.is_empty() || port.name.eq_ignore_ascii_case(name))
                    && (protocol.is_empty() || port.protocol.eq_ignore_ascii_case(protocol))
            }
            _ => true,
        }
    }
}

/// Reads what stands before the zone; nothing for the zone's own name and those of its two branches.
fn parts(base: &str) -> Result<Option<Parts<'_>>, NoSuchName> {
    if matches!(base, "" | "svc" | "pod") {
        return Ok(None);
    }
    let mut labels = base.rsplit('.');
    let pod = match labels.next() {
        Some("pod") => true,
        Some("svc") => false,
        _ => return Err(NoSuchName),
    };
    let namespace = labels.next().unwrap_or_default();
    let name = labels.next().unwrap_or_default();
    fn bare(label: &str) -> &str {
        label.strip_prefix('_').unwrap_or(label)
    }
    let before = match (labels.next(), labels.next(), labels.next()) {
        (None, ..) => Before::Nothing,
        (Some(endpoint), None, _) => Before::Endpoint(endpoint),
        (Some(protocol), Some(port), None) => Before::Port {
            name: bare(port),
            protocol: bare(protocol),
        },
        _ => return Err(NoSuchName),
    };
    Ok(Some(Parts {
        pod,
        namespace,
        name,
        before,
    }))
}

fn found(answers: Vec<Record>) -> Found {
    Found::Answer(Answer::authoritative(answers, PLUGIN))
}

fn none() -> Found {
    found(Vec::new())
}

fn parse(name: &str) -> Option<Name> {
    Name::from_ascii(name).ok()
}

fn kind_of(address: IpAddr) -> RecordType {
    match address {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::AAAA,
    }
}

fn address_data(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}
