//! Gateways, translation, hairpins, NAT.

use crate::world::*;
use fabric::*;

crate::trials![
    a_gateway_translates_both_ways,
    a_public_address_of_ones_own_network_hairpins,
    errors_about_big_packets_find_their_sender,
    a_moved_address_moves_live_traffic,
    edge_tables_route_what_comes_in,
    a_nat_gateway_translates_and_takes_nothing,
    a_nat_instance_translates_what_it_forwards,
];

/// A network with a web host with a public address and a hidden one, and a client on the internet.
fn public() -> World {
    let mut world = World::new();
    world.network("vpc-1", 9001);
    world.internet("vpc-1", &[("10.0.1.10", "198.51.100.1")]);
    world.table(
        "rtb-1",
        "vpc-1",
        &[
            ("10.0.0.0/16", Target::Local),
            ("0.0.0.0/0", Target::Gateway("igw".into())),
        ],
    );
    world.segment("subnet-1", "vpc-1", "10.0.1.0/24", "rtb-1");
    world.filter(group(
        "sg",
        vec![allow("web", AddressMatch::Any, tcp(80), true)],
        all_out(),
    ));
    world.host("web", "subnet-1", "10.0.1.10", &["sg"]);
    world.host("hidden", "subnet-1", "10.0.1.11", &["sg"]);
    world.host("client", "internet-1", "203.0.113.5", &[]);
    world
}

/// AWS-IGW, AWS-EIP: in to the private address, out from the public one; nothing without one.
fn a_gateway_translates_both_ways() {
    let mut world = public();
    world.apply();
    assert_eq!(
        world.tcp("client", "198.51.100.1", "web", 80),
        Some(ip("203.0.113.5"))
    );
    assert_eq!(
        world.tcp("web", "203.0.113.5", "client", 443),
        Some(ip("198.51.100.1"))
    );
    assert_eq!(world.tcp("hidden", "203.0.113.5", "client", 443), None);
    assert_eq!(world.tcp("client", "10.0.1.10", "web", 80), None);
    assert_eq!(world.tcp("client", "198.51.100.1", "web", 81), None);
}

/// AWS-IGW: a host that calls a public address of its own network goes out and comes back in.
fn a_public_address_of_ones_own_network_hairpins() {
    let mut world = public();
    world.edit_gateway("igw", |gateway| {
        gateway
            .translations
            .insert(ip("10.0.1.11"), ip("198.51.100.2"));
    });
    world.apply();
    assert_eq!(
        world.tcp("hidden", "198.51.100.1", "web", 80),
        Some(ip("198.51.100.2"))
    );
    assert_eq!(
        world.tcp("web", "198.51.100.1", "web", 80),
        Some(ip("198.51.100.1")),
        "its own public address"
    );
}

