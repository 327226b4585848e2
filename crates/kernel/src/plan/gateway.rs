//! A gateway to the internet: a namespace between two networks that translates 1:1.
//!
//! The translation is stateless: nothing here mentions connection tracking, so a changed translation
//! holds for the next packet of every flow. Destinations are translated before routing, sources
//! after it, so that ICMP errors that the gateway makes (a packet too big for the internet) show the
//! sender its own packet. ICMP errors that pass are translated inside too: the address in the packet
//! they quote is changed together with that packet's header checksum, which leaves the ICMP checksum
//! as it was.

use super::dispatch::*;
use super::network::{everywhere, router};
use super::number::{End, Numbered, Side};
use super::object::{Link, Object, Place, Thing};
use super::route_table;
use super::unit::View;
use crate::netlink::nftables::expression::Header;
use crate::netlink::nftables::{Compare, Data, DataKind, Expression, Hook, MetaKey, Rule};
use crate::netlink::route::rule::Selector;
use fabric::{GatewayId, GatewayKind, InternetGateway, NetworkId};
use ipnet::Ipv4Net;

const TO_OUTSIDE: u32 = 1;
const TO_INSIDE: u32 = 2;
const MAIN: u32 = 254;
/// Private address → public address.
const PUBLIC: &str = "public";
/// Public address → private address.
const PRIVATE: &str = "private";
/// The ICMP types that quote a packet.
const ERRORS: &str = "errors";
const ICMP: u8 = 1;
/// Destination unreachable, time exceeded, parameter problem.
const ERROR_TYPES: [u8; 3] = [3, 11, 12];
/// Where an IP header has its checksum and addresses, and how long an ICMP error's own header is.
const CHECKSUM: u32 = 10;
const SOURCE: u32 = 12;
const DESTINATION: u32 = 16;
const ICMP_HEADER: u32 = 8;

pub(super) fn plan(view: &mut View<'_>, id: &GatewayId) -> Option<()> {
    let gateway = view.gateway(id)?;
    let GatewayKind::Internet(internet) = &gateway.kind;
    joins(view, internet)?;
    let place = &Place::Gateway(id.clone());
    router(view, place);
    let inside = side(view, id, internet, Side::Inside, &internet.inside);
    let outside = side(view, id, internet, Side::Outside, &internet.outside);
    for (table, input, link) in [
        (TO_OUTSIDE, "inside", outside),
        (TO_INSIDE, "outside", inside),
    ] {
        view.want(
            place,
            Thing::Rule(table),
            Object::Rule {
                table,
                selector: Selector::Input(input),
            },
        );
        view.want_route(place, table, everywhere(), 0, across(link));
    }
    // What the gateway itself says goes inside only.
    view.want(
        place,
        Thing::Rule(MAIN),
        Object::Rule {
            table: TO_INSIDE,
            selector: Selector::All,
        },
    );
    edge(view, id, internet);
    translations(view, id, internet);
    chains(view, place, inside, outside);
    Some(())
}

/// Whether a gateway joins two networks that are there.
pub(super) fn joins(view: &mut View<'_>, gateway: &InternetGateway) -> Option<()> {
    view.network(&gateway.inside)?;
    view.network(&gateway.outside)?;
    (gateway.inside != gateway.outside).then_some(())
}

/// One of the gateway's two links, and what the network there knows of it.
fn side(
    view: &mut View<'_>,
    id: &GatewayId,
    gateway: &InternetGateway,
    side: Side,
    network: &NetworkId,
) -> u32 {
    let near_place = &Place::Network(network.clone());
    let place = &Place::Gateway(id.clone());
    let near = view.number(Numbered::GatewayLink(id.clone(), side, End::Network));
    let far = view.number(Numbered::GatewayLink(id.clone(), side, End::Far));
    let far_name = match side {
        Side::Inside => "inside",
        Side::Outside => "outside",
    };
    let link = Link {
        name: format!("g{near}"),
        mac: ROUTER_MAC,
        far: place.clone(),
        far_index: far,
        far_name: far_name.to_owned(),
        far_mac: ROUTER_MAC,
        mtu: gateway.mtu,
        id: label(id.as_str(), LONGEST_LINK_NAME),
    };
    view.want(near_place, Thing::Link(near), Object::Link(link));
    for (place, link) in [(near_place, near), (place, far)] {
        let neighbour = Object::Neighbour(ROUTER_MAC);
        view.want(place, Thing::Neighbour(link, PEER), neighbour);
    }
    view.want_element(
        near_place,
        &name(UNGUARDED),
        one(link_key(near)),
        Data::Nothing,
    );
    far
}

