//! Answers that go back to a balancer's node, whatever route tables say.
//!
//! What a node sends under another address than its own is marked in the network's connection tracking:
//! the upper bits of the flow's mark hold the node's link (the lower ones are those of filters,
//! [`crate::plan::layer`]). What answers such a flow gets the mark of a routing table that leads to that
//! link, in place of its segment's, and passes the guard of the node's port.

use super::R3;
use crate::netlink::nftables::timeout::Timeout;
use crate::netlink::nftables::{Compare, CtKey, Data, DataKind, Expression, Hook, MetaKey, Rule};
use crate::netlink::route::rule::Selector;
use crate::plan::dispatch::*;
use crate::plan::network::{everywhere, lenient_tracking};
use crate::plan::object::{Object, Place, Thing};
use crate::plan::unit::View;
use fabric::{Port, Protocol};

/// Link of a balancer's node → the mark of flows that it passed on.
pub(in crate::plan) const BALANCING: &str = "balancing";
/// Mark of such a flow → the packet's mark that selects the way back.
const STEERED: &str = "steered";
/// The bits of a flow's mark that say which node passed it on.
const SHIFT: u32 = 8;
const MASK: u32 = u32::MAX << SHIFT;

/// How long networks remember UDP flows that a node passed on, in seconds: as long as nodes do, so that
/// late answers still find their way.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html#connection-idle-timeout>
const DATAGRAMS: u32 = 120;
const REMEMBERED: &str = "steered.udp";

/// The sets that every network has for it.
pub(in crate::plan) fn sets(view: &mut View<'_>, place: &Place) {
    for set in [BALANCING, STEERED] {
        view.want_set(place, &name(set), shape(4, DataKind::Value(4), false));
    }
}

/// Loads where the packet goes back to, to the fourth register; goes on if it answers a flow that a
/// balancer's node passed on.
fn answers() -> Rule {
    let mut rule = goes(R1, true).to_vec();
    rule.extend([
        Expression::Ct(CtKey::Mark, R1),
        Expression::Bitwise {
            from: R1,
            to: R1,
            mask: MASK.to_ne_bytes().to_vec(),
            flip: vec![0; 4],
        },
        find(STEERED, R1, R3),
    ]);
    rule
}

/// The guard of nodes' ports: what answers flows that they passed on isn't for their own addresses.
pub(in crate::plan) fn arriving() -> Rule {
    let mut rule = vec![output_link(R0), find(BALANCING, R0, R2)];
    rule.extend(answers());
    rule.push(accept());
    rule
}

/// The port of a balancer's node, by its link in the network.
pub(in crate::plan) fn plan(
    view: &mut View<'_>,
    place: &Place,
    port: &Port,
    link: u32,
) -> Option<()> {
    let (host, _) = port.host.as_ref()?;
    view.balancing(host).then_some(())?;
    // Numbers are given in order from one thousand on: no lab gives sixteen million.
    let mark = link
        .checked_shl(SHIFT)
        .filter(|mark| mark >> SHIFT == link)?;
    lenient_tracking(view, place);
    view.want_element(
        place,
        &name(BALANCING),
        one(link_key(link)),
        Data::Value(number_key(mark)),
    );
    view.want_element(
        place,
        &name(STEERED),
        one(number_key(mark)),
        Data::Value(number_key(link)),
    );
    // Answers to what a node sends for itself need no such way, and a port without a guard has its
    // addresses noted for this.
    for address in &port.addresses {
        let key = link_address(link, *address);
        view.want_element(place, &name(OWN), one(key), Data::Nothing);
    }
    let selector = Selector::Mark(link);
    let table = link;
    view.want(place, Thing::Rule(link), Object::Rule { table, selector });
    view.want_route(place, table, everywhere(), 0, across(link));
    chain(view, place);
    Some(())
}

/// Sends answers back, and marks flows that a node passes on.
fn chain(view: &mut View<'_>, place: &Place) {
    let way_back = [Expression::SetMark(R3), accept()];
    let back = [&answers()[..], &way_back].concat();
    let passed_on = [
        Expression::Ct(CtKey::Mark, R1),
        Expression::Compare(R1, Compare::Equal, vec![0; 4]),
        input_link(R0),
        find(BALANCING, R0, R2),
        source(R1),
        missing(OWN, R0),
    ];
    let remembered = [
        Expression::Meta(MetaKey::Protocol, R3),
        Expression::Compare(R3, Compare::Equal, vec![Protocol::UDP.0]),
        Expression::Forget(name(REMEMBERED)),
    ];
    let policy = Object::Timeout(Timeout::Udp(DATAGRAMS));
    view.want(place, Thing::Timeout(name(REMEMBERED)), policy);
    let rules = vec![
        back,
        [&passed_on[..], &remembered].concat(),
        [&passed_on[..], &[Expression::SetCtMark(R2)]].concat(),
    ];
    let after_tracking = base(Hook::Prerouting, -150, true);
    view.want_chain(place, &name("steer"), after_tracking, rules);
}
