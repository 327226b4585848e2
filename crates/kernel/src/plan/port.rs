//! A port: the link between a host and its network, what identifies it there, and its filters.
//!
//! Of a port that is attached to no running host the network only knows that its addresses lead
//! nowhere.

use super::balancer;
use super::dispatch::*;
use super::number::{End, Numbered, PortLink};
use super::object::{Link, Object, Place, Thing};
use super::unit::View;
use super::{layer, nic};
use crate::netlink::nftables::Data;
use crate::netlink::nftables::set::Keys;
use crate::netlink::route::route::Action;
use fabric::{Mac, Network, Port, PortId, Segment};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

impl PortLink {
    /// An end of a port's link. It has one if it is attached to a running host and its network and
    /// segment are there.
    pub(super) fn of(view: &mut View<'_>, port: &Port, end: End) -> Option<Self> {
        let (host, device) = port.host.clone()?;
        view.host(&host)?.running.then_some(())?;
        view.network(&port.network)?;
        let segment = view.segment(&port.segment)?;
        (segment.network == port.network).then_some(())?;
        Some(Self {
            port: port.id.clone(),
            host,
            device,
            mac: port.mac,
            guard: port.guard,
            segment: port.segment.clone(),
            end,
        })
    }
}

/// The address that a port's host sees as its router: the segment's gateway, unless there is none
/// or it is the port's own. (Clouds reserve gateways' addresses, but a place on the internet may have
/// any; that another port of the same host has it is ruled out.)
pub(super) fn router_address(segment: &Segment, port: &Port) -> Ipv4Addr {
    segment
        .gateway_address()
        .filter(|gateway| !port.addresses.contains(gateway))
        .unwrap_or(PEER)
}

pub(super) fn plan(view: &mut View<'_>, id: &PortId) -> Option<()> {
    let port = view.port(id)?;
    let network = view.network(&port.network)?;
    let segment = view.segment(&port.segment)?;
    if number(view, port, End::Network).is_none() {
        reachable(view, port, &Action::Blackhole);
        return None;
    }
    in_network(view, port)?;
    in_host(view, port, segment)?;
    if port.guard {
        let place = Place::Network(port.network.clone());
        connect(view, port, network, End::Network, &place, End::Far)?;
        let link = number(view, port, End::Network)?;
        layer::plan(view, &place, link, port, false);
    } else {
        nic::plan(view, port, network)?;
    }
    Some(())
}

/// The index of an end of the port's link.
pub(super) fn number(view: &mut View<'_>, port: &Port, end: End) -> Option<u32> {
    let link = PortLink::of(view, port, end)?;
    Some(view.number(Numbered::PortLink(link)))
}

/// A link from one end to another.
pub(super) fn connect(
    view: &mut View<'_>,
    port: &Port,
    network: &Network,
    near: End,
    near_place: &Place,
    far: End,
) -> Option<()> {
    let near_index = number(view, port, near)?;
    let far_index = number(view, port, far)?;
    let (host, device) = port.host.clone()?;
    let (far_place, far_name, far_mac) = match far {
        End::Far => (Place::Host(host), format!("eth{device}"), port.mac),
        _ => (Place::Nic(port.id.clone()), "net".to_owned(), ROUTER_MAC),
    };
    let name = match near {
        End::NicToHost => "host".to_owned(),
        _ => format!("p{near_index}"),
    };
    let link = Link {
        name,
        mac: ROUTER_MAC,
        far: far_place,
        far_index,
        far_name,
        far_mac,
        mtu: network.mtu,
        id: label(port.id.as_str(), LONGEST_LINK_NAME),
    };
    view.want(near_place, Thing::Link(near_index), Object::Link(link));
    Some(())
}

/// What the network knows of the port, by its link.
fn in_network(view: &mut View<'_>, port: &Port) -> Option<()> {
    let place = &Place::Network(port.network.clone());
    let link = number(view, port, End::Network)?;
    let mac: Mac = if port.guard { port.mac } else { ROUTER_MAC };
    view.want(place, Thing::Neighbour(link, PEER), Object::Neighbour(mac));
    reachable(view, port, &across(link));
    let segment = number_key(view.number(Numbered::Segment(port.segment.clone())));
    view.want_element(
        place,
        &name(INSIDE),
        one([segment.clone(), link_key(link)].concat()),
        Data::Nothing,
    );
    view.want_element(
        place,
        &name(SEGMENTS),
        one(link_key(link)),
        Data::Value(segment),
    );
    if port.guard {
        guard(view, place, port, link);
    } else {
        view.want_element(place, &name(UNGUARDED), one(link_key(link)), Data::Nothing);
    }
    layer::always_tracked(view, place, port, link);
    balancer::plan_steering(view, place, port, link);
    Some(())
}

/// Where the network sends what is for the port's addresses.
fn reachable(view: &mut View<'_>, port: &Port, action: &Action) {
    let place = &Place::Network(port.network.clone());
    let addresses = port.addresses.iter().copied().map(Ipv4Net::from);
    for range in addresses.chain(port.prefixes.iter().copied()) {
        view.want_route(place, LOCAL_TABLE, range, 0, action.clone());
    }
}

/// The addresses that the port may send from and is sent to.
fn guard(view: &mut View<'_>, place: &Place, port: &Port, link: u32) {
    for address in &port.addresses {
        let key = link_address(link, *address);
        view.want_element(place, &name(OWN), one(key), Data::Nothing);
    }
    for prefix in &port.prefixes {
        // One address more costs a hash, one range more a search tree's part.
        if prefix.prefix_len() == 32 {
            let key = link_address(link, prefix.addr());
            view.want_element(place, &name(OWN), one(key), Data::Nothing);
            continue;
        }
        let keys = Keys::Range(
            link_address(link, prefix.network()),
            link_address(link, prefix.broadcast()),
        );
        view.want_element(place, &name(OWN_RANGES), keys, Data::Nothing);
    }
}

/// The host's end: its addresses with the segment's real prefix length, and its router.
fn in_host(view: &mut View<'_>, port: &Port, segment: &Segment) -> Option<()> {
    let (host, _) = port.host.clone()?;
    let place = &Place::Host(host);
    let link = number(view, port, End::Far)?;
    for address in &port.addresses {
        let length = segment
            .prefixes
            .iter()
            .find(|prefix| prefix.contains(address))
            .map_or(32, Ipv4Net::prefix_len);
        view.want(
            place,
            Thing::Address(link, *address),
            Object::Address(length),
        );
    }
    view.want(
        place,
        Thing::Neighbour(link, router_address(segment, port)),
        Object::Neighbour(ROUTER_MAC),
    );
    Some(())
}
