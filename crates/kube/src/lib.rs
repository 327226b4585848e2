//! Kubernetes in Skylab.
//!
//! * [`schema`]: Kubernetes' published types: what a field is, how it merges, how protobuf writes it.
//! * [`resource`]: which kinds there are, and how they are named on the wire.
//! * [`registry`], [`custom`]: kinds that users define.
//! * [`store`]: objects by key, each change with a revision of its own.
//! * [`merge`]: strategic merge patches, and server-side apply.
//! * [`metrics`]: what pods and nodes use.
//! * [`cluster`]: the thread that owns a cluster's state; [`serve`]: its API over HTTP.
//! * [`certificates`]: who has one, and who gets one; [`audit`]: who did what.
//! * [`outward`]: how the API server calls kubelets, pods and webhooks.
//! * [`client`], [`controllers`], [`scheduler`]: what acts on objects, by the API alone.
//! * [`api`]: requests in, answers and changes out. Pure: sockets and disks are the lab's.

pub mod api;
pub mod audit;
pub mod certificates;
pub mod client;
pub mod cluster;
pub mod controllers;
pub mod custom;
pub(crate) mod expression;
pub mod merge;
pub mod metrics;
pub mod object;
pub mod outward;
pub mod quantity;
pub(crate) mod quota;
pub mod registry;
pub mod resource;
pub mod scheduler;
pub mod schema;
pub mod selector;
pub mod serve;
pub mod store;
