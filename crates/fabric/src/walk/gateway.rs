//! Gateways: from one network into another.

use super::journey::{End, Journey, Stop};
use crate::{
    DropReason, Flow, Gateway, GatewayId, GatewayKind, HopAction, InternetGateway, NetworkId,
};

impl<'a> Journey<'_, 'a> {
    /// A packet leaves a network by a gateway that a route named.
    pub(super) fn gateway(
        &mut self,
        network: &'a NetworkId,
        gateway: &'a Gateway,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        let GatewayKind::Internet(internet) = &gateway.kind;
        if internet.inside == *network {
            self.outward(&gateway.id, internet, packet)
        } else if internet.outside == *network {
            self.inward(&gateway.id, internet, packet)
        } else {
            self.hop(
                &gateway.id,
                Some(gateway.id.as_str()),
                None,
                HopAction::Deny,
                format!("not attached to {network}"),
            );
            Err(DropReason::NotAttached {
                gateway: gateway.id.clone(),
            }
            .into())
        }
    }

    /// Out to the internet, under the public address.
    fn outward(
        &mut self,
        id: &'a GatewayId,
        gateway: &'a InternetGateway,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        self.passes(id, packet)?;
        let Some(public) = gateway.translations.get(&packet.source) else {
            return Err(self.untranslatable(id, packet.source));
        };
        self.translated(id, packet.source, *public);
        self.enter(
            &gateway.outside,
            None,
            Flow {
                source: *public,
                ..packet
            },
        )
    }

    /// In from the internet, to the private address.
    pub(super) fn inward(
        &mut self,
        id: &'a GatewayId,
        gateway: &'a InternetGateway,
        packet: Flow,
    ) -> Result<End<'a>, Stop> {
        self.passes(id, packet)?;
        let owner = self
            .walker
            .index
            .owner(&gateway.outside, packet.destination);
        let private = match owner {
            Some(super::index::Owner::Gateway(translation)) if translation.id == id => {
                translation.private
            }
            _ => return Err(self.untranslatable(id, packet.destination)),
        };
        self.translated(id, packet.destination, private);
        let table = gateway.route_table.as_ref();
        self.enter(
            &gateway.inside,
            table,
            Flow {
                destination: private,
                ..packet
            },
        )
    }

    fn translated(
        &mut self,
        id: &GatewayId,
        before: std::net::Ipv4Addr,
        after: std::net::Ipv4Addr,
    ) {
        self.hop(
            id,
            Some(id.as_str()),
            None,
            HopAction::Translate,
            format!("{before} → {after}"),
        );
    }

    fn untranslatable(&mut self, id: &GatewayId, address: std::net::Ipv4Addr) -> Stop {
        self.hop(
            id,
            Some(id.as_str()),
            None,
            HopAction::Deny,
            format!("{address} has no public address"),
        );
        DropReason::NoTranslation {
            gateway: id.clone(),
            address,
        }
        .into()
    }
}
