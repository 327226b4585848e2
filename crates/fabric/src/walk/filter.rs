//! What a filter says of a packet.

use crate::{
    AddressMatch, AddressSet, AddressSetId, AddressTerm, Filter, FilterAction, FilterRule, Flow,
    NumberRange, Protocol, ProtocolMatch, RuleId, Transport,
};
use imbl::OrdMap;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The address sets that rules may name.
pub type Sets = OrdMap<AddressSetId, Arc<AddressSet>>;

/// A filter's answer, with the rule that gave it; a denial without one is the filter's implicit last
/// rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It lets the packet on.
    Allow(RuleId),
    /// It drops it.
    Deny(Option<RuleId>),
}

/// Asks a filter's rules in one direction about a packet. State is the caller's business.
pub fn decide(sets: &Sets, filter: &Filter, ingress: bool, packet: &Flow) -> Decision {
    let rules = if ingress {
        &filter.ingress
    } else {
        &filter.egress
    };
    match rules.iter().find(|rule| matches(sets, rule, packet)) {
        Some(rule) if rule.action == FilterAction::Allow => Decision::Allow(rule.id.clone()),
        Some(rule) => Decision::Deny(Some(rule.id.clone())),
        None => Decision::Deny(None),
    }
}

/// Whether a rule matches a packet.
pub fn matches(sets: &Sets, rule: &FilterRule, packet: &Flow) -> bool {
    protocol_matches(&rule.protocol, &packet.transport)
        && address_matches(sets, &rule.source, packet.source)
        && address_matches(sets, &rule.destination, packet.destination)
}

fn protocol_matches(protocol: &ProtocolMatch, transport: &Transport) -> bool {
    match protocol {
        ProtocolMatch::Any => true,
        ProtocolMatch::Whole(protocol) => protocol_of(transport) == *protocol,
        ProtocolMatch::Ports {
            protocol,
            source,
            destination,
        } => {
            let Some((source_port, destination_port)) = ports_of(transport) else {
                return false;
            };
            let within = |ranges: &[NumberRange], port| {
                ranges.is_empty() || ranges.iter().any(|range| range.contains(port))
            };
            protocol_of(transport) == *protocol
                && within(source, source_port)
                && within(destination, destination_port)
        }
        ProtocolMatch::Icmp { kind, code } => {
            let Transport::Echo { reply, .. } = transport else {
                return *transport == Transport::Other(1) && kind.is_none();
            };
            // Echo is type 8, its reply type 0, both of code 0 (RFC 792).
            let of_packet = if *reply { 0 } else { 8 };
            kind.is_none_or(|kind| kind == of_packet && code.is_none_or(|code| code == 0))
        }
    }
}

/// The protocol number of a transport.
pub fn protocol_of(transport: &Transport) -> Protocol {
    match transport {
        Transport::Tcp { .. } => Protocol::TCP,
        Transport::Udp { .. } => Protocol::UDP,
        Transport::Echo { .. } => Protocol::ICMP,
        Transport::Other(protocol) => Protocol(*protocol),
    }
}

/// The source and destination ports of a transport that has some.
pub fn ports_of(transport: &Transport) -> Option<(u16, u16)> {
    match *transport {
        Transport::Tcp {
            source_port,
            destination_port,
        }
        | Transport::Udp {
            source_port,
            destination_port,
        } => Some((source_port, destination_port)),
        Transport::Echo { .. } | Transport::Other(_) => None,
    }
}

fn address_matches(sets: &Sets, operand: &AddressMatch, address: Ipv4Addr) -> bool {
    match operand {
        AddressMatch::Any => true,
        AddressMatch::AnyOf(terms) => terms.iter().any(|term| match term {
            AddressTerm::Prefix(prefix) => prefix.contains(&address),
            AddressTerm::Set(id) => sets.get(id).is_some_and(|set| set.contains(address)),
        }),
    }
}

impl AddressSet {
    /// Whether an address is in the set; the cost is one lookup a prefix length, whatever the size.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (0..=32).rev().any(|length| {
            self.members
                .contains(&Ipv4Net::new_assert(address, length).trunc())
        })
    }
}
