//! What holds for all services of a node: chains that look up, and what they look up in.
//!
//! A packet that opens a flow passes, in this order:
//!
//! | hook | priority | chain | does |
//! | --- | --- | --- | --- |
//! | prerouting, output | -110 | `sources.*` | load balancers' source ranges, at their addresses |
//! | prerouting, output | -100 | `prerouting`, `output` | the frontend's backends: one becomes the destination |
//! | forward, input | -110 | `refused.*` | frontends without backends, and cluster addresses otherwise |
//! | output | -90 | `refused.output` | the same, of what the node itself sends |
//! | postrouting | 100 | `postrouting` | sources that must become the node's |
//!
//! Everything is found by address, protocol and port in maps; services differ in elements only, so a
//! packet costs the same whatever their number, and a changed backend is a changed element or two.
//! These elements are numbers and addresses, never verdicts: each verdict that goes to a chain makes the
//! kernel walk all rules and all verdict maps again to find loops. What a number stands for is said by
//! maps of verdicts that are as small as there are different things to do. No packet's mark is touched: whether to masquerade follows from where the flow's first packet went,
//! which connection tracking knows.

use super::pool::{FIRST, LED, Signpost, WIDE};
use crate::netlink::nftables::Base;
use crate::netlink::nftables::expression::Header;
use crate::netlink::nftables::set::Keys;
use crate::netlink::nftables::{
    Compare, CtKey, Data, DataKind, Expression, Hook, MetaKey, Register, Rule, SetShape, Verdict,
};
use crate::plan::dispatch::*;
use crate::plan::object::{Chain, Object, Place, Thing};
use crate::plan::unit::View;
use fabric::HostId;
use ipnet::Ipv4Net;

/// Frontend → where it leads ([`Signpost`]).
pub(super) const FRONTENDS: &str = "frontends";
/// Number → the chain that packets to a frontend go to first.
pub(super) const WAYS: &str = "ways";
/// Number → the chain that picks a backend: the same without those that look here, which would be a
/// loop to the kernel.
pub(super) const PICKS: &str = "picks";
/// Frontend → the number of what becomes of packets that got no backend.
pub(super) const REFUSED: &str = "refused";
/// Number → what becomes of them.
const REFUSALS: &str = "refusals";
/// Frontend → the number of the chain that says whose source becomes the node's.
pub(super) const MASQUERADED: &str = "masqueraded";
/// Number → that chain.
const MASQUERADES: &str = "masquerades";
/// A pod's address twice: it calls itself.
pub(super) const HAIRPINS: &str = "hairpins";
/// Cluster addresses.
pub(super) const CLUSTER: &str = "cluster";
/// Frontend → the number of the ranges that may send there.
pub(super) const GUARDED: &str = "guarded";
/// Numbered ranges.
pub(super) const SOURCES: &str = "sources";
/// Pool and client → backend, for a time.
pub(super) const AFFINITY: &str = "affinity";
/// Pool and backend: where clients may stay.
pub(super) const STAYING: &str = "staying";
/// Ranges of cluster addresses.
const RANGES: &str = "ranges";
/// Ranges of pods.
const PODS: &str = "pods";
/// How many clients stay with their backends; beyond, packets are shared out as they come.
const MOST_CLIENTS: u32 = 1 << 18;

/// No way: whoever looks it up finds nothing.
pub(super) const NOWHERE: u32 = 0;
/// The way of external frontends under the policy Local. Ways to pools have larger numbers.
pub(super) const TO_LOCAL: u32 = 1;
/// What becomes of packets that get no backend: they vanish, or the sender is told.
pub(super) const DROPPED: u32 = 1;
pub(super) const REJECTED: u32 = 2;
/// Whose source becomes the node's: everybody's; what isn't a pod's; what is the node's own.
pub(super) const ALWAYS: u32 = 1;
pub(super) const OUTSIDE: u32 = 2;
pub(super) const FROM_NODE: u32 = 3;

/// The chain behind [`TO_LOCAL`], and that of the short cut past the policy.
const LOCALLY: &str = "to.local";
const WIDELY: &str = "to.wide";
/// The chain that tells the sender.
const REJECT: &str = "reject";
const UNSERVED: &str = "unserved";

