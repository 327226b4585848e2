//! Hosts: how they send, take, forward and translate.

use super::Walker;
use super::journey::{End, Journey, Stop};
use super::service::Served;
use super::state::Undone;
use crate::{DropReason, Flow, HopAction, Host, HostRoute, Port, SourceTranslation};
use std::net::Ipv4Addr;

/// The route that a host takes for a packet.
fn route(host: &Host, packet: Flow) -> Option<&HostRoute> {
    let matching = host
        .routes
        .iter()
        .filter(|route| route.matches(packet.source, packet.destination));
    matching.reduce(|best, route| if route.beats(best) { route } else { best })
}

impl<'a> Walker<'a> {
    /// The port by which a host sends a packet: to its own pods before all, then by its routes.
    pub(super) fn exit(&self, host: &Host, packet: Flow) -> Option<&'a Port> {
        let pod = self
            .index
            .node(&host.id)
            .and_then(|node| node.node.pods.get(&packet.destination));
        let id = pod.or_else(|| route(host, packet).map(|route| &route.port))?;
        let port = self.fabric.ports.get(id)?;
        let attached = port.host.as_ref().is_some_and(|(id, _)| *id == host.id);
        attached.then_some(port)
    }

    /// The address that a host gives to what it sends by a port: the port's primary one, or, where it
    /// has none, that of the host's first port that has one, as Linux does.
    pub(super) fn address_by(&self, port: &Port, host: &Host) -> Option<Ipv4Addr> {
        let of_host = || {
            let ports = self.index.ports_of(&host.id).iter();
            let with_address = ports.filter(|port| !port.addresses.is_empty());
            with_address.min_by_key(|port| port.host.as_ref().map(|(_, device)| *device))
        };
        port.addresses
            .first()
            .or_else(|| of_host()?.addresses.first())
            .copied()
    }
}

