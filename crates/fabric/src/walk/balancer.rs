//! Balancers' nodes that pass packets on.
//!
//! What a node passes on with the client's address comes back to it, whatever the member's route table
//! says: the network remembers which port such a flow came from and sends its answers there.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html#client-ip-preservation>

use super::filter::ports_of;
use super::journey::{End, Journey, Stop};
use super::service::with_port;
use crate::balancer::{
    Balancer, Exclusion, Forwarding, Listener, Member, Pool, Selection, Service, SourceSeen,
    Transport,
};
use crate::{
    BalancerDrop, Chosen, Direction, DropReason, Flow, HopAction, Host, HostId, NetworkId, PoolId,
    Port,
};
use std::net::SocketAddrV4;

/// How many members that get nothing a step names.
const MOST_NAMED: usize = 3;

/// A flow at a node's listener.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) host: &'a Host,
    pub(super) balancer: &'a Balancer,
    pub(super) listener: &'a Listener,
}

/// What carries a flow that listeners may take, and the port that it is for.
pub(super) fn carrier(packet: &Flow) -> Option<(Transport, u16)> {
    let transport = match packet.transport {
        crate::Transport::Tcp { .. } => Transport::Tcp,
        crate::Transport::Udp { .. } => Transport::Udp,
        crate::Transport::Echo { .. } | crate::Transport::Other(_) => return None,
    };
    let (_, port) = ports_of(&packet.transport)?;
    Some((transport, port))
}