/// The table that routes what comes in from outside, where there is one.
fn edge(view: &mut View<'_>, id: &GatewayId, gateway: &InternetGateway) -> Option<()> {
    let table = gateway.route_table.as_ref()?;
    let place = &Place::Network(gateway.inside.clone());
    let link = view.number(Numbered::GatewayLink(
        id.clone(),
        Side::Inside,
        End::Network,
    ));
    let edge = number_key(view.number(Numbered::Edge(id.clone())));
    let table = number_key(route_table::selected(view, place, table));
    view.want_element(
        place,
        &name(SEGMENTS),
        one(link_key(link)),
        Data::Value(edge.clone()),
    );
    view.want_element(place, &name(TABLES), one(edge), Data::Value(table));
    Some(())
}

fn translations(view: &mut View<'_>, id: &GatewayId, gateway: &InternetGateway) {
    let place = &Place::Gateway(id.clone());
    let outside = &Place::Network(gateway.outside.clone());
    let link = view.number(Numbered::GatewayLink(
        id.clone(),
        Side::Outside,
        End::Network,
    ));
    for map in [PUBLIC, PRIVATE] {
        view.want_set(place, &name(map), shape(4, DataKind::Value(4), false));
    }
    for (private, public) in &gateway.translations {
        let (inner, outer) = (private.octets().to_vec(), public.octets().to_vec());
        view.want_element(
            place,
            &name(PUBLIC),
            one(inner.clone()),
            Data::Value(outer.clone()),
        );
        view.want_element(place, &name(PRIVATE), one(outer), Data::Value(inner));
        view.want_route(
            outside,
            LOCAL_TABLE,
            Ipv4Net::from(*public),
            0,
            across(link),
        );
    }
}

fn chains(view: &mut View<'_>, place: &Place, inside: u32, outside: u32) {
    view.want_set(place, &name(ERRORS), shape(1, DataKind::Nothing, false));
    for kind in ERROR_TYPES {
        view.want_element(place, &name(ERRORS), one(vec![kind]), Data::Nothing);
    }
    let from = |link: u32| {
        [
            input_link(R0),
            Expression::Compare(R0, Compare::Equal, link_key(link)),
        ]
    };
    let to_outside = [
        output_link(R0),
        Expression::Compare(R0, Compare::Equal, link_key(outside)),
    ];
    let before = vec![
        [&from(outside)[..], &quoted(PRIVATE, SOURCE)].concat(),
        [
            &from(outside)[..],
            &translate(PRIVATE, DESTINATION),
            &[accept()][..],
        ]
        .concat(),
        [
            &from(inside)[..],
            &[source(R0), find(PUBLIC, R0, R1), accept()],
        ]
        .concat(),
    ];
    let after = vec![
        [&to_outside[..], &quoted(PUBLIC, DESTINATION)].concat(),
        [&to_outside[..], &translate(PUBLIC, SOURCE), &[accept()][..]].concat(),
        [
            &[output_link(R0)][..],
            &[
                Expression::Compare(R0, Compare::Equal, link_key(inside)),
                accept(),
            ],
        ]
        .concat(),
    ];
    view.want_chain(
        place,
        &name("arriving"),
        base(Hook::Prerouting, -300, false),
        before,
    );
    view.want_chain(
        place,
        &name("leaving"),
        base(Hook::Postrouting, 300, false),
        after,
    );
    view.want_chain(
        place,
        &name("input"),
        base(Hook::Input, 0, false),
        Vec::new(),
    );
}

/// Translates an address of the packet's own header; goes on if the map has it.
fn translate(map: &str, offset: u32) -> Rule {
    rewrite(map, Header::Network, 0, offset, true)
}

/// Translates an address in the packet that an ICMP error quotes; goes on if it is such an error and
/// the map has the address.
fn quoted(map: &str, offset: u32) -> Rule {
    let mut rule = vec![
        Expression::Meta(MetaKey::Protocol, R0),
        Expression::Compare(R0, Compare::Equal, vec![ICMP]),
        Expression::Payload {
            header: Header::Transport,
            offset: 0,
            length: 1,
            to: R0,
        },
        found(ERRORS, R0),
    ];
    rule.extend(rewrite(map, Header::Transport, ICMP_HEADER, offset, false));
    rule
}

fn rewrite(map: &str, header: Header, start: u32, offset: u32, pseudo_header: bool) -> Rule {
    let (offset, checksum) = (start + offset, start + CHECKSUM);
    vec![
        Expression::Payload {
            header,
            offset,
            length: 4,
            to: R0,
        },
        find(map, R0, R1),
        Expression::Write {
            header,
            offset,
            length: 4,
            from: R1,
            checksum,
            pseudo_header,
        },
    ]
}
