//! Balancers: whose packets members see, where answers go, who gets flows and why others don't.

use crate::world::*;
use fabric::balancer::http::{
    Action, Case, Condition, Desync, Dialect, Fixed, Forward, HeaderConduct, Http, Outcome,
    Pattern, Request, Rule,
};
use fabric::balancer::{
    Balancer, Cause, Forwarding, Listener, Member, MemberState, Node, Pool, Service, SourceSeen,
    Stream, Transport as Carrier,
};
use fabric::walk::Walker;
use fabric::*;
use std::sync::Arc;

/// The node's address.
pub(crate) const NODE: &str = "10.0.5.10";

/// A member of a zone.
fn member(name: &str, address: &str) -> Member {
    Member::healthy(name, ip(address), 8080)
}

/// The pair a and b, a network load balancer's node in a segment of its own, and t1 and t2, of which
/// those named are its members, in a segment whose route table sends answers to a NAT machine.
pub(crate) fn balanced(members: &[&str]) -> World {
    let mut world = World::with_internet();
    world.table(
        "rtb-targets",
        "vpc",
        &[
            ("10.0.0.0/16", Target::Local),
            ("0.0.0.0/0", Target::Port("nat-0".into())),
        ],
    );
    world.segment("targets", "vpc", "10.0.2.0/24", "rtb-targets");
    world.segment("nodes", "vpc", "10.0.5.0/24", "rtb");
    world.host("t1", "targets", "10.0.2.10");
    world.host("t2", "targets", "10.0.2.11");
    world.host("nat", "nodes", "10.0.5.99");
    world.edit_port("nat-0", |port| port.guard = false);
    world.edit_host("nat", |host| {
        host.forwarding = true;
        host.source_translation = Some(SourceTranslation {
            address: ip("10.0.5.99"),
            managed: true,
        });
    });
    world.host("node", "nodes", NODE);
    let gateway = world.fabric.gateways.get_mut(&GatewayId::from("igw"));
    let GatewayKind::Internet(internet) = &mut Arc::make_mut(gateway.unwrap()).kind;
    internet.translations.extend([
        (ip(NODE), ip("198.51.100.5")),
        (ip("10.0.2.10"), ip("198.51.100.2")),
    ]);
    let of = |name: &&str| match *name {
        "t1" => member("t1", "10.0.2.10"),
        _ => member("t2", "10.0.2.11"),
    };
    world.balancer(
        Service::Forward(Forwarding {
            pool: "tg".into(),
            keeps_destination: false,
            idle_timeout: 350,
        }),
        Pool::of("tg".into(), members.iter().map(of).collect()),
    );
    world
}

impl World {
    /// A balancer of the host `node`, in zone a, that listens on port 80.
    fn balancer(&mut self, service: Service, pool: Pool) {
        let listener = Listener {
            id: "listener".into(),
            transports: vec![Carrier::Tcp, Carrier::Udp],
            ports: NumberRange::one(80),
            service,
        };
        let node = Node {
            zone: "a".to_owned(),
        };
        let balancer = Balancer {
            id: "lb".into(),
            nodes: [(HostId::from("node"), node)].into_iter().collect(),
            listeners: vec![Arc::new(listener)],
            pools: [(pool.id.clone(), Arc::new(pool))].into_iter().collect(),
        };
        self.fabric
            .balancers
            .insert("lb".into(), Arc::new(balancer));
    }

    fn edit_pool(&mut self, edit: impl FnOnce(&mut Pool)) {
        let balancer = self.fabric.balancers.get_mut(&BalancerId::from("lb"));
        let pools = &mut Arc::make_mut(balancer.unwrap()).pools;
        edit(Arc::make_mut(pools.get_mut(&PoolId::from("tg")).unwrap()));
    }

