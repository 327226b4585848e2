//! A host: its stack, its routes, and what it does with packets that aren't its own.

use super::dispatch::*;
use super::number::{End, Numbered};
use super::object::{Chain, Object, Place, Thing};
use super::port::{number, router_address};
use super::unit::View;
use crate::netlink::nftables::{Base, Compare, CtKey, Expression, Hook, MetaKey, Name, Rule};
use crate::netlink::route::route::Action;
use crate::netlink::route::rule::Selector;
use fabric::{Host, HostId, HostRoute, SourceTranslation};
use ipnet::Ipv4Net;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Linux's main table.
const MAIN: u32 = 254;
/// Linux's table of what the stack itself answers for.
const OWN: u32 = 255;
/// The first priority of rules by source; those Linux has of its own are 0 and above 32000.
const FIRST_RULE: u32 = 1000;
/// conntrack's state bits as nftables has them: invalid, established, related, new.
const ESTABLISHED: u32 = 2;
const RELATED: u32 = 4;
const NEW: u32 = 8;

const SETTINGS: [(&str, &str); 5] = [
    // Taking an address away leaves the others of its range alone.
    ("ipv4/conf/all/promote_secondaries", "1"),
    ("ipv6/conf/all/disable_ipv6", "1"),
    ("ipv6/conf/default/disable_ipv6", "1"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
];

pub(super) fn plan(view: &mut View<'_>, id: &HostId) -> Option<()> {
    let host = view.host(id)?;
    if !host.running {
        return None;
    }
    let place = &Place::Host(id.clone());
    view.want(place, Thing::Namespace, Object::Namespace);
    for (file, value) in SETTINGS {
        view.want_setting(place, file, value);
    }
    let forwards = if host.forwarding { "1" } else { "0" };
    view.want_setting(place, "ipv4/ip_forward", forwards);
    view.want_setting(place, "ipv4/conf/all/send_redirects", "0");
    view.want_setting(place, "ipv4/conf/default/send_redirects", "0");
    for prefix in &host.answers {
        let action = Action::Local { link: LOOPBACK };
        view.want_route(place, OWN, *prefix, 0, action);
    }
    routes(view, place, host);
    if let Some(translation) = &host.source_translation {
        let chains = if translation.managed {
            managed(translation)
        } else {
            masquerading(translation)
        };
        view.want(place, Thing::Ruleset, Object::Ruleset(chains));
    }
    Some(())
}

fn routes(view: &mut View<'_>, place: &Place, host: &Host) {
    let mut by_source: BTreeMap<Option<(Reverse<u8>, Ipv4Net)>, Vec<&HostRoute>> = BTreeMap::new();
    for route in &host.routes {
        let source = route
            .from
            .map(|from| (Reverse(from.prefix_len()), from.trunc()));
        by_source.entry(source).or_default().push(route);
    }
    let mut priority = FIRST_RULE;
    for (source, routes) in by_source {
        let table = match source {
            None => MAIN,
            Some((_, from)) => {
                let table = view.number(Numbered::HostTable(host.id.clone(), from));
                let selector = Selector::From(from);
                view.want(
                    place,
                    Thing::Rule(priority),
                    Object::Rule { table, selector },
                );
                priority += 1;
                table
            }
        };
        for route in routes {
            if let Some(action) = by_port(view, host, route) {
                view.want_route(place, table, route.prefix, route.metric, action);
            }
        }
    }
}

/// By one of the host's own ports, to the router of the port's segment.
fn by_port(view: &mut View<'_>, host: &Host, route: &HostRoute) -> Option<Action> {
    let port = view.port(&route.port)?;
    let (attached, _) = port.host.as_ref()?;
    if *attached != host.id {
        return None;
    }
    let link = number(view, port, End::Far)?;
    let segment = view.segment(&port.segment)?;
    Some(Action::Via {
        link,
        via: router_address(segment, port),
        source: port.addresses.first().copied(),
    })
}

fn chain(hook: Hook, priority: i32, translates: bool, passes: bool, rules: Vec<Rule>) -> Chain {
    Chain {
        base: Some(Base {
            hook,
            priority,
            translates,
            passes,
        }),
        rules,
    }
}

fn state_is(bits: u32) -> [Expression; 3] {
    let [mask, compare] = bit_is(R0, bits, true);
    [Expression::Ct(CtKey::State, R0), mask, compare]
}

/// Translates to an address and, where the source's own port can't be kept, to any of the ports from
/// 1024 up.
fn translate(translation: &SourceTranslation) -> Vec<Expression> {
    let port = |port: u16| port.to_be_bytes().to_vec();
    vec![
        Expression::Constant(R0, translation.address.octets().to_vec()),
        Expression::Constant(R1, port(1024)),
        Expression::Constant(R2, port(u16::MAX)),
        Expression::SourceNat {
            address: R0,
            ports: Some((R1, R2)),
            flags: 0,
        },
    ]
}

/// A managed translator forwards only what it translates, takes nothing for itself, and drops what
/// comes without a mapping.
fn managed(translation: &SourceTranslation) -> Vec<(Name, Chain)> {
    let mut established = state_is(ESTABLISHED | RELATED).to_vec();
    established.push(accept());
    let mut forward = vec![established];
    for protocol in [1, 6, 17] {
        let mut fresh = state_is(NEW).to_vec();
        fresh.extend([
            Expression::Meta(MetaKey::Protocol, R0),
            Expression::Compare(R0, Compare::Equal, vec![protocol]),
            accept(),
        ]);
        forward.push(fresh);
    }
    vec![
        (
            name("forward"),
            chain(Hook::Forward, 0, false, false, forward),
        ),
        (
            name("input"),
            chain(Hook::Input, 0, false, false, Vec::new()),
        ),
        (
            name("translate"),
            chain(
                Hook::Postrouting,
                100,
                true,
                true,
                vec![translate(translation)],
            ),
        ),
    ]
}

/// What a user sets up on a NAT instance: what is forwarded gets its source translated.
fn masquerading(translation: &SourceTranslation) -> Vec<(Name, Chain)> {
    let mut rule = vec![
        input_link(R0),
        Expression::Compare(R0, Compare::NotEqual, vec![0; 4]),
    ];
    rule.extend(translate(translation));
    vec![(
        name("translate"),
        chain(Hook::Postrouting, 100, true, true, vec![rule]),
    )]
}
