//! Generated clusters: services and network policies by `walk` and by packets.
//!
//! A [`scenario::Scenario`] becomes objects of Kubernetes' API; these are compiled as a node's proxy and
//! policy agent compile them, and what comes out is given to both: to `walk` as nodes of a fabric, and to
//! the kernel inside each node. Where a service chooses among backends, packets must do one of the things
//! that `walk` thinks possible.

pub mod build;
pub mod compare;
pub mod generate;
mod objects;
pub mod probe;
pub mod scenario;
