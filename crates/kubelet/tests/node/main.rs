//! A kubelet, a cluster's API and a runtime in memory: no namespaces, no root.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod eviction;
mod fake;
mod pods;
mod server;
mod world;
