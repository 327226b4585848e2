//! A network: the namespace that routes and filters between its ports.
//!
//! Hooks, in the order in which a packet passes them:
//!
//! | hook | priority | chain | does |
//! | --- | --- | --- | --- |
//! | prerouting | -300 | `guard` | marks for the segment's route table; the source must be the port's own |
//! | prerouting | -150 | `steer` | sends answers back to balancers' nodes ([`super::balancer`]) |
//! | input | 0 | `input` | only what is for the network's services |
//! | forward | -10 | `guard.arriving` | the destination must be the port's own |
//! | forward | 10… | `leave.N` | layer N of the port it came from ([`super::layer`]) |
//! | forward | 30 | `leave.state` | remembers that these let the flow out |
//! | forward | 40, 41 | `boundary.out`, `boundary.in` | filters of segments ([`super::segment`]) |
//! | forward | 50… | `arrive.N` | layer N of the port it goes to, the last one first |
//! | forward | 80 | `arrive.state` | remembers that these let the flow in |
//!
//! Every stage is a base chain of its own, so that "accept" means "on to the next stage" and the
//! kernel, which follows every path through a ruleset to at most sixteen chains, finds short ones.

use super::balancer;
use super::dispatch::*;
use super::object::{Object, Place, Thing};
use super::unit::View;
use crate::netlink::nftables::{Data, DataKind, Expression, Hook, Rule};
use crate::netlink::route::route::Action;
use crate::netlink::route::rule::Selector;
use fabric::NetworkId;
use ipnet::Ipv4Net;

/// After the rules of the route tables.
const LOCAL_PRIORITY: u32 = 0x4000_0000;

/// Settings of every place that routes.
const ROUTER_SETTINGS: [(&str, &str); 7] = [
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/ip_forward", "1"),
];

/// A namespace that routes.
pub(super) fn router(view: &mut View<'_>, place: &Place) {
    view.want(place, Thing::Namespace, Object::Namespace);
    for (file, value) in ROUTER_SETTINGS {
        view.want_setting(place, file, value);
    }
    view.want(
        place,
        Thing::Address(LOOPBACK, PLACE_ADDRESS),
        Object::Address(32),
    );
}

/// Connection tracking only remembers here, it doesn't judge: what a network sees of a TCP
/// connection may be half of it (asymmetric ways), and guests have their own TCP.
pub(super) fn lenient_tracking(view: &mut View<'_>, place: &Place) {
    view.want_setting(place, "netfilter/nf_conntrack_tcp_be_liberal", "1");
}

/// The routes of everything.
pub(super) fn everywhere() -> Ipv4Net {
    Ipv4Net::default()
}

/// A set of the addresses that the network itself answers at.
pub(super) fn services(view: &mut View<'_>, place: &Place, addresses: &[std::net::Ipv4Addr]) {
    view.want_set(place, &name(SERVICES), shape(4, DataKind::Nothing, false));
    for address in addresses {
        let key = one(address.octets().to_vec());
        view.want_element(place, &name(SERVICES), key, Data::Nothing);
    }
}

pub(super) fn plan(view: &mut View<'_>, id: &NetworkId) -> Option<()> {
    let network = view.network(id)?;
    let place = &Place::Network(id.clone());
    router(view, place);
    for address in &network.services {
        view.want(
            place,
            Thing::Address(LOOPBACK, *address),
            Object::Address(32),
        );
    }
    view.want(
        place,
        Thing::Rule(LOCAL_PRIORITY),
        Object::Rule {
            table: LOCAL_TABLE,
            selector: Selector::All,
        },
    );
    view.want_route(
        place,
        LOCAL_TABLE,
        everywhere(),
        LAST_RESORT,
        Action::Blackhole,
    );
    services(view, place, &network.services);
    sets(view, place);
    view.want_chain(
        place,
        &name("guard"),
        base(Hook::Prerouting, -300, false),
        leaving(),
    );
    view.want_chain(
        place,
        &name("guard.arriving"),
        base(Hook::Forward, -10, false),
        arriving(),
    );
    view.want_chain(
        place,
        &name("input"),
        base(Hook::Input, 0, false),
        vec![vec![destination(R0), found(SERVICES, R0), accept()]],
    );
    Some(())
}

fn sets(view: &mut View<'_>, place: &Place) {
    view.want_set(place, &name(SEGMENTS), shape(4, DataKind::Value(4), false));
    view.want_set(place, &name(TABLES), shape(4, DataKind::Value(4), false));
    view.want_set(place, &name(INSIDE), shape(8, DataKind::Nothing, false));
    view.want_set(place, &name(OWN), shape(8, DataKind::Nothing, false));
    view.want_set(place, &name(OWN_RANGES), shape(8, DataKind::Nothing, true));
    view.want_set(place, &name(UNGUARDED), shape(4, DataKind::Nothing, false));
    balancer::steering_sets(view, place);
    // What this namespace sends to itself.
    view.want_element(
        place,
        &name(UNGUARDED),
        one(link_key(LOOPBACK)),
        Data::Nothing,
    );
}

fn leaving() -> Vec<Rule> {
    let mark = vec![
        input_link(R0),
        find(SEGMENTS, R0, R1),
        find(TABLES, R1, R2),
        Expression::SetMark(R2),
    ];
    let mut rules = vec![mark];
    rules.extend(owned([input_link(R0), source(R1)]));
    // A balancer's node sends under its clients' addresses.
    rules.push(vec![
        input_link(R0),
        find(balancer::BALANCING, R0, R1),
        accept(),
    ]);
    rules
}

fn arriving() -> Vec<Rule> {
    let mut rules = owned([output_link(R0), destination(R1)]);
    rules.push(balancer::arriving());
    rules
}

/// Lets on what has an address of the link's own, and all of unguarded links.
fn owned([link, address]: [Expression; 2]) -> Vec<Rule> {
    let own = |set| vec![link.clone(), address.clone(), found(set, R0), accept()];
    vec![
        own(OWN),
        vec![link.clone(), found(UNGUARDED, R0), accept()],
        own(OWN_RANGES),
    ]
}
