//! Regions: rules with like ones joined.

use super::{Field, Outcome};
use fabric::{AddressMatch, AddressTerm, FilterRule, NumberRange, Protocol, ProtocolMatch};
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};

/// What a rule matches, for one protocol. `None` is everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Region {
    /// Lower ones decide first; regions of one level have one outcome.
    pub(super) level: usize,
    pub(super) outcome: Outcome,
    pub(super) source: Option<BTreeSet<AddressTerm>>,
    pub(super) destination: Option<BTreeSet<AddressTerm>>,
    pub(super) first: Option<BTreeSet<NumberRange>>,
    pub(super) second: Option<BTreeSet<NumberRange>>,
}

/// Whether a rule can match packets of a protocol; with `None`, of those that no rule names.
pub(super) fn matters_to(rule: &FilterRule, protocol: Option<Protocol>) -> bool {
    match rule.protocol {
        ProtocolMatch::Any => true,
        ProtocolMatch::Ports {
            protocol: named, ..
        }
        | ProtocolMatch::Whole(named) => protocol == Some(named),
        ProtocolMatch::Icmp { .. } => protocol == Some(Protocol::ICMP),
    }
}

/// Whether an operand matches every address.
pub(crate) fn is_any(operand: &AddressMatch) -> bool {
    match operand {
        AddressMatch::Any => true,
        AddressMatch::AnyOf(terms) => terms.contains(&AddressTerm::Prefix(Ipv4Net::default())),
    }
}

fn terms(operand: &AddressMatch) -> Option<BTreeSet<AddressTerm>> {
    match operand {
        AddressMatch::AnyOf(terms) if !is_any(operand) => Some(terms.iter().cloned().collect()),
        AddressMatch::Any | AddressMatch::AnyOf(_) => None,
    }
}

/// Whether a list of ports means every port.
pub(crate) fn is_every(ranges: &[NumberRange]) -> bool {
    ranges.is_empty() || ranges.contains(&NumberRange::ALL)
}

fn numbers(ranges: &[NumberRange]) -> Option<BTreeSet<NumberRange>> {
    (!is_every(ranges)).then(|| ranges.iter().copied().collect())
}

/// ICMP's type and code, read as one number of two bytes.
fn icmp(kind: Option<u8>, code: Option<u8>) -> Option<BTreeSet<NumberRange>> {
    let number = |kind: u8, code: u8| u16::from_be_bytes([kind, code]);
    match (kind, code) {
        (None, None) => None,
        (Some(kind), None) => {
            Some([NumberRange::new(number(kind, 0), number(kind, u8::MAX))].into())
        }
        (Some(kind), Some(code)) => Some([NumberRange::one(number(kind, code))].into()),
        (None, Some(code)) => Some(
            (0..=u8::MAX)
                .map(|kind| NumberRange::one(number(kind, code)))
                .collect(),
        ),
    }
}

impl Region {
    fn of(rule: &FilterRule, level: usize, outcome: Outcome) -> Self {
        let (first, second) = match &rule.protocol {
            ProtocolMatch::Any | ProtocolMatch::Whole(_) => (None, None),
            ProtocolMatch::Ports {
                source,
                destination,
                ..
            } => (numbers(source), numbers(destination)),
            ProtocolMatch::Icmp { kind, code } => (icmp(*kind, *code), None),
        };
        Self {
            level,
            outcome,
            source: terms(&rule.source),
            destination: terms(&rule.destination),
            first,
            second,
        }
    }

    /// Whether it tells values of a field apart.
    pub(super) fn looks_at(&self, field: Field) -> bool {
        match field {
            Field::Source => self.source.is_some(),
            Field::Destination => self.destination.is_some(),
            Field::First => self.first.is_some(),
            Field::Second => self.second.is_some(),
        }
    }

    /// The fields that it looks at.
    pub(super) fn fields(&self) -> Vec<Field> {
        Field::ALL
            .into_iter()
            .filter(|field| self.looks_at(*field))
            .collect()
    }

    /// The address terms of a field.
    pub(super) fn addresses(&self, field: Field) -> Option<&BTreeSet<AddressTerm>> {
        match field {
            Field::Source => self.source.as_ref(),
            Field::Destination => self.destination.as_ref(),
            Field::First | Field::Second => None,
        }
    }

    /// The number ranges of a field.
    pub(super) fn numbers(&self, field: Field) -> Option<&BTreeSet<NumberRange>> {
        match field {
            Field::First => self.first.as_ref(),
            Field::Second => self.second.as_ref(),
            Field::Source | Field::Destination => None,
        }
    }

    /// The same without what it says about a field, and without its place in the list: what makes
    /// a value of that field different from others.
    pub(super) fn apart_from(&self, field: Field) -> Self {
        let mut rest = self.clone();
        rest.level = 0;
        match field {
            Field::Source => rest.source = None,
            Field::Destination => rest.destination = None,
            Field::First => rest.first = None,
            Field::Second => rest.second = None,
        }
        rest
    }
}

/// Rules of one outcome and level as regions. Rules that differ in one field only become one region
/// that matches what any of them does.
pub(super) fn merged(rules: &[&FilterRule], level: usize, outcome: Outcome) -> Vec<Region> {
    let mut regions: Vec<Region> = rules
        .iter()
        .map(|rule| Region::of(rule, level, outcome))
        .collect();
    for field in Field::ALL {
        let mut joined: BTreeMap<(Region, bool), Region> = BTreeMap::new();
        for region in regions {
            let key = (region.apart_from(field), region.looks_at(field));
            match joined.entry(key) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(region);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().join(region, field);
                }
            }
        }
        regions = joined.into_values().collect();
    }
    regions
}

impl Region {
    fn join(&mut self, other: Self, field: Field) {
        fn extend<T: Ord>(into: &mut Option<BTreeSet<T>>, from: Option<BTreeSet<T>>) {
            if let (Some(into), Some(from)) = (into.as_mut(), from) {
                into.extend(from);
            }
        }
        match field {
            Field::Source => extend(&mut self.source, other.source),
            Field::Destination => extend(&mut self.destination, other.destination),
            Field::First => extend(&mut self.first, other.first),
            Field::Second => extend(&mut self.second, other.second),
        }
    }
}
