//! What load balancers are in the fabric.

use crate::ground::Ground;
use aws::compile::{self, Outside};
use aws::model::State;
use aws::model::load_balancer::{Probe, TargetKey, health};
use fabric::Fabric;
use fabric::balancer::http::Outcome;
use fabric::balancer::{Balancer, MemberState, Service, SourceSeen, Transport};

fn outside() -> Outside {
    Outside {
        internet: "internet".into(),
    }
}

/// The whole fabric; bringing an older one up to date gives the same.
fn compiled(before: &State, after: &State) -> Fabric {
    let whole = compile::fabric(after, &outside());
    let mut updated = compile::fabric(before, &outside());
    compile::update(&mut updated, before, after, &outside());
    assert!(updated == whole, "an update is not the whole compiled anew");
    whole
}

/// The only balancer.
fn only(fabric: &Fabric) -> Balancer {
    assert_eq!(fabric.balancers.len(), 1);
    fabric.balancers.values().next().unwrap().as_ref().clone()
}

/// AWS-ALB: rules, pools and members, health and nodes.
#[test]
fn an_application_load_balancer_is_rules_and_pools() {
    let mut ground = Ground::new();
    let subnet = ground.subnets[0].clone();
    let instance = ground.account.instance(&subnet, &[]);
    let empty = ground.account.state.clone();
    let group = ground.group("web", "HTTP", &[]);
    let balancer = ground.balancer("front", &[]);
    let listener = ground.listener(&balancer, "HTTP", "80", &group);
    let register = [
        ("TargetGroupArn", group.as_str()),
        ("Targets.member.1.Id", instance.as_str()),
    ];
    ground.ok("RegisterTargets", &register);
    let rule = [
        ("ListenerArn", listener.as_str()),
        ("Priority", "5"),
        ("Conditions.member.1.Field", "path-pattern"),
        ("Conditions.member.1.Values.member.1", "/old/*"),
        ("Actions.member.1.Type", "redirect"),
        ("Actions.member.1.RedirectConfig.Path", "/new"),
        ("Actions.member.1.RedirectConfig.StatusCode", "HTTP_302"),
    ];
    ground.ok("CreateRule", &rule);
    let fabric = compiled(&empty, &ground.account.state);
    let told = only(&fabric);
    assert_eq!(told.nodes.len(), 2);
    for (host, node) in &told.nodes {
        assert!(fabric.hosts.contains_key(host), "a node is a host");
        assert!(node.zone.starts_with("us-west-2"));
        let port = &fabric.ports[&fabric::PortId::from(host.as_str())];
        assert_eq!(port.host, Some((host.clone(), 1)));
        assert!(port.guard && port.always_tracked);
    }
    let listener = told.listener(Transport::Tcp, 80).unwrap();
    let Service::Http(http) = &listener.service else {
        panic!("{listener:?}");
    };
    assert_eq!(http.rules[0].priority, 5);
    assert!(matches!(&http.rules[0].action.outcome, Outcome::Redirect(to) if to.status == 302));
    assert!(matches!(&http.default.action.outcome, Outcome::Forward(_)));
    let pool = told.pools.values().next().unwrap();
    assert_eq!(pool.source, SourceSeen::Node);
    assert!(pool.cross_zone);
    assert_eq!(pool.members[0].name, instance);
    assert_eq!(pool.members[0].state, MemberState::Initial);
    assert_eq!(pool.members[0].zone.as_deref(), Some("us-west-2a"));
    let before = ground.account.state.clone();
    let key = TargetKey {
        group,
        id: instance.clone(),
        port: 80,
    };
    let now = ground.account.now;
    health::observe(&mut ground.account.state, &key, Probe::Passed, now);
    let fabric = compiled(&before, &ground.account.state);
    let told = only(&fabric);
    let pool = told.pools.values().next().unwrap();
    assert_eq!(pool.members[0].state, MemberState::Healthy);
    let before = ground.account.state.clone();
    ground
        .account
        .ok("StopInstances", &[("InstanceId.1", &instance)]);
    let fabric = compiled(&before, &ground.account.state);
    let told = only(&fabric);
    let member = &told.pools.values().next().unwrap().members[0];
    assert_eq!(member.state, MemberState::Unused);
    assert_eq!(member.reason.as_deref(), Some("Target.InvalidState"));
    let before = ground.account.state.clone();
    ground.ok("DeleteLoadBalancer", &[("LoadBalancerArn", &balancer)]);
    let fabric = compiled(&before, &ground.account.state);
    assert!(fabric.balancers.is_empty());
    assert!(
        told.nodes
            .keys()
            .all(|host| !fabric.hosts.contains_key(host))
    );
}

