//! What the network and its hosts remember of a flow between its packets.

use crate::{Flow, HostId, PortId};
use std::collections::HashSet;

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

/// A source translation that a host made: what it forwarded, before and after.
#[derive(Clone, Debug)]
struct Mapping {
    host: HostId,
    before: Flow,
    after: Flow,
}

/// Ports' tracked flows and hosts' translations.
#[derive(Debug, Default)]
pub(super) struct State {
    tracked: HashSet<(PortId, Flow, Leg)>,
    mappings: Vec<Mapping>,
}

impl State {
    /// A port let this packet through.
    pub(super) fn track(&mut self, port: &PortId, packet: Flow, leg: Leg) {
        self.tracked.insert((port.clone(), packet, leg));
    }

    /// Whether a port knows this packet's flow: it let the same packet through that way before, or
    /// the packet that this one answers the other way.
    pub(super) fn is_tracked(&self, port: &PortId, packet: Flow, leg: Leg) -> bool {
        self.tracked.contains(&(port.clone(), packet, leg))
            || self
                .tracked
                .contains(&(port.clone(), packet.reversed(), leg.opposite()))
    }

    /// A host translated a packet.
    pub(super) fn map(&mut self, host: &HostId, before: Flow, after: Flow) {
        self.mappings.push(Mapping {
            host: host.clone(),
            before,
            after,
        });
    }

    /// The packet that a host makes of one that answers what it translated.
    pub(super) fn unmap(&self, host: &HostId, packet: Flow) -> Option<Flow> {
        let answers =
            |mapping: &&Mapping| mapping.host == *host && mapping.after.reversed() == packet;
        self.mappings
            .iter()
            .find(answers)
            .map(|mapping| mapping.before.reversed())
    }
}
