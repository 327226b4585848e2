//! What can't be done with clusters.

use super::plain;
use crate::cloud::Failure;
use crate::store::StoreError;
use std::io;

/// Why a cluster can't be made, found or ended.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The name can't be one.
    #[error(
        "{0:?} can't be a cluster's name: use lower-case letters, digits and hyphens, 40 at most"
    )]
    Name(String),
    /// There is one already.
    #[error("there is a cluster {0:?} already; its kubeconfig: skylab env kube")]
    Exists(String),
    /// There is none.
    #[error("there is no cluster {name:?}; {known}")]
    Missing {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It is a cloud's.
    #[error("{0} is an EKS cluster: use aws eks, or skylab eks")]
    Managed(String),
    /// Its machine is a cloud's.
    #[error("{0} is an EC2 instance: use aws ec2 stop-instances and start-instances")]
    NotOurs(String),
    /// There are several, and none was chosen.
    #[error("several clusters run ({0}); choose one with --cluster")]
    Several(String),
    /// No packets, no addresses.
    #[error("this lab was started with --packets none: a cluster's API has no address in it")]
    NoPackets,
    /// Enough is enough.
    #[error("a lab holds {} clusters at most", plain::MOST)]
    Full,
    /// More nodes than ranges for their pods.
    #[error("a plain cluster has {} nodes at most", plain::MOST_NODES)]
    TooManyNodes,
    /// A cluster has no such node.
    #[error("cluster {cluster} has no node {name:?}; it has {known}")]
    NoNode {
        /// The cluster.
        cluster: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A node is so already.
    #[error("node {0} is {word} already", word = if *.1 { "running" } else { "stopped" })]
    NodeIsSo(String, /** Whether it runs. */ bool),
    /// A pod has no network at the moment.
    #[error("pod {0} does not run now, or shares its node's network")]
    NotRunning(String),
    /// A program can't be run in a pod.
    #[error(transparent)]
    Exec(#[from] cri::RuntimeError),
    /// What every cluster begins with can't be made.
    #[error("the cluster's own parts: {0}")]
    Addons(String),
    /// The lab's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lab is ending.
    #[error(transparent)]
    Lab(#[from] Failure),
    /// A key or certificate can't be made.
    #[error("the cluster's keys: {0}")]
    Keys(String),
    /// Its thread or socket can't be made.
    #[error("the cluster can't start: {0}")]
    Start(#[from] io::Error),
}

impl ClusterError {
    pub(super) fn keys(error: impl std::fmt::Display) -> Self {
        Self::Keys(error.to_string())
    }
}
