//! Scenarios of clusters, in terms that survive the loss of any of them.
//!
//! Steps name what they refer to by number; a later step of the same number takes the place of an earlier
//! one. At each [`Step::Then`], and at the end, all flows are tried.

use crate::scenario::Protocol;
use crate::shrink::Parts;
use std::net::Ipv4Addr;

/// The ports that every place listens on. A service's target is one of the first two.
pub const PORTS: [u16; 4] = [8080, 8081, 80, 53];
/// The namespaces' names.
pub const NAMESPACES: [&str; 2] = ["one", "two"];
/// The values of pods' label `app`.
pub const APPS: [&str; 3] = ["web", "db", "client"];
/// The most services there are; nodes listen on so many node ports.
pub const MOST_SERVICES: usize = 6;
/// A place outside the cluster.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 99);

/// A cluster and what is sent through it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Where it was drawn from; ids follow from it.
    pub seed: u64,
    /// How it is built.
    pub steps: Vec<Step>,
    /// What is sent.
    pub flows: Vec<Attempt>,
}

/// One building step.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Step {
    Node {
        number: usize,
        /// Whether its proxy knows pods' ranges.
        knows_pods: bool,
        /// Whether what pods send out of the cluster gets the node's address.
        translates: bool,
    },
    Pod(Pod),
    NoPod(usize),
    Service(Service),
    NoService(usize),
    Policy(Policy),
    NoPolicy(usize),
    Then,
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Pod {
    pub number: usize,
    pub node: usize,
    pub namespace: usize,
    pub app: usize,
    pub condition: Condition,
    /// The number of its port `http`.
    pub http: u16,
    /// Whether it is in its node's network.
    pub host_network: bool,
}

/// How a pod is as an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Condition {
    Ready,
    Starting,
    Terminating,
}

/// A service with one port, 80.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Service {
    pub number: usize,
    pub namespace: usize,
    pub app: usize,
    pub udp: bool,
    pub target: u16,
    pub kind: Kind,
    pub external_address: bool,
    pub external_local: bool,
    pub internal_local: bool,
    pub affinity: bool,
    pub sources: Option<Block>,
}

/// A service's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    ClusterIp,
    NodePort,
    LoadBalancer,
}

/// A network policy.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Policy {
    pub number: usize,
    pub namespace: usize,
    pub app: Option<usize>,
    pub ingress: Option<Vec<Rule>>,
    pub egress: Option<Vec<Rule>>,
}

/// A policy's rule; empty lists mean everything.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Rule {
    pub peers: Vec<Peer>,
    pub ports: Vec<Port>,
}

/// A rule's peer.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Peer {
    /// Pods of the policy's namespace.
    Pods(Option<usize>),
    /// All pods of a namespace.
    Namespace(usize),
    /// Pods of a namespace.
    Both(usize, usize),
    Block(Block),
}

/// A rule's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Port {
    Number { udp: bool, port: u16 },
    Range { udp: bool, low: u16, high: u16 },
    Whole { udp: bool },
    Http,
}

/// A block of addresses, perhaps with an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Block {
    Everything,
    Nodes,
    AllPods,
    PodsOf(usize),
    PodsBut(usize),
    Outside,
}

/// Where a flow begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum From {
    Pod(usize),
    Node(usize),
    Outside,
}

/// Where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum To {
    Cluster { service: usize, port: u16 },
    NodePort { service: usize, node: usize },
    Balancer(usize),
    External(usize),
    Pod { number: usize, port: u16 },
    Node { number: usize, port: u16 },
    Outside,
    Unallocated,
}

/// A flow to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Attempt {
    pub from: From,
    pub to: To,
    pub protocol: Protocol,
}

impl Parts for Scenario {
    type Step = Step;
    type Flow = Attempt;

    fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn flows(&self) -> &[Attempt] {
        &self.flows
    }

    fn with(&self, steps: Vec<Step>, flows: Vec<Attempt>) -> Self {
        Self {
            seed: self.seed,
            steps,
            flows,
        }
    }
}

/// A node's address.
pub fn node_address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, 10 + number as u8)
}

/// A pod's address, unless it has its node's.
pub fn pod_address(pod: &Pod) -> Ipv4Addr {
    if pod.host_network {
        node_address(pod.node)
    } else {
        Ipv4Addr::new(10, 244, pod.node as u8 + 1, 10 + pod.number as u8)
    }
}

/// A service's cluster address.
pub fn cluster_address(service: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 96, 0, 10 + service as u8)
}

/// Its load balancer's address.
pub fn balancer_address(service: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 10 + service as u8)
}

/// Its external address.
pub fn external_address(service: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 100 + service as u8)
}

/// Its node port.
pub fn node_port(service: usize) -> u16 {
    30_000 + service as u16
}
