//! Addresses to classes, in two tiers.

use super::interval::{Interval, find, sweep};
use super::{ByRule, Class, Classes, Matching};
use fabric::{AddressMatch, AddressSet, AddressSetId, AddressTerm};
use imbl::OrdMap;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The addresses of one rule's operand, sorted into tiers.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    hosts: BTreeSet<Ipv4Addr>,
    ranges: Vec<Interval>,
}

impl Terms {
    /// The operand's addresses; a set that doesn't exist has none.
    pub(super) fn of(operand: &AddressMatch, sets: &OrdMap<AddressSetId, Arc<AddressSet>>) -> Self {
        let mut terms = Self::default();
        match operand {
            AddressMatch::Any => terms.ranges.push(Interval::ALL),
            AddressMatch::AnyOf(list) => {
                for term in list {
                    match term {
                        AddressTerm::Prefix(prefix) => terms.add(prefix),
                        AddressTerm::Set(id) => {
                            sets.get(id)
                                .into_iter()
                                .flat_map(|set| &set.members)
                                .for_each(|member| terms.add(member));
                        }
                    }
                }
            }
        }
        terms
    }

    fn add(&mut self, prefix: &Ipv4Net) {
        if prefix.prefix_len() == 32 {
            self.hosts.insert(prefix.addr());
        } else {
            self.ranges.push(Interval::new(
                prefix.network().into(),
                prefix.broadcast().into(),
            ));
        }
    }
}

/// Addresses to classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressClasses {
    /// Single addresses: their class counts the ranges around them too.
    pub(crate) hosts: BTreeMap<Ipv4Addr, Class>,
    /// Disjoint ranges, ascending, for addresses that the first tier doesn't have.
    pub(crate) ranges: Vec<(Interval, Class)>,
}

impl AddressClasses {
    /// The classes for the operands of rules, in the rules' order.
    pub(super) fn of(terms: &[Terms]) -> (Self, ByRule) {
        let mut classes = Classes::new(terms.len());
        let pieces = sweep(terms.iter().map(|terms| terms.ranges.as_slice()));
        let mut rules_of_host: BTreeMap<Ipv4Addr, Matching> = BTreeMap::new();
        for (rule, terms) in terms.iter().enumerate() {
            for host in &terms.hosts {
                rules_of_host.entry(*host).or_default().push(rule as u32);
            }
        }
        let hosts = rules_of_host
            .into_iter()
            .map(|(host, mut matching)| {
                matching.extend(find(&pieces, host.into()).unwrap_or_default());
                matching.sort_unstable();
                matching.dedup();
                (host, classes.of(matching))
            })
            .collect();
        let ranges = pieces
            .into_iter()
            .map(|(interval, matching)| (interval, classes.of(matching)))
            .collect();
        (Self { hosts, ranges }, classes.by_rule)
    }

    /// The class of an address.
    #[cfg(test)]
    pub(super) fn find(&self, address: Ipv4Addr) -> Option<Class> {
        self.hosts
            .get(&address)
            .copied()
            .or_else(|| find(&self.ranges, address.into()))
    }
}
