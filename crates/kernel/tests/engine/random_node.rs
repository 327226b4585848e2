//! Random changes of what a node does, for the planner's tests (no kernel) and the engine's (this one).

use fabric::*;
use ipnet::Ipv4Net;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// One edit of a node over a small world.
#[derive(Clone, Debug)]
pub(crate) enum NodeEdit {
    Service(Box<Service>),
    NoService(u8),
    Settings(Box<Services>),
    Pod(u8, Option<Vec<u8>>, Option<Vec<u8>>),
    NoPod(u8),
    Policy(u8, Vec<(u8, bool)>),
    Members(u8, Vec<u8>),
    SourceNat(Option<SourceNat>),
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, 1, number)
}

fn range(number: u8) -> Ipv4Net {
    let length = [32, 30, 28, 24, 16][usize::from(number % 5)];
    Ipv4Net::new_assert(address(number), length).trunc()
}

fn ranges() -> impl Strategy<Value = Vec<Ipv4Net>> {
    prop::collection::vec((0..20u8).prop_map(range), 0..4)
}

fn frontend() -> impl Strategy<Value = Frontend> {
    // Few, so that services claim each other's.
    let place = (0..4u8, 80..82u16).prop_map(|(number, port)| (address(100 + number), port));
    prop_oneof![
        3 => place.clone().prop_map(|(address, port)| Frontend::Cluster { address, port }),
        1 => place.clone().prop_map(|(address, port)| Frontend::External { address, port }),
        1 => (place, ranges()).prop_map(|((address, port), sources)| Frontend::LoadBalancer {
            address,
            port,
            sources,
        }),
        1 => (30_000..30_003u16).prop_map(|port| Frontend::Node { port }),
    ]
}

fn backends() -> impl Strategy<Value = Vec<Backend>> {
    let backend = (0..8u8, 80..82u16).prop_map(|(number, port)| Backend {
        address: address(number),
        port,
        name: String::new(),
    });
    prop::collection::vec(backend, 0..6)
}

fn policy() -> impl Strategy<Value = TrafficPolicy> {
    prop_oneof![Just(TrafficPolicy::Cluster), Just(TrafficPolicy::Local)]
}

fn service() -> impl Strategy<Value = NodeEdit> {
    (
        (0..5u8, any::<bool>()),
        prop::collection::vec(frontend(), 0..4),
        (backends(), backends()),
        (policy(), policy()),
        prop::option::of(1..3u32),
    )
        .prop_map(
            |((number, udp), frontends, (backends, local), (internal, external), affinity)| {
                let protocol = if udp { Protocol::UDP } else { Protocol::TCP };
                NodeEdit::Service(Box::new(Service {
                    id: id(number),
                    protocol,
                    frontends,
                    backends,
                    local,
                    lingering: Vec::new(),
                    internal,
                    external,
                    affinity,
                }))
            },
        )
}

fn id<T: From<String>>(number: u8) -> T {
    format!("default/{number}").into()
}

fn edit() -> impl Strategy<Value = NodeEdit> {
    let policies = || prop::option::of(prop::collection::vec(0..3u8, 1..3));
    let settings = (
        prop::collection::vec(200..203u8, 0..3),
        prop::option::of(ranges()),
        any::<bool>(),
        ranges(),
    )
        .prop_map(|(nodes, pods, masquerade_all, ranges)| {
            NodeEdit::Settings(Box::new(Services {
                services: imbl::OrdMap::new(),
                node_addresses: nodes.into_iter().map(address).collect(),
                pods,
                masquerade_all,
                ranges,
            }))
        });
    let nat =
        (ranges(), ranges(), prop::option::of(200..203u8)).prop_map(|(sources, except, by)| {
            SourceNat {
                sources,
                except,
                address: by.map(address),
            }
        });
    prop_oneof![
        6 => service(),
        2 => (0..5u8).prop_map(NodeEdit::NoService),
        1 => settings,
        2 => (0..4u8, policies(), policies())
            .prop_map(|(pod, ingress, egress)| NodeEdit::Pod(pod, ingress, egress)),
        1 => (0..4u8).prop_map(NodeEdit::NoPod),
        2 => (0..3u8, prop::collection::vec((0..20u8, any::<bool>()), 0..3))
            .prop_map(|(policy, rules)| NodeEdit::Policy(policy, rules)),
        1 => (0..2u8, prop::collection::vec(0..20u8, 0..4))
            .prop_map(|(set, members)| NodeEdit::Members(set, members)),
        1 => prop::option::of(nat).prop_map(NodeEdit::SourceNat),
    ]
}

pub(crate) fn edited_node(node: &mut Node, edit: NodeEdit) {
    let policies = &mut node.policies;
    match edit {
        NodeEdit::Service(service) => {
            let services = &mut node.services.services;
            services.insert(service.id.clone(), Arc::new(*service));
        }
        NodeEdit::NoService(number) => {
            node.services.services.remove(&id::<ServiceId>(number));
        }
        NodeEdit::Settings(settings) => {
            let services = std::mem::take(&mut node.services.services);
            node.services = Services {
                services,
                ..*settings
            };
        }
        NodeEdit::Pod(number, ingress, egress) => {
            let ids = |numbers: Option<Vec<u8>>| {
                numbers.map(|numbers| numbers.into_iter().map(id).collect())
            };
            let isolation = Isolation {
                pod: id(number),
                ingress: ids(ingress),
                egress: ids(egress),
            };
            policies.pods.insert(address(number), Arc::new(isolation));
        }
        NodeEdit::NoPod(number) => {
            policies.pods.remove(&address(number));
        }
        NodeEdit::Policy(number, rules) => {
            let rules: Vec<FilterRule> = rules.into_iter().map(rule).collect();
            let filter = Filter {
                id: id(number),
                kind: FilterKind::AnyAllow,
                stateful: true,
                tracking: Tracking::Always,
                ingress: rules.clone(),
                egress: rules,
            };
            policies.filters.insert(id(number), Arc::new(filter));
        }
        NodeEdit::Members(number, members) => {
            let set = AddressSet {
                id: id(number),
                members: members.into_iter().map(range).collect(),
            };
            policies.address_sets.insert(id(number), Arc::new(set));
        }
        NodeEdit::SourceNat(nat) => node.source_nat = nat,
    }
}

fn rule((number, by_set): (u8, bool)) -> FilterRule {
    let term = if by_set {
        AddressTerm::Set(id(number % 2))
    } else {
        AddressTerm::Prefix(range(number))
    };
    FilterRule {
        id: "rule".into(),
        action: FilterAction::Allow,
        protocol: ProtocolMatch::Ports {
            protocol: Protocol::TCP,
            source: vec![],
            destination: vec![NumberRange::one(80 + u16::from(number % 2))],
        },
        source: AddressMatch::AnyOf(vec![term]),
        destination: AddressMatch::Any,
    }
}

/// A series of steps, each of a few edits.
pub(crate) fn node_steps() -> impl Strategy<Value = Vec<Vec<NodeEdit>>> {
    prop::collection::vec(prop::collection::vec(edit(), 1..8), 1..8)
}
