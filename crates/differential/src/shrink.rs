//! Leaving things out of a scenario while it still disagrees.

use crate::scenario::{Attempt, Scenario, Step};

/// A scenario that any part of is a scenario.
pub trait Parts: Clone {
    /// What it is built by.
    type Step: Clone;
    /// What is tried.
    type Flow: Clone;

    /// How it is built.
    fn steps(&self) -> &[Self::Step];
    /// What is sent.
    fn flows(&self) -> &[Self::Flow];
    /// The same with other steps and flows.
    fn with(&self, steps: Vec<Self::Step>, flows: Vec<Self::Flow>) -> Self;
}

impl Parts for Scenario {
    type Step = Step;
    type Flow = Attempt;

    fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn flows(&self) -> &[Attempt] {
        &self.flows
    }

    fn with(&self, steps: Vec<Step>, flows: Vec<Attempt>) -> Self {
        Self {
            seed: self.seed,
            steps,
            flows,
        }
    }
}

/// The smallest scenario found by removing flows and steps that still `fails`. Tries ever smaller
/// pieces, as delta debugging does, and gives up after `budget` attempts.
pub fn shrink<S: Parts>(scenario: &S, budget: usize, mut fails: impl FnMut(&S) -> bool) -> S {
    let mut left = budget;
    let mut best = scenario.clone();
    let mut try_with = |candidate: S, best: &mut S, left: &mut usize| {
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
    for flow in scenario.flows().to_vec() {
        let candidate = best.with(best.steps().to_vec(), vec![flow]);
        if best.flows().len() > 1 && try_with(candidate, &mut best, &mut left) {
            break;
        }
    }
    let mut piece = best.steps().len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        while start < best.steps().len() {
            let end = (start + piece).min(best.steps().len());
            let steps = [&best.steps()[..start], &best.steps()[end..]].concat();
            let candidate = best.with(steps, best.flows().to_vec());
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
