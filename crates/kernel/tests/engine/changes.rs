//! What changes while it runs.

use crate::basics::pair;
use crate::random::{edited, steps};
use crate::world::*;
use fabric::*;
use proptest::prop_assert;
use proptest::test_runner::{Config, TestRunner};
use std::io::Read;
use std::sync::Arc;

crate::trials![
    hosts_stop_and_start,
    ports_move_between_hosts,
    policy_routes_follow_the_source,
    everything_goes_away,
    a_failed_apply_is_repaired,
    applying_the_same_again_does_nothing,
    a_guest_that_breaks_its_own_stack_is_mended,
    a_guest_that_breaks_its_own_stack_hurts_nobody,
    a_renewed_host_is_as_it_was_made,
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
    // The kernel has no link with an MTU this small.
    world.internet("vpc-1", &[]);
    world.edit_gateway("igw", |gateway| gateway.mtu = 20);
    assert!(world.engine.apply(&world.fabric).is_err());
    world.edit_gateway("igw", |gateway| gateway.mtu = 1500);
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

/// Runs a command of iproute2 as a host's root.
fn ip_command(world: &World, host: &str, words: &str) {
    let said = world.inside(host, || {
        let mut child = std::process::Command::new("ip")
            .args(words.split(' '))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("ip runs");
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        stderr.read_to_string(&mut said).expect("read");
        // This process is the first of its namespace, where somebody else takes exit codes.
        let _ = child.wait();
        said
    });
    assert_eq!(said, "", "ip {words}");
}

/// OPS-SAFE: whatever a guest's root does to its own links, the next change of its ports comes about
/// in one application, its own traffic flows again, and nobody else notices.
fn a_guest_that_breaks_its_own_stack_is_mended() {
    for words in [
        "link delete eth0",
        "link set eth0 down",
        "link set eth0 name mine",
        "link add eth1 type veth peer name eth2",
        "address flush dev eth0",
        "route flush table main",
    ] {
        let mut world = pair();
        world.set("sg", &["10.0.1.0/24"]);
        world.host("c", "subnet-1", "10.0.1.12", &["sg"]);
        world.apply();
        let bystander = (world.listen("c", 80), world.connect("a", "10.0.1.12", 80));
        ip_command(&world, "b", words);
        // A second port, a second address and other routes of the first.
        let extra = world.port("b", 1, "subnet-1", "10.0.1.50", &["sg"]);
        world.edit_port("b-0", |port| port.addresses.push(ip("10.0.1.51")));
        world.edit_host("b", |host| {
            for (from, port) in [("10.0.1.50/32", extra.as_str()), ("10.0.1.51/32", "b-0")] {
                host.routes.push(HostRoute {
                    from: Some(net(from)),
                    prefix: net("0.0.0.0/0"),
                    port: port.into(),
                    metric: 0,
                });
            }
        });
        let applied = world.apply();
        assert!(applied.unsound.is_empty(), "{words}: {applied:?}");
        for address in ["10.0.1.50", "10.0.1.51"] {
            assert!(world.tcp("a", address, "b", 80).is_some(), "{words}");
        }
        let (listener, client) = bystander;
        let mut server = listener.accept().expect("accepted").0;
        let mut client = client.expect("connected");
        exchange(&mut client, &mut server).expect("undisturbed");
        assert_eq!(world.apply().changes, 0);
    }
}

/// OPS-SAFE: a guest's root may take its own link away and lose the port; later changes go on.
fn a_guest_that_breaks_its_own_stack_hurts_nobody() {
    let mut world = pair();
    world.host("c", "subnet-1", "10.0.1.12", &["sg"]);
    world.apply();
    ip_command(&world, "b", "link delete eth0");
    world.edit_port("b-0", |port| port.host = None);
    world.apply();
    world.set("sg", &["10.0.1.0/24"]);
    world.apply();
    assert!(world.tcp("a", "10.0.1.12", "c", 80).is_some());
}

/// AWS-EC2: a renewed host has a fresh stack with its old addresses, as after a reboot.
fn a_renewed_host_is_as_it_was_made() {
    let mut world = pair();
    world.set("sg", &["10.0.1.0/24"]);
    world.edit_port("b-0", |port| port.guard = false);
    world.apply();
    for words in ["link delete eth0", "link add mine type bridge"] {
        ip_command(&world, "b", words);
    }
    world.inside("b", || {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("set");
    });
    assert!(world.connect("a", "10.0.1.11", 80).is_err());
    world.engine.renew(&"b".into()).expect("renewed");
    assert!(world.tcp("a", "10.0.1.11", "b", 80).is_some());
    let namespace = world.engine.host(&"b".into()).expect("runs");
    let stack = kernel::observe::stack(&namespace).expect("seen");
    assert!(!stack.forwarding);
    let mine = world.inside("b", || std::fs::exists("/proc/sys/net/ipv4/conf/mine"));
    assert!(!mine.expect("looked"));
    assert_eq!(world.apply().changes, 0);
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
            let sound = applied
                .as_ref()
                .is_ok_and(|applied| applied.unsound.is_empty());
            prop_assert!(sound, "{applied:?}");
        }
        Ok(())
    });
    outcome.expect("accepted");
}