impl<'a> Journey<'_, 'a> {
    /// A packet that opens a flow at a balancer's node: passed on where the listener does so. `None`
    /// where the node's own stack takes it.
    pub(super) fn pass_on(
        &mut self,
        host: &'a Host,
        packet: Flow,
    ) -> Result<Option<End<'a>>, Stop> {
        let Some(balancer) = self.walker.index.balancer(&host.id) else {
            return Ok(None);
        };
        if self.direction == Direction::Back || !self.is_own(host, packet.destination) {
            return Ok(None);
        }
        let Some((transport, port)) = carrier(&packet) else {
            return Ok(None);
        };
        let Some(listener) = balancer.listener(transport, port) else {
            let detail = format!("no listener takes {packet}: refused");
            let at = Some(balancer.id.as_str());
            self.hop(&host.id, at, None, HopAction::Deny, detail);
            return Err(dropped(balancer, host, BalancerDrop::NoListener { packet }));
        };
        let taken = Taken {
            host,
            balancer,
            listener,
        };
        match &listener.service {
            Service::Forward(forwarding) => self.forward_to_member(taken, forwarding, packet),
            Service::Stream(_) | Service::Http(_) => return Ok(None),
        }
        .map(Some)
    }

    fn forward_to_member(
        &mut self,
        taken: Taken<'a>,
        forwarding: &'a Forwarding,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        let host = taken.host;
        if forwarding.keeps_destination {
            let listener = &taken.listener.id;
            return Err(Stop::Unknown(format!(
                "{listener} passes packets on under the balancer's own address"
            )));
        }
        let (pool, member) = self.member(taken, &forwarding.pool)?;
        let between = Flow {
            destination: member.address,
            transport: with_port(packet.transport, member.port),
            ..packet
        };
        self.passes(&host.id, between)?;
        if self.is_own(host, member.address) {
            let at = host.id.to_string();
            let detail = format!("the member {} is the node itself", member.place());
            self.hop(&at, Some(&at), None, HopAction::Deny, detail);
            return Err(DropReason::Loop { at }.into());
        }
        let port = self.exit(host, between)?;
        let own = match pool.source {
            SourceSeen::Client => None,
            SourceSeen::Node => self.walker.address_by(port, host),
        };
        let mut after = between;
        if let Some(source) = own {
            let detail = format!("{} → {source}", between.source);
            let at = Some(pool.id.as_str());
            self.hop(&host.id, at, None, HopAction::Translate, detail);
            after.source = source;
        }
        self.state.map(&host.id, packet, between, after);
        self.leave(port, after)
    }

    /// Chooses one of a pool's members.
    pub(super) fn member(
        &mut self,
        taken: Taken<'a>,
        id: &'a PoolId,
    ) -> Result<(&'a Pool, &'a Member), Stop> {
        let Taken {
            host,
            balancer,
            listener,
        } = taken;
        let Some(pool) = balancer.pools.get(id).map(AsRef::as_ref) else {
            return Err(self.no_members(taken, id, Vec::new()));
        };
        let selection = balancer.selection(&host.id, pool);
        let chosen = |member: &&Member| Chosen::Member {
            pool: id.clone(),
            name: member.name.clone(),
            place: member.place(),
        };
        let members = selection.members().iter().copied();
        let Some(member) = self.choose(&host.id, members, chosen) else {
            let excluded = balancer.exclusions(&host.id, pool).collect();
            return Err(self.no_members(taken, id, excluded));
        };
        let mut detail = told(member, &selection);
        if let Some(seconds) = pool.affinity.filter(|_| selection.members().len() > 1) {
            detail.push_str(&format!(", and the same again within {seconds} seconds"));
        }
        tell_exclusions(&mut detail, balancer.exclusions(&host.id, pool));
        let rule = listener.id.as_str().into();
        let resource = Some(id.as_str());
        self.hop(&host.id, resource, Some(&rule), HopAction::Balance, detail);
        Ok((pool, member))
    }

    fn no_members(&mut self, taken: Taken<'a>, pool: &PoolId, excluded: Vec<Exclusion>) -> Stop {
        let mut detail = if excluded.is_empty() {
            "the pool has no members".to_owned()
        } else {
            "the pool has no member for this node".to_owned()
        };
        tell_exclusions(&mut detail, excluded.iter().cloned());
        let rule = taken.listener.id.as_str().into();
        let at = &taken.host.id;
        self.hop(
            at,
            Some(pool.as_str()),
            Some(&rule),
            HopAction::Deny,
            detail,
        );
        let why = BalancerDrop::NoMembers {
            listener: taken.listener.id.clone(),
            pool: pool.clone(),
            excluded,
        };
        dropped(taken.balancer, taken.host, why)
    }

    /// A packet that a balancer's node sends: where its source isn't the node's own, the network
    /// remembers where its answers go.
    pub(super) fn steer(&mut self, port: &'a Port, packet: Flow) {
        if self.walker.index.passes_on(port) && !port.addresses.contains(&packet.source) {
            self.state.steer(&port.network, packet, &port.id);
        }
    }

    /// The port of a balancer's node to which a packet goes back, if it answers one that the node
    /// passed on.
    pub(super) fn steered(&self, network: &NetworkId, packet: Flow) -> Option<&'a Port> {
        let port = self.state.steered(network, packet)?;
        self.walker.fabric.ports.get(port).map(AsRef::as_ref)
    }

    /// A packet from the member's own address by way of a balancer: the member was itself the client.
    pub(super) fn loopback(
        &mut self,
        port: &'a Port,
        host: &'a Host,
        packet: Flow,
    ) -> Result<(), Stop> {
        let Some(node) = self.steered(&port.network, packet.reversed()) else {
            return Ok(());
        };
        let node = node.host.as_ref().map(|(node, _)| node);
        let Some((node, balancer)) =
            node.and_then(|node| Some((node, self.walker.index.balancer(node)?)))
        else {
            return Ok(());
        };
        let detail = format!("it was itself the client: {packet} comes from its own address");
        let at = &host.id;
        self.hop(at, Some(at.as_str()), None, HopAction::Deny, detail);
        Err(DropReason::Balancer {
            balancer: balancer.id.clone(),
            node: node.clone(),
            why: BalancerDrop::Loopback { packet },
        }
        .into())
    }
}

fn dropped(balancer: &Balancer, host: &Host, why: BalancerDrop) -> Stop {
    let (balancer, node): (_, HostId) = (balancer.id.clone(), host.id.clone());
    DropReason::Balancer {
        balancer,
        node,
        why,
    }
    .into()
}

/// Who was chosen, of how many.
fn told(member: &Member, selection: &Selection<'_>) -> String {
    let place: SocketAddrV4 = member.place();
    let mut detail = format!("→ {place}");
    if !member.name.is_empty() {
        detail.push_str(&format!(" ({})", member.name));
    }
    let count = selection.members().len();
    match selection {
        Selection::FailedOpen(_) => {
            detail.push_str(&format!(
                ", one of {count}: none is healthy, so all get flows"
            ));
        }
        _ if count > 1 => detail.push_str(&format!(", one of {count}")),
        _ => {}
    }
    detail
}

fn tell_exclusions(detail: &mut String, exclusions: impl Iterator<Item = Exclusion>) {
    for (index, exclusion) in exclusions.enumerate() {
        if index == MOST_NAMED {
            detail.push_str("; …");
            return;
        }
        detail.push_str(&format!("; {exclusion}"));
    }
}
