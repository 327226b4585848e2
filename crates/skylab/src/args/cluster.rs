//! What is said of Kubernetes clusters and their images.

use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
A kubeconfig works alone: it carries the proxy into the lab, the cluster's CA and a token.

Examples:
  skylab kube create dev --kubeconfig dev.yaml
  kubectl --kubeconfig dev.yaml get namespaces
  skylab kube list
  skylab kube node stop dev dev-node-1
  skylab kube delete dev")]
pub(crate) enum Kube {
    /// Make a cluster
    Create {
        /// Its name
        name: String,
        /// Nodes to run pods on
        #[arg(long, default_value_t = 2)]
        nodes: usize,
        /// Write its kubeconfig to this file
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
    /// Show the clusters
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a cluster with all that is in it
    Delete {
        /// Its name
        name: String,
    },
    /// Stop a node as when its power fails, or start it again
    #[command(subcommand)]
    Node(Node),
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Nobody tells the cluster that a node stops: it is NotReady once its lease isn't renewed, and its pods are
replaced elsewhere when their tolerations' time is over. Its disk stays.

Examples:
  skylab kube node stop dev dev-node-1
  kubectl --kubeconfig dev.yaml get nodes --watch
  skylab kube node start dev dev-node-1")]
pub(crate) enum Node {
    /// Stop a node
    Stop {
        /// The cluster's name
        cluster: String,
        /// The node's name
        node: String,
    },
    /// Start a node that was stopped
    Start {
        /// The cluster's name
        cluster: String,
        /// The node's name
        node: String,
    },
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Pods run images from registries (where the lab has an uplink), images that are imported here, and
skylab.local/host: this machine's own files, copied on write, which needs neither.

Examples:
  skylab image import web.oci.tar        an OCI image layout, packed or not, or docker save's archive
  skylab image list
  skylab image remove skylab.local/web:latest")]
pub(crate) enum Image {
    /// Bring the images in files or directories
    Import {
        /// OCI image layouts or archives
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show what was brought
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an image
    Remove {
        /// Its name
        name: String,
    },
}
