//! Services, served by the node that a packet comes to.

use super::filter::{ports_of, protocol_of};
use super::index::IndexedNode;
use super::journey::{Journey, Stop};
use crate::{
    Backend, Chosen, DropReason, Flow, Frontend, HopAction, Host, HostId, NodeDrop, Pool, Protocol,
    RuleId, Service, TrafficPolicy, Transport,
};
use std::net::Ipv4Addr;

/// SCTP, whose ports a [`Flow`] doesn't have.
const SCTP: Protocol = Protocol(132);

/// What a node made of a packet before routing it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    /// As it came.
    pub(super) before: Flow,
    /// As it goes on.
    pub(super) packet: Flow,
    /// Why its source is to be the node's own, if it is.
    pub(super) masquerade: Option<&'static str>,
}

impl Served {
    pub(super) fn untouched(packet: Flow) -> Self {
        Self {
            before: packet,
            packet,
            masquerade: None,
        }
    }
}

/// A packet at the frontend of a service that it is for.
#[derive(Clone, Copy)]
struct Call<'a> {
    host: &'a Host,
    service: &'a Service,
    frontend: &'a Frontend,
    packet: Flow,
}

impl<'a> Journey<'_, 'a> {
    /// Gives a packet that opens a flow to a frontend one of the service's backends.
    pub(super) fn serve(&mut self, host: &'a Host, packet: Flow) -> Result<Served, Stop> {
        let Some(node) = self.walker.index.node(&host.id) else {
            return Ok(Served::untouched(packet));
        };
        if !self.opens(packet) {
            return Ok(Served::untouched(packet));
        }
        let protocol = protocol_of(&packet.transport);
        let Some((_, port)) = ports_of(&packet.transport) else {
            if protocol == SCTP && node.takes(packet.destination, SCTP) {
                let at = packet.destination;
                return Err(Stop::Unknown(format!(
                    "which SCTP service of {at} is called"
                )));
            }
            return Ok(Served::untouched(packet));
        };
        let Some((service, frontend)) = node.frontend(packet.destination, protocol, port) else {
            return Ok(Served::untouched(packet));
        };
        let call = Call {
            host,
            service,
            frontend,
            packet,
        };
        self.source_ranges(call)?;
        let (policy, masquerade) = self.policy(call, node);
        let backends = match service.pool(policy) {
            Pool::Of(backends) => backends,
            Pool::NoneHere => {
                let why = NodeDrop::NoLocalEndpoints {
                    service: service.id.clone(),
                    internal: frontend.is_internal(),
                };
                let detail = "the traffic policy is Local and no backend is on this node";
                return Err(self.refused(call, why, detail));
            }
            Pool::None => {
                let service = service.id.clone();
                let why = NodeDrop::NoEndpoints { service };
                return Err(self.refused(call, why, "it has no backends: refused"));
            }
        };
        Ok(self.balance(call, backends, masquerade))
    }

    /// Which traffic policy holds for a packet, and why its source is to become the node's.
    fn policy(
        &self,
        call: Call<'a>,
        node: &IndexedNode<'a>,
    ) -> (TrafficPolicy, Option<&'static str>) {
        let services = &node.node.services;
        let source = call.packet.source;
        let policy = call.service.policy(call.frontend);
        let is_pod = services.is_pod(source);
        if call.frontend.is_internal() {
            let outside = services.pods.is_some() && !is_pod;
            let masquerade = if services.masquerade_all {
                Some("everything to a cluster address is masqueraded")
            } else {
                outside.then_some("it comes from outside the cluster's pods")
            };
            return (policy, masquerade);
        }
        match policy {
            TrafficPolicy::Cluster => (policy, Some("the backend may be on another node")),
            TrafficPolicy::Local if is_pod => (TrafficPolicy::Cluster, None),
            TrafficPolicy::Local if self.is_own(call.host, source) => {
                (TrafficPolicy::Cluster, Some("it comes from the node"))
            }
            TrafficPolicy::Local => (policy, None),
        }
    }

    fn source_ranges(&mut self, call: Call<'a>) -> Result<(), Stop> {
        let Frontend::LoadBalancer { sources, .. } = call.frontend else {
            return Ok(());
        };
        let source = call.packet.source;
        if sources.is_empty() || sources.iter().any(|range| range.contains(&source)) {
            return Ok(());
        }
        let service = call.service.id.clone();
        let detail = format!("{source} is in none of its source ranges");
        Err(self.refused(call, NodeDrop::SourceRange { service, source }, detail))
    }

    fn balance(
        &mut self,
        call: Call<'a>,
        backends: &'a [Backend],
        masquerade: Option<&'static str>,
    ) -> Served {
        let (id, before) = (&call.service.id, call.packet);
        let chosen = |backend: &&Backend| Chosen::Backend {
            service: id.clone(),
            backend: (*backend).clone(),
        };
        let Some(backend) = self.choose(&call.host.id, backends.iter(), chosen) else {
            return Served::untouched(before);
        };
        let packet = Flow {
            destination: backend.address,
            transport: with_port(before.transport, backend.port),
            ..before
        };
        let port = ports_of(&before.transport).map_or(0, |(_, port)| port);
        let mut detail = format!("{}:{port} → {backend}", before.destination);
        if backends.len() > 1 {
            detail.push_str(&format!(", one of {}", backends.len()));
            if let Some(seconds) = call.service.affinity {
                detail.push_str(&format!(", and the same again within {seconds} seconds"));
            }
        }
        let rule = RuleId::from(call.frontend.kind());
        let resource = Some(id.as_str());
        self.hop(
            &call.host.id,
            resource,
            Some(&rule),
            HopAction::Balance,
            detail,
        );
        let to_itself = backend.address == before.source;
        Served {
            before,
            packet,
            masquerade: masquerade.or(to_itself.then_some("a pod calls itself")),
        }
    }

    fn refused(&mut self, call: Call<'a>, why: NodeDrop, detail: impl Into<String>) -> Stop {
        let rule = RuleId::from(call.frontend.kind());
        let resource = Some(call.service.id.as_str());
        self.hop(
            &call.host.id,
            resource,
            Some(&rule),
            HopAction::Deny,
            detail,
        );
        node_drop(&call.host.id, why)
    }

    /// A packet that no frontend took goes on, but not to cluster addresses.
    pub(super) fn beyond_services(&mut self, host: &'a Host, packet: Flow) -> Result<(), Stop> {
        let Some(node) = self.walker.index.node(&host.id) else {
            return Ok(());
        };
        let address = packet.destination;
        let why = if node.is_cluster_address(address) {
            NodeDrop::NoSuchPort { packet }
        } else if node
            .node
            .services
            .ranges
            .iter()
            .any(|range| range.contains(&address))
        {
            NodeDrop::Unallocated { address }
        } else {
            return Ok(());
        };
        let detail = match why {
            NodeDrop::NoSuchPort { .. } => {
                format!("the service at {address} takes no such packet: refused")
            }
            _ => format!("no service has {address}"),
        };
        self.hop(&host.id, None, None, HopAction::Deny, detail);
        Err(node_drop(&host.id, why))
    }

    /// The address under which a packet leaves a node by a port, if not its own: a service's
    /// masquerading or what the node does to all that its pods send.
    pub(super) fn masquerade(
        &self,
        host: &'a Host,
        port: &'a crate::Port,
        served: &Served,
        forwarded: bool,
    ) -> Option<(Ipv4Addr, &'static str)> {
        let own = || self.walker.address_by(port, host);
        if let Some(why) = served.masquerade {
            return own().map(|address| (address, why));
        }
        let node = self.walker.index.node(&host.id)?;
        let nat = node.node.source_nat.as_ref()?;
        if !forwarded || !self.opens(served.packet) || !nat.takes(&served.packet) {
            return None;
        }
        let address = nat.address.or_else(own)?;
        Some((address, "it leaves the cluster"))
    }
}

fn node_drop(host: &HostId, why: NodeDrop) -> Stop {
    DropReason::Node {
        host: host.clone(),
        why,
    }
    .into()
}

pub(super) fn with_port(transport: Transport, port: u16) -> Transport {
    match transport {
        Transport::Tcp { source_port, .. } => Transport::Tcp {
            source_port,
            destination_port: port,
        },
        Transport::Udp { source_port, .. } => Transport::Udp {
            source_port,
            destination_port: port,
        },
        other @ (Transport::Echo { .. } | Transport::Other(_)) => other,
    }
}
