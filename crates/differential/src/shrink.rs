//! Leaving things out of a scenario while it still disagrees.

use crate::scenario::Scenario;

/// The smallest scenario found by removing flows and steps that still `fails`. Tries ever smaller
/// pieces, as delta debugging does, and gives up after `budget` attempts.
pub fn shrink(
    scenario: &Scenario,
    budget: usize,
    mut fails: impl FnMut(&Scenario) -> bool,
) -> Scenario {
    let mut left = budget;
    let mut best = scenario.clone();
    let mut try_with = |candidate: Scenario, best: &mut Scenario, left: &mut usize| {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        let failed = fails(&candidate);
        if failed {
            *best = candidate;
        }
        failed
    };
    // One flow is enough to disagree, mostly.
    for flow in scenario.flows.clone() {
        let candidate = Scenario {
            steps: best.steps.clone(),
            flows: vec![flow],
            ..best
        };
        if best.flows.len() > 1 && try_with(candidate, &mut best, &mut left) {
            break;
        }
    }
    let mut piece = best.steps.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        while start < best.steps.len() {
            let end = (start + piece).min(best.steps.len());
            let steps = [&best.steps[..start], &best.steps[end..]].concat();
            let candidate = Scenario {
                steps,
                flows: best.flows.clone(),
                ..best
            };
            if !try_with(candidate, &mut best, &mut left) {
                start = end;
            }
        }
        if piece == 1 || left == 0 {
            return best;
        }
        piece = piece.div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::scenario;
    use crate::scenario::Step;

    #[test]
    fn what_does_not_matter_goes() {
        let whole = scenario(7, 20);
        let fails = |candidate: &Scenario| {
            candidate
                .steps
                .iter()
                .any(|step| matches!(step, Step::RouteTable { .. }))
                && !candidate.flows.is_empty()
        };
        let small = shrink(&whole, 1000, fails);
        assert_eq!((small.steps.len(), small.flows.len()), (1, 1));
    }
}
