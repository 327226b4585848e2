//! What `walk` says beside what packets do.
//!
//! A [`scenario::Scenario`] is a list of building steps and flows, drawn from a seed. It is built
//! as an AWS account's state, compiled to a fabric, realised by the kernel back end, and every flow
//! is sent as real packets from real sockets while [`fabric::walk()`] is asked about it. Where the two
//! disagree, [`shrink`] leaves out steps and flows until nothing more can go, and what is left is
//! printed with the seed.
//!
//! [`balanced`] adds balancers to such accounts. [`cluster`] does the same with Kubernetes clusters: objects as the API serves them, compiled as a
//! node's programs do it, applied in nodes that the engine makes.

pub mod balanced;
pub mod build;
pub mod cluster;
pub mod compare;
pub mod generate;
pub mod probe;
pub mod random;
pub mod scenario;
pub mod shrink;
