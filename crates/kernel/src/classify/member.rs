//! Addresses that join and leave sets.
//!
//! Sets have thousands of members, and one more must cost no more than itself. So a table of addresses
//! remembers how it told single addresses apart, and says which class a newcomer has. Only where a class
//! comes to be or goes, which changes other tables too, must the whole be compiled again.

use super::group::Signature;
use fabric::{AddressSetId, AddressTerm};
use imbl::OrdSet;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// How single addresses are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    /// Addresses that regions name themselves, and which regions do.
    named: BTreeMap<Ipv4Addr, BTreeSet<usize>>,
    /// Sets that regions name.
    sets: Vec<(AddressSetId, usize)>,
    /// The disjoint ranges of regions.
    pieces: Vec<(u64, u64, Signature)>,
    classes: BTreeMap<Signature, Class>,
}

/// A class that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    number: u32,
    /// How many addresses and ranges have it.
    holders: usize,
}

/// Who covers an address with ranges.
pub(super) fn around(pieces: &[(u64, u64, Signature)], address: Ipv4Addr) -> &[usize] {
    let address = u64::from(u32::from(address));
    let index = pieces.partition_point(|(_, high, _)| *high < address);
    match pieces.get(index) {
        Some((low, _, signature)) if *low <= address => signature,
        _ => &[],
    }
}

/// The members of a set, at some time; nothing where there is no such set.
pub(crate) type Members<'a> = dyn Fn(&AddressSetId) -> Option<&'a OrdSet<Ipv4Net>> + 'a;

impl Membership {
    /// A region names this.
    pub(super) fn names(&mut self, term: &AddressTerm, who: usize) {
        match term {
            AddressTerm::Prefix(prefix) if prefix.prefix_len() == 32 => {
                self.named.entry(prefix.network()).or_default().insert(who);
            }
            AddressTerm::Prefix(_) => {}
            AddressTerm::Set(id) => self.sets.push((id.clone(), who)),
        }
    }

    /// These are the ranges.
    pub(super) fn within(&mut self, pieces: Vec<(u64, u64, Signature)>) {
        self.pieces = pieces;
    }

    /// An address or range has this class.
    pub(super) fn holds(&mut self, signature: Signature, number: u32) {
        let class = self.classes.entry(signature);
        let class = class.or_insert(Class { number, holders: 0 });
        class.holders += 1;
    }

    /// The classes of addresses that joined or left sets, nothing for those that aren't single any
    /// more. `None` if a class came to be or went.
    pub(crate) fn moved(
        &mut self,
        addresses: &BTreeSet<Ipv4Addr>,
        (was, is): (&Members<'_>, &Members<'_>),
    ) -> Option<Vec<(Ipv4Addr, Option<u32>)>> {
        let mut moved = Vec::new();
        let mut left = Vec::new();
        for address in addresses {
            let (old, new) = (self.signature(*address, was), self.signature(*address, is));
            if old == new {
                continue;
            }
            let number = match new {
                None => None,
                Some(signature) => {
                    let class = self.classes.get_mut(&signature)?;
                    class.holders += 1;
                    Some(class.number)
                }
            };
            if let Some(signature) = old {
                self.classes.get_mut(&signature)?.holders -= 1;
                left.push(signature);
            }
            moved.push((*address, number));
        }
        let held = |signature| {
            self.classes
                .get(signature)
                .is_some_and(|one| one.holders > 0)
        };
        left.iter().all(held).then_some(moved)
    }

    /// In which regions an address lies, if it is single.
    fn signature(&self, address: Ipv4Addr, members: &Members<'_>) -> Option<Signature> {
        let mut who = self.named.get(&address).cloned().unwrap_or_default();
        let net = Ipv4Net::from(address);
        let with = self
            .sets
            .iter()
            .filter(|(id, _)| members(id).is_some_and(|members| members.contains(&net)));
        who.extend(with.map(|(_, region)| *region));
        if who.is_empty() {
            return None;
        }
        who.extend(around(&self.pieces, address).iter().copied());
        Some(who.into_iter().collect())
    }
}
