//! The three clouds' shapes, walked. `crates/kernel/tests/engine` forwards the same shapes.

use crate::world::*;
use fabric::*;

fn accept(id: &str, range: &str, port: Option<u16>, ingress: bool) -> FilterRule {
    rule(id, FilterAction::Allow, range, port, ingress)
}

/// AWS-NACL, F-6: an answer meets the boundary's rules on its own, and only across the boundary.
#[test]
fn aws_answers_need_ephemeral_ports() {
    let mut world = World::with_internet();
    let inbound = vec![accept("100", "0.0.0.0/0", None, true)];
    let outbound = vec![accept("100", "0.0.0.0/0", Some(443), false)];
    world.filter(filter(
        "acl",
        FilterKind::FirstMatch,
        false,
        inbound,
        outbound,
    ));
    world.edit_segment("one", |segment| segment.boundary = Some("acl".into()));
    let (direction, reason) = world.dropped("caller", tcp("198.51.100.1", 80));
    assert_eq!(direction, Direction::Back);
    assert!(
        matches!(
            reason,
            DropReason::BoundaryFilter {
                rule: None,
                ingress: false,
                ..
            }
        ),
        "{reason:?}"
    );
    world.delivered("a", tcp("10.0.1.11", 80));
}

/// AWS-SG: stateful: what was let in is answered although nothing may go out.
#[test]
fn aws_groups_answer_what_they_let_in() {
    let mut world = World::pair();
    let inbound = vec![accept("sgr-1", "10.0.1.10/32", Some(80), true)];
    world.filter(filter(
        "sg",
        FilterKind::AnyAllow,
        true,
        inbound,
        Vec::new(),
    ));
    world.edit_port("b-0", |port| {
        port.layers = vec![Layer::AnyOf(vec!["sg".into()])];
    });
    world.delivered("a", tcp("10.0.1.11", 80));
    let trace = world.walk("a", tcp("10.0.1.11", 80));
    let let_in = trace.hops.iter().find(|hop| {
        hop.rule
            .as_ref()
            .is_some_and(|rule| rule.as_str() == "sgr-1")
    });
    assert_eq!(
        let_in.map(|hop| hop.action),
        Some(HopAction::Allow),
        "{:#?}",
        trace.hops
    );
    assert!(matches!(
        world.dropped("b", tcp("10.0.1.10", 80)).1,
        DropReason::PortFilter { ingress: false, .. }
    ));
}

/// AWS-NAT, AWS-IGW: out as the translator's address, never in; a blackhole when it is gone.
#[test]
fn aws_nat_hides_and_does_not_admit() {
    let mut world = World::with_internet();
    world.table(
        "private",
        "vpc",
        &[
            ("10.0.0.0/16", Target::Local),
            ("0.0.0.0/0", Target::Port("nat-0".into())),
        ],
    );
    world.segment("two", "vpc", "10.0.2.0/24", "private");
    world.host("db", "two", "10.0.2.21");
    world.host("nat", "one", "10.0.1.99");
    world.edit_port("nat-0", |port| {
        port.guard = false;
        port.always_tracked = true;
    });
    world.edit_host("nat", |host| {
        host.forwarding = true;
        host.source_translation = Some(SourceTranslation {
            address: ip("10.0.1.99"),
            managed: true,
        });
    });
    let translations = [(ip("10.0.1.99"), ip("198.51.100.9"))]
        .into_iter()
        .collect();
    let gateway = InternetGateway {
        inside: "vpc".into(),
        outside: "internet".into(),
        translations,
        route_table: None,
        mtu: 1500,
    };
    let gateway = Gateway {
        id: "igw".into(),
        kind: GatewayKind::Internet(gateway),
    };
    world
        .fabric
        .gateways
        .insert("igw".into(), std::sync::Arc::new(gateway));
    assert_eq!(
        world.delivered("db", tcp("203.0.113.10", 80)).source,
        ip("198.51.100.9")
    );
    let (_, reason) = world.dropped("caller", tcp("198.51.100.9", 80));
    assert!(matches!(reason, DropReason::NoMapping { .. }), "{reason:?}");
}

/// AWS-IGW: a host that calls a public address of its own network goes out to the gateway and back in.
#[test]
fn aws_hairpin_through_the_gateway() {
    let mut world = World::with_internet();
    let gateway = world
        .fabric
        .gateways
        .get_mut(&GatewayId::from("igw"))
        .unwrap();
    let GatewayKind::Internet(internet) = &mut std::sync::Arc::make_mut(gateway).kind;
    internet
        .translations
        .insert(ip("10.0.1.11"), ip("198.51.100.2"));
    assert_eq!(
        world.delivered("b", tcp("198.51.100.1", 80)).source,
        ip("198.51.100.2")
    );
}

