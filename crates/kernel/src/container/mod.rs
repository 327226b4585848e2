//! Sandboxes and containers: places inside a guest that is a Kubernetes node.
//!
//! * A **sandbox** is a pod's place: a network namespace, a host name and an ipc namespace that a tiny
//!   first process holds (`pause`). It lives in its node's pid namespace, so ending the node's guest ends
//!   it with all its containers.
//! * A **container** is a program in a sandbox, with mounts and processes of its own: over a view of the
//!   machine's files as guests have it, or over the layers of an image.
//!
//! What holds for guests holds here: nothing in a container touches the machine. Their user namespace is
//! the guests'; `/proc` is masked; devices are those of a guest; who has CAP_SYS_ADMIN can't mount
//! (`crate::rights`). A process that still sees the machine is never one that somebody in a place may
//! trace.
//!
//! Mounts don't propagate between a container and its node, whatever is asked: nobody in a lab can make a
//! mount later.

mod handle;
mod layers;
mod mounts;
pub(crate) mod program;
pub(crate) mod sandbox;

pub use crate::program::{User, set_terminal_size};
pub use crate::rights::{Capabilities, Rights};
pub use handle::{Container, ContainerSpec, Sandbox, SandboxError, SandboxSpec};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a container's root file system is made of. What it writes goes to its disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// The machine's files, with `skylab` among its programs.
    Machine,
    /// An image's layers, unpacked, the top one first: what a layer removes is a character device 0/0,
    /// what it replaces is a directory with the attribute `user.overlay.opaque`.
    Layers(Vec<PathBuf>),
}

/// Whose processes a container sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pids {
    /// Its own.
    #[default]
    Own,
    /// Those of its sandbox, which must have been made with a pid namespace of its own.
    Sandbox,
    /// The node's.
    Node,
}

/// Something to mount in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is.
    pub source: Source,
    /// Where the container sees it; absolute.
    pub target: PathBuf,
    /// Whether it can't be written there.
    pub read_only: bool,
}

/// Where something to mount is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// At a path of the lab's own, with no link in it.
    Lab(PathBuf),
    /// At a path of the node's, as the node sees it.
    Node(PathBuf),
    /// In memory, fresh, with so many bytes at most if given.
    Memory(Option<u64>),
}
