//! Pods on nodes that are guests of this kernel, as a kubelet would run them.
//!
//! Everything happens in namespaces that the lab's launcher makes.

#![allow(
    clippy::expect_used,
    reason = "a test ends at the first thing that isn't as it must be"
)]

mod images;
mod limits;
mod lives;
mod networks;
mod plugins;
mod streams;
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
    // Nodes have this program under the name of `skylab`, and a plugin of theirs calls it.
    if std::env::args().nth(1).as_deref() == Some("cni-ptp") {
        return ExitCode::from(u8::try_from(cni::ptp::main()).unwrap_or(u8::MAX));
    }
    let arguments = Arguments::from_args();
    let trials: Vec<Trial> = [
        images::trials(),
        limits::trials(),
        lives::trials(),
        networks::trials(),
        plugins::trials(),
        streams::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    world::look_for_shell();
    kernel::testing::run_inside(move |inside| {
        world::use_factory(inside.factory);
        libtest_mimic::run(&arguments, trials).exit_code()
    })
}
