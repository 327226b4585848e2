//! What can be said of a flow whose way depends on chance.

use super::MOST_WAYS;
use crate::{Hop, HopAction, Trace, Verdict, Way};

/// The one answer for all ways, of which this is the first: it, if all end alike.
pub(super) fn settle(first: Trace, ways: &[Way]) -> Trace {
    if ways.len() > MOST_WAYS {
        let why = format!("it has more than {MOST_WAYS} ways to go");
        return undecided(first, ways, why);
    }
    let alike = ways
        .iter()
        .all(|way| same_end(&way.trace.verdict, &first.verdict));
    if alike {
        return first;
    }
    undecided(first, ways, differences(ways))
}

fn same_end(one: &Verdict, other: &Verdict) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Which backends deliver and which don't.
fn differences(ways: &[Way]) -> String {
    const MOST: usize = 3;
    let of = |kind: &dyn Fn(&Verdict) -> bool| {
        let some: Vec<String> = ways
            .iter()
            .filter(|way| kind(&way.trace.verdict))
            .map(|way| {
                let names: Vec<String> = way
                    .choices
                    .iter()
                    .map(|choice| choice.chosen.to_string())
                    .collect();
                names.join(", then ")
            })
            .collect();
        let more = some.len().saturating_sub(MOST);
        let mut told = some.into_iter().take(MOST).collect::<Vec<_>>().join("; ");
        if more > 0 {
            told.push_str(&format!("; and {more} more"));
        }
        told
    };
    let delivered = of(&|verdict| *verdict == Verdict::Delivered);
    let dropped = of(&|verdict| matches!(verdict, Verdict::Dropped(..)));
    let unknown = of(&|verdict| matches!(verdict, Verdict::Unknown(_)));
    let parts = [
        ("delivered by", delivered),
        ("dropped on the way to", dropped),
        ("unknown for", unknown),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, who)| !who.is_empty())
        .map(|(what, who)| format!("{what} {who}"))
        .collect();
    format!("it depends on the choice: {}", parts.join(", "))
}

/// What all ways have in common, and that more can't be said.
fn undecided(first: Trace, ways: &[Way], why: String) -> Trace {
    let common = |index: usize, hop: &Hop| {
        ways.iter()
            .all(|way| way.trace.hops.get(index) == Some(hop))
    };
    let length = first
        .hops
        .iter()
        .enumerate()
        .take_while(|(index, hop)| common(*index, hop))
        .count();
    let mut hops = first.hops;
    hops.truncate(length + 1);
    // Where the ways part, nothing was decided.
    if let Some(fork) = hops.get_mut(length) {
        fork.action = HopAction::Balance;
        fork.detail.clone_from(&why);
    }
    Trace {
        flow: first.flow,
        hops,
        arrived: None,
        onward: None,
        verdict: Verdict::Unknown(why),
    }
}
