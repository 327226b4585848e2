//! What the network and its hosts remember of a flow between its packets.

use crate::{Flow, HostId, NetworkId, PortId};
use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

/// Which way a packet passes a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leg {
    /// From its host into the network.
    Out,
    /// From the network to its host.
    In,
}

impl Leg {
    fn opposite(self) -> Self {
        match self {
            Self::Out => Self::In,
            Self::In => Self::Out,
        }
    }
}

/// Who remembers that it let a flow through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// A port.
    Port(PortId),
    /// A pod, by its address, at its node.
    Pod(HostId, Ipv4Addr),
}

/// A translation that a host made of a flow.
#[derive(Clone, Debug)]
struct Mapping {
    host: HostId,
    before: Flow,
    between: Flow,
    after: Flow,
}

/// What a host makes of a packet that answers what it translated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undone {
    /// With its real source and the destination that the caller really has: as the host routes it.
    pub(super) between: Flow,
    /// As the caller expects it.
    pub(super) original: Flow,
    plain: bool,
}

impl Undone {
    /// Whether nothing had been translated.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }
}

/// Tracked flows and hosts' translations.
#[derive(Debug, Default)]
pub(super) struct State {
    tracked: HashSet<(Side, Flow, Leg)>,
    mappings: Vec<Mapping>,
    /// Answers that a network sends to the port where the packet that they answer came from.
    steered: HashMap<(NetworkId, Flow), PortId>,
}

impl State {
    /// A side let this packet through.
    pub(super) fn track(&mut self, side: Side, packet: Flow, leg: Leg) {
        self.tracked.insert((side, packet, leg));
    }

    /// Whether a side knows this packet's flow: it let the same packet through that way before, or
    /// the packet that this one answers the other way.
    pub(super) fn is_tracked(&self, side: &Side, packet: Flow, leg: Leg) -> bool {
        self.tracked.contains(&(side.clone(), packet, leg))
            || self
                .tracked
                .contains(&(side.clone(), packet.reversed(), leg.opposite()))
    }

    /// A network sends what answers this packet to a port.
    pub(super) fn steer(&mut self, network: &NetworkId, packet: Flow, to: &PortId) {
        let answer = (network.clone(), packet.reversed());
        self.steered.entry(answer).or_insert_with(|| to.clone());
    }

    /// The port that a network sends a packet to because of what it answers.
    pub(super) fn steered(&self, network: &NetworkId, packet: Flow) -> Option<&PortId> {
        self.steered.get(&(network.clone(), packet))
    }

    /// A host translated a packet: its destination before it routed it, its source after.
    pub(super) fn map(&mut self, host: &HostId, before: Flow, between: Flow, after: Flow) {
        self.mappings.push(Mapping {
            host: host.clone(),
            before,
            between,
            after,
        });
    }

    /// What a host makes of a packet, if it answers one that the host translated.
    pub(super) fn undo(&self, host: &HostId, packet: Flow) -> Option<Undone> {
        let answers =
            |mapping: &&Mapping| mapping.host == *host && mapping.after.reversed() == packet;
        self.mappings.iter().find(answers).map(|mapping| Undone {
            between: mapping.between.reversed(),
            original: mapping.before.reversed(),
            plain: mapping.before == mapping.after,
        })
    }
}
