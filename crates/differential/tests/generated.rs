//! Generated networks: `walk` and real packets agree on every flow.
//!
//! AWS-VPC, AWS-SUBNET, AWS-RTB, AWS-ENI, AWS-EIP, AWS-SG, AWS-NACL, AWS-IGW, AWS-NAT: several VPCs
//! with the same range, NAT gateways and instances, network ACLs, groups that refer to groups,
//! secondary addresses and interfaces, blackholes, middle boxes that see a flow twice, answers that
//! take another way, and hosts that call public addresses of their own VPC.
//!
//! `SKYLAB_NETWORKS` and `SKYLAB_FLOWS` say how many (200 and 100), `SKYLAB_SEED` where to begin.
//! A disagreement prints its seed and the smallest scenario that still disagrees.

mod seeds;

use differential::compare::{Comparison, compare};
use differential::generate::scenario;
use differential::scenario::Scenario;
use differential::shrink::shrink;
use kernel::engine::Engine;
use kernel::launch::Inside;
use libtest_mimic::Failed;
use seeds::{Seeds, number};

/// Tries of the shrinker; each builds a network.
const SHRINKING: usize = 300;

fn main() {
    Seeds {
        name: "walk_and_packets_agree_on_generated_vpcs",
        count: number("SKYLAB_NETWORKS", 200),
        trials: 8,
        run,
    }
    .run();
}

fn run(inside: &Inside, seeds: &[u64]) -> Result<(), Failed> {
    let flows = number("SKYLAB_FLOWS", 100) as usize;
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
        total.delivered += comparison.delivered;
    }
    // A generator whose networks deliver nothing, or everything, would prove nothing.
    let share = total.delivered * 100 / total.compared.max(1);
    if seeds.len() >= 10 && !(10..=90).contains(&share) {
        return Err(format!(
            "{share} percent of {} flows delivered: the generator is lopsided",
            total.compared
        )
        .into());
    }
    Ok(())
}

fn report(inside: &Inside, seed: u64, scenario: &Scenario, first: &str) -> Failed {
    let disagrees = |candidate: &Scenario| {
        let mut engine = Engine::new(inside.factory.clone());
        compare(&mut engine, candidate).is_ok_and(|comparison| !comparison.mismatches.is_empty())
    };
    let small = shrink(scenario, SHRINKING, disagrees);
    let mut engine = Engine::new(inside.factory.clone());
    let told = match compare(&mut engine, &small) {
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
