//! What a filter's list in the kernel remembers, so that an address that joins or leaves a set is a
//! changed element or two, found without planning the list again.

use super::dispatch::one;
use super::filter::{branch, element_of, single, table_base};
use crate::classify::{Members, Program, Table};
use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{Data, Name, Verdict};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The lists that a unit wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    lists: Vec<List>,
}

/// A list of rules in its chain.
#[derive(Clone, Debug)]
struct List {
    chain: Name,
    program: Program,
    /// What it lets through gets this.
    allow: Verdict,
}

/// An element that is otherwise now; without data it is gone.
pub(super) type Moved = (Name, Keys, Option<Data>);

impl Kept {
    /// Remembers a list as it was written.
    pub(super) fn list(&mut self, chain: Name, mut program: Program, allow: Verdict) {
        let groups = program.protocols.values_mut().chain([&mut program.rest]);
        for (_, table) in groups.flatten().flat_map(|group| &mut group.tables) {
            if let Table::Addresses(addresses) = table {
                // The ledger has them.
                addresses.single = Vec::new();
            }
        }
        self.lists.push(List {
            chain,
            program,
            allow,
        });
    }

    /// The elements of addresses that joined or left sets, which had and have these members. `None` if
    /// more than elements changes: then nothing is remembered any more.
    pub(super) fn moved(
        &mut self,
        addresses: &BTreeSet<Ipv4Addr>,
        members: (&Members<'_>, &Members<'_>),
    ) -> Option<Vec<Moved>> {
        let mut all = Vec::new();
        for List {
            chain,
            program,
            allow,
        } in &mut self.lists
        {
            let branches = program.protocols.iter_mut();
            let branches = branches.map(|(protocol, groups)| (branch(chain, *protocol), groups));
            for (chain, groups) in branches.chain([(chain.clone(), &mut program.rest)]) {
                for group in groups {
                    for index in 0..group.tables.len() {
                        let Some((field, Table::Addresses(table))) = group.tables.get_mut(index)
                        else {
                            continue;
                        };
                        let field = *field;
                        let moved = table.membership.moved(addresses, members)?;
                        let set = single(&table_base(&chain, group, field));
                        all.extend(moved.into_iter().map(|(address, class)| {
                            let data = class.and_then(|class| element_of(group, class, allow));
                            (set.clone(), one(address.octets().to_vec()), data)
                        }));
                    }
                }
            }
        }
        Some(all)
    }
}
