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

pub(crate) use kernel::trials;
use std::process::ExitCode;

fn main() -> ExitCode {
    kernel::run_trials!(
        [
            balancers, basics, changes, filters, internet, middle, policies, scale, services
        ],
        |inside: kernel::launch::Inside| world::use_factory(inside.factory)
    )
}