/// AWS-NLB: packets are passed on with their clients' addresses, unless that is off; nodes aren't checked for spoofing.
#[test]
fn a_network_load_balancer_passes_packets_on() {
    let mut ground = Ground::new();
    let empty = ground.account.state.clone();
    let balancer = ground.balancer("flows", &[("Type", "network")]);
    let group = ground.group("tcp", "TCP", &[]);
    ground.listener(&balancer, "TCP", "80", &group);
    let by_address = ground.group("ip", "TCP", &[("TargetType", "ip")]);
    ground.listener(&balancer, "TCP", "81", &by_address);
    let datagrams = ground.group("udp", "UDP", &[]);
    ground.listener(&balancer, "UDP", "53", &datagrams);
    let fabric = compiled(&empty, &ground.account.state);
    let told = only(&fabric);
    assert!(told.forwards());
    assert!(told.listener(Transport::Udp, 53).is_some());
    assert!(told.listener(Transport::Tcp, 53).is_none());
    for (group, source) in [
        (&group, SourceSeen::Client),
        (&by_address, SourceSeen::Node),
        (&datagrams, SourceSeen::Client),
    ] {
        let pool = &told.pools[&fabric::PoolId::from(group.as_str())];
        assert_eq!(pool.source, source, "{group}");
        assert!(!pool.cross_zone);
    }
    for host in told.nodes.keys() {
        let port = &fabric.ports[&fabric::PortId::from(host.as_str())];
        assert!(!port.guard && port.layers.is_empty());
    }
}

/// AWS-CLB: each listener is a pool of its own, of the same instances.
#[test]
fn a_classic_load_balancer_has_a_pool_a_listener() {
    let mut ground = Ground::new();
    let subnet = ground.subnets[0].clone();
    let instance = ground.account.instance(&subnet, &[]);
    let empty = ground.account.state.clone();
    let asked = [
        ("LoadBalancerName", "old"),
        ("Subnets.member.1", subnet.as_str()),
        ("Listeners.member.1.Protocol", "HTTP"),
        ("Listeners.member.1.LoadBalancerPort", "80"),
        ("Listeners.member.1.InstancePort", "8080"),
        ("Listeners.member.2.Protocol", "TCP"),
        ("Listeners.member.2.LoadBalancerPort", "9000"),
        ("Listeners.member.2.InstancePort", "9001"),
    ];
    ground
        .account
        .classic("CreateLoadBalancer", &asked)
        .unwrap();
    let register = [
        asked[0],
        ("Instances.member.1.InstanceId", instance.as_str()),
    ];
    ground
        .account
        .classic("RegisterInstancesWithLoadBalancer", &register)
        .unwrap();
    let fabric = compiled(&empty, &ground.account.state);
    let told = only(&fabric);
    assert_eq!(told.pools.len(), 2);
    let http = told.listener(Transport::Tcp, 80).unwrap();
    assert!(matches!(&http.service, Service::Http(_)));
    let bytes = told.listener(Transport::Tcp, 9000).unwrap();
    let Service::Stream(stream) = &bytes.service else {
        panic!("{bytes:?}");
    };
    let member = &told.pools[&stream.pool].members[0];
    assert_eq!((member.port, member.check_port), (9001, 8080));
    assert_eq!(member.state, MemberState::Initial);
    let before = ground.account.state.clone();
    ground
        .account
        .classic("DeleteLoadBalancer", &asked[..1])
        .unwrap();
    assert!(
        compiled(&before, &ground.account.state)
            .balancers
            .is_empty()
    );
}