/// conntrack's state of a flow's first packets, and its status bit of a translated destination.
const NEW: u32 = 8;
const DESTINATION_TRANSLATED: u32 = 1 << 5;
/// `RTN_LOCAL`.
const LOCAL: u32 = 2;

const R3: Register = Register(3);
const R4: Register = Register(4);

/// The key of a frontend as it is loaded: address, protocol and port, four bytes each.
pub(super) fn frontend() -> [Expression; 3] {
    [
        destination(R0),
        Expression::Meta(MetaKey::Protocol, R1),
        Expression::Payload {
            header: Header::Transport,
            offset: 2,
            length: 2,
            to: R2,
        },
    ]
}

/// A chain with a hook.
fn hooked(
    view: &mut View<'_>,
    place: &Place,
    chain: &str,
    (hook, priority, translates): (Hook, i32, bool),
    rules: Vec<Rule>,
) {
    let base = Some(Base {
        hook,
        priority,
        translates,
        passes: true,
    });
    let thing = Thing::Chain(name(chain));
    view.want(place, thing, Object::Chain(Chain { base, rules }));
}

pub(in crate::plan) fn plan_services(view: &mut View<'_>, host: &HostId) -> Option<()> {
    let services = view.services(host)?;
    let place = &Place::Node(host.clone());
    sets(view, place);
    ranges(view, place, RANGES, &services.ranges);
    ranges(
        view,
        place,
        PODS,
        services.pods.as_deref().unwrap_or_default(),
    );
    translation(view, place);
    sources(view, place);
    refusal(view, place);
    masquerading(view, place);
    Some(())
}

fn sets(view: &mut View<'_>, place: &Place) {
    let (verdict, nothing) = (DataKind::Verdict, DataKind::Nothing);
    let number = DataKind::Value(4);
    let signpost = DataKind::Value(Signpost::LENGTH);
    let learning = SetShape {
        learns: Some(MOST_CLIENTS),
        ..shape(8, DataKind::Value(8), false)
    };
    for (set, shape) in [
        (name(FRONTENDS), shape(12, signpost, false)),
        (name(WAYS), shape(4, verdict, false)),
        (name(PICKS), shape(4, verdict, false)),
        (name(REFUSED), shape(12, number, false)),
        (name(REFUSALS), shape(4, verdict, false)),
        (name(MASQUERADED), shape(12, number, false)),
        (name(MASQUERADES), shape(4, verdict, false)),
        (name(HAIRPINS), shape(8, nothing, false)),
        (name(CLUSTER), shape(4, nothing, false)),
        (name(GUARDED), shape(12, number, false)),
        (name(SOURCES), shape(8, nothing, true)),
        (name(STAYING), shape(12, nothing, false)),
        (name(RANGES), shape(4, nothing, true)),
        (name(PODS), shape(4, nothing, true)),
        (name(AFFINITY), learning),
    ] {
        view.want_set(place, &set, shape);
    }
}

/// Fills a set of ranges, which mustn't overlap.
fn ranges(view: &mut View<'_>, place: &Place, set: &str, ranges: &[Ipv4Net]) {
    for range in Ipv4Net::aggregate(&ranges.to_vec()) {
        let end = |address: std::net::Ipv4Addr| address.octets().to_vec();
        let keys = Keys::Range(end(range.network()), end(range.broadcast()));
        view.want_element(place, &name(set), keys, Data::Nothing);
    }
}

fn go(chain: &str) -> Expression {
    Expression::Verdict(Verdict::Goto(name(chain)))
}

/// Goes on if the packet's source is an address of the node itself.
fn from_node() -> [Expression; 2] {
    let local = LOCAL.to_ne_bytes().to_vec();
    [
        Expression::SourceType(R0),
        Expression::Compare(R0, Compare::Equal, local),
    ]
}

/// Reads a frontend's signpost and takes one of the ways on it.
fn take(map: &str, way: Register) -> Rule {
    let mut rule = frontend().to_vec();
    rule.extend([find(FRONTENDS, R0, FIRST), decide(map, way)]);
    rule
}

