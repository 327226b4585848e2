//! Amazon's network plugin for Kubernetes, with upstream's names, files and decisions: pods get addresses of
//! the VPC itself.
//! <https://github.com/aws/amazon-vpc-cni-k8s>
//!
//! * [`limits`]: how many interfaces and addresses an instance has, and how many pods that makes;
//! * [`pool`]: how many addresses a node keeps, decided without I/O;
//! * [`datastore`]: which addresses there are and who has them;
//! * [`checkpoint`]: the file that keeps the latter;
//! * [`rpc`]: what the plugin and the agent say to each other;
//! * [`settings`]: the environment variables;
//! * [`manifest`]: the objects that bring it to a cluster.

pub mod checkpoint;
pub mod datastore;
pub mod limits;
pub mod manifest;
pub mod pool;
pub mod rpc;
pub mod settings;
