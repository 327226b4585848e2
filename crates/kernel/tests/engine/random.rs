//! Random changes of fabrics, for the planner's tests (no kernel) and the engine's (this one).

use fabric::balancer::{
    self, Balancer, Forwarding, Listener, Member, MemberState, SourceSeen, Stream,
};
use fabric::*;
use ipnet::Ipv4Net;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// One edit of a fabric over a small world of ids, with references that may lead nowhere.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Network(u8, bool, u16),
    Segment(u8, u8, u8, Option<u8>),
    Host(u8, bool, Option<bool>, Vec<(u8, bool)>),
    Port(Box<Port>),
    RouteTable(u8, u8, Vec<(u8, Target)>),
    Filter(u8, FilterKind, bool, Vec<FilterRule>),
    AddressSet(u8, Vec<u8>),
    Gateway(u8, u8, Vec<(u8, u8)>, Option<u8>),
    Balancer(Box<Balancer>),
    Remove(u8, u8),
}

fn id<T: From<String>>(kind: &str, number: u8) -> T {
    format!("{kind}-{number}").into()
}

/// Never a segment's gateway: clouds reserve those.
fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, number % 3, number + 2)
}

fn range(number: u8) -> Ipv4Net {
    Ipv4Net::new_assert(
        address(number),
        [32, 32, 28, 24, 16, 0][usize::from(number % 6)],
    )
    .trunc()
}

fn operand() -> impl Strategy<Value = AddressMatch> {
    prop_oneof![
        Just(AddressMatch::Any),
        (0..20u8)
            .prop_map(|number| { AddressMatch::AnyOf(vec![AddressTerm::Prefix(range(number))]) }),
        (0..3u8).prop_map(|set| AddressMatch::AnyOf(vec![AddressTerm::Set(id("set", set))])),
    ]
}

fn rule() -> impl Strategy<Value = FilterRule> {
    (0..3u8, any::<bool>(), operand(), operand()).prop_map(
        |(protocol, allow, source, destination)| FilterRule {
            id: "rule".into(),
            action: if allow {
                FilterAction::Allow
            } else {
                FilterAction::Deny
            },
            protocol: match protocol {
                0 => ProtocolMatch::Any,
                1 => ProtocolMatch::Whole(Protocol::UDP),
                _ => ProtocolMatch::Ports {
                    protocol: Protocol::TCP,
                    source: vec![],
                    destination: vec![NumberRange::one(80)],
                },
            },
            source,
            destination,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Local),
        (0..5u8).prop_map(|port| Target::Port(id("port", port))),
        (0..2u8).prop_map(|gateway| Target::Gateway(id("gateway", gateway))),
        Just(Target::Drop(DropCause::ByRule)),
    ]
}

fn port() -> impl Strategy<Value = Edit> {
    let layer = prop_oneof![
        prop::collection::vec(0..3u8, 0..3).prop_map(|filters| {
            Layer::AnyOf(
                filters
                    .into_iter()
                    .map(|filter| id("filter", filter))
                    .collect(),
            )
        }),
        (3..5u8).prop_map(|filter| Layer::First(id("filter", filter))),
    ];
    (
        (0..5u8, 0..2u8, 0..3u8, prop::option::of((0..7u8, 0..2u16))),
        prop::collection::vec(0..20u8, 1..3),
        prop::collection::vec(0..20u8, 0..2),
        (any::<bool>(), any::<bool>()),
        prop::collection::vec(layer, 0..3),
    )
        .prop_map(
            |((number, network, segment, host), addresses, prefixes, (guard, tracked), layers)| {
                Edit::Port(Box::new(Port {
                    id: id("port", number),
                    network: id("network", network),
                    segment: id("segment", segment),
                    // A host has one port at each device index.
                    host: host.map(|(host, _)| (id("host", host), u16::from(number))),
                    mac: Mac([2, 0, 0, 0, 0, number]),
                    addresses: addresses.into_iter().map(address).collect(),
                    prefixes: prefixes.into_iter().map(range).collect(),
                    guard,
                    layers,
                    always_tracked: tracked,
                }))
            },
        )
}

/// The first host that may be a balancer's node.
const FIRST_NODE: u8 = 3;

