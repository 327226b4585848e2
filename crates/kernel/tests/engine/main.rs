//! Packets through the engine: fabrics as namespaces, links, routes and filters of this kernel.
//!
//! Everything happens in user namespaces of this process's own. Where the machine forbids those, the
//! tests are skipped, unless `SKYLAB_REQUIRE_NAMESPACES=1` says that they must not be.

mod basics;
mod world;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(basics::trials());
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    if let Err(error) = world::enter() {
        return world::forbidden(&error);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
