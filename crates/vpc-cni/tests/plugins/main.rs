//! The plugin and the agent on a node with links of its own, called as a runtime calls them.

#![allow(clippy::unwrap_used)]

#[path = "../agent/cloud.rs"]
mod cloud;
mod conformance;
mod node;
#[path = "../agent/surround.rs"]
mod surround;
mod ways;

pub(crate) use kernel::trials;
use std::process::ExitCode;

fn main() -> ExitCode {
    kernel::run_trials!([conformance, ways], drop::<kernel::launch::Inside>)
}
