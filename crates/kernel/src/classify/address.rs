//! Classes of addresses.

use super::Sets;
use super::group::Classes;
use super::member::{Membership, around};
use super::number::cut;
use fabric::AddressTerm;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The classes of addresses, in two tiers: single addresses (security groups' members: many, and
/// coming and going) are looked up first, in a hash table; then ranges, which are few.
///
/// A single address's class stands for all that matches it, ranges too. So when a combination with
/// it has no outcome, neither has the one with the class of the range around it: looking on in the
/// second tier finds nothing more, and does no harm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Single addresses.
    pub(crate) single: Vec<(Ipv4Addr, u32)>,
    /// Disjoint ranges, both ends included, in order.
    pub(crate) ranges: Vec<(Ipv4Addr, Ipv4Addr, u32)>,
    /// The class of all other addresses, where they need one.
    pub(crate) rest: Option<u32>,
    /// For addresses that join or leave sets later.
    pub(crate) membership: Membership,
}

fn prefixes<'a>(term: &'a AddressTerm, sets: &Sets<'a>) -> Box<dyn Iterator<Item = Ipv4Net> + 'a> {
    match term {
        AddressTerm::Prefix(prefix) => Box::new(std::iter::once(prefix.trunc())),
        AddressTerm::Set(id) => match sets.get(id) {
            Some(members) => Box::new(members.iter().map(Ipv4Net::trunc)),
            None => Box::new(std::iter::empty()),
        },
    }
}

impl Addresses {
    /// Classifies the terms of regions, given by their numbers.
    pub(super) fn compile<'a>(
        terms: impl IntoIterator<Item = (&'a AddressTerm, usize)>,
        sets: &Sets<'a>,
        classes: &mut Classes,
    ) -> Self {
        let mut single: BTreeMap<Ipv4Addr, BTreeSet<usize>> = BTreeMap::new();
        let mut ranges: Vec<(u64, u64, usize)> = Vec::new();
        let mut membership = Membership::default();
        for (term, who) in terms {
            membership.names(term, who);
            for prefix in prefixes(term, sets) {
                if prefix.prefix_len() == 32 {
                    single.entry(prefix.network()).or_default().insert(who);
                } else {
                    let end = |address: Ipv4Addr| u64::from(u32::from(address));
                    ranges.push((end(prefix.network()), end(prefix.broadcast()), who));
                }
            }
        }
        let pieces = cut(&ranges);
        let mut class = |signature: Vec<usize>| {
            let number = classes.of(signature.clone());
            membership.holds(signature, number);
            number
        };
        let single = single
            .into_iter()
            .map(|(address, mut who)| {
                who.extend(around(&pieces, address).iter().copied());
                (address, class(who.into_iter().collect()))
            })
            .collect();
        let ranges = pieces
            .iter()
            .map(|(low, high, signature)| {
                // Both ends come from addresses.
                let end = |end: u64| Ipv4Addr::from(end as u32);
                (end(*low), end(*high), class(signature.clone()))
            })
            .collect();
        let rest = classes.rest();
        membership.within(pieces);
        Self {
            single,
            ranges,
            rest,
            membership,
        }
    }
}
