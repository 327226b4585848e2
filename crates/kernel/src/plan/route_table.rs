//! A route table: a table of the kernel, selected by a mark.

use super::dispatch::*;
use super::gateway::joins;
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
    let number = selected(view, place, id);
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

/// The number of a table, which is also the mark that selects it. Whoever marks packets for a table
/// wants it to be there, dropping everything, even where the fabric lacks it.
pub(super) fn selected(view: &mut View<'_>, place: &Place, id: &RouteTableId) -> u32 {
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
    number
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
    link.map_or(Action::Blackhole, across)
}

/// Through a gateway that joins this network; nowhere otherwise.
fn towards_gateway(view: &mut View<'_>, network: &NetworkId, id: &GatewayId) -> Action {
    let side = view.gateway(id).and_then(|gateway| {
        let GatewayKind::Internet(internet) = &gateway.kind;
        joins(view, internet)?;
        if internet.inside == *network {
            Some(Side::Inside)
        } else {
            (internet.outside == *network).then_some(Side::Outside)
        }
    });
    side.map_or(Action::Blackhole, |side| {
        across(view.number(Numbered::GatewayLink(id.clone(), side, End::Network)))
    })
}
