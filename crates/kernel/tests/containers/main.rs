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

pub(crate) use kernel::trials;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    kernel::run_trials!(
        [basics, escapes, mounts, programs],
        match prepare() {
            Ok(hidden) => hidden,
            Err(error) => {
                eprintln!("the tests can't be prepared: {error}");
                return ExitCode::FAILURE;
            }
        },
        |inside: kernel::launch::Inside| node::use_factory(inside.factory),
        node::remove_keys
    )
}

/// What must not be seen in guests.
fn prepare() -> std::io::Result<Vec<PathBuf>> {
    node::look_for_shell()?;
    Ok(vec![node::make_keys()?])
}
