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
use crate::netlink::nftables::Hook;
use crate::netlink::route::route::Action;
use crate::netlink::route::rule::Selector;
use fabric::{Network, Port};

const TO_NETWORK: u32 = 1;
const TO_HOST: u32 = 2;

pub(super) fn plan(view: &mut View<'_>, port: &Port, network: &Network) -> Option<()> {
    let place = &Place::Nic(port.id.clone());
    router(view, place);
    let in_network = Place::Network(port.network.clone());
    connect(view, port, network, End::Network, &in_network, End::NicToNetwork)?;
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
        let action = Action::Via { link, via: PEER };
        view.want_route(place, table, everywhere(), 0, action);
        view.want(place, Thing::Neighbour(link, PEER), Object::Neighbour(mac));
    }
    services(view, place, &network.services);
    view.want_chain(
        place,
        &name("input"),
        base(Hook::Input, 0, false),
        Vec::new(),
    );
    layer::plan(view, place, host_link, port, true);
    layer::always_tracked(view, place, port, host_link);
    Some(())
}
