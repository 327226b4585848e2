//! The nic of an unguarded port: a namespace between the host and the network with the port's
//! filters.
//!
//! An appliance sends a flow on that it received: the network then sees one tuple twice, and a shared
//! connection tracking would take the second pass for established. In the nic each pass is looked
//! at as the port's own.

use super::dispatch::*;
use super::layer;
use super::network::{everywhere, router, services};
use super::number::End;
use super::object::{Object, Place, Thing};
use super::port::{connect, number};
use super::unit::View;
use crate::netlink::nftables::expression::Header;
use crate::netlink::nftables::{Data, DataKind, Expression, Hook};
use crate::netlink::route::rule::Selector;
use fabric::{Network, Port};

const TO_NETWORK: u32 = 1;
const TO_HOST: u32 = 2;

pub(super) fn plan(view: &mut View<'_>, port: &Port, network: &Network) -> Option<()> {
    let place = &Place::Nic(port.id.clone());
    router(view, place);
    let in_network = Place::Network(port.network.clone());
    connect(
        view,
        port,
        network,
        End::Network,
        &in_network,
        End::NicToNetwork,
    )?;
    connect(view, port, network, End::NicToHost, place, End::Far)?;
    let host_link = number(view, port, End::NicToHost)?;
    let network_link = number(view, port, End::NicToNetwork)?;
    for (table, input, link, mac) in [
        (TO_NETWORK, "host", network_link, ROUTER_MAC),
        (TO_HOST, "net", host_link, port.mac),
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
        view.want(place, Thing::Neighbour(link, PEER), Object::Neighbour(mac));
    }
    services(view, place, &network.services);
    view.want_chain(
        place,
        &name("input"),
        base(Hook::Input, 0, false),
        Vec::new(),
    );
    preserve_hops(view, place);
    layer::plan(view, place, host_link, port, true);
    layer::always_tracked(view, place, port, host_link);
    Some(())
}

/// Time to live → one more.
const ONE_MORE: &str = "ttl";
/// Where an IP header has its time to live and its checksum.
const TIME_TO_LIVE: u32 = 8;
const CHECKSUM: u32 = 10;

/// The network's services count hops from the port's link (IMDSv2's hop limit): what they send gets
/// back the hop that the nic takes.
fn preserve_hops(view: &mut View<'_>, place: &Place) {
    view.want_set(place, &name(ONE_MORE), shape(1, DataKind::Value(1), false));
    for hops in 1..=64u8 {
        view.want_element(
            place,
            &name(ONE_MORE),
            one(vec![hops]),
            Data::Value(vec![hops + 1]),
        );
    }
    let rule = vec![
        source(R0),
        found(SERVICES, R0),
        Expression::Payload {
            header: Header::Network,
            offset: TIME_TO_LIVE,
            length: 1,
            to: R0,
        },
        find(ONE_MORE, R0, R1),
        Expression::Write {
            header: Header::Network,
            offset: TIME_TO_LIVE,
            length: 1,
            from: R1,
            checksum: CHECKSUM,
            pseudo_header: false,
        },
    ];
    view.want_chain(
        place,
        &name("hops"),
        base(Hook::Prerouting, -300, true),
        vec![rule],
    );
}