/// Azure: filters at the subnet and at the interface both decide, by priority, with denies.
#[test]
fn azure_levels_both_decide() {
    let mut world = World::pair();
    let subnet = vec![
        rule("100", FilterAction::Deny, "10.0.1.10/32", Some(22), true),
        accept("65000", "0.0.0.0/0", None, true),
    ];
    let nic = vec![
        accept("100", "0.0.0.0/0", Some(22), true),
        accept("110", "0.0.0.0/0", Some(80), true),
    ];
    let out = || vec![accept("65000", "0.0.0.0/0", None, false)];
    world.filter(filter(
        "nsg-subnet",
        FilterKind::FirstMatch,
        true,
        subnet,
        out(),
    ));
    world.filter(filter("nsg-nic", FilterKind::FirstMatch, true, nic, out()));
    world.edit_port("b-0", |port| {
        port.layers = vec![
            Layer::First("nsg-nic".into()),
            Layer::First("nsg-subnet".into()),
        ];
    });
    world.delivered("a", tcp("10.0.1.11", 80));
    let by = |flow| match world.dropped("a", flow).1 {
        DropReason::PortFilter {
            layer: Layer::First(filter),
            rule,
            ..
        } => (filter.to_string(), rule.map(|(_, rule)| rule.to_string())),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        by(tcp("10.0.1.11", 22)),
        ("nsg-subnet".to_owned(), Some("100".to_owned()))
    );
    assert_eq!(by(tcp("10.0.1.11", 23)), ("nsg-nic".to_owned(), None));
}

/// Azure: a user's route of the same prefix goes before the system's.
#[test]
fn azure_user_routes_override() {
    let mut world = World::pair();
    let system = Route {
        id: "system".into(),
        prefix: net("10.0.0.0/16"),
        target: Target::Local,
        origin: RouteOrigin::System,
        preference: 2,
    };
    let user = Route {
        id: "to-nowhere".into(),
        target: Target::Drop(DropCause::ByRule),
        origin: RouteOrigin::User,
        preference: 0,
        ..system
    };
    let table = RouteTable {
        id: "rtb".into(),
        network: "vpc".into(),
        routes: vec![system, user],
    };
    world
        .fabric
        .route_tables
        .insert("rtb".into(), std::sync::Arc::new(table));
    let (_, reason) = world.dropped("a", tcp("10.0.1.11", 80));
    assert!(
        matches!(reason, DropReason::RouteDrops { ref route, .. } if route.as_str() == "to-nowhere"),
        "{reason:?}"
    );
}

/// Google: one network over several regions, rules by tag and priority, a host in two networks that
/// does not pass on between them.
#[test]
fn google_networks_span_regions() {
    let mut world = World::default();
    for (network, segments) in [
        (
            "net-1",
            &[("west", "10.1.0.0/20"), ("east", "10.2.0.0/20")][..],
        ),
        ("net-2", &[("back", "10.3.0.0/20")]),
    ] {
        world.network(network, &[]);
        let table = format!("{network}-routes");
        world.table(&table, network, &[("10.0.0.0/8", Target::Local)]);
        for (segment, prefix) in segments {
            world.segment(segment, network, prefix, &table);
        }
    }
    world.host("client", "west", "10.1.0.10");
    world.host("web", "east", "10.2.0.10");
    world.host("db", "back", "10.3.0.10");
    let members = [net("10.1.0.10/32")].into_iter().collect();
    let tagged = AddressSet {
        id: "tag-client".into(),
        members,
    };
    world
        .fabric
        .address_sets
        .insert("tag-client".into(), std::sync::Arc::new(tagged));
    let mut by_tag = accept("1000", "0.0.0.0/0", Some(80), true);
    by_tag.source = AddressMatch::AnyOf(vec![AddressTerm::Set("tag-client".into())]);
    let everything = accept("65534", "0.0.0.0/0", None, false);
    world.filter(filter(
        "fw-1",
        FilterKind::FirstMatch,
        true,
        vec![by_tag],
        vec![everything],
    ));
    for port in ["client-0", "web-0"] {
        world.edit_port(port, |port| port.layers = vec![Layer::First("fw-1".into())]);
    }
    world.delivered("client", tcp("10.2.0.10", 80));
    assert!(matches!(
        world.dropped("client", tcp("10.2.0.10", 81)).1,
        DropReason::PortFilter { .. }
    ));
    assert!(matches!(
        world.dropped("web", tcp("10.1.0.10", 80)).1,
        DropReason::PortFilter { .. }
    ));
    assert!(matches!(
        world.dropped("client", tcp("10.3.0.10", 80)).1,
        DropReason::NoSuchAddress { .. }
    ));
}

/// What can't be told is unknown, never guessed.
#[test]
fn opaque_hosts_are_unknown() {
    let mut world = World::pair();
    world.table(
        "rtb",
        "vpc",
        &[
            ("10.0.0.0/16", Target::Local),
            ("0.0.0.0/0", Target::Port("b-0".into())),
        ],
    );
    world.edit_port("b-0", |port| port.guard = false);
    world.edit_host("b", |host| {
        host.forwarding = true;
        host.opaque = Some("it has a firewall of its own".to_owned());
    });
    let verdict = world.walk("a", tcp("192.0.2.1", 80)).verdict;
    assert!(
        matches!(verdict, Verdict::Unknown(ref why) if why.contains("firewall")),
        "{verdict:?}"
    );
}
