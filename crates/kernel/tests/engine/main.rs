//! Packets through the engine: fabrics as namespaces, links, routes and filters of this kernel.
//!
//! Everything happens in namespaces that the lab's launcher makes.

#![allow(
    clippy::expect_used,
    reason = "a test ends at the first thing that isn't as it must be"
)]

mod balancers;
mod basics;
mod changes;
mod cluster;
mod filters;
mod internet;
mod middle;
mod policies;
mod random;
mod random_node;
mod scale;
mod services;
mod world;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// A test by its function's name.
macro_rules! trials {
    ($($test:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            vec![$(libtest_mimic::Trial::test(stringify!($test), || {
                $test();
                Ok(())
            })),*]
        }
    };
}
pub(crate) use trials;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [
        balancers::trials(),
        basics::trials(),
        changes::trials(),
        filters::trials(),
        internet::trials(),
        middle::trials(),
        policies::trials(),
        scale::trials(),
        services::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    kernel::testing::run_inside(move |inside| {
        world::use_factory(inside.factory);
        libtest_mimic::run(&arguments, trials).exit_code()
    })
}
