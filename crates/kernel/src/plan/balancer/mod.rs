//! Balancers' nodes that pass packets on.
//!
//! In the node's own namespace a packet that opens a flow to one of its addresses is given to a member:
//!
//! | hook | priority | chain | does |
//! | --- | --- | --- | --- |
//! | prerouting | -100 | `prerouting` | the listener's pool: a member becomes the destination |
//! | forward | 0 | `forward` | only what was given to a member, and answers |
//! | postrouting | 100 | `postrouting` | sources that must become the node's |
//!
//! All of them but `forward` see a flow's first packet only; connection tracking translates the rest, so
//! a flow keeps its member whatever changes. Listeners and members are elements of maps: a flow costs
//! the same whatever their number, and a member more or less is a few elements.
//!
//! In the network's namespace ([`steer`]) flows that a node passed on under their clients' addresses are
//! marked as they come in, so that their answers go back to the node.

mod difference;
mod idle;
mod listener;
mod pool;
mod steer;

use super::dispatch::*;
use super::network::lenient_tracking;
use super::object::Place;
use super::unit::View;
use crate::netlink::nftables::expression::Header;
use crate::netlink::nftables::{
    Base, Compare, CtKey, Data, DataKind, Expression, Hook, MetaKey, Register, Rule, SetShape,
    Verdict,
};
pub(super) use difference::{Balancing, changed};
use fabric::{BalancerId, HostId};
pub(super) use idle::{Idle, plan_idle};
pub(super) use listener::plan_listener;
pub(super) use pool::{Draw, plan_draw, plan_members};
pub(super) use steer::{BALANCING, arriving, plan as plan_steering, sets as steering_sets};

/// Transport and port → the pool's number, and that of when flows are forgotten.
const LISTENERS: &str = "listeners";
/// When flows are forgotten, by number → the chain that sees to it.
const IDLES: &str = "idles";
/// Pool → the number of the way to its members.
const POOLS: &str = "pools";
/// Number of a way → the chain that goes it.
const WAYS: &str = "ways";
/// Pool and seat → member.
const MEMBERS: &str = "members";
/// Pools whose members see the node's address.
const MASKED: &str = "masked";
/// Pool and client → member, for a time.
const AFFINITY: &str = "affinity";
/// Pool and member: where clients may stay.
const STAYING: &str = "staying";
/// How many clients stay with their members; beyond, flows are shared out as they come.
const MOST_CLIENTS: u32 = 1 << 18;
/// The way of pools without members: packets vanish. Ways to members have larger numbers.
const NOWHERE: u32 = 1;

/// conntrack's status bit of a translated destination.
const DESTINATION_TRANSLATED: u32 = 1 << 5;
/// `RTN_LOCAL`.
const LOCAL: u32 = 2;

const R3: Register = Register(3);
const R4: Register = Register(4);

/// The place of a node that runs.
fn place_of(view: &mut View<'_>, host: &HostId) -> Option<Place> {
    view.host(host)?.running.then(|| Place::Host(host.clone()))
}

/// What holds for all of a node's listeners.
pub(super) fn plan_node(view: &mut View<'_>, id: &BalancerId, host: &HostId) -> Option<()> {
    view.balancer_node(id, host)?;
    let place = &place_of(view, host)?;
    // The host itself says that it doesn't forward, and is asked after this.
    view.want_setting(place, "ipv4/ip_forward", "1");
    lenient_tracking(view, place);
    sets(view, place);
    let nat = |hook, priority| {
        Some(Base {
            hook,
            priority,
            translates: true,
            passes: true,
        })
    };
    let taken = [&for_itself()[..], &to_pool(LISTENERS_KEY)].concat();
    let remembered = [&taken[..], &[decide(IDLES, R3)]].concat();
    let given = [&taken[..], &[find(POOLS, R2, R4), decide(WAYS, R4)]].concat();
    let prerouting = nat(Hook::Prerouting, -100);
    view.want_chain(
        place,
        &name("prerouting"),
        prerouting,
        vec![remembered, given],
    );
    let passed_on = [&passed_on()[..], &[accept()]].concat();
    let forward = base(Hook::Forward, 0, false);
    view.want_chain(place, &name("forward"), forward, vec![passed_on]);
    view.want_chain(
        place,
        &name("postrouting"),
        nat(Hook::Postrouting, 100),
        vec![masquerading()],
    );
    let nowhere = one(number_key(NOWHERE));
    let vanish = Data::Verdict(Verdict::Drop);
    view.want_element(place, &name(WAYS), nowhere, vanish);
    Some(())
}

fn sets(view: &mut View<'_>, place: &Place) {
    let (verdict, nothing) = (DataKind::Verdict, DataKind::Nothing);
    let learning = SetShape {
        learns: Some(MOST_CLIENTS),
        ..shape(8, DataKind::Value(8), false)
    };
    for (set, shape) in [
        (LISTENERS, shape(8, DataKind::Value(8), true)),
        (POOLS, shape(4, DataKind::Value(4), false)),
        (WAYS, shape(4, verdict, false)),
        (IDLES, shape(4, verdict, false)),
        (MEMBERS, shape(8, DataKind::Value(8), false)),
        (MASKED, shape(4, nothing, false)),
        (AFFINITY, learning),
        (STAYING, shape(12, nothing, false)),
    ] {
        view.want_set(place, &name(set), shape);
    }
}

/// A flow as listeners know it: its transport and port, four bytes each, of the packet itself.
const LISTENERS_KEY: [Expression; 2] = [
    Expression::Meta(MetaKey::Protocol, R0),
    Expression::Payload {
        header: Header::Transport,
        offset: 2,
        length: 2,
        to: R1,
    },
];

/// Loads the number of the pool that takes a flow to the third register, and another one behind it;
/// goes on if there is one.
fn to_pool(key: [Expression; 2]) -> Rule {
    let mut rule = key.to_vec();
    rule.push(find(LISTENERS, R0, R2));
    rule
}

/// Goes on if the packet is for an address of the node itself.
fn for_itself() -> [Expression; 2] {
    let local = LOCAL.to_ne_bytes().to_vec();
    [
        Expression::DestinationType(R0),
        Expression::Compare(R0, Compare::Equal, local),
    ]
}

/// Goes on if the packet's flow was given to a member.
fn passed_on() -> Rule {
    let mut rule = vec![Expression::Ct(CtKey::Status, R0)];
    rule.extend(bit_is(R0, DESTINATION_TRANSLATED, true));
    rule
}

fn masquerading() -> Rule {
    let mut rule = passed_on();
    rule.extend(to_pool([
        Expression::Meta(MetaKey::Protocol, R0),
        Expression::Ct(CtKey::OriginalPort, R1),
    ]));
    rule.extend([found(MASKED, R2), Expression::Masquerade]);
    rule
}