/// A balancer of one or both of two hosts that no other has, with listeners that don't overlap.
fn balancer() -> impl Strategy<Value = Edit> {
    let pool = (
        prop::collection::vec((0..20u8, 0..5u8, prop::option::of(0..2u8)), 0..4),
        any::<(bool, bool)>(),
        prop::option::of(1..3u32),
    );
    let listener = (0..3u8, prop::bool::weighted(0.8), 0..3u8, 1..5u16);
    (
        0..2u8,
        prop::collection::vec(0..2u8, 1..3),
        prop::collection::vec(listener, 0..4),
        prop::collection::vec(pool, 0..3),
    )
        .prop_map(|(number, nodes, listeners, pools)| {
            let node = |node| {
                let host: HostId = id("host", FIRST_NODE + 2 * number + node);
                let zone = format!("zone-{node}");
                (host, balancer::Node { zone })
            };
            Edit::Balancer(Box::new(Balancer {
                id: id("balancer", number),
                nodes: nodes.into_iter().map(node).collect(),
                listeners: (0u8..).zip(listeners).map(listener_of).collect(),
                pools: (0u8..).zip(pools).map(pool_of).collect(),
            }))
        })
}

fn listener_of(
    (number, (kind, forwards, pool, length)): (u8, (u8, bool, u8, u16)),
) -> Arc<Listener> {
    let pool: PoolId = id("pool", pool);
    let first = 80 + 10 * u16::from(number);
    Arc::new(Listener {
        id: id("listener", number),
        transports: [
            vec![balancer::Transport::Tcp],
            vec![balancer::Transport::Udp],
            vec![balancer::Transport::Tcp, balancer::Transport::Udp],
        ][usize::from(kind)]
        .clone(),
        ports: NumberRange::new(first, first + length),
        service: if forwards {
            balancer::Service::Forward(Forwarding {
                pool,
                keeps_destination: false,
                idle_timeout: 300 + u32::from(length % 2),
            })
        } else {
            balancer::Service::Stream(Stream {
                tls: None,
                pool,
                idle_timeout: 350,
                access_log: None,
            })
        },
    })
}

type RandomPool = (Vec<(u8, u8, Option<u8>)>, (bool, bool), Option<u32>);

fn pool_of(
    (number, (members, (cross_zone, node), affinity)): (u8, RandomPool),
) -> (PoolId, Arc<balancer::Pool>) {
    let states = [
        MemberState::Initial,
        MemberState::Healthy,
        MemberState::Unhealthy,
        MemberState::Draining,
        MemberState::Unused,
    ];
    let member = |(at, state, zone): (u8, u8, Option<u8>)| Member {
        state: states[usize::from(state)],
        zone: zone.map(|zone| format!("zone-{zone}")),
        ..Member::healthy("", address(at), 80)
    };
    let source = if node {
        SourceSeen::Node
    } else {
        SourceSeen::Client
    };
    let pool = balancer::Pool {
        cross_zone,
        source,
        affinity,
        ..balancer::Pool::of(
            id("pool", number),
            members.into_iter().map(member).collect(),
        )
    };
    (pool.id.clone(), Arc::new(pool))
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        1 => (0..2u8, any::<bool>(), 1000..1003u16).prop_map(|(n, s, m)| Edit::Network(n, s, m)),
        1 => (0..3u8, 0..2u8, 0..3u8, prop::option::of(3..5u8))
            .prop_map(|(s, n, t, b)| Edit::Segment(s, n, t, b)),
        1 => (
            0..7u8,
            prop::bool::weighted(0.8),
            prop::option::of(any::<bool>()),
            prop::collection::vec((0..5u8, any::<bool>()), 0..3)
        )
            .prop_map(|(h, running, nat, routes)| Edit::Host(h, running, nat, routes)),
        4 => port(),
        1 => (0..3u8, 0..2u8, prop::collection::vec((0..20u8, target()), 0..4))
            .prop_map(|(t, n, routes)| Edit::RouteTable(t, n, routes)),
        2 => (0..5u8, any::<bool>(), prop::collection::vec(rule(), 0..4)).prop_map(
            |(filter, open, rules)| {
                let kind = if filter < 3 { FilterKind::AnyAllow } else { FilterKind::FirstMatch };
                Edit::Filter(filter, kind, open, rules)
            }
        ),
        1 => (0..3u8, prop::collection::vec(0..20u8, 0..4)).prop_map(|(s, m)| Edit::AddressSet(s, m)),
        1 => (
            0..2u8,
            0..2u8,
            prop::collection::vec((0..20u8, 0..20u8), 0..3),
            prop::option::of(0..3u8)
        )
            .prop_map(|(g, n, t, e)| Edit::Gateway(g, n, t, e)),
        3 => balancer(),
        2 => (0..9u8, 0..7u8).prop_map(|(kind, number)| Edit::Remove(kind, number)),
    ]
}

