//! Amazon's network plugin for Kubernetes, with upstream's names, files and decisions: pods get addresses of
//! the VPC itself.
//! <https://github.com/aws/amazon-vpc-cni-k8s>
//!
//! * [`agent`]: `ipamd`, the agent of a node;
//! * [`plugin`]: `aws-cni`, which runtimes call;
//! * [`manifest`]: the objects that bring both to a cluster;
//! * [`limits`]: how many interfaces and addresses an instance has, and how many pods that makes;
//! * [`pool`]: how many addresses a node keeps, decided without I/O;
//! * [`datastore`]: which addresses there are and who has them; [`checkpoint`]: the file that keeps the latter;
//! * [`settings`]: the environment variables;
//! * [`rpc`]: what the plugin and the agent say to each other;
//! * [`imds`], [`ec2`]: what the agent asks of the cloud, by [`http`];
//! * [`host`], [`ways`]: what both do to the node's network.

pub mod agent;
pub mod checkpoint;
pub mod datastore;
pub mod ec2;
pub mod host;
pub mod limits;
pub mod manifest;
pub mod plugin;
pub mod pool;
pub mod rpc;
pub mod settings;
pub mod ways;

pub use aws_client::{http, imds};
