//! Nodes: whether they live, what their state means for pods, and what becomes of pods that lose them.
//!
//! * [`node_lifecycle`]: a node whose kubelet is silent is unknown; conditions become taints.
//! * [`taint_eviction`]: pods leave nodes with taints that they don't tolerate.
//! * [`pod_garbage`]: pods of nodes that are gone, and ended pods beyond a number.
//! * [`pod_range`]: a part of the cluster's pod addresses for each node.
//!
//! <https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller>

mod eviction;
mod garbage;
mod health;
mod lifecycle;
mod pods;
mod range;
mod taints;
#[cfg(test)]
mod tests;
mod zone;

pub use eviction::{Evictions, taint_eviction};
pub use garbage::{Orphanage, pod_garbage};
pub use health::NodeHealth;
pub use lifecycle::node_lifecycle;
pub use range::{PodRange, pod_range};
