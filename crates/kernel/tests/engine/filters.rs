//! Boundaries, first-match filters, layers, tracking.

use crate::basics::pair;
use crate::world::*;
use fabric::*;

crate::trials![
    boundaries_are_stateless,
    boundaries_spare_their_own_segment,
    removed_rules_leave_tracked_flows,
    removed_rules_cut_open_flows,
    a_boundary_cuts_at_once,
    azure_shaped_layers_both_decide,
    google_shaped_network_spans_segments,
    every_kind_of_rule_is_obeyed,
];

/// Two segments with a host each, everything allowed by group.
fn two_segments() -> World {
    let mut world = pair();
    world.segment("subnet-2", "vpc-1", "10.0.2.0/24", "rtb-1");
    world.filter(group(
        "sg",
        vec![allow("all", AddressMatch::Any, ProtocolMatch::Any, true)],
        all_out(),
    ));
    world.host("c", "subnet-2", "10.0.2.10", &["sg"]);
    world
}

fn acl(ingress: Vec<FilterRule>, egress: Vec<FilterRule>) -> Filter {
    Filter {
        id: "acl".into(),
        kind: FilterKind::FirstMatch,
        stateful: false,
        tracking: Tracking::Always,
        ingress,
        egress,
    }
}

fn all(ingress: bool) -> FilterRule {
    allow("100", AddressMatch::Any, ProtocolMatch::Any, ingress)
}

/// AWS-NACL: answers need rules of their own; the first match decides.
fn boundaries_are_stateless() {
    let mut world = two_segments();
    world.filter(acl(
        vec![allow("100", AddressMatch::Any, tcp(80), true)],
        vec![],
    ));
    world.boundary("subnet-2", Some("acl"));
    world.apply();
    assert!(world.tcp("a", "10.0.2.10", "c", 80).is_none());
    let ephemeral = ProtocolMatch::Ports {
        protocol: Protocol::TCP,
        source: vec![],
        destination: vec![NumberRange::new(1024, 65535)],
    };
    world.filter(acl(
        vec![allow("100", AddressMatch::Any, tcp(80), true)],
        vec![allow("100", from("10.0.0.0/8"), ephemeral, false)],
    ));
    world.apply();
    assert!(world.tcp("a", "10.0.2.10", "c", 80).is_some());
    assert!(world.tcp("a", "10.0.2.10", "c", 81).is_none());
    world.filter(acl(
        vec![
            deny(allow("50", from("10.0.1.10/32"), tcp(80), true)),
            allow("100", AddressMatch::Any, tcp(80), true),
        ],
        vec![all(false)],
    ));
    world.apply();
    assert!(world.tcp("a", "10.0.2.10", "c", 80).is_none());
    assert!(world.tcp("b", "10.0.2.10", "c", 80).is_some());
    world.boundary("subnet-2", None);
    world.apply();
    assert!(world.tcp("a", "10.0.2.10", "c", 80).is_some());
}

/// AWS-NACL: between two ports of one segment it isn't consulted.
fn boundaries_spare_their_own_segment() {
    let mut world = two_segments();
    world.filter(acl(vec![], vec![]));
    world.boundary("subnet-1", Some("acl"));
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
    assert!(world.tcp("a", "10.0.2.10", "c", 80).is_none());
}

/// AWS-SG: removing a rule leaves the connections it let through alone.
fn removed_rules_leave_tracked_flows() {
    let mut world = pair();
    world.apply();
    let listener = world.listen("b", 80);
    let mut client = world.connect("a", "10.0.1.11", 80).expect("connects");
    let (mut server, _) = listener.accept().expect("accepts");
    exchange(&mut client, &mut server).expect("speaks");
    world.filter(group("sg", vec![], vec![]));
    world.apply();
    exchange(&mut client, &mut server).expect("still speaks");
    assert!(world.connect("a", "10.0.1.11", 80).is_err());
}

