//! Kubernetes' services and network policies, compiled to what a node does with packets.
//!
//! Two compilers, both pure and fed object by object, as a watch tells of them:
//!
//! * [`services::Compiler`]: `v1` Service and `discovery.k8s.io/v1` EndpointSlice →
//!   [`fabric::Services`];
//! * [`policies::Compiler`]: `networking.k8s.io/v1` NetworkPolicy, `v1` Pod and Namespace →
//!   [`fabric::Policies`].
//!
//! Beside them, [`host_ports`] tells which ports of its node lead to a pod.
//!
//! What one object changes is compiled again, and no more: the maps in the results share their
//! structure, so whoever compares two results pays for what differs.
//!
//! # How a node's proxy uses it
//!
//! A proxy lists and watches services and slices, gives every object to the compiler, and after each
//! batch of events gives the result to the kernel's node engine, which changes what differs:
//!
//! ```
//! use service_proxy::services::{Compiler, Options};
//!
//! # let (service, slice) = (serde_json::json!({}), serde_json::json!({}));
//! let mut compiler = Compiler::new(Options {
//!     node: "node-1".to_owned(),
//!     addresses: vec!["10.0.1.10".parse()?],
//!     pods: Some(vec!["10.244.0.0/16".parse()?]),
//!     ..Options::default()
//! });
//! // Added or modified: the same call. A relist ends with `gone` for what it didn't bring.
//! compiler.service(&service);
//! compiler.slice(&slice);
//! compiler.slice_gone("default", "web-x7k2p");
//! let services: &fabric::Services = compiler.services();
//! // proxy.apply(services)?;
//! for check in compiler.health_checks() {
//!     // Serve /healthz at check.port: 200 if check.local > 0, else 503.
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A policy agent does the same with [`policies::Compiler`], whose [`on`](policies::Compiler::on)
//! gives one node's part. For `explain`, whoever knows the whole cluster asks
//! [`services::Catalog::on`] and `policies::Compiler::on` for every node, puts them into the fabric's
//! [`fabric::Node`]s, and attaches the pods ([`fabric::Fabric::attach_pod`]).
//!
//! Only IPv4 is compiled: of dual-stack services the IPv4 part.

pub mod host_ports;
mod object;
pub mod policies;
pub mod services;