pub(crate) fn edited(fabric: &mut Fabric, edit: Edit) {
    match edit {
        Edit::Network(number, services, mtu) => {
            let network = Network {
                id: id("network", number),
                mtu,
                services: services.then_some(address(200)).into_iter().collect(),
            };
            fabric
                .networks
                .insert(network.id.clone(), Arc::new(network));
        }
        Edit::Segment(number, network, table, boundary) => {
            let segment = Segment {
                id: id("segment", number),
                network: id("network", network),
                prefixes: vec![Ipv4Net::new_assert(address(number), 24).trunc()],
                zone: None,
                route_table: id("table", table),
                boundary: boundary.map(|filter| id("filter", filter)),
            };
            fabric
                .segments
                .insert(segment.id.clone(), Arc::new(segment));
        }
        Edit::Host(number, running, nat, routes) => {
            // Nodes of balancers translate nothing of their own.
            let nat = nat.filter(|_| number < FIRST_NODE);
            let host = Host {
                id: id("host", number),
                running,
                forwarding: nat.is_some(),
                routes: routes
                    .into_iter()
                    .map(|(port, from)| HostRoute {
                        from: from.then(|| range(port)),
                        prefix: range(port + 3),
                        port: id("port", port),
                        metric: 0,
                    })
                    .collect(),
                source_translation: nat.map(|managed| SourceTranslation {
                    address: address(number),
                    managed,
                }),
                answers: vec![],
                opaque: None,
            };
            fabric.hosts.insert(host.id.clone(), Arc::new(host));
        }
        Edit::Port(port) => {
            fabric.ports.insert(port.id.clone(), Arc::new(*port));
        }
        Edit::RouteTable(number, network, routes) => {
            let table = RouteTable {
                id: id("table", number),
                network: id("network", network),
                routes: routes
                    .into_iter()
                    .map(|(prefix, target)| Route {
                        id: "route".into(),
                        prefix: range(prefix),
                        target,
                        origin: RouteOrigin::User,
                        preference: u32::from(prefix),
                    })
                    .collect(),
            };
            fabric
                .route_tables
                .insert(table.id.clone(), Arc::new(table));
        }
        Edit::Filter(number, kind, open, rules) => {
            let filter = Filter {
                id: id("filter", number),
                kind,
                stateful: true,
                tracking: if open {
                    Tracking::UnlessOpen
                } else {
                    Tracking::Always
                },
                ingress: rules.clone(),
                egress: rules,
            };
            fabric.filters.insert(filter.id.clone(), Arc::new(filter));
        }
        Edit::AddressSet(number, members) => {
            let set = AddressSet {
                id: id("set", number),
                members: members.into_iter().map(range).collect(),
            };
            fabric.address_sets.insert(set.id.clone(), Arc::new(set));
        }
        Edit::Gateway(number, inside, translations, table) => {
            let gateway = Gateway {
                id: id("gateway", number),
                kind: GatewayKind::Internet(InternetGateway {
                    inside: id("network", inside),
                    outside: id("network", 1 - inside),
                    translations: translations
                        .into_iter()
                        .map(|(private, public)| (address(private), address(public)))
                        .collect(),
                    route_table: table.map(|table| id("table", table)),
                    mtu: 1500,
                }),
            };
            fabric
                .gateways
                .insert(gateway.id.clone(), Arc::new(gateway));
        }
        Edit::Balancer(balancer) => {
            fabric
                .balancers
                .insert(balancer.id.clone(), Arc::new(*balancer));
        }
        Edit::Remove(kind, number) => {
            match kind {
                0 => drop(fabric.networks.remove(&id::<NetworkId>("network", number))),
                1 => drop(fabric.segments.remove(&id::<SegmentId>("segment", number))),
                2 => drop(fabric.hosts.remove(&id::<HostId>("host", number))),
                3 => drop(fabric.ports.remove(&id::<PortId>("port", number))),
                4 => drop(
                    fabric
                        .route_tables
                        .remove(&id::<RouteTableId>("table", number)),
                ),
                5 => drop(fabric.filters.remove(&id::<FilterId>("filter", number))),
                6 => drop(
                    fabric
                        .address_sets
                        .remove(&id::<AddressSetId>("set", number)),
                ),
                7 => drop(
                    fabric
                        .balancers
                        .remove(&id::<BalancerId>("balancer", number)),
                ),
                _ => drop(fabric.gateways.remove(&id::<GatewayId>("gateway", number))),
            };
        }
    }
}

/// A series of steps, each of a few edits. It begins with enough of a world for edits to matter.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Vec<Edit>>> {
    let world: Vec<Edit> = (0..3u8)
        .flat_map(|number| {
            [
                Edit::Network(number % 2, true, 1500),
                Edit::Segment(number, 0, number, Some(3)),
                Edit::Host(number, true, None, vec![(number, true), (number, false)]),
            ]
        })
        .collect();
    prop::collection::vec(prop::collection::vec(edit(), 1..8), 1..10).prop_map(move |mut steps| {
        if let Some(first) = steps.first_mut() {
            first.splice(0..0, world.iter().cloned());
        }
        steps
    })
}
