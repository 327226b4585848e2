//! The Linux back end: a [`fabric::Fabric`] as namespaces, links, routes and nftables.

mod apply;
mod balancing;
mod classify;
pub mod container;
pub mod engine;
pub mod factory;
pub mod guest;
pub mod launch;
pub mod limits;
mod lint;
pub mod namespace;
mod netlink;
pub mod node;
pub mod observe;
mod plan;
pub mod pod_link;
mod program;
mod rights;
pub mod routing;
pub mod testing;
mod tree;
pub mod uplink;

pub use engine::Engine;
pub use namespace::NetNs;
pub use netlink::NetlinkError;
