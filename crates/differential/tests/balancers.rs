//! Generated accounts with balancers: `walk` and real packets agree on every flow.
//!
//! AWS-NLB, AWS-CLB: listeners for TCP, UDP and both, those that end connections, client addresses kept and
//! not, cross-zone load balancing on and off, members of every state, in other subnets with network ACLs
//! and behind route tables that point at NAT gateways and middle boxes; clients that are members, and on
//! the internet; then changes of members and pools, and the same flows again.
//!
//! `SKYLAB_BALANCERS` and `SKYLAB_FLOWS` say how many (60 and 60), `SKYLAB_SEED` where to begin. A
//! disagreement prints its seed and the smallest scenario that still disagrees.

mod seeds;

use differential::balanced::compare::{Comparison, compare};
use differential::balanced::generate::scenario;
use differential::balanced::scenario::Scenario;
use differential::shrink::shrink;
use kernel::engine::Engine;
use kernel::launch::Inside;
use libtest_mimic::Failed;
use seeds::{Seeds, number};

/// Tries of the shrinker; each builds a network.
const SHRINKING: usize = 200;

fn main() {
    Seeds {
        name: "walk_and_packets_agree_on_generated_balancers",
        count: number("SKYLAB_BALANCERS", 60),
        trials: 4,
        run,
    }
    .run();
}

fn run(inside: &Inside, seeds: &[u64]) -> Result<(), Failed> {
    let flows = number("SKYLAB_FLOWS", 60) as usize;
    let mut total = Comparison::default();
    let mut engine = Engine::new(inside.factory.clone());
    for seed in seeds {
        let scenario = scenario(*seed, flows);
        let comparison =
            compare(&mut engine, &scenario).map_err(|error| format!("seed {seed}: {error}"))?;
        if let Some(mismatch) = comparison.mismatches.first() {
            return Err(report(inside, *seed, &scenario, &mismatch.to_string()));
        }
        total.compared += comparison.compared;
        total.answered += comparison.answered;
        total.passed_on += comparison.passed_on;
        total.opened_anew += comparison.opened_anew;
        total.refused += comparison.refused;
    }
    // A generator whose balancers answer nothing, or everything, would prove nothing.
    let share = |count: usize| count * 100 / total.compared.max(1);
    let lopsided = !(20..=90).contains(&share(total.answered))
        || share(total.passed_on) < 5
        || share(total.opened_anew) == 0
        || share(total.refused) == 0;
    if seeds.len() >= 10 && lopsided {
        return Err(format!(
            "of {} flows {} answered, {} passed on, {} opened anew, {} refused: the generator is lopsided",
            total.compared, total.answered, total.passed_on, total.opened_anew, total.refused
        )
        .into());
    }
    Ok(())
}

fn report(inside: &Inside, seed: u64, scenario: &Scenario, first: &str) -> Failed {
    let again = |candidate: &Scenario| {
        let mut engine = Engine::new(inside.factory.clone());
        compare(&mut engine, candidate)
    };
    let disagrees = |candidate: &Scenario| {
        again(candidate).is_ok_and(|comparison| !comparison.mismatches.is_empty())
    };
    let small = shrink(scenario, SHRINKING, disagrees);
    let told = match again(&small) {
        Ok(comparison) => comparison
            .mismatches
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(error) => error.to_string(),
    };
    format!("seed {seed}: walk and packets disagree.\n{first}\nSmallest:\n{small:#?}\n{told}")
        .into()
}
