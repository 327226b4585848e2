//! Security group → filter and address set; prefix list → address set.
//!
//! All groups of an interface are one any-allow layer. A rule that names a group means the private
//! addresses of the interfaces in that group.
//! <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>

use super::touched::{Touched, versions};
use crate::model::network_interface::NetworkInterface;
use crate::model::security_group::{Peer, SecurityGroupRule, Traffic};
use crate::model::{PrefixListId, SecurityGroupId, State};
use fabric::{
    AddressMatch, AddressSet, AddressSetId, AddressTerm, Filter, FilterAction, FilterKind,
    FilterRule, NumberRange, Protocol, ProtocolMatch, Tracking,
};
use imbl::{OrdMap, OrdSet};
use ipnet::{IpNet, Ipv4Net};
use std::sync::Arc;

pub(super) fn filter(state: &State, id: &SecurityGroupId) -> Option<Filter> {
    let group = state.security_groups.get(id)?;
    let rules = |egress: bool| {
        group
            .rules
            .iter()
            .filter(|rule| rule.egress == egress)
            .filter_map(compile_rule)
            .collect()
    };
    Some(Filter {
        id: id.as_str().into(),
        kind: FilterKind::AnyAllow,
        stateful: true,
        tracking: Tracking::UnlessOpen,
        ingress: rules(false),
        egress: rules(true),
    })
}

/// A rule; `None` for one that no IPv4 packet can match.
fn compile_rule(rule: &SecurityGroupRule) -> Option<FilterRule> {
    let peer = match &rule.peer {
        Peer::Cidr(cidr) => address_match(cidr)?,
        Peer::Group(id) => AddressMatch::AnyOf(vec![AddressTerm::Set(id.as_str().into())]),
        Peer::PrefixList(id) => AddressMatch::AnyOf(vec![AddressTerm::Set(id.as_str().into())]),
    };
    let (source, destination) = if rule.egress {
        (AddressMatch::Any, peer)
    } else {
        (peer, AddressMatch::Any)
    };
    Some(FilterRule {
        id: rule.id.as_str().into(),
        action: FilterAction::Allow,
        protocol: protocol_match(&rule.traffic),
        source,
        destination,
    })
}

/// The addresses of a CIDR; `None` for an IPv6 one.
pub(super) fn address_match(cidr: &IpNet) -> Option<AddressMatch> {
    match cidr {
        IpNet::V4(cidr) if cidr.prefix_len() == 0 => Some(AddressMatch::Any),
        IpNet::V4(cidr) => Some(AddressMatch::AnyOf(vec![AddressTerm::Prefix(*cidr)])),
        IpNet::V6(_) => None,
    }
}

pub(super) fn protocol_match(traffic: &Traffic) -> ProtocolMatch {
    match *traffic {
        Traffic::All => ProtocolMatch::Any,
        Traffic::Ports { protocol, from, to } => ProtocolMatch::Ports {
            protocol: Protocol(protocol),
            source: Vec::new(),
            destination: if (from, to) == (0, u16::MAX) {
                Vec::new()
            } else {
                vec![NumberRange::new(from, to)]
            },
        },
        Traffic::Icmp {
            protocol: 1,
            kind,
            code,
        } => ProtocolMatch::Icmp { kind, code },
        Traffic::Icmp { protocol, .. } | Traffic::Protocol(protocol) => {
            ProtocolMatch::Whole(Protocol(protocol))
        }
    }
}

pub(super) fn prefix_list(state: &State, id: &PrefixListId) -> Option<AddressSet> {
    let entries = state.prefix_lists.get(id)?.versions.last()?;
    Some(AddressSet {
        id: id.as_str().into(),
        members: entries.iter().map(|entry| entry.cidr.trunc()).collect(),
    })
}

/// An interface's addresses as members of its groups.
fn members(interface: &NetworkInterface) -> impl Iterator<Item = Ipv4Net> + '_ {
    let single = interface
        .addresses
        .iter()
        .map(|address| Ipv4Net::from(address.ip));
    single.chain(interface.prefixes.iter().copied())
}

/// Changes the groups' address sets by the interfaces that changed; each group has one as long as
/// it exists.
pub(super) fn update_members(
    sets: &mut OrdMap<AddressSetId, Arc<AddressSet>>,
    touched: &Touched,
    old: &State,
    new: &State,
) {
    for id in &touched.security_groups {
        let set = AddressSetId::from(id.as_str());
        if !new.security_groups.contains_key(id) {
            sets.remove(&set);
        } else if !sets.contains_key(&set) {
            sets.insert(
                set.clone(),
                Arc::new(AddressSet {
                    id: set,
                    members: OrdSet::new(),
                }),
            );
        }
    }
    let changed = touched
        .network_interfaces
        .iter()
        .map(|id| versions(old, new, id));
    // All that leaves goes before anything joins: an address may move from one interface to another.
    for (before, _) in changed.clone() {
        each_set(sets, before, |set, member| {
            set.members.remove(&member);
        });
    }
    for (_, after) in changed {
        each_set(sets, after, |set, member| {
            set.members.insert(member);
        });
    }
}

fn each_set(
    sets: &mut OrdMap<AddressSetId, Arc<AddressSet>>,
    interface: Option<&Arc<NetworkInterface>>,
    mut change: impl FnMut(&mut AddressSet, Ipv4Net),
) {
    let Some(interface) = interface else { return };
    for group in &interface.groups {
        if let Some(set) = sets.get_mut(&AddressSetId::from(group.as_str())) {
            let set = Arc::make_mut(set);
            members(interface).for_each(|member| change(set, member));
        }
    }
}
