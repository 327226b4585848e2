//! Balancers: what spreads flows over pools of members.
//!
//! A balancer's **nodes** are hosts: flows reach them by ports and routes as they reach any host, and
//! its health checks leave them as any packet does. A **listener** takes flows at a port of its nodes
//! and gives them to a **pool**, in one of three ways:
//!
//! * [`Service::Forward`]: packets are passed on, so that the connection is between client and member;
//! * [`Service::Stream`]: the connection ends at the node, and its bytes go on in another;
//! * [`Service::Http`]: the same, for requests, each of which rules give to a pool or answer.
//!
//! Who is healthy is stated here, not found out: whoever checks says it in [`Member::state`].
//! Key material and secrets have no place in a fabric; certificates are named.

mod conduct;
mod exclusion;
pub mod http;
mod listener;
mod pool;

pub use conduct::{Algorithm, Conduct, Function, Preamble, Stickiness};
pub use exclusion::{Cause, Exclusion};
pub use listener::{Forwarding, Listener, Service, Stream, Tls, Transport};
pub use pool::{HealthCheck, Member, MemberState, Pool, Probe, Selection, SourceSeen, Speech};

use crate::id::{BalancerId, HostId, PoolId};
use imbl::OrdMap;
use std::sync::Arc;

/// A balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Its id.
    pub id: BalancerId,
    /// The hosts that it consists of.
    pub nodes: OrdMap<HostId, Node>,
    /// What it listens to; no two take the same packets.
    pub listeners: Vec<Arc<Listener>>,
    /// Its pools.
    pub pools: OrdMap<PoolId, Arc<Pool>>,
}

/// A host of a balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The zone that it lies in.
    pub zone: String,
}

impl Balancer {
    /// The listener that takes flows to a port.
    pub fn listener(&self, transport: Transport, port: u16) -> Option<&Arc<Listener>> {
        let takes = |listener: &&Arc<Listener>| listener.takes(transport, port);
        self.listeners.iter().find(takes)
    }

    /// The members of a pool that a node gives flows to, and why those.
    pub fn selection<'a>(&self, node: &HostId, pool: &'a Pool) -> Selection<'a> {
        pool.selection(self.zone(node))
    }

    /// The members of a pool that a node gives no new flows to, and why not those.
    pub fn exclusions<'a>(
        &self,
        node: &HostId,
        pool: &'a Pool,
    ) -> impl Iterator<Item = Exclusion> + use<'a> {
        pool.exclusions(self.zone(node))
    }

    /// Whether it passes packets on: its nodes then send packets with others' sources and get the
    /// answers to them.
    pub fn forwards(&self) -> bool {
        let forwards = |listener: &Arc<Listener>| matches!(listener.service, Service::Forward(_));
        self.listeners.iter().any(forwards)
    }

    fn zone(&self, node: &HostId) -> Option<&str> {
        self.nodes.get(node).map(|node| node.zone.as_str())
    }
}
