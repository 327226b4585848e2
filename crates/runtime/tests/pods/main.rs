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

pub(crate) use kernel::trials;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Nodes have this program under the name of `skylab`, and a plugin of theirs calls it.
    if std::env::args().nth(1).as_deref() == Some("cni-ptp") {
        return ExitCode::from(u8::try_from(cni::ptp::main()).unwrap_or(u8::MAX));
    }
    // Here, since the first process of the lab waits for no children.
    world::look_for_shell();
    kernel::run_trials!(
        [images, limits, lives, networks, plugins, streams],
        |inside: kernel::launch::Inside| world::use_factory(inside.factory)
    )
}
