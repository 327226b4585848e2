//! Names from a table of hosts: <https://coredns.io/plugins/hosts/>. Stars are not modelled.

use super::{Fallthrough, duration, number, unknown, zones_of};
use crate::answer::Answer;
use crate::corefile::{CorefileError, Directive};
use crate::question::{Question, longest, normal};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

const NAME: &str = "hosts";
/// How long records hold, if nothing else is said.
const TTL: u32 = 3600;
/// How often the file is read again.
const RELOAD: Duration = Duration::from_secs(5);

/// What a Corefile says of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) file: PathBuf,
    /// How often the file is read again; never, if not at all.
    pub(crate) reload: Option<Duration>,
    zones: Vec<String>,
    /// Lines of the Corefile's own.
    inline: String,
    ttl: u32,
    reverse: bool,
    fallthrough: Fallthrough,
}

/// Names and addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    addresses: HashMap<String, Vec<IpAddr>>,
    names: HashMap<String, Vec<Name>>,
}

impl Table {
    /// How many entries there are, of either direction.
    pub(crate) fn len(&self) -> usize {
        let addresses: usize = self.addresses.values().map(Vec::len).sum();
        addresses + self.names.values().map(Vec::len).sum::<usize>()
    }
}

impl Hosts {
    pub(crate) fn read(directive: &Directive, block: &[String]) -> Result<Self, CorefileError> {
        let (file, zones) = match &directive.arguments[..] {
            [] => ("/etc/hosts", Vec::new()),
            [file, zones @ ..] => (file.as_str(), zones_of(directive, zones)?),
        };
        let mut hosts = Self {
            file: file.into(),
            reload: Some(RELOAD),
            zones: if zones.is_empty() {
                block.to_vec()
            } else {
                zones
            },
            inline: String::new(),
            ttl: TTL,
            reverse: true,
            fallthrough: Fallthrough::No,
        };
        for line in &directive.lines {
            match line.name.as_str() {
                "fallthrough" => hosts.fallthrough = Fallthrough::read(line)?,
                "no_reverse" => hosts.reverse = false,
                "ttl" => hosts.ttl = number(NAME, line, line.one()?)?,
                "reload" => {
                    let interval = duration(NAME, line, line.one()?)?;
                    hosts.reload = (!interval.is_zero()).then_some(interval);
                }
                address if address.parse::<IpAddr>().is_ok() => {
                    hosts.inline.push_str(address);
                    for name in &line.arguments {
                        hosts.inline.push(' ');
                        hosts.inline.push_str(name);
                    }
                    hosts.inline.push('\n');
                }
                _ => return Err(unknown(NAME, line, &[])),
            }
        }
        Ok(hosts)
    }

    /// The table of a file's text and the Corefile's own lines.
    pub(crate) fn table(&self, text: &str) -> Table {
        let mut table = Table::default();
        for line in text.lines().chain(self.inline.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
                continue;
            };
            for word in words {
                let addresses = table.addresses.entry(normal(word)).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
                if let Ok(name) = Name::from_ascii(normal(word)) {
                    let names = table.names.entry(reversed(address)).or_default();
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
        }
        table
    }

    /// Answers a question; nothing, if the next plugin is to.
    pub(crate) fn answer(&self, table: &Table, question: &Question) -> Option<Answer> {
        let name = question.text.as_str();
        let known = table.addresses.get(name);
        let data: Vec<RData> = match question.kind {
            RecordType::PTR if self.reverse => {
                let names = table.names.get(name).into_iter().flatten();
                let names: Vec<_> = names.map(|name| RData::PTR(PTR(name.clone()))).collect();
                // Others may know other addresses.
                if names.is_empty() {
                    return None;
                }
                names
            }
            _ => {
                longest(name, &self.zones)?;
                let addresses = known.into_iter().flatten();
                let data = addresses.filter_map(|address| match (address, question.kind) {
                    (IpAddr::V4(address), RecordType::A) => Some(RData::A(A(*address))),
                    (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA(AAAA(*address))),
                    _ => None,
                });
                data.collect()
            }
        };
        if data.is_empty() && known.is_none() {
            // There is no zone here whose authority could deny the name.
            let lets = self.fallthrough.lets(name);
            return (!lets).then(|| Answer::empty(ResponseCode::ServFail, ""));
        }
        let record = |data| Record::from_rdata(question.name.clone(), self.ttl, data);
        Some(Answer::authoritative(
            data.into_iter().map(record).collect(),
            NAME,
        ))
    }
}

/// An address's name in its reverse zone.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = Ipv4Addr::octets(&address);
            format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
        }
        IpAddr::V6(address) => {
            let mut name = String::new();
            for byte in Ipv6Addr::octets(&address).iter().rev() {
                name.push_str(&format!("{:x}.{:x}.", byte & 15, byte >> 4));
            }
            name + "ip6.arpa."
        }
    }
}
