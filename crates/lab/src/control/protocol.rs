//! What is said on the control socket.

use crate::cloud::Trouble;
use crate::clusters::{ClusterInfo, Kubeconfig};
use crate::explain::{Explanation, Inquiry};
use crate::snapshot::Saved;
use aws::model::capacity::{Capacity, TypeLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a command asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// What runs, and what is wrong.
    Status,
    /// How a flow fares.
    Explain(Inquiry),
    /// Run a program; standard input, output and error travel along, unless it gets a terminal.
    Exec(Exec),
    /// A signal for the program that this connection runs.
    Signal(i32),
    /// Write a place's packets to the descriptor that travels along, until a signal comes.
    Capture(Capture),
    /// What can be launched; changed first if something is to be.
    Capacity(Option<CapacityChange>),
    /// Something of Kubernetes clusters.
    Kube(KubeRequest),
    /// Something of the images that every node has.
    Image(ImageRequest),
    /// Write a snapshot of the state to the descriptor that travels along.
    Snapshot,
    /// What the lab counts and measures.
    Metrics,
    /// End the lab.
    Down,
}

/// A program to run at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// The place.
    pub place: String,
    /// The cluster that pods and nodes are looked for in; needed where several run.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The program and its arguments; empty for the place's shell.
    pub arguments: Vec<String>,
    /// Environment of its own.
    pub environment: Vec<(String, String)>,
    /// Whether it gets a terminal, whose other side travels back.
    pub terminal: bool,
}

/// Packets to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The place.
    pub place: String,
    /// The cluster that pods and nodes are looked for in; needed where several run.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Which packets, in the words of the capture filter; empty for all.
    pub filter: Vec<String>,
}

/// What is asked of Kubernetes clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KubeRequest {
    /// Which there are.
    List,
    /// Make one.
    Create {
        /// Its name.
        name: String,
        /// How many nodes it gets.
        nodes: usize,
    },
    /// End this one and forget it.
    Delete(String),
    /// How clients reach this one.
    Kubeconfig(String),
    /// Switch a node off, as when its power fails, or on again.
    Node {
        /// The cluster.
        cluster: String,
        /// The node.
        node: String,
        /// Whether on.
        on: bool,
    },
}

/// What is asked of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageRequest {
    /// Which there are.
    List,
    /// Bring those in a file or directory: an OCI layout, or an archive of one or of `docker save`.
    Import(PathBuf),
    /// Remove the one of this name.
    Remove(String),
}

/// An image, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Its name.
    pub name: String,
    /// Its id, `sha256:…`.
    pub id: String,
    /// Bytes that it takes.
    pub size: u64,
}

/// A change of what a region can launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CapacityChange {
    /// Its instances share that many vCPUs.
    Vcpus {
        /// The region.
        region: String,
        /// That many.
        vcpus: u32,
    },
    /// A zone, or each of a region's, runs so many instances of a type.
    Limit {
        /// The region.
        region: String,
        /// The type and the number.
        limit: TypeLimit,
    },
    /// It is the cloud's own again.
    Reset {
        /// The region; `None` for all.
        region: Option<String>,
    },
}

/// What the lab answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Explain`].
    Explained(Explanation),
    /// The program runs; a terminal's other side travels along.
    Started,
    /// The program ended.
    Ended(Ended),
    /// The capture ended, with so many packets.
    Captured(u64),
    /// To [`Request::Capacity`]: what is set, by region.
    Capacity(BTreeMap<String, Capacity>),
    /// The clusters that there are, or the one that was made.
    Clusters(Vec<ClusterInfo>),
    /// To [`KubeRequest::Kubeconfig`].
    Kubeconfig(Kubeconfig),
    /// To [`Request::Image`].
    Images(Vec<ImageInfo>),
    /// To [`Request::Metrics`]: a page for Prometheus.
    Metrics(String),
    /// To [`Request::Snapshot`].
    Saved(Saved),
    /// The lab is ending.
    Ending,
    /// It can't be.
    Refused(Refusal),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// With a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// Why something can't be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of no.
    pub kind: RefusalKind,
    /// In words.
    pub message: String,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Kinds of no; commands give them their exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    /// The words of the request name no place, or one that isn't there.
    Place,
    /// The program isn't there.
    NotFound,
    /// The program can't be executed.
    NotExecutable,
    /// The request names something that can't be.
    Invalid,
    /// The lab can't do it now.
    Failed,
}

/// What runs, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The lab's process, as the asking command sees it.
    pub pid: i32,
    /// The lab's version.
    pub version: String,
    /// The state directory.
    pub state: PathBuf,
    /// Since when it runs, in seconds since 1970.
    pub started: i64,
    /// Whether packets are forwarded: `kernel` or `none`.
    pub packets: String,
    /// Where it listens on loopback.
    pub ports: Ports,
    /// How much there is.
    pub counts: Counts,
    /// What is wrong; empty when all is well.
    pub troubles: Vec<Trouble>,
}

/// Loopback ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// AWS's API.
    pub aws: u16,
    /// The SOCKS5 proxy; `None` without packets.
    pub socks: Option<u16>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each is the number of what it is named after
pub struct Counts {
    pub vpcs: usize,
    pub subnets: usize,
    pub instances: usize,
    pub network_interfaces: usize,
    pub nat_gateways: usize,
    pub security_groups: usize,
    pub guests: usize,
}
