//! What changes while it runs.

use crate::basics::pair;
use crate::random::{edited, steps};
use crate::world::*;
use fabric::*;
use proptest::prop_assert;
use proptest::test_runner::{Config, TestRunner};
use std::sync::Arc;

crate::trials![
    hosts_stop_and_start,
    ports_move_between_hosts,
    policy_routes_follow_the_source,
    everything_goes_away,
    a_failed_apply_is_repaired,
    applying_the_same_again_does_nothing,
    a_guest_that_breaks_its_own_stack_hurts_nobody,
    the_kernel_takes_every_change,
];

/// AWS-EC2: a stopped host's namespace is gone; started again it is reached as before.
fn hosts_stop_and_start() {
    let mut world = pair();
    world.apply();
    world.edit_host("b", |host| host.running = false);
    world.apply();
    assert!(world.engine.host(&"b".into()).is_none());
    assert!(world.connect("a", "10.0.1.11", 80).is_err());
    world.edit_host("b", |host| host.running = true);
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
}

/// AWS-ENI: a port detached from one host and attached to another takes its address along.
fn ports_move_between_hosts() {
    let mut world = pair();
    world.host("c", "subnet-1", "10.0.1.12", &["sg"]);
    let extra = world.port("b", 1, "subnet-1", "10.0.1.50", &["sg"]);
    world.set("sg", &["10.0.1.0/24"]);
    for host in ["b", "c"] {
        world.edit_host(host, |host| {
            host.routes.push(HostRoute {
                from: Some(net("10.0.1.50/32")),
                prefix: net("0.0.0.0/0"),
                port: extra.as_str().into(),
                metric: 0,
            });
        });
    }
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "b", 80).is_some());
    world.edit_port(&extra, |port| port.host = Some(("c".into(), 1)));
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "c", 80).is_some());
    world.edit_port(&extra, |port| port.host = Some(("c".into(), 2)));
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "c", 80).is_some());
    world.edit_port(&extra, |port| port.host = None);
    world.apply();
    assert!(world.tcp("a", "10.0.1.50", "c", 80).is_none());
}

/// AWS-EC2: a host with two ports answers by the port whose address was called, where its routes say
/// so by source.
fn policy_routes_follow_the_source() {
    let mut world = pair();
    world.segment("subnet-2", "vpc-1", "10.0.2.0/24", "rtb-1");
    world.set("sg", &["10.0.0.0/16"]);
    let second = world.port("b", 1, "subnet-2", "10.0.2.11", &["sg"]);
    world.apply();
    assert!(
        world.tcp("a", "10.0.2.11", "b", 80).is_none(),
        "the answer leaves by the other port, whose guard stops it"
    );
    world.edit_host("b", |host| {
        host.routes.push(HostRoute {
            from: Some(net("10.0.2.11/32")),
            prefix: net("0.0.0.0/0"),
            port: second.as_str().into(),
            metric: 0,
        });
    });
    world.apply();
    assert!(world.tcp("a", "10.0.2.11", "b", 80).is_some());
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
}

/// An empty fabric leaves nothing.
fn everything_goes_away() {
    let mut world = pair();
    world.apply();
    let full = std::mem::take(&mut world.fabric);
    world.apply();
    assert!(world.engine.host(&"a".into()).is_none());
    assert!(world.engine.network(&"vpc-1".into()).is_none());
    world.fabric = full;
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
}

/// OPS-STATE: when the kernel refuses a change, the next apply puts everything right.
fn a_failed_apply_is_repaired() {
    let mut world = pair();
    world.apply();
    let before = world.engine.host(&"a".into());
    world.edit_port("b-0", |port| port.host = Some(("b".into(), 1)));
    // The kernel has no link with an MTU this small that carries IPv4 addresses.
    let sane = world.fabric.networks[&NetworkId::from("vpc-1")].clone();
    let mut network = Network::clone(&sane);
    network.mtu = 20;
    world
        .fabric
        .networks
        .insert("vpc-1".into(), Arc::new(network));
    assert!(world.engine.apply(&world.fabric).is_err());
    world.fabric.networks.insert("vpc-1".into(), sane);
    world.apply();
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
    let after = world.engine.host(&"a".into());
    let same = before.zip(after).is_some_and(|(a, b)| Arc::ptr_eq(&a, &b));
    assert!(same, "the host's namespace stayed");
}

fn applying_the_same_again_does_nothing() {
    let mut world = pair();
    assert!(world.apply().changes > 0);
    assert_eq!(world.apply().changes, 0);
}

/// OPS-SAFE: a guest's root may take its own link away; later changes go on.
fn a_guest_that_breaks_its_own_stack_hurts_nobody() {
    let mut world = pair();
    world.host("c", "subnet-1", "10.0.1.12", &["sg"]);
    world.apply();
    world.inside("b", || {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("set");
    });
    world.edit_port("b-0", |port| port.host = None);
    world.apply();
    world.set("sg", &["10.0.1.0/24"]);
    world.apply();
    assert!(world.tcp("a", "10.0.1.12", "c", 80).is_some());
}

/// Whatever changes into whatever: the kernel refuses nothing.
fn the_kernel_takes_every_change() {
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let mut world = World::new();
        for step in steps {
            for edit in step {
                edited(&mut world.fabric, edit);
            }
            let applied = world.engine.apply(&world.fabric);
            prop_assert!(applied.is_ok(), "{applied:?}");
        }
        Ok(())
    });
    outcome.expect("accepted");
}
