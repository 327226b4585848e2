//! Seeds shared out over trials that run beside each other.

use kernel::launch::Inside;
use libtest_mimic::{Arguments, Failed, Trial};

/// A number from the environment.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// What a test does with its seeds.
pub(crate) struct Seeds {
    /// What its trials are called, with a number each.
    pub(crate) name: &'static str,
    /// How many seeds there are; `SKYLAB_SEED` is the first.
    pub(crate) count: u64,
    /// How many trials share them.
    pub(crate) trials: u64,
    /// Tries some of them.
    pub(crate) run: fn(&Inside, &[u64]) -> Result<(), Failed>,
}

impl Seeds {
    /// Runs all trials in the lab's namespaces and ends the process with their result.
    pub(crate) fn run(self) -> ! {
        kernel::testing::run_inside(|inside| {
            let arguments = Arguments::from_args();
            let first = number("SKYLAB_SEED", 1);
            let groups = self.trials.min(self.count.max(1));
            let trial = |group| {
                let inside = inside.clone();
                let all = first..first + self.count;
                let seeds: Vec<u64> = all.filter(|seed| seed % groups == group).collect();
                let run = self.run;
                Trial::test(format!("{}_{group}", self.name), move || {
                    run(&inside, &seeds)
                })
            };
            libtest_mimic::run(&arguments, (0..groups).map(trial).collect()).exit_code()
        })
    }
}
