//! Classes of ports and ICMP types.

use super::group::{Classes, Signature};
use fabric::NumberRange;
use std::collections::BTreeMap;

/// Disjoint ranges with their classes, in order; what lies in none belongs to `rest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The ranges.
    pub(crate) ranges: Vec<(NumberRange, u32)>,
    /// The class of all other numbers, where they need one.
    pub(crate) rest: Option<u32>,
}

/// Cuts overlapping ranges into disjoint ones, each with all that cover it. Both ends are included.
pub(super) fn cut(ranges: &[(u64, u64, usize)]) -> Vec<(u64, u64, Signature)> {
    let mut edges: BTreeMap<u64, Vec<(bool, usize)>> = BTreeMap::new();
    for (low, high, who) in ranges {
        edges.entry(*low).or_default().push((true, *who));
        edges.entry(*high + 1).or_default().push((false, *who));
    }
    let mut covering: BTreeMap<usize, usize> = BTreeMap::new();
    let mut pieces: Vec<(u64, u64, Signature)> = Vec::new();
    let mut since = 0;
    for (at, events) in edges {
        if !covering.is_empty() {
            let signature: Signature = covering.keys().copied().collect();
            match pieces.last_mut() {
                Some((_, high, same)) if *high + 1 == since && *same == signature => *high = at - 1,
                _ => pieces.push((since, at - 1, signature)),
            }
        }
        for (begins, who) in events {
            let count = covering.entry(who).or_default();
            if begins {
                *count += 1;
            } else {
                *count -= 1;
                if *count == 0 {
                    covering.remove(&who);
                }
            }
        }
        since = at;
    }
    pieces
}

impl Numbers {
    /// Classifies the ranges of regions, given by their numbers.
    pub(super) fn compile(ranges: &[(NumberRange, usize)], classes: &mut Classes) -> Self {
        let ranges: Vec<(u64, u64, usize)> = ranges
            .iter()
            .map(|(range, who)| (u64::from(range.low), u64::from(range.high), *who))
            .collect();
        let ranges = cut(&ranges)
            .into_iter()
            .map(|(low, high, signature)| {
                // Both ends come from ranges of 16 bits.
                let range = NumberRange::new(low as u16, high as u16);
                (range, classes.of(signature))
            })
            .collect();
        Self {
            ranges,
            rest: classes.rest(),
        }
    }
}
