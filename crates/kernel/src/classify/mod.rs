//! Filters as table lookups: from a list of rules to classes and what becomes of them. Pure.
//!
//! A list of 10,000 rules must cost a packet no more than one of ten. So a list is compiled, for each
//! protocol that it tells apart, into a few [groups](Group). A group looks each field up in a table
//! that gives the field's *class* (values that no rule of the group tells apart share one) and then
//! the combination of classes in a table of outcomes. A field that no rule of the group looks at
//! has no table.
//!
//! * Rules that combine as any-allow are grouped by which fields they look at. So every rule of a
//!   group looks at all of the group's fields, and no table is multiplied by a wildcard.
//! * Rules of which the first match decides become one group, with every combination's deciding
//!   outcome worked out beforehand; or, where that would be too large, one run of rules with the
//!   same action after the other.
//!
//! A class's number depends on nothing but the rules that it stands for: adding an address to a set
//! or a rule to a list changes only the entries that it concerns.

mod address;
mod field;
mod group;
mod member;
mod number;
mod region;

pub(crate) use address::Addresses;
use fabric::{AddressSetId, FilterAction, FilterKind, FilterRule, Protocol, ProtocolMatch};
pub(crate) use field::{Field, Table};
pub(crate) use group::Group;
use imbl::OrdSet;
use ipnet::Ipv4Net;
pub(crate) use member::Members;
use region::{Region, matters_to};
pub(crate) use region::{is_any, is_every};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a packet that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    /// It passes.
    Allow,
    /// It goes.
    Deny,
}

/// Members of the address sets that rules refer to; a set that isn't there has none.
pub(crate) type Sets<'a> = BTreeMap<&'a AddressSetId, &'a OrdSet<Ipv4Net>>;

/// A compiled list: the groups to try, in order, for each protocol that the rules tell apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// For these protocols.
    pub(crate) protocols: BTreeMap<Protocol, Vec<Group>>,
    /// For all others.
    pub(crate) rest: Vec<Group>,
}

/// The most combinations that a first-match group may have, before runs take its place.
const MOST_COMBINATIONS: usize = 1 << 16;

impl Program {
    /// Compiles a list. A packet that no group has an outcome for matches no rule.
    pub(crate) fn compile(kind: FilterKind, rules: &[&FilterRule], sets: &Sets<'_>) -> Self {
        let protocols: BTreeSet<Protocol> = rules
            .iter()
            .filter_map(|rule| match rule.protocol {
                ProtocolMatch::Any => None,
                ProtocolMatch::Ports { protocol, .. } | ProtocolMatch::Whole(protocol) => {
                    Some(protocol)
                }
                ProtocolMatch::Icmp { .. } => Some(Protocol::ICMP),
            })
            .collect();
        let for_protocol = |protocol: Option<Protocol>| {
            let mine: Vec<&FilterRule> = rules
                .iter()
                .copied()
                .filter(|rule| matters_to(rule, protocol))
                .collect();
            groups(kind, &mine, sets)
        };
        Self {
            rest: for_protocol(None),
            protocols: protocols
                .into_iter()
                .map(|protocol| (protocol, for_protocol(Some(protocol))))
                .collect(),
        }
    }
}

fn outcome(action: FilterAction) -> Outcome {
    match action {
        FilterAction::Allow => Outcome::Allow,
        FilterAction::Deny => Outcome::Deny,
    }
}

fn groups(kind: FilterKind, rules: &[&FilterRule], sets: &Sets<'_>) -> Vec<Group> {
    match kind {
        FilterKind::AnyAllow => {
            let allowing: Vec<&FilterRule> = rules
                .iter()
                .copied()
                .filter(|rule| rule.action == FilterAction::Allow)
                .collect();
            by_fields("", &region::merged(&allowing, 0, Outcome::Allow), sets)
        }
        FilterKind::FirstMatch => first_match(rules, sets, MOST_COMBINATIONS),
    }
}

/// Groups regions of one outcome by the fields they look at, those that look at fewest first.
fn by_fields(prefix: &str, regions: &[Region], sets: &Sets<'_>) -> Vec<Group> {
    let mut by_fields: BTreeMap<(usize, Vec<Field>), Vec<Region>> = BTreeMap::new();
    for region in regions {
        let fields = region.fields();
        by_fields
            .entry((fields.len(), fields))
            .or_default()
            .push(region.clone());
    }
    by_fields
        .into_iter()
        .map(|((_, fields), regions)| {
            let letters: String = fields.iter().map(|field| field.letter()).collect();
            Group::compile(format!("{prefix}{letters}"), &fields, &regions, sets)
        })
        .collect()
}

/// `most` is the number of combinations up to which they are worked out beforehand.
fn first_match(rules: &[&FilterRule], sets: &Sets<'_>, most: usize) -> Vec<Group> {
    // What falls off the end is denied: denying rules at the end say nothing more.
    let length = rules
        .iter()
        .rposition(|rule| rule.action == FilterAction::Allow)
        .map_or(0, |last| last + 1);
    let rules = rules.get(..length).unwrap_or_default();
    let runs: Vec<Vec<Region>> = rules
        .chunk_by(|a, b| a.action == b.action)
        .enumerate()
        .filter_map(|(level, run)| {
            let action = run.first()?.action;
            Some(region::merged(run, level, outcome(action)))
        })
        .collect();
    let all: Vec<Region> = runs.iter().flatten().cloned().collect();
    let fields: Vec<Field> = Field::ALL
        .into_iter()
        .filter(|field| all.iter().any(|region| region.looks_at(*field)))
        .collect();
    if runs.len() <= 1 {
        return by_fields("", &all, sets);
    }
    let letters: String = fields.iter().map(|field| field.letter()).collect();
    match Group::compile_within(format!("first.{letters}"), &fields, &all, sets, most) {
        Some(group) => vec![group],
        None => runs
            .iter()
            .enumerate()
            .flat_map(|(index, run)| by_fields(&format!("run{index}."), run, sets))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