/// AWS-SG: a flow that everything allows isn't tracked, and its rule's removal cuts it at once,
/// unless an end of it is always tracked.
fn removed_rules_cut_open_flows() {
    let open = |port| {
        let rule = allow("web", AddressMatch::Any, tcp(port), true);
        let mut filter = group("open", vec![rule], all_out());
        filter.tracking = Tracking::UnlessOpen;
        filter
    };
    for always in [false, true] {
        let mut world = pair();
        world.filter(open(80));
        world.edit_port("b-0", |port| {
            port.layers = vec![Layer::AnyOf(vec!["open".into()])];
            port.always_tracked = always;
        });
        world.apply();
        let listener = world.listen("b", 80);
        let mut client = world.connect("a", "10.0.1.11", 80).expect("connects");
        let (mut server, _) = listener.accept().expect("accepts");
        exchange(&mut client, &mut server).expect("speaks");
        world.filter(open(81));
        world.apply();
        assert_eq!(exchange(&mut client, &mut server).is_ok(), always);
    }
}

/// AWS-NACL: a deny cuts live connections.
fn a_boundary_cuts_at_once() {
    let mut world = two_segments();
    world.filter(acl(vec![all(true)], vec![all(false)]));
    world.boundary("subnet-2", Some("acl"));
    world.apply();
    let listener = world.listen("c", 80);
    let mut client = world.connect("a", "10.0.2.10", 80).expect("connects");
    let (mut server, _) = listener.accept().expect("accepts");
    exchange(&mut client, &mut server).expect("speaks");
    world.filter(acl(vec![], vec![all(false)]));
    world.apply();
    assert!(exchange(&mut client, &mut server).is_err());
}

fn first(id: &str, ingress: Vec<FilterRule>, egress: Vec<FilterRule>) -> Filter {
    Filter {
        id: id.into(),
        kind: FilterKind::FirstMatch,
        stateful: true,
        tracking: Tracking::Always,
        ingress,
        egress,
    }
}

/// Azure: a network security group on the subnet and one on the interface; both must allow.
fn azure_shaped_layers_both_decide() {
    let mut world = pair();
    world.filter(first(
        "nsg-subnet",
        vec![
            deny(allow("100", from("10.0.1.10/32"), tcp(22), true)),
            all(true),
        ],
        vec![all(false)],
    ));
    world.filter(first(
        "nsg-nic",
        vec![
            allow("100", AddressMatch::Any, tcp(22), true),
            allow("110", AddressMatch::Any, tcp(80), true),
        ],
        vec![all(false)],
    ));
    for port in ["a-0", "b-0"] {
        world.edit_port(port, |port| {
            port.layers = vec![
                Layer::First("nsg-nic".into()),
                Layer::First("nsg-subnet".into()),
            ];
        });
    }
    world.host("c", "subnet-1", "10.0.1.12", &[]);
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
    assert!(
        world.tcp("a", "10.0.1.11", "b", 22).is_none(),
        "the subnet's"
    );
    assert!(world.tcp("c", "10.0.1.11", "b", 22).is_some());
    assert!(world.tcp("c", "10.0.1.11", "b", 23).is_none(), "the nic's");
    assert!(world.tcp("b", "10.0.1.12", "c", 23).is_some());
}

