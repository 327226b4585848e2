//! Two hosts: groups, state, guards, services.

use crate::world::*;
use fabric::{AddressMatch, Layer, ProtocolMatch, RouteTableId, Target};

crate::trials![
    a_group_allows_its_members,
    replies_need_no_rule,
    several_groups_allow_together,
    foreign_sources_stop_at_the_port,
    a_delegated_prefix_is_the_ports_own,
    same_addresses_in_two_networks,
    secondary_addresses_come_and_go,
    programs_use_the_primary_address,
    services_meet_no_filter,
    no_route_means_dropped,
];

/// A network with one segment and two hosts in group `sg`, which lets TCP 80 in from group members.
pub(crate) fn pair() -> World {
    let mut world = World::new();
    world.network("vpc-1", 9001);
    world.table("rtb-1", "vpc-1", &[("10.0.0.0/16", Target::Local)]);
    world.segment("subnet-1", "vpc-1", "10.0.1.0/24", "rtb-1");
    world.set("sg", &["10.0.1.10/32", "10.0.1.11/32"]);
    world.filter(group(
        "sg",
        vec![allow("web", members("sg"), tcp(80), true)],
        all_out(),
    ));
    world.host("a", "subnet-1", "10.0.1.10", &["sg"]);
    world.host("b", "subnet-1", "10.0.1.11", &["sg"]);
    world
}

/// AWS-SG: what a group's rule allows arrives, with its answers; the rest doesn't. Groups' members
/// are named by set, and leaving the set takes the permission away.
fn a_group_allows_its_members() {
    let mut world = pair();
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), Some(ip("10.0.1.10")));
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 81), None);
    world.set("sg", &["10.0.1.11/32"]);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), None);
    world.set("sg", &["10.0.0.0/16"]);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), Some(ip("10.0.1.10")));
}

/// AWS-SG: groups are stateful, for UDP too: an answer passes where the same packet as a question
/// would not.
fn replies_need_no_rule() {
    let mut world = pair();
    world.filter(group("ask", vec![], all_out()));
    world.filter(group(
        "answer",
        vec![allow("dns", AddressMatch::Any, udp(53), true)],
        vec![],
    ));
    world.edit_port("a-0", |port| {
        port.layers = vec![Layer::AnyOf(vec!["ask".into()])];
    });
    world.edit_port("b-0", |port| {
        port.layers = vec![Layer::AnyOf(vec!["answer".into()])];
    });
    world.apply();
    let (asker, server) = (world.udp("a", 4000), world.udp("b", 53));
    assert_eq!(datagram(&server, ("10.0.1.10", 4000), &asker), None);
    assert!(datagram(&asker, ("10.0.1.11", 53), &server).is_some());
    assert!(datagram(&server, ("10.0.1.10", 4000), &asker).is_some());
}

/// AWS-SG: a port's groups allow what any of them allows.
fn several_groups_allow_together() {
    let mut world = pair();
    world.filter(group(
        "ssh",
        vec![allow("ssh", from("10.0.1.0/24"), tcp(22), true)],
        vec![],
    ));
    world.edit_port("b-0", |port| {
        port.layers = vec![Layer::AnyOf(vec!["ssh".into(), "sg".into()])];
    });
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
    assert!(world.tcp("a", "10.0.1.11", "b", 22).is_some());
    assert!(world.tcp("a", "10.0.1.11", "b", 23).is_none());
}

/// AWS-ENI: with the source/destination check on, a port sends only from its own addresses.
fn foreign_sources_stop_at_the_port() {
    let mut world = pair();
    world.filter(group(
        "sg",
        vec![allow("all", AddressMatch::Any, ProtocolMatch::Any, true)],
        all_out(),
    ));
    // The host uses an address of its own making.
    world.edit_host("a", |host| host.answers = vec![net("10.0.1.99/32")]);
    world.apply();
    let send = |world: &World, source: &str| {
        let at = world.udp("b", 9);
        let socket = world.inside("a", || {
            std::net::UdpSocket::bind((ip(source), 9)).expect("bound")
        });
        datagram(&socket, ("10.0.1.11", 9), &at).is_some()
    };
    assert!(send(&world, "10.0.1.10"));
    assert!(!send(&world, "10.0.1.99"));
    world.edit_port("a-0", |port| port.guard = false);
    world.apply();
    assert!(send(&world, "10.0.1.99"));
    world.edit_port("a-0", |port| port.guard = true);
    world.apply();
    assert!(send(&world, "10.0.1.10"));
    assert!(!send(&world, "10.0.1.99"));
}

