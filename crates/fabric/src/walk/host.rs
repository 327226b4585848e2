//! Hosts: how they send, take, forward and translate.

use super::journey::{End, Journey, Stop};
use crate::{DropReason, Flow, HopAction, Host, HostRoute, Port, SourceTranslation};

/// The route that a host takes for a packet.
pub(super) fn route(host: &Host, packet: Flow) -> Option<&HostRoute> {
    let matching = host
        .routes
        .iter()
        .filter(|route| route.matches(packet.source, packet.destination));
    matching.reduce(|best, route| if route.beats(best) { route } else { best })
}

impl<'a> Journey<'_, 'a> {
    /// A host sends a packet of its own.
    pub(super) fn send(&mut self, host: &'a Host, packet: Flow) -> Result<End<'a>, Stop> {
        let cannot = |why: &str| DropReason::HostCannotSend {
            host: host.id.clone(),
            why: why.to_owned(),
        };
        if !host.running {
            self.hop(
                &host.id,
                Some(host.id.as_str()),
                None,
                HopAction::Deny,
                "it isn't running",
            );
            return Err(cannot("it isn't running").into());
        }
        self.depart(host, packet)
    }

    /// A packet leaves a host by the port that its routes choose.
    fn depart(&mut self, host: &'a Host, packet: Flow) -> Result<End<'a>, Stop> {
        let port = route(host, packet).and_then(|route| self.walker.fabric.ports.get(&route.port));
        let port = port.filter(|port| port.host.as_ref().is_some_and(|(id, _)| *id == host.id));
        let Some(port) = port else {
            let why = format!("it has no route to {}", packet.destination);
            self.hop(
                &host.id,
                Some(host.id.as_str()),
                None,
                HopAction::Deny,
                &why,
            );
            return Err(DropReason::HostCannotSend {
                host: host.id.clone(),
                why,
            }
            .into());
        };
        self.leave(port, packet)
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
        if let Some(original) = self.state.unmap(&host.id, packet) {
            let detail = format!("{} → {}", packet.destination, original.destination);
            self.hop(
                &host.id,
                Some(host.id.as_str()),
                None,
                HopAction::Translate,
                detail,
            );
            return self.depart(host, original);
        }
        if self.takes(host, packet) {
            return self.deliver(host, packet);
        }
        self.forward(host, packet)
    }

    /// Whether a packet is for the host itself.
    fn takes(&self, host: &Host, packet: Flow) -> bool {
        let own = |port: &&Port| port.addresses.contains(&packet.destination);
        self.walker.index.ports_of(&host.id).iter().any(own)
            || host
                .answers
                .iter()
                .any(|range| range.contains(&packet.destination))
    }

    fn deliver(&mut self, host: &'a Host, packet: Flow) -> Result<End<'a>, Stop> {
        if host
            .source_translation
            .as_ref()
            .is_some_and(|translation| translation.managed)
        {
            self.hop(
                &host.id,
                Some(host.id.as_str()),
                None,
                HopAction::Deny,
                "nothing inside asked for this packet",
            );
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

    fn forward(&mut self, host: &'a Host, packet: Flow) -> Result<End<'a>, Stop> {
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
            self.hop(
                &host.id,
                Some(host.id.as_str()),
                None,
                HopAction::Deny,
                detail,
            );
            return Err(DropReason::NotForwarding {
                host: host.id.clone(),
                destination: packet.destination,
            }
            .into());
        }
        match &host.source_translation {
            Some(translation) => self.translate(host, translation, packet),
            None => {
                self.hop(
                    &host.id,
                    Some(host.id.as_str()),
                    None,
                    HopAction::Route,
                    "it forwards the packet",
                );
                self.depart(host, packet)
            }
        }
    }

    fn translate(
        &mut self,
        host: &'a Host,
        translation: &SourceTranslation,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        let opens = self.opens(packet);
        if translation.managed && (!translation.carries(&packet.transport) || !opens) {
            let why = if opens {
                "it translates only TCP, UDP and ICMP echo"
            } else {
                "it has no connection for this packet"
            };
            self.hop(&host.id, Some(host.id.as_str()), None, HopAction::Deny, why);
            return Err(DropReason::NoMapping {
                host: host.id.clone(),
                packet,
            }
            .into());
        }
        // An answer to nothing it knows is untranslatable, and an unmanaged host passes it as it is.
        if !opens {
            self.hop(
                &host.id,
                Some(host.id.as_str()),
                None,
                HopAction::Route,
                "it forwards the packet",
            );
            return self.depart(host, packet);
        }
        let after = Flow {
            source: translation.address,
            ..packet
        };
        self.state.map(&host.id, packet, after);
        let detail = format!("{} → {}", packet.source, after.source);
        self.hop(
            &host.id,
            Some(host.id.as_str()),
            None,
            HopAction::Translate,
            detail,
        );
        self.depart(host, after)
    }
}
