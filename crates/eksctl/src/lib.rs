//! What eksctl does, in its words: a cluster is a CloudFormation stack, and so is each node group.
//!
//! * [`config`]: the ClusterConfig file, and what it is without a word; [`network`] and [`subnets`]: the VPC, and how it
//!   is cut.
//! * [`template`]: a cluster's, a node group's and a service account's stacks as CloudFormation templates.
//! * [`Means`]: the public APIs of AWS and Kubernetes, a terminal and a clock; whoever runs this brings them.
//! * [`create`], [`delete`], [`get`], [`change`], [`service_account`], [`fargate`],
//!   [`identity_mapping`], [`identity_provider`], [`kubeconfig`]: the verbs.
//!
//! Nothing here knows the lab: with other means it runs against AWS.
//! <https://docs.aws.amazon.com/eks/latest/eksctl/what-is-eksctl.html>

pub mod change;
pub mod config;
pub mod create;
pub mod delete;
mod error;
pub mod family;
pub mod fargate;
pub mod get;
pub mod identity_mapping;
pub mod identity_provider;
pub mod kubeconfig;
mod means;
pub mod network;
pub mod service_account;
mod stack;
pub mod subnets;
pub mod template;

pub use error::Error;
pub use means::{Level, Means};

/// The version of eksctl that this does as.
/// <https://github.com/eksctl-io/eksctl/releases>
pub const VERSION: &str = "0.215.0";