/// Google: one network over several regions, rules by tag and priority, and a host with ports in two
/// networks, each with its own routes.
fn google_shaped_network_spans_segments() {
    let mut world = World::new();
    for network in ["net-1", "net-2"] {
        world.network(network, 1460);
        world.table(
            &format!("{network}-routes"),
            network,
            &[("10.0.0.0/8", Target::Local)],
        );
    }
    world.segment("west", "net-1", "10.1.0.0/20", "net-1-routes");
    world.segment("east", "net-1", "10.2.0.0/20", "net-1-routes");
    world.segment("back", "net-2", "10.3.0.0/20", "net-2-routes");
    world.set("tag-web", &["10.2.0.10/32"]);
    world.set("tag-client", &["10.1.0.10/32"]);
    let mut web = allow("1000", members("tag-client"), tcp(80), true);
    web.destination = members("tag-web");
    let mut closed = deny(allow("900", from("10.1.0.11/32"), ProtocolMatch::Any, true));
    closed.destination = members("tag-web");
    world.filter(first("fw-1", vec![closed, web], vec![all(false)]));
    world.filter(first(
        "fw-2",
        vec![allow("1000", AddressMatch::Any, tcp(5432), true)],
        vec![all(false)],
    ));
    world.host("client", "west", "10.1.0.10", &[]);
    world.host("other", "west", "10.1.0.11", &[]);
    world.host("web", "east", "10.2.0.10", &[]);
    world.host("db", "back", "10.3.0.10", &[]);
    let second = world.port("web", 1, "back", "10.3.0.11", &[]);
    world.route("web", "10.3.0.0/20", &second);
    for (port, filter) in [
        ("client-0", "fw-1"),
        ("other-0", "fw-1"),
        ("web-0", "fw-1"),
        ("web-1", "fw-2"),
        ("db-0", "fw-2"),
    ] {
        world.edit_port(port, |port| port.layers = vec![Layer::First(filter.into())]);
    }
    world.apply();
    assert!(world.tcp("client", "10.2.0.10", "web", 80).is_some());
    assert!(world.tcp("client", "10.2.0.10", "web", 81).is_none());
    assert!(world.tcp("other", "10.2.0.10", "web", 80).is_none());
    assert_eq!(
        world.tcp("web", "10.3.0.10", "db", 5432),
        Some(ip("10.3.0.11"))
    );
    assert!(world.tcp("client", "10.3.0.10", "db", 5432).is_none());
    world.set("tag-client", &["10.1.0.10/32", "10.1.0.11/32"]);
    world.filter(first(
        "fw-1",
        vec![{
            let mut web = allow("1000", members("tag-client"), tcp(80), true);
            web.destination = members("tag-web");
            web
        }],
        vec![all(false)],
    ));
    world.apply();
    assert!(world.tcp("other", "10.2.0.10", "web", 80).is_some());
}

/// Ranges, source ports, whole protocols and both operands at once, and their removal.
fn every_kind_of_rule_is_obeyed() {
    let mut world = pair();
    let ranges = |source: Vec<NumberRange>, destination: Vec<NumberRange>| ProtocolMatch::Ports {
        protocol: Protocol::UDP,
        source,
        destination,
    };
    let both = |mut rule: FilterRule| {
        rule.destination = from("10.0.1.11/32");
        rule
    };
    let rules = vec![
        allow(
            "1",
            from("10.0.1.10/32"),
            ranges(vec![NumberRange::new(4000, 4001)], vec![]),
            true,
        ),
        allow(
            "2",
            from("10.0.0.0/16"),
            ranges(
                vec![],
                vec![NumberRange::new(100, 102), NumberRange::one(105)],
            ),
            true,
        ),
        both(allow("3", from("10.0.1.0/28"), udp(200), true)),
        both(allow("4", from("10.9.0.0/28"), udp(201), true)),
    ];
    world.filter(group("sg", rules.clone(), all_out()));
    world.apply();
    let reaches = |world: &World, source: u16, destination: u16| {
        let (sender, at) = (world.udp("a", source), world.udp("b", destination));
        datagram(&sender, ("10.0.1.11", destination), &at).is_some()
    };
    for (source, destination, passes) in [
        (4000, 9, true),
        (4002, 9, false),
        (5000, 102, true),
        (5000, 103, false),
        (5000, 105, true),
        (5000, 200, true),
        (5000, 201, false),
    ] {
        assert_eq!(
            reaches(&world, source, destination),
            passes,
            "{source} {destination}"
        );
    }
    world.filter(group("sg", rules[1..].to_vec(), all_out()));
    world.apply();
    assert!(!reaches(&world, 4001, 10));
    assert!(reaches(&world, 4001, 101));
    world.filter(group(
        "sg",
        vec![allow(
            "5",
            AddressMatch::Any,
            ProtocolMatch::Whole(Protocol::UDP),
            true,
        )],
        all_out(),
    ));
    world.apply();
    assert!(reaches(&world, 4003, 11));
    assert!(world.tcp("a", "10.0.1.11", "b", 11).is_none());
}
