//! Every way to be dropped arises, is told with what decided, and ends a trace in a denying hop.

use crate::balancers::{NODE, balanced};
use crate::cluster::{cluster, web};
use crate::world::*;
use fabric::*;

/// A fabric, who calls, and the call.
type Case = (World, &'static str, Flow);

/// A case for a reason. The match is exhaustive: a new reason needs a case.
fn case(reason: &DropReason) -> Case {
    let pair = World::pair();
    let call = tcp("10.0.1.11", 80);
    match reason {
        DropReason::HostCannotSend { .. } => {
            let mut world = pair;
            world.edit_host("a", |host| host.running = false);
            (world, "a", call)
        }
        DropReason::Guard { .. } => {
            let foreign = Flow {
                source: ip("10.0.1.99"),
                ..call
            };
            (pair, "a", foreign)
        }
        DropReason::PortFilter { .. } => {
            let mut world = pair;
            world.filter(filter(
                "sg",
                FilterKind::AnyAllow,
                true,
                Vec::new(),
                Vec::new(),
            ));
            world.edit_port("b-0", |port| {
                port.layers = vec![Layer::AnyOf(vec!["sg".into()])];
            });
            (world, "a", call)
        }
        DropReason::BoundaryFilter { .. } => {
            let mut world = apart();
            let closed = rule("100", FilterAction::Deny, "10.0.1.0/24", None, true);
            world.filter(filter(
                "acl",
                FilterKind::FirstMatch,
                false,
                vec![closed],
                Vec::new(),
            ));
            world.edit_segment("two", |segment| segment.boundary = Some("acl".into()));
            (world, "a", tcp("10.0.2.10", 80))
        }
        DropReason::NoRoute { .. } => (pair, "a", tcp("192.0.2.1", 80)),
        DropReason::RouteDrops { .. } => {
            let mut world = pair;
            let gone = Target::Drop(DropCause::TargetGone("nat-1".to_owned()));
            world.table(
                "rtb",
                "vpc",
                &[("10.0.0.0/16", Target::Local), ("0.0.0.0/0", gone)],
            );
            (world, "a", tcp("192.0.2.1", 80))
        }
        DropReason::NoSuchAddress { .. } => (pair, "a", tcp("10.0.1.77", 80)),
        DropReason::HostDown { .. } => {
            let mut world = pair;
            world.edit_host("b", |host| host.running = false);
            (world, "a", call)
        }
        DropReason::NoTranslation { .. } => (World::with_internet(), "b", tcp("203.0.113.10", 80)),
        DropReason::NotAttached { .. } => {
            let mut world = World::with_internet();
            world.network("other", &[]);
            world.table(
                "other-rtb",
                "other",
                &[("0.0.0.0/0", Target::Gateway("igw".into()))],
            );
            world.segment("far", "other", "10.9.0.0/24", "other-rtb");
            world.host("c", "far", "10.9.0.10");
            (world, "c", tcp("203.0.113.10", 80))
        }
        DropReason::NotForwarding { .. } => {
            let mut world = pair;
            world.table(
                "rtb",
                "vpc",
                &[
                    ("10.0.0.0/16", Target::Local),
                    ("0.0.0.0/0", Target::Port("b-0".into())),
                ],
            );
            world.edit_port("b-0", |port| port.guard = false);
            (world, "a", tcp("192.0.2.1", 80))
        }
        DropReason::FromItself { .. } => {
            // c forwards what a sends, by a table that leads back to a.
            let mut world = apart();
            let far = |to: &str| {
                let to = Target::Port(to.into());
                [("10.0.0.0/16", Target::Local), ("0.0.0.0/0", to)]
            };
            world.table("rtb", "vpc", &far("c-0"));
            world.table("rtb-2", "vpc", &far("a-0"));
            world.edit_port("a-0", |port| port.guard = false);
            world.edit_port("c-0", |port| port.guard = false);
            world.edit_host("c", |host| host.forwarding = true);
            (world, "a", tcp("192.0.2.1", 80))
        }
        DropReason::NoMapping { .. } => {
            let mut world = pair;
            world.edit_host("b", |host| {
                host.forwarding = true;
                host.source_translation = Some(SourceTranslation {
                    address: ip("10.0.1.11"),
                    managed: true,
                });
            });
            (world, "a", call)
        }
        DropReason::AnswerMismatch { .. } => {
            // b is called by its private address and answers through a translator: another source.
            let mut world = apart();
            world.segment("three", "vpc", "10.0.3.0/24", "rtb");
            world.host("nat", "three", "10.0.3.99");
            world.edit_port("nat-0", |port| port.guard = false);
            world.edit_host("nat", |host| {
                host.forwarding = true;
                host.source_translation = Some(SourceTranslation {
                    address: ip("10.0.3.99"),
                    managed: false,
                });
            });
            world.table(
                "rtb-2",
                "vpc",
                &[
                    ("10.0.0.0/16", Target::Local),
                    ("10.0.1.0/24", Target::Port("nat-0".into())),
                ],
            );
            // A TCP answer without its call is no new flow to Linux; a datagram is.
            let transport = Transport::Udp {
                source_port: 40_000,
                destination_port: 53,
            };
            let call = Flow {
                transport,
                ..tcp("10.0.2.10", 53)
            };
            (world, "a", call)
        }
        DropReason::Loop { .. } => {
            let mut world = pair;
            world.table(
                "rtb",
                "vpc",
                &[
                    ("10.0.0.0/16", Target::Local),
                    ("0.0.0.0/0", Target::Port("b-0".into())),
                ],
            );
            world.edit_port("b-0", |port| port.guard = false);
            world.edit_host("b", |host| host.forwarding = true);
            (world, "a", tcp("192.0.2.1", 80))
        }
        DropReason::Balancer { .. } => (balanced(&[]), "a", tcp(NODE, 80)),
        DropReason::Node { .. } => {
            let mut world = cluster();
            world.service(&web(&[]));
            (world, "pod/client-1", tcp("10.96.0.80", 80))
        }
    }
}

/// The pair with b's neighbour c in a second segment with a table of its own.
fn apart() -> World {
    let mut world = World::pair();
    world.table("rtb-2", "vpc", &[("10.0.0.0/16", Target::Local)]);
    world.segment("two", "vpc", "10.0.2.0/24", "rtb-2");
    world.host("c", "two", "10.0.2.10");
    world
}

/// One of each reason, its contents irrelevant.
fn every_reason() -> Vec<DropReason> {
    let packet = tcp("10.0.1.11", 80);
    let address = ip("10.0.1.11");
    vec![
        DropReason::HostCannotSend {
            host: "a".into(),
            why: String::new(),
        },
        DropReason::Guard {
            port: "a-0".into(),
            address,
            ingress: false,
        },
        DropReason::PortFilter {
            port: "a-0".into(),
            layer: Layer::AnyOf(Vec::new()),
            rule: None,
            ingress: true,
            packet,
        },
        DropReason::BoundaryFilter {
            segment: "one".into(),
            filter: "acl".into(),
            rule: None,
            ingress: true,
            packet,
        },
        DropReason::NoRoute {
            table: "rtb".into(),
            destination: address,
        },
        DropReason::RouteDrops {
            table: "rtb".into(),
            route: "r".into(),
            cause: DropCause::ByRule,
            destination: address,
        },
        DropReason::NoSuchAddress {
            network: "vpc".into(),
            destination: address,
        },
        DropReason::HostDown {
            port: "b-0".into(),
            host: None,
        },
        DropReason::NoTranslation {
            gateway: "igw".into(),
            address,
        },
        DropReason::NotAttached {
            gateway: "igw".into(),
        },
        DropReason::NotForwarding {
            host: "b".into(),
            destination: address,
        },
        DropReason::FromItself {
            host: "b".into(),
            packet,
        },
        DropReason::NoMapping {
            host: "b".into(),
            packet,
        },
        DropReason::AnswerMismatch {
            expected: packet,
            got: packet,
        },
        DropReason::Loop { at: String::new() },
        DropReason::Balancer {
            balancer: "lb".into(),
            node: "node".into(),
            why: BalancerDrop::NoListener { packet },
        },
        DropReason::Node {
            host: "a".into(),
            why: NodeDrop::NoEndpoints {
                service: "default/web:http".into(),
            },
        },
    ]
}

/// AN-EXPLAIN: every reason for a drop arises as itself, and its trace ends in the hop that denied.
#[test]
fn every_reason_arises() {
    for reason in every_reason() {
        let (world, from, flow) = case(&reason);
        let trace = world.walk(from, flow);
        let Verdict::Dropped(_, told) = &trace.verdict else {
            panic!("{reason:?}: {:?} {:#?}", trace.verdict, trace.hops);
        };
        assert_eq!(
            std::mem::discriminant(told),
            std::mem::discriminant(&reason),
            "wanted {reason:?}, got {told:?}"
        );
        let last = trace.hops.last().unwrap();
        assert_eq!(last.action, HopAction::Deny, "{reason:?}: {last:?}");
        assert!(!last.detail.is_empty(), "{reason:?}: {last:?}");
    }
}
