//! UDP flows that balancers' nodes gave to members that are gone.
//!
//! Connection tracking remembers where a flow's first packet went, and UDP has no end that would make it
//! forget: a client that goes on sending would talk to nobody. So where listeners or pools changed, flows
//! are cut whose member isn't one any more, be it draining or not; their next packets are first ones. TCP
//! ends by itself.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#deregistration-delay>

use crate::netlink::NetlinkError;
use crate::netlink::conntrack::{self, Entry};
use crate::netlink::socket::Socket;
use fabric::balancer::{Balancer, Service, Transport};
use fabric::delta::changes;
use fabric::{Change, Fabric, HostId, PoolId};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

/// The members to which UDP flows may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rights {
    /// The first and the last port that a listener takes → its pool; no two overlap.
    listeners: BTreeMap<u16, (u16, PoolId)>,
    pools: BTreeMap<PoolId, BTreeSet<SocketAddrV4>>,
}

/// What UDP flows may have, by the node that has to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<HostId, Rights>);

impl Rights {
    fn of(balancer: &Balancer) -> Self {
        let mut rights = Self::default();
        for listener in &balancer.listeners {
            let Service::Forward(forwarding) = &listener.service else {
                continue;
            };
            if !listener.transports.contains(&Transport::Udp) {
                continue;
            }
            let (ports, id) = (listener.ports, &forwarding.pool);
            rights.listeners.insert(ports.low, (ports.high, id.clone()));
            rights.pools.entry(id.clone()).or_insert_with(|| {
                let pool = balancer.pools.get(id);
                let members = pool.iter().flat_map(|pool| &pool.members);
                members.map(|member| member.place()).collect()
            });
        }
        rights
    }

    /// Whether what came to a port may go to a member.
    fn allow(&self, port: u16, member: &SocketAddrV4) -> bool {
        let before = self.listeners.range(..=port).next_back();
        before
            .filter(|(_, (last, _))| port <= *last)
            .and_then(|(_, (_, pool))| self.pools.get(pool))
            .is_some_and(|members| members.contains(member))
    }
}

impl Touched {
    /// Notes the nodes of balancers that differ.
    pub(crate) fn between(&mut self, old: &Fabric, new: &Fabric) {
        for change in changes(&old.balancers, &new.balancers) {
            let (before, after) = match change {
                Change::Added(..) => continue,
                Change::Changed(_, before, after) => (before, Some(after)),
                Change::Removed(_, before) => (before, None),
            };
            let allowed = after.as_ref().map(|after| Rights::of(after));
            let allowed = allowed.unwrap_or_default();
            let had = Rights::of(&before);
            for host in before.nodes.keys() {
                let waits = self.0.contains_key(host);
                if waits || (!had.listeners.is_empty() && had != allowed) {
                    self.0.insert(host.clone(), allowed.clone());
                }
            }
        }
    }

    /// The nodes that have to be looked at.
    pub(crate) fn hosts(&self) -> Vec<HostId> {
        self.0.keys().cloned().collect()
    }

    /// A node needs no look any more.
    pub(crate) fn done(&mut self, host: &HostId) {
        self.0.remove(host);
    }

    /// Cuts a node's flows to members that are gone; gives how many.
    pub(crate) fn cut(&self, host: &HostId, socket: &mut Socket) -> Result<usize, NetlinkError> {
        let Some(rights) = self.0.get(host) else {
            return Ok(0);
        };
        let mut count = 0;
        for flow in conntrack::udp_flows(socket)? {
            if !is_stale(&flow, rights) {
                continue;
            }
            match socket.request_all(vec![conntrack::forget(&flow)]) {
                Ok(()) => count += 1,
                // It ended by itself.
                Err(NetlinkError::Refused {
                    errno: Errno::ENOENT,
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

/// Whether a flow was given to somebody who isn't to have it.
fn is_stale(flow: &Entry, rights: &Rights) -> bool {
    let called = flow.original.destination;
    let member = flow.reply.source;
    member != called && !rights.allow(called.port(), &member)
}