    fn why_balancer(&self, from: &str, flow: Flow) -> BalancerDrop {
        match self.dropped(from, flow) {
            (Direction::Out, DropReason::Balancer { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    }
}

fn stream() -> Service {
    Service::Stream(Stream {
        tls: None,
        pool: "tg".into(),
        idle_timeout: 350,
        access_log: None,
    })
}

/// AWS-NLB: a target sees the client's address and its own port, and its answer returns by the node,
/// though its own route table sends it to a NAT gateway that would drop it.
#[test]
fn a_forwarded_flow_keeps_its_client_and_comes_back() {
    let world = balanced(&["t1"]);
    let arrived = world.delivered("caller", tcp("198.51.100.5", 80));
    assert_eq!(arrived.source, ip("203.0.113.10"));
    assert_eq!(arrived.destination, ip("10.0.2.10"));
    let port = |flow: Flow| match flow.transport {
        Transport::Tcp {
            destination_port, ..
        } => destination_port,
        other => panic!("{other:?}"),
    };
    assert_eq!(port(arrived), 8080);
    let trace = world.walk("caller", tcp("198.51.100.5", 80));
    let back = trace
        .hops
        .iter()
        .filter(|hop| hop.direction == Direction::Back && hop.at == "rtb-targets");
    assert_eq!(back.count(), 0, "{:#?}", trace.hops);
    // Without the balancer the route table has its way.
    let direct = world.dropped("caller", tcp("198.51.100.2", 8080));
    assert!(
        matches!(direct, (Direction::Back, DropReason::NoMapping { .. })),
        "{direct:?}"
    );
}

/// AWS-NLB: with the client's address not kept the target sees the node's, and groups are asked about
/// that.
#[test]
fn a_pool_may_show_the_nodes_address() {
    let mut world = balanced(&["t1"]);
    let allow = |range| {
        let allow = rule("allow", FilterAction::Allow, range, Some(8080), true);
        filter("sg", FilterKind::AnyAllow, true, vec![allow], Vec::new())
    };
    world.edit_port("t1-0", |port| {
        port.layers = vec![Layer::AnyOf(vec!["sg".into()])];
    });
    let call = tcp(NODE, 80);
    world.filter(allow("10.0.1.10/32"));
    assert_eq!(world.delivered("a", call).source, ip("10.0.1.10"));
    world.edit_pool(|pool| pool.source = SourceSeen::Node);
    assert!(matches!(
        world.dropped("a", call).1,
        DropReason::PortFilter { .. }
    ));
    world.filter(allow("10.0.5.10/32"));
    assert_eq!(world.delivered("a", call).source, ip(NODE));
}

/// AWS-NLB: a target that is its own client gets no answer while its address is kept.
#[test]
fn a_target_is_not_its_own_client() {
    let mut world = balanced(&["t1"]);
    let call = tcp(NODE, 80);
    assert!(matches!(
        world.why_balancer("t1", call),
        BalancerDrop::Loopback { .. }
    ));
    world.edit_pool(|pool| pool.source = SourceSeen::Node);
    assert_eq!(world.delivered("t1", call).source, ip(NODE));
    let world = balanced(&["t1", "t2"]);
    let ways = Walker::new(&world.fabric).ways(&Origin::Host("t1".into()), call);
    let ends: Vec<(&str, bool)> = ways
        .iter()
        .map(|way| {
            let chosen = way.choices[0].chosen.name();
            (chosen, way.trace.verdict == Verdict::Delivered)
        })
        .collect();
    assert_eq!(ends, [("t1", false), ("t2", true)]);
    assert!(matches!(
        world.walk("t1", call).verdict,
        Verdict::Unknown(_)
    ));
}

/// AWS-NLB: who gets no flows, and why: other zones, draining, unhealthy; and that all get some when
/// none is healthy.
#[test]
fn members_that_get_no_flows_are_told() {
    let mut world = balanced(&["t1", "t2"]);
    let call = tcp(NODE, 80);
    world.edit_pool(|pool| {
        pool.cross_zone = false;
        pool.members[0].zone = Some("b".to_owned());
        pool.members[1].state = MemberState::Draining;
    });
    let BalancerDrop::NoMembers { excluded, .. } = world.why_balancer("a", call) else {
        panic!("{:?}", world.dropped("a", call));
    };
    let causes: Vec<Cause> = excluded.into_iter().map(|one| one.cause).collect();
    let zone = "b".to_owned();
    assert_eq!(causes, [Cause::OtherZone { zone }, Cause::Draining]);
    world.edit_pool(|pool| {
        pool.cross_zone = true;
        pool.members[1].state = MemberState::Unhealthy;
        pool.members[1].reason = Some("Target.Timeout".to_owned());
    });
    let trace = world.walk("a", call);
    let balanced = trace
        .hops
        .iter()
        .find(|hop| hop.action == HopAction::Balance)
        .unwrap();
    assert_eq!(
        balanced.detail,
        "→ 10.0.2.10:8080 (t1); 10.0.2.11:8080 (t2) is unhealthy: Target.Timeout"
    );
    world.edit_pool(|pool| pool.members[0].state = MemberState::Unhealthy);
    let ways = Walker::new(&world.fabric).ways(&Origin::Host("a".into()), call);
    assert_eq!(ways.len(), 2);
}

/// AWS-NLB, AWS-CLB: a port without a listener refuses, and the caller is told.
#[test]
fn a_port_without_a_listener_refuses() {
    let world = balanced(&["t1"]);
    let why = world.why_balancer("a", tcp(NODE, 81));
    assert!(why.refuses(), "{why:?}");
    // What is no flow of a listener's kind ends at the node.
    let echo = Flow {
        transport: Transport::Echo {
            id: 1,
            reply: false,
        },
        ..tcp(NODE, 0)
    };
    assert_eq!(world.delivered("a", echo).destination, ip(NODE));
}

/// AWS-CLB, AWS-ALB: a connection that ends at the node goes on in another, from the node; the whole is
/// delivered only if both are.
#[test]
fn a_connection_ends_at_the_node_and_goes_on() {
    let mut world = balanced(&[]);
    let pool = |members| Pool::of("tg".into(), members);
    world.balancer(stream(), pool(vec![member("t1", "10.0.2.10")]));
    let trace = world.walk("a", tcp(NODE, 80));
    assert_eq!(trace.verdict, Verdict::Delivered, "{trace:#?}");
    assert_eq!(trace.arrived.as_ref().unwrap().0.as_str(), "node");
    let (host, packet) = trace.last().arrived.clone().unwrap();
    assert_eq!((host.as_str(), packet.source), ("t1", ip(NODE)));
    world.edit_host("t1", |host| host.running = false);
    let trace = world.walk("a", tcp(NODE, 80));
    assert!(
        matches!(
            trace.verdict,
            Verdict::Dropped(_, DropReason::HostDown { .. })
        ),
        "{trace:#?}"
    );
    assert!(trace.arrived.is_some());
    world.balancer(stream(), pool(Vec::new()));
    assert!(matches!(
        world.why_balancer("a", tcp(NODE, 80)),
        BalancerDrop::NoMembers { .. }
    ));
    // A member that is the balancer itself never ends.
    world.balancer(
        stream(),
        pool(vec![Member::healthy("itself", ip(NODE), 80)]),
    );
    let verdict = world.walk("a", tcp(NODE, 80)).verdict;
    assert!(
        matches!(verdict, Verdict::Dropped(_, DropReason::Loop { .. })),
        "{verdict:?}"
    );
}

/// AWS-NLB: each choice of members, of the balancer and of one behind it, is a way.
#[test]
fn every_choice_is_a_way() {
    let mut world = balanced(&[]);
    let members = vec![member("t1", "10.0.2.10"), member("t2", "10.0.2.11")];
    world.balancer(stream(), Pool::of("tg".into(), members));
    let ways = Walker::new(&world.fabric).ways(&Origin::Host("a".into()), tcp(NODE, 80));
    let ends: Vec<&str> = ways
        .iter()
        .map(|way| way.trace.last().arrived.as_ref().unwrap().0.as_str())
        .collect();
    assert_eq!(ends, ["t1", "t2"]);
}

fn application(rules: Vec<Rule>, default: Outcome) -> Service {
    let default = Rule {
        id: "default".into(),
        priority: 0,
        conditions: Vec::new(),
        action: Action::plain(default),
    };
    Service::Http(Http {
        tls: None,
        http2: false,
        dialect: Dialect::AwsApplication,
        rules: rules.into_iter().map(Arc::new).collect(),
        default: Arc::new(default),
        idle_timeout: 60,
        client_keep_alive: 3600,
        headers: HeaderConduct::default(),
        desync: Desync::Defensive,
        access_log: false,
    })
}

/// AWS-ALB: with a request `walk` says which rule takes it and where that leads; without one each rule is
/// a way.
#[test]
fn rules_say_where_requests_go() {
    let mut world = balanced(&[]);
    let api = Rule {
        id: "api".into(),
        priority: 1,
        conditions: vec![Condition::Path(vec![Pattern::new("/api/*", Case::Kept)])],
        action: Action::plain(Outcome::Forward(Forward::to("tg".into()))),
    };
    let nothing = Outcome::Fixed(Fixed {
        status: 404,
        content_type: None,
        body: String::new(),
    });
    let members = vec![member("t1", "10.0.2.10"), member("t2", "10.0.2.11")];
    world.balancer(
        application(vec![api], nothing),
        Pool::of("tg".into(), members),
    );
    let walker = Walker::new(&world.fabric);
    let (from, call) = (Origin::Host("a".into()), tcp(NODE, 80));
    let ends = |ways: Vec<Way>| -> Vec<(Option<RuleId>, String)> {
        ways.into_iter()
            .map(|way| {
                let told = way.trace.hops.into_iter();
                let mut rules = told.filter(|hop| hop.action == HopAction::Balance);
                let rule = rules.next().and_then(|hop| hop.rule);
                let last = way.trace.onward.and_then(|onward| onward.arrived);
                (
                    rule,
                    last.map_or_else(String::new, |(host, _)| host.to_string()),
                )
            })
            .collect()
    };
    let rule = |rule: &str, end: &str| (Some(RuleId::from(rule)), end.to_owned());
    assert_eq!(
        ends(walker.ways(&from, call)),
        [rule("api", "t1"), rule("api", "t2"), rule("default", "")]
    );
    let none: [(&str, &str); 0] = [];
    let request = |path| Request {
        method: "GET",
        host: "www.example.com",
        path,
        query: None,
        headers: &none,
        source: ip("10.0.1.10").into(),
    };
    let asked = |path| walker.ways_with(&from, call, Some(&request(path)));
    assert_eq!(
        ends(asked("/api/v1")),
        [rule("api", "t1"), rule("api", "t2")]
    );
    assert_eq!(ends(asked("/")), [rule("default", "")]);
    let told = walker.walk_with(&from, call, Some(&request("/api/v1")));
    assert_eq!(told.verdict, Verdict::Delivered);
}
