//! Intervals of numbers, and their cutting into disjoint pieces by what matches them.

use super::Matching;
use std::collections::BTreeMap;

/// An inclusive interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Interval {
    pub(crate) low: u32,
    pub(crate) high: u32,
}

impl Interval {
    /// Everything.
    pub(crate) const ALL: Self = Self {
        low: 0,
        high: u32::MAX,
    };

    pub(crate) fn new(low: u32, high: u32) -> Self {
        Self { low, high }
    }
}

/// Cuts the intervals of several rules into disjoint pieces, each with the rules that cover it;
/// what none covers is left out. Neighbouring pieces of the same rules are one.
pub(super) fn sweep<'a>(
    of_rules: impl Iterator<Item = &'a [Interval]>,
) -> Vec<(Interval, Matching)> {
    // At each edge, how many more (or fewer) intervals of a rule are open from here on.
    let mut edges: BTreeMap<u64, Vec<(u32, i32)>> = BTreeMap::new();
    for (rule, intervals) in of_rules.enumerate() {
        for interval in intervals {
            edges
                .entry(interval.low.into())
                .or_default()
                .push((rule as u32, 1));
            edges
                .entry(u64::from(interval.high) + 1)
                .or_default()
                .push((rule as u32, -1));
        }
    }
    let mut open: BTreeMap<u32, i32> = BTreeMap::new();
    let mut pieces: Vec<(Interval, Matching)> = Vec::new();
    let mut edges = edges.into_iter().peekable();
    while let Some((start, changes)) = edges.next() {
        for (rule, change) in changes {
            let count = open.entry(rule).or_default();
            *count += change;
            if *count == 0 {
                open.remove(&rule);
            }
        }
        let Some((next, _)) = edges.peek() else { break };
        if open.is_empty() {
            continue;
        }
        let matching: Matching = open.keys().copied().collect();
        // Starts lie below 2^32; the last edge may be 2^32 itself.
        let (low, high) = (start as u32, (*next - 1) as u32);
        match pieces.last_mut() {
            Some((piece, same)) if *same == matching && u64::from(piece.high) + 1 == start => {
                piece.high = high
            }
            _ => pieces.push((Interval::new(low, high), matching)),
        }
    }
    pieces
}

/// The value of the piece that a number lies in; the pieces ascend and are disjoint.
pub(super) fn find<T: Clone>(pieces: &[(Interval, T)], number: u32) -> Option<T> {
    let after = pieces.partition_point(|(interval, _)| interval.low <= number);
    let (interval, value) = pieces.get(after.checked_sub(1)?)?;
    (number <= interval.high).then(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_disjoint_and_know_their_rules() {
        let rules = [
            vec![Interval::new(10, 20)],
            vec![Interval::new(15, 30)],
            vec![Interval::ALL],
        ];
        let pieces = sweep(rules.iter().map(Vec::as_slice));
        let expected = [
            (Interval::new(0, 9), vec![2]),
            (Interval::new(10, 14), vec![0, 2]),
            (Interval::new(15, 20), vec![0, 1, 2]),
            (Interval::new(21, 30), vec![1, 2]),
            (Interval::new(31, u32::MAX), vec![2]),
        ];
        assert_eq!(pieces, expected);
        assert_eq!(find(&pieces, 30), Some(vec![1, 2]));
    }

    #[test]
    fn what_nobody_covers_is_left_out() {
        let rules = [vec![Interval::new(5, 6), Interval::new(7, 8)]];
        let pieces = sweep(rules.iter().map(Vec::as_slice));
        assert_eq!(pieces, [(Interval::new(5, 8), vec![0])]);
        assert_eq!(find(&pieces, 9), None);
    }
}
