//! Sandboxes and containers in guests of this kernel.
//!
//! Everything happens in namespaces that the lab's launcher makes.

#![allow(
    clippy::expect_used,
    reason = "a test ends at the first thing that isn't as it must be"
)]

mod basics;
mod escapes;
mod mounts;
mod node;
mod programs;

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
        basics::trials(),
        escapes::trials(),
        mounts::trials(),
        programs::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let keys = match node::look_for_shell().and_then(|()| node::make_keys()) {
        Ok(keys) => keys,
        Err(error) => {
            eprintln!("the tests can't be prepared: {error}");
            return ExitCode::FAILURE;
        }
    };
    kernel::testing::run_inside_hiding(vec![keys], move |inside| {
        node::use_factory(inside.factory);
        let conclusion = libtest_mimic::run(&arguments, trials);
        node::remove_keys();
        conclusion.exit_code()
    })
}