fn translation(view: &mut View<'_>, place: &Place) {
    let rule = take(WAYS, FIRST);
    for (chain, hook) in [("prerouting", Hook::Prerouting), ("output", Hook::Output)] {
        hooked(view, place, chain, (hook, -100, true), vec![rule.clone()]);
    }
    let pods = vec![source(R0), found(PODS, R0), go(WIDELY)];
    let own = [&from_node()[..], &[go(WIDELY)]].concat();
    let locally = vec![pods, own, take(PICKS, LED)];
    view.want_chain(place, &name(LOCALLY), None, locally);
    view.want_chain(place, &name(WIDELY), None, vec![take(PICKS, WIDE)]);
    numbered(view, place, WAYS, TO_LOCAL, go_to(&name(LOCALLY)));
}

/// Says what a number stands for.
fn numbered(view: &mut View<'_>, place: &Place, map: &str, number: u32, what: Data) {
    view.want_element(place, &name(map), one(number_key(number)), what);
}

/// Goes on if the packet opens a flow.
fn opens() -> Vec<Expression> {
    let mut rule = vec![Expression::Ct(CtKey::State, R0)];
    rule.extend(bit_is(R0, NEW, true));
    rule
}

fn sources(view: &mut View<'_>, place: &Place) {
    let mut rule = opens();
    rule.extend(frontend());
    rule.extend([
        find(GUARDED, R0, R3),
        source(R4),
        missing(SOURCES, R3),
        Expression::Verdict(Verdict::Drop),
    ]);
    for (chain, hook) in [
        ("sources.prerouting", Hook::Prerouting),
        ("sources.output", Hook::Output),
    ] {
        hooked(view, place, chain, (hook, -110, false), vec![rule.clone()]);
    }
}

fn refusal(view: &mut View<'_>, place: &Place) {
    let mut rule = opens();
    rule.push(Expression::Verdict(Verdict::Jump(name(UNSERVED))));
    for (chain, hook, priority) in [
        ("refused.forward", Hook::Forward, -110),
        ("refused.input", Hook::Input, -110),
        // After the translation, which here is made in the same hook.
        ("refused.output", Hook::Output, -90),
    ] {
        let hook = (hook, priority, false);
        hooked(view, place, chain, hook, vec![rule.clone()]);
    }
    let mut refused = frontend().to_vec();
    refused.extend([find(REFUSED, R0, R3), decide(REFUSALS, R3)]);
    let elsewhere = vec![destination(R0), found(CLUSTER, R0), go(REJECT)];
    let nobodys = vec![
        destination(R0),
        found(RANGES, R0),
        Expression::Verdict(Verdict::Drop),
    ];
    let rules = vec![refused, elsewhere, nobodys];
    view.want_chain(place, &name(UNSERVED), None, rules);
    let reject = vec![vec![Expression::Reject]];
    view.want_chain(place, &name(REJECT), None, reject);
    let drop = Data::Verdict(Verdict::Drop);
    numbered(view, place, REFUSALS, DROPPED, drop);
    numbered(view, place, REFUSALS, REJECTED, go_to(&name(REJECT)));
}

fn masquerading(view: &mut View<'_>, place: &Place) {
    let to_itself = vec![
        source(R0),
        destination(R1),
        found(HAIRPINS, R0),
        Expression::Masquerade,
    ];
    let mut served = vec![Expression::Ct(CtKey::Status, R0)];
    served.extend(bit_is(R0, DESTINATION_TRANSLATED, true));
    served.extend([
        Expression::Ct(CtKey::OriginalDestination, R0),
        Expression::Meta(MetaKey::Protocol, R1),
        Expression::Ct(CtKey::OriginalPort, R2),
        find(MASQUERADED, R0, R3),
        decide(MASQUERADES, R3),
    ]);
    let rules = vec![to_itself, served];
    hooked(
        view,
        place,
        "postrouting",
        (Hook::Postrouting, 100, true),
        rules,
    );
    let outside = vec![source(R0), missing(PODS, R0), Expression::Masquerade];
    let own = [&from_node()[..], &[Expression::Masquerade]].concat();
    for (number, chain, rule) in [
        (ALWAYS, "masquerade.always", vec![Expression::Masquerade]),
        (OUTSIDE, "masquerade.outside", outside),
        (FROM_NODE, "masquerade.own", own),
    ] {
        view.want_chain(place, &name(chain), None, vec![rule]);
        numbered(view, place, MASQUERADES, number, go_to(&name(chain)));
    }
}
