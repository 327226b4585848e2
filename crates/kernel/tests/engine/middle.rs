//! Appliances in the middle, and ways that differ out and back.

use crate::basics::pair;
use crate::world::*;
use fabric::*;

crate::trials![
    an_appliance_sees_a_flow_twice,
    an_appliances_own_filters_decide_each_pass,
    answers_may_come_another_way,
    azure_shaped_user_routes_go_before_system_ones,
];

/// Hosts in two segments whose traffic is routed through an appliance in a third.
fn with_wall(back_too: bool) -> World {
    let mut world = pair();
    world.table(
        "rtb-1",
        "vpc-1",
        &[
            ("10.0.0.0/16", Target::Local),
            ("10.0.2.0/24", Target::Port("wall-0".into())),
        ],
    );
    let mut back = vec![("10.0.0.0/16", Target::Local)];
    if back_too {
        back.push(("10.0.1.0/24", Target::Port("wall-0".into())));
    }
    world.table("rtb-2", "vpc-1", &back);
    world.table("rtb-3", "vpc-1", &[("10.0.0.0/16", Target::Local)]);
    world.segment("subnet-2", "vpc-1", "10.0.2.0/24", "rtb-2");
    world.segment("subnet-3", "vpc-1", "10.0.3.0/24", "rtb-3");
    world.filter(group(
        "web",
        vec![allow("web", from("10.0.1.0/24"), tcp(80), true)],
        vec![],
    ));
    world.host("c", "subnet-2", "10.0.2.10", &["web"]);
    world.host("wall", "subnet-3", "10.0.3.10", &[]);
    world.edit_port("wall-0", |port| port.guard = false);
    world.edit_host("wall", |host| host.forwarding = true);
    world
}

/// AWS-ENI: with its source/destination check off, an appliance passes what isn't its own; with it
/// on, nothing.
fn an_appliance_sees_a_flow_twice() {
    let mut world = with_wall(true);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), Some(ip("10.0.1.10")));
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 81), None);
    world.edit_port("wall-0", |port| port.guard = true);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), None);
    world.edit_port("wall-0", |port| port.guard = false);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), Some(ip("10.0.1.10")));
}

/// AWS-SG: the appliance's groups look at a flow when it comes and when it goes on: being let in
/// doesn't let it out.
fn an_appliances_own_filters_decide_each_pass() {
    let mut world = with_wall(true);
    let everything = || vec![allow("in", AddressMatch::Any, ProtocolMatch::Any, true)];
    world.edit_port("wall-0", |port| {
        port.layers = vec![Layer::AnyOf(vec!["wall".into()])];
    });
    for (ingress, egress, passes) in [
        (everything(), all_out(), true),
        (everything(), vec![], false),
        (vec![], all_out(), false),
    ] {
        world.filter(group("wall", ingress, egress));
        world.apply();
        let arrives = world.tcp("a", "10.0.2.10", "c", 80).is_some();
        assert_eq!(arrives, passes);
    }
}

/// AWS-RTB: the answer takes the way that its own segment's table says; the flow's ends know it all
/// the same.
fn answers_may_come_another_way() {
    let mut world = with_wall(false);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), Some(ip("10.0.1.10")));
}

/// Azure: the virtual network's own system route covers everything; a user's route of the same prefix
/// goes before it, to an appliance that filters by priority and denies, or to nowhere.
fn azure_shaped_user_routes_go_before_system_ones() {
    let mut world = with_wall(false);
    let route = |origin, preference, target| Route {
        id: format!("{origin:?}").as_str().into(),
        prefix: net("10.0.0.0/16"),
        target,
        origin,
        preference,
    };
    let mut routes = vec![route(RouteOrigin::System, 2, Target::Local)];
    let mut table = |world: &mut World, user: Option<Target>| {
        routes.truncate(1);
        routes.extend(user.map(|target| route(RouteOrigin::User, 0, target)));
        let table = RouteTable {
            id: "rtb-1".into(),
            network: "vpc-1".into(),
            routes: routes.clone(),
        };
        let table = std::sync::Arc::new(table);
        world.fabric.route_tables.insert("rtb-1".into(), table);
        world.apply();
    };
    let first = |id: &str, ingress: Vec<FilterRule>| Filter {
        id: id.into(),
        kind: FilterKind::FirstMatch,
        stateful: true,
        tracking: Tracking::Always,
        ingress,
        egress: all_out(),
    };
    let closed = deny(allow("100", from("10.0.1.0/24"), tcp(22), true));
    let open = allow("65000", AddressMatch::Any, ProtocolMatch::Any, true);
    world.filter(first("nsg-wall", vec![closed, open]));
    world.edit_port("wall-0", |port| {
        port.layers = vec![Layer::First("nsg-wall".into())];
    });
    world.edit_port("c-0", |port| port.layers = Vec::new());
    let caller = Some(ip("10.0.1.10"));

    table(&mut world, None);
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 22), caller);
    table(&mut world, Some(Target::Port("wall-0".into())));
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), caller);
    assert_eq!(
        world.tcp("a", "10.0.2.10", "c", 22),
        None,
        "the appliance's"
    );
    world.edit_host("wall", |host| host.forwarding = false);
    world.apply();
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), None);
    table(&mut world, Some(Target::Drop(DropCause::ByRule)));
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), None);
    table(&mut world, None);
    assert_eq!(world.tcp("a", "10.0.2.10", "c", 80), caller);
}
