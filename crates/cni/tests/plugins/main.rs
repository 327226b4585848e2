//! Plugins in namespaces of their own, called as a runtime calls them.

#![allow(clippy::unwrap_used)]

mod node;
mod portmap;
mod ptp;

pub(crate) use kernel::trials;
use std::process::ExitCode;

fn main() -> ExitCode {
    kernel::run_trials!([portmap, ptp], drop::<kernel::launch::Inside>)
}