/// AWS-ENI: delegated prefixes are routed to the port and may be sent from.
fn a_delegated_prefix_is_the_ports_own() {
    let mut world = pair();
    world.set("sg", &["10.0.1.0/24"]);
    // A range, and one address, which is what a node's pods have.
    for range in ["10.0.1.128/28", "10.0.1.130/32"] {
        world.edit_port("b-0", |port| port.prefixes = vec![net(range)]);
        world.edit_host("b", |host| host.answers = vec![net(range)]);
        world.apply();
        assert!(world.tcp("a", "10.0.1.130", "b", 80).is_some());
        world.edit_port("b-0", |port| port.prefixes.clear());
        world.apply();
        assert!(world.tcp("a", "10.0.1.130", "b", 80).is_none());
    }
}

/// AWS-VPC: the same addresses in two networks are different places.
fn same_addresses_in_two_networks() {
    let mut world = pair();
    world.network("vpc-2", 1500);
    world.table("rtb-2", "vpc-2", &[("10.0.0.0/16", Target::Local)]);
    world.segment("subnet-2", "vpc-2", "10.0.1.0/24", "rtb-2");
    world.host("c", "subnet-2", "10.0.1.10", &["sg"]);
    world.host("d", "subnet-2", "10.0.1.11", &["sg"]);
    world.apply();
    let b = world.listen("b", 80);
    let client = world.connect("c", "10.0.1.11", 80);
    assert!(client.is_err(), "d listens nowhere, and b is elsewhere");
    drop(b);
    assert!(world.tcp("c", "10.0.1.11", "d", 80).is_some());
}

/// AWS-ENI: secondary addresses are usable once assigned, and no more once taken away.
fn secondary_addresses_come_and_go() {
    let mut world = pair();
    world.set("sg", &["10.0.1.0/24"]);
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "b", 80).is_none());
    world.edit_port("b-0", |port| port.addresses.push(ip("10.0.1.50")));
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "b", 80).is_some());
    world.edit_port("b-0", |port| {
        port.addresses.pop();
    });
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "b", 80).is_none());
}

/// AWS-ENI: what doesn't choose a source has the primary address, whatever the order of numbers; a
/// new primary leaves the others alone.
fn programs_use_the_primary_address() {
    let mut world = pair();
    world.set("sg", &["10.0.1.0/24"]);
    world.edit_port("a-0", |port| port.addresses.push(ip("10.0.1.5")));
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), Some(ip("10.0.1.10")));
    world.edit_port("a-0", |port| {
        port.addresses = vec![ip("10.0.1.7"), ip("10.0.1.5")];
    });
    world.apply();
    assert_eq!(world.tcp("a", "10.0.1.11", "b", 80), Some(ip("10.0.1.7")));
    assert!(world.tcp("b", "10.0.1.5", "a", 80).is_some());
}

/// AWS-EC2: the network's own addresses answer whatever filters and routes say, for unguarded ports
/// too, even where the answer may live for one hop only.
fn services_meet_no_filter() {
    let mut world = pair();
    world.filter(group("nothing", vec![], vec![]));
    for port in ["a-0", "b-0"] {
        world.edit_port(port, |port| {
            port.layers = vec![Layer::AnyOf(vec!["nothing".into()])];
        });
    }
    world.edit_port("b-0", |port| port.guard = false);
    world.apply();
    let network = world.engine.network(&"vpc-1".into()).expect("a network");
    for host in ["a", "b"] {
        let service = network
            .run(|| std::net::UdpSocket::bind(("169.254.169.254", 80)).expect("bound"))
            .expect("entered");
        service.set_ttl(1).expect("set");
        let asker = world.udp(host, 5000);
        let sender = datagram(&asker, ("169.254.169.254", 80), &service).expect("asked");
        let answer = datagram(&service, (&sender.ip().to_string(), 5000), &asker);
        assert!(answer.is_some(), "{host}");
    }
}

/// AWS-RTB: without a route nothing leaves, not even where a port has the destination.
fn no_route_means_dropped() {
    let mut world = pair();
    world.table("rtb-1", "vpc-1", &[("10.0.7.0/24", Target::Local)]);
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_none());
    world
        .fabric
        .route_tables
        .remove(&RouteTableId::from("rtb-1"));
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_none());
    world.table("rtb-1", "vpc-1", &[("10.0.0.0/16", Target::Local)]);
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
}