/// AWS-IGW: a packet too big for the internet is answered with an error that its sender understands,
/// and errors from the internet come in with the private addresses inside.
fn errors_about_big_packets_find_their_sender() {
    let mut world = public();
    world.network("vpc-2", 9001);
    world.apply();
    let socket = world.udp("web", 7000);
    socket.connect("203.0.113.5:7000").expect("connects");
    let big = [0; 4000];
    socket.send(&big).expect("fits the first link");
    assert_eq!(path_mtu(&socket), Some(1500));
    // A closed port's error quotes the packet as the internet saw it.
    let socket = world.udp("web", 7001);
    socket.connect("203.0.113.5:7001").expect("connects");
    socket.send(b"anyone?").expect("sent");
    let refused = socket.recv(&mut [0; 8]).expect_err("refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // And the other way.
    world.filter(group(
        "sg",
        vec![allow("all", AddressMatch::Any, ProtocolMatch::Any, true)],
        all_out(),
    ));
    world.apply();
    let socket = world.udp("client", 7002);
    socket.connect("198.51.100.1:7002").expect("connects");
    socket.send(b"anyone?").expect("sent");
    let refused = socket.recv(&mut [0; 8]).expect_err("refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

/// AWS-EIP: a moved address holds for the next packet, of live flows too.
fn a_moved_address_moves_live_traffic() {
    let mut world = public();
    world.filter(group(
        "sg",
        vec![allow("all", AddressMatch::Any, ProtocolMatch::Any, true)],
        all_out(),
    ));
    world.apply();
    let client = world.udp("client", 8000);
    let (web, hidden) = (world.udp("web", 8000), world.udp("hidden", 8000));
    assert!(datagram(&client, ("198.51.100.1", 8000), &web).is_some());
    world.edit_gateway("igw", |gateway| {
        gateway.translations.clear();
        gateway
            .translations
            .insert(ip("10.0.1.11"), ip("198.51.100.1"));
    });
    world.apply();
    assert!(datagram(&client, ("198.51.100.1", 8000), &hidden).is_some());
    assert!(datagram(&hidden, ("203.0.113.5", 8000), &client).is_some());
    assert!(datagram(&web, ("203.0.113.5", 8000), &client).is_none());
}

/// AWS-IGW: an edge route table sends what comes in through an appliance.
fn edge_tables_route_what_comes_in() {
    let mut world = public();
    world.segment("subnet-2", "vpc-1", "10.0.2.0/24", "rtb-1");
    world.host("wall", "subnet-2", "10.0.2.10", &[]);
    world.edit_port("wall-0", |port| port.guard = false);
    world.edit_host("wall", |host| host.forwarding = true);
    world.table(
        "rtb-edge",
        "vpc-1",
        &[
            ("10.0.0.0/16", Target::Local),
            ("10.0.1.0/24", Target::Port("wall-0".into())),
        ],
    );
    world.edit_gateway("igw", |gateway| {
        gateway.route_table = Some("rtb-edge".into());
    });
    world.apply();
    assert!(world.tcp("client", "198.51.100.1", "web", 80).is_some());
    world.edit_host("wall", |host| host.forwarding = false);
    world.apply();
    assert!(world.tcp("client", "198.51.100.1", "web", 80).is_none());
}

/// The hidden hosts' segment with a NAT machine in the public one.
fn with_nat(managed: bool) -> World {
    let mut world = public();
    world.table(
        "rtb-2",
        "vpc-1",
        &[
            ("10.0.0.0/16", Target::Local),
            ("0.0.0.0/0", Target::Port("nat-0".into())),
        ],
    );
    world.segment("subnet-2", "vpc-1", "10.0.2.0/24", "rtb-2");
    world.host("private", "subnet-2", "10.0.2.10", &["sg"]);
    world.host("nat", "subnet-1", "10.0.1.20", &[]);
    world.edit_port("nat-0", |port| {
        port.guard = false;
        port.always_tracked = true;
    });
    world.edit_host("nat", |host| {
        host.forwarding = true;
        host.source_translation = Some(SourceTranslation {
            address: ip("10.0.1.20"),
            managed,
        });
    });
    world.edit_gateway("igw", |gateway| {
        gateway
            .translations
            .insert(ip("10.0.1.20"), ip("198.51.100.20"));
    });
    world
}

/// AWS-NAT: out as the NAT gateway's address; nothing in, and nothing for itself.
fn a_nat_gateway_translates_and_takes_nothing() {
    let mut world = with_nat(true);
    world.apply();
    assert_eq!(
        world.tcp("private", "203.0.113.5", "client", 443),
        Some(ip("198.51.100.20"))
    );
    assert_eq!(world.tcp("client", "198.51.100.20", "nat", 80), None);
    assert_eq!(world.tcp("web", "10.0.1.20", "nat", 80), None);
    // A closed port's error finds its way back through both translations.
    let socket = world.udp("private", 7001);
    socket.connect("203.0.113.5:7001").expect("connects");
    socket.send(b"anyone?").expect("sent");
    let refused = socket.recv(&mut [0; 8]).expect_err("refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    world.table(
        "rtb-2",
        "vpc-1",
        &[
            ("10.0.0.0/16", Target::Local),
            (
                "0.0.0.0/0",
                Target::Drop(DropCause::TargetGone("nat-1".into())),
            ),
        ],
    );
    world.apply();
    assert_eq!(world.tcp("private", "203.0.113.5", "client", 443), None);
}

/// AWS-NAT: a NAT instance is a host like others: it takes calls too.
fn a_nat_instance_translates_what_it_forwards() {
    let mut world = with_nat(false);
    world.apply();
    assert_eq!(
        world.tcp("private", "203.0.113.5", "client", 443),
        Some(ip("198.51.100.20"))
    );
    assert!(world.tcp("client", "198.51.100.20", "nat", 80).is_some());
    world.edit_host("nat", |host| host.source_translation = None);
    world.apply();
    assert_eq!(world.tcp("private", "203.0.113.5", "client", 443), None);
}
