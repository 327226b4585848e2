//! A route table: a table of the kernel, selected by a mark.

use super::dispatch::*;
use super::network::everywhere;
use super::number::{End, Numbered, PortLink, Side};
use super::object::{Object, Place, Thing};
use super::unit::View;
use crate::netlink::route::route::Action;
use crate::netlink::route::rule::Selector;
use fabric::{GatewayId, GatewayKind, NetworkId, PortId, RouteTableId, Target};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

pub(super) fn plan(view: &mut View<'_>, id: &RouteTableId) -> Option<()> {
    let table = view.route_table(id)?;
    view.network(&table.network)?;
    let place = &Place::Network(table.network.clone());
    let number = view.number(Numbered::RouteTable(id.clone()));
    view.want(
        place,
        Thing::Rule(number),
        Object::Rule {
            table: number,
            selector: Selector::Mark(number),
        },
    );
    view.want_route(place, number, everywhere(), LAST_RESORT, Action::Blackhole);
    let prefixes: BTreeSet<Ipv4Net> = table.routes.iter().map(|route| route.prefix).collect();
    for prefix in prefixes {
        let best = table
            .routes
            .iter()
            .filter(|route| route.prefix == prefix)
            .min_by_key(|route| route.preference)?;
        let action = match &best.target {
            Target::Local => Action::Throw,
            Target::Port(port) => towards_port(view, &table.network, port),
            Target::Gateway(gateway) => towards_gateway(view, &table.network, gateway),
            Target::Drop(_) => Action::Blackhole,
        };
        view.want_route(place, number, prefix, 0, action);
    }
    Some(())
}

/// To a port that is attached to a running host; nowhere otherwise.
fn towards_port(view: &mut View<'_>, network: &NetworkId, id: &PortId) -> Action {
    let link = view
        .port(id)
        .filter(|port| port.network == *network)
        .and_then(|port| {
            let link = PortLink::of(view, port, End::Network)?;
            Some(view.number(Numbered::PortLink(link)))
        });
    link.map_or(Action::Blackhole, |link| Action::Via { link, via: PEER })
}

/// Through a gateway that joins this network; nowhere otherwise.
fn towards_gateway(view: &mut View<'_>, network: &NetworkId, id: &GatewayId) -> Action {
    let side = view.gateway(id).and_then(|gateway| match &gateway.kind {
        GatewayKind::Internet(internet) if internet.inside == *network => Some(Side::Inside),
        GatewayKind::Internet(internet) if internet.outside == *network => Some(Side::Outside),
        GatewayKind::Internet(_) => None,
    });
    side.map_or(Action::Blackhole, |side| Action::Via {
        link: view.number(Numbered::GatewayLink(id.clone(), side, End::Network)),
        via: PEER,
    })
}
