//! The kubelet of Skylab's nodes: it registers a node, runs the pods that are bound to it, and tells
//! how they fare. It talks to the API by [`kube_client::Client`] alone and to containers by
//! [`cri::Runtime`] and [`cri::Images`] alone; the node's network and files are a [`Place`] and
//! [`NodeFiles`]. A hundred of them share a process: a node is a handful of tasks, a pod is one, and what
//! blocks is done on threads for blocking work.
//!
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/>
//!
//! The core is pure: `lifecycle` says what a pod needs next, `probe` when a container is asked and
//! what an answer means, `admission` whether a node has room. Around it, `worker` carries one pod's
//! actions out.

mod admission;
mod clock;
mod config;
mod container;
mod events;
mod eviction;
mod exec;
mod fd;
mod fields;
mod housekeeping;
mod http;
mod kubelet;
mod library;
mod lifecycle;
mod logs;
mod node;
mod place;
mod pod;
mod probe;
mod quantity;
mod query;
mod reports;
mod room;
mod roster;
mod server;
mod shared;
#[cfg(test)]
mod testing;
mod usage;
mod volume;
mod worker;

pub use config::{
    Capacity, Eviction, Identity, KubeletConfig, Machine, Means, PORT, Pace, Taint, Threshold,
};
pub use kubelet::Kubelet;
pub use place::{FileKind, Here, Later, Memory, NodeFiles, Place};
pub use volume::power_failure;
