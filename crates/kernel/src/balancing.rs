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
use fabric::{Change, Fabric, HostId, NumberRange};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

/// The members to which flows to some ports may go.
type Rights = Vec<(NumberRange, BTreeSet<SocketAddrV4>)>;

/// What UDP flows may have, by the node that has to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeMap<HostId, Rights>);

fn rights(balancer: &Balancer) -> Rights {
    let udp = balancer
        .listeners
        .iter()
        .filter(|listener| listener.transports.contains(&Transport::Udp));
    udp.filter_map(|listener| {
        let Service::Forward(forwarding) = &listener.service else {
            return None;
        };
        let pool = balancer.pools.get(&forwarding.pool);
        let members = pool.iter().flat_map(|pool| &pool.members);
        Some((listener.ports, members.map(|one| one.place()).collect()))
    })
    .collect()
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
            let allowed = after
                .as_ref()
                .map(|after| rights(after))
                .unwrap_or_default();
            let had = rights(&before);
            for host in before.nodes.keys() {
                let waits = self.0.contains_key(host);
                if waits || (!had.is_empty() && had != allowed) {
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
    let mut of_listeners = rights
        .iter()
        .filter(|(ports, _)| ports.contains(called.port()));
    member != called && !of_listeners.any(|(_, members)| members.contains(&member))
}
