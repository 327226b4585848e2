//! What the programs on a cluster's node put into the node's own network namespace.
//!
//! A node is a host; a service proxy, a policy agent and what translates its pods' sources run on it,
//! as root of the user namespace that the host's network namespace belongs to. Each has a table of
//! its own and touches no other, nor any packet's mark:
//!
//! * [`Proxy`]: `skylab-proxy`, a cluster's services;
//! * [`PolicyAgent`]: `skylab-policy`, the network policies of the node's pods; bits 24 and 25 of
//!   flows' marks are its own;
//! * [`HostPorts`]: `skylab-hostport`, the pods' ports on the node itself;
//! * [`SourceTranslator`]: `skylab-snat`, the address under which pods leave the cluster;
//! * [`EgressTable`]: how pods leave a node with several links. It is not part of what `walk` is told, marks
//!   packets and flows with one bit, and has the name of the plugin whose it is.
//!
//! They do with packets what [`fabric::walk()`] says of a [`fabric::Node`]. An apply changes what
//! differs from the last one, in one stroke; the first replaces what an earlier run of the program
//! left, so that a restart interrupts nothing. The tables stay when the program ends.
//!
//! Policies see what the node forwards: where pods' links end in a bridge, packets between two pods
//! of one node don't come by.

mod egress;
mod flows;
mod host_ports;
mod table;

use crate::namespace::NetNs;
use crate::netlink::NetlinkError;
pub use egress::{Egress, EgressTable, Ports, Translation};
use fabric::{Fabric, HostId, Node, Policies, Services, SourceNat};
use flows::Touched;
pub use host_ports::HostPorts;
use std::sync::Arc;
use table::Table;

/// What they all begin with.
const OURS: &str = "skylab-";

/// Tables of network plugins that keep to names of their own ([`EgressTable`]).
const OF_PLUGINS: [&str; 1] = ["aws-cni"];

/// Whether a table is one of a node's programs'.
pub(crate) fn is_ours(table: &str) -> bool {
    table.starts_with(OURS) || OF_PLUGINS.contains(&table)
}

/// What an apply did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many things in the kernel it made, changed or removed.
    pub changes: usize,
    /// How many UDP flows it cut, whose backends are no longer their services'.
    pub flows_cut: usize,
}

/// Why an apply failed.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is no way to talk to nftables.
    #[error("open nftables: {0}")]
    Open(#[source] NetlinkError),
    /// The kernel refused a change. What was applied last holds, or a part of this too where it was
    /// too large for one transaction; the next apply makes all of it anew.
    #[error("{what}: {cause}")]
    Refused {
        /// What was to be done.
        what: String,
        /// Why it was refused.
        #[source]
        cause: NetlinkError,
    },
    /// All is applied, but flows to backends that are gone could not be cut. The next apply tries
    /// again.
    #[error("cut UDP flows to backends that are gone: {0}")]
    Flows(#[source] NetlinkError),
}

/// The node's part of a fabric, for the planner.
fn alone(node: Node) -> Fabric {
    let mut fabric = Fabric::default();
    fabric.nodes.insert(here(), Arc::new(node));
    fabric
}

/// The only host that the planner knows.
fn here() -> HostId {
    HostId::from("here")
}

/// A service proxy's hands.
#[derive(Debug)]
pub struct Proxy {
    table: Table,
    applied: Services,
    touched: Touched,
}

impl Proxy {
    /// In the network namespace that the calling thread is in; from then on any thread may use it.
    ///
    /// # Errors
    /// nftables can't be opened.
    pub fn here() -> Result<Self, NodeError> {
        Ok(Self {
            table: Table::here("skylab-proxy")?,
            applied: Services::default(),
            touched: Touched::default(),
        })
    }

    /// In this network namespace.
    ///
    /// # Errors
    /// It can't be entered, or nftables can't be opened there.
    pub fn inside(namespace: &NetNs) -> Result<Self, NodeError> {
        namespace.run(Self::here).map_err(entering)?
    }

    /// Makes the node serve these services; when this returns, new flows obey. UDP flows whose backend
    /// isn't their service's any more are cut, as kube-proxy does; TCP connections stay.
    ///
    /// # Errors
    /// The kernel refused something.
    pub fn apply(&mut self, services: &Services) -> Result<Applied, NodeError> {
        self.touched.between(&self.applied, services);
        let changes = self.table.apply(&alone(Node {
            services: services.clone(),
            ..Node::default()
        }))?;
        self.applied = services.clone();
        let flows_cut = self.touched.cut(services, self.table.socket())?;
        Ok(Applied { changes, flows_cut })
    }

    /// Takes everything away.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn remove(self) -> Result<(), NodeError> {
        self.table.remove()
    }
}

/// A policy agent's hands.
#[derive(Debug)]
pub struct PolicyAgent {
    table: Table,
}

impl PolicyAgent {
    /// In the network namespace that the calling thread is in; from then on any thread may use it.
    ///
    /// # Errors
    /// nftables can't be opened.
    pub fn here() -> Result<Self, NodeError> {
        let table = Table::here("skylab-policy")?;
        Ok(Self { table })
    }

    /// In this network namespace.
    ///
    /// # Errors
    /// It can't be entered, or nftables can't be opened there.
    pub fn inside(namespace: &NetNs) -> Result<Self, NodeError> {
        namespace.run(Self::here).map_err(entering)?
    }

    /// Makes the node enforce these policies; when this returns, new flows obey, and those that were
    /// let through stay.
    ///
    /// # Errors
    /// The kernel refused something.
    pub fn apply(&mut self, policies: &Policies) -> Result<Applied, NodeError> {
        let mut fabric = alone(Node {
            policies: Policies {
                pods: policies.pods.clone(),
                ..Policies::default()
            },
            ..Node::default()
        });
        fabric.filters = policies.filters.clone();
        fabric.address_sets = policies.address_sets.clone();
        let changes = self.table.apply(&fabric)?;
        Ok(Applied {
            changes,
            flows_cut: 0,
        })
    }

    /// Takes everything away.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn remove(self) -> Result<(), NodeError> {
        self.table.remove()
    }
}

/// The hands of what translates pods' sources.
#[derive(Debug)]
pub struct SourceTranslator {
    table: Table,
}

impl SourceTranslator {
    /// In the network namespace that the calling thread is in; from then on any thread may use it.
    ///
    /// # Errors
    /// nftables can't be opened.
    pub fn here() -> Result<Self, NodeError> {
        let table = Table::here("skylab-snat")?;
        Ok(Self { table })
    }

    /// In this network namespace.
    ///
    /// # Errors
    /// It can't be entered, or nftables can't be opened there.
    pub fn inside(namespace: &NetNs) -> Result<Self, NodeError> {
        namespace.run(Self::here).map_err(entering)?
    }

    /// Makes the node translate so; when this returns, new flows obey.
    ///
    /// # Errors
    /// The kernel refused something.
    pub fn apply(&mut self, nat: Option<&SourceNat>) -> Result<Applied, NodeError> {
        let changes = self.table.apply(&alone(Node {
            source_nat: nat.cloned(),
            ..Node::default()
        }))?;
        Ok(Applied {
            changes,
            flows_cut: 0,
        })
    }

    /// Takes everything away.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn remove(self) -> Result<(), NodeError> {
        self.table.remove()
    }
}

fn entering(error: std::io::Error) -> NodeError {
    NodeError::Open(error.into())
}