impl<'a> Journey<'_, 'a> {
    /// A host sends a packet of its own.
    pub(super) fn send(&mut self, host: &'a Host, packet: Flow) -> Result<End<'a>, Stop> {
        if !host.running {
            let why = "it isn't running";
            self.deny(host, why);
            return Err(DropReason::HostCannotSend {
                host: host.id.clone(),
                why: why.to_owned(),
            }
            .into());
        }
        if let Some(undone) = self.undo(host, packet) {
            return self.return_answer(host, undone, false);
        }
        if !self.takes(host, packet) {
            // Without a way to where it is addressed it never gets to a service.
            self.exit(host, packet)?;
        }
        let served = self.serve(host, packet)?;
        if self.takes(host, served.packet) {
            return self.arrive(host, served);
        }
        self.beyond_services(host, served.packet)?;
        let port = self.exit(host, served.packet)?;
        self.emit(host, port, served, false)
    }

    /// The port by which a packet leaves a host.
    pub(super) fn exit(&mut self, host: &'a Host, packet: Flow) -> Result<&'a Port, Stop> {
        if let Some(port) = self.walker.exit(host, packet) {
            return Ok(port);
        }
        let why = format!("it has no route to {}", packet.destination);
        self.deny(host, &why);
        Err(DropReason::HostCannotSend {
            host: host.id.clone(),
            why,
        }
        .into())
    }

    /// A packet reached a port's host.
    pub(super) fn reach(&mut self, port: &'a Port, packet: Flow) -> Result<End<'a>, Stop> {
        let attached = port.host.as_ref().map(|(id, _)| id);
        let host = attached
            .and_then(|id| self.walker.fabric.hosts.get(id))
            .filter(|host| host.running);
        let Some(host) = host else {
            let why = if attached.is_some() {
                "its host isn't running"
            } else {
                "it is attached to nothing"
            };
            self.hop(&port.id, Some(port.id.as_str()), None, HopAction::Deny, why);
            return Err(DropReason::HostDown {
                port: port.id.clone(),
                host: attached.cloned(),
            }
            .into());
        };
        self.passes(&host.id, packet)?;
        self.not_from_itself(port, host, packet)?;
        if let Some(undone) = self.undo(host, packet) {
            return self.return_answer(host, undone, true);
        }
        if let Some(end) = self.pass_on(host, packet)? {
            return Ok(end);
        }
        let served = self.serve(host, packet)?;
        if self.takes(host, served.packet) {
            return self.arrive(host, served);
        }
        self.forward(host, served)
    }

    /// A host takes no packet that has its own address for a source.
    fn not_from_itself(
        &mut self,
        port: &'a Port,
        host: &'a Host,
        packet: Flow,
    ) -> Result<(), Stop> {
        if !self.is_own(host, packet.source) {
            return Ok(());
        }
        self.loopback(port, host, packet)?;
        let detail = format!("{packet} comes from its own address: it takes no such packet");
        self.deny(host, &detail);
        Err(DropReason::FromItself {
            host: host.id.clone(),
            packet,
        }
        .into())
    }

    /// Translates a packet back that answers one that the host translated.
    fn undo(&mut self, host: &'a Host, packet: Flow) -> Option<Undone> {
        let undone = self.state.undo(&host.id, packet)?;
        let original = undone.original;
        let mut details = Vec::new();
        if original.destination != packet.destination {
            details.push(format!("{} → {}", packet.destination, original.destination));
        }
        if original.source != packet.source {
            details.push(format!("from {} → {}", packet.source, original.source));
        }
        if !details.is_empty() {
            let at = Some(host.id.as_str());
            let detail = details.join(", ");
            self.hop(&host.id, at, None, HopAction::Translate, detail);
        }
        Some(undone)
    }

    /// An answer goes on to whom the translated packet came from.
    fn return_answer(
        &mut self,
        host: &'a Host,
        undone: Undone,
        forwarded: bool,
    ) -> Result<End<'a>, Stop> {
        if self.takes(host, undone.original) {
            return self.deliver(host, undone.original);
        }
        if forwarded {
            self.policies(host, undone.between)?;
        }
        let port = self.exit(host, undone.between)?;
        if forwarded && undone.is_plain() {
            self.forwards(host);
        }
        self.leave(port, undone.original)
    }

    /// Whether a packet is for the host itself.
    fn takes(&self, host: &Host, packet: Flow) -> bool {
        self.is_own(host, packet.destination)
    }

    /// Whether an address is the host's own. Those of a node's pods aren't.
    pub(super) fn is_own(&self, host: &Host, address: Ipv4Addr) -> bool {
        let node = self.walker.index.node(&host.id);
        if node.is_some_and(|node| node.node.pods.contains_key(&address)) {
            return false;
        }
        let own = |port: &&Port| port.addresses.contains(&address);
        self.walker.index.ports_of(&host.id).iter().any(own)
            || host.answers.iter().any(|range| range.contains(&address))
    }

    /// A packet that is for the host, perhaps by a service whose backend it is.
    fn arrive(&mut self, host: &'a Host, served: Served) -> Result<End<'a>, Stop> {
        let (before, packet) = (served.before, served.packet);
        self.remember(host, before, packet, packet);
        self.deliver(host, packet)
    }

    fn deliver(&mut self, host: &'a Host, packet: Flow) -> Result<End<'a>, Stop> {
        if host
            .source_translation
            .as_ref()
            .is_some_and(|translation| translation.managed)
        {
            self.deny(host, "nothing inside asked for this packet");
            return Err(DropReason::NoMapping {
                host: host.id.clone(),
                packet,
            }
            .into());
        }
        self.hop(
            &host.id,
            Some(host.id.as_str()),
            None,
            HopAction::Deliver,
            format!("it has {}", packet.destination),
        );
        Ok(End::Host { host, packet })
    }

    fn forward(&mut self, host: &'a Host, served: Served) -> Result<End<'a>, Stop> {
        let packet = served.packet;
        if let Some(why) = &host.opaque {
            return Err(Stop::Unknown(format!(
                "{} would have to forward {packet}: {why}",
                host.id
            )));
        }
        if !host.forwarding {
            let detail = format!(
                "{} is not its own address and it does not forward",
                packet.destination
            );
            self.deny(host, &detail);
            return Err(DropReason::NotForwarding {
                host: host.id.clone(),
                destination: packet.destination,
            }
            .into());
        }
        if let Some(translation) = &host.source_translation {
            self.managed(host, translation, packet)?;
        }
        self.beyond_services(host, packet)?;
        let port = self.exit(host, packet)?;
        self.policies(host, packet)?;
        self.emit(host, port, served, true)
    }

    /// A managed translator passes only what it translates.
    fn managed(
        &mut self,
        host: &'a Host,
        translation: &SourceTranslation,
        packet: Flow,
    ) -> Result<(), Stop> {
        let opens = self.opens(packet);
        if !translation.managed || (translation.carries(&packet.transport) && opens) {
            return Ok(());
        }
        let why = if opens {
            "it translates only TCP, UDP and ICMP echo"
        } else {
            "it has no connection for this packet"
        };
        self.deny(host, why);
        Err(DropReason::NoMapping {
            host: host.id.clone(),
            packet,
        }
        .into())
    }

    /// A packet leaves a host by a port, its source translated where the host does so.
    fn emit(
        &mut self,
        host: &'a Host,
        port: &'a Port,
        served: Served,
        forwarded: bool,
    ) -> Result<End<'a>, Stop> {
        let Served { before, packet, .. } = served;
        let at = Some(host.id.as_str());
        let source = self.leaves_as(host, port, &served, forwarded);
        let after = match source {
            Some((source, why)) if source != packet.source => {
                let mut detail = format!("{} → {source}", packet.source);
                if !why.is_empty() {
                    detail.push_str(&format!(": {why}"));
                }
                self.hop(&host.id, at, None, HopAction::Translate, detail);
                Flow { source, ..packet }
            }
            _ => packet,
        };
        self.remember(host, before, packet, after);
        if after == before && forwarded {
            self.forwards(host);
        }
        self.leave(port, after)
    }

    /// A host remembers what it translated; a node every flow, so that answers are no new ones there.
    fn remember(&mut self, host: &Host, before: Flow, between: Flow, after: Flow) {
        let remembers = self.walker.index.node(&host.id).is_some();
        if (remembers || after != before) && self.opens(before) {
            self.state.map(&host.id, before, between, after);
        }
    }

    fn forwards(&mut self, host: &Host) {
        let at = Some(host.id.as_str());
        let detail = "it forwards the packet";
        self.hop(&host.id, at, None, HopAction::Route, detail);
    }

    /// The source that a host writes, and why where it isn't what the host does to all it forwards.
    fn leaves_as(
        &self,
        host: &'a Host,
        port: &'a Port,
        served: &Served,
        forwarded: bool,
    ) -> Option<(Ipv4Addr, &'static str)> {
        if let Some(masquerade) = self.masquerade(host, port, served, forwarded) {
            return Some(masquerade);
        }
        // An answer to nothing it knows is untranslatable, and an unmanaged host passes it as it is.
        let translates = forwarded && self.opens(served.packet);
        let translation = host.source_translation.as_ref().filter(|_| translates)?;
        Some((translation.address, ""))
    }

    fn deny(&mut self, host: &Host, why: &str) {
        let at = Some(host.id.as_str());
        self.hop(&host.id, at, None, HopAction::Deny, why);
    }
}
