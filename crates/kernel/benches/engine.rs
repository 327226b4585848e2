//! What the engine costs, as ratios against the bare kernel in the same run.
//!
//! `path`: UDP packets a second on a routed path whose last hop has 10, 1,000 or 10,000 rules, beside the
//! same path with conntrack and no rules, and with nothing. `hosts`: hosts brought up, beside as many
//! bare namespaces.

#![allow(clippy::expect_used, clippy::print_stdout)]

mod rate;
#[allow(dead_code)] // the engine's tests use all of it
#[path = "../tests/engine/world.rs"]
mod world;

use fabric::*;
use kernel::factory::GuestFactory;
use rate::{PAYLOAD, arrived};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::ExitCode;
use std::time::Instant;
use world::*;

const ROUNDS: usize = 5;
const ESTABLISHED: u32 = 200_000;
/// Few enough for conntrack's table through all rounds.
const FRESH: u32 = 30_000;
const FIRST_PORT: u16 = 10_000;

fn main() {
    kernel::testing::run_inside(|inside| {
        use_factory(inside.factory.clone());
        let wanted: Vec<String> = std::env::args().skip(1).collect();
        let asked = |name: &str| {
            !wanted.iter().any(|word| !word.starts_with('-'))
                || wanted.iter().any(|word| word == name)
        };
        if asked("path") {
            path();
        }
        if asked("hosts") {
            for count in [100, 1_000] {
                hosts(&inside.factory, count);
            }
        }
        ExitCode::SUCCESS
    })
}

/// The rules on the receiver's port.
#[derive(Clone, Copy)]
enum Rules {
    None,
    Tracked,
    Many(u32),
}

/// Two hosts in two segments; the receiver's port has the rules, of which the last kind lets the
/// packets in.
fn routed(rules: Rules) -> World {
    let mut world = World::new();
    world.network("vpc", 9001);
    world.table("rtb", "vpc", &[("10.0.0.0/8", Target::Local)]);
    world.segment("one", "vpc", "10.0.1.0/24", "rtb");
    world.segment("two", "vpc", "10.0.2.0/24", "rtb");
    let ingress = match rules {
        Rules::None => None,
        Rules::Tracked => Some(vec![allow(
            "all",
            AddressMatch::Any,
            ProtocolMatch::Any,
            true,
        )]),
        Rules::Many(count) => Some((0..count).map(|index| many(index, count)).collect()),
    };
    let groups: &[&str] = match ingress {
        None => &[],
        Some(ingress) => {
            world.filter(group("sg", ingress, all_out()));
            &["sg"]
        }
    };
    world.host("sender", "one", "10.0.1.10", &[]);
    world.host("receiver", "two", "10.0.2.10", groups);
    world.apply();
    world
}

/// Rules for others' addresses and ports, and the one that matters in the middle.
fn many(index: u32, count: u32) -> FilterRule {
    if index == count / 2 {
        let ports = ProtocolMatch::Ports {
            protocol: Protocol::UDP,
            source: Vec::new(),
            destination: vec![NumberRange::new(FIRST_PORT, u16::MAX)],
        };
        return allow("wanted", from("10.0.1.0/24"), ports, true);
    }
    let other = Ipv4Addr::from(0x0a10_0000 + index);
    let port = 1 + u16::try_from(index % 9_000).unwrap_or_default();
    allow(
        &format!("r{index}"),
        from(&format!("{other}/32")),
        udp(port),
        true,
    )
}

/// Packets a second: of one flow, and each a flow of its own. The best of some rounds: what else the
/// machine does only ever slows.
fn measure(world: &World) -> (f64, f64) {
    let receiver = world.udp("receiver", FIRST_PORT);
    let mut best = (0.0_f64, 0.0_f64);
    for _ in 0..ROUNDS {
        // A port of its own each round: the last round's flows are still known.
        let sender = world.udp("sender", 0);
        let one = rate(ESTABLISHED, || {
            sender
                .send_to(&PAYLOAD, ("10.0.2.10", FIRST_PORT))
                .map(drop)
        });
        let before = arrived(world);
        let mut port = FIRST_PORT;
        let fresh = rate(FRESH, || {
            port += 1;
            sender.send_to(&PAYLOAD, ("10.0.2.10", port)).map(drop)
        });
        let came = arrived(world) - before;
        assert!(
            came >= u64::from(FRESH) * 99 / 100,
            "{came} of {FRESH} arrived"
        );
        best = (best.0.max(one), best.1.max(fresh));
    }
    drop::<UdpSocket>(receiver);
    best
}

/// How often a second something can be done, of so many times.
fn rate(count: u32, mut send: impl FnMut() -> std::io::Result<()>) -> f64 {
    let begun = Instant::now();
    for _ in 0..count {
        // A full queue is a packet lost, which the counters show.
        let _ = send();
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

fn path() {
    println!("The routed path, 64-byte UDP, packets a second (ratio to conntrack without rules)");
    println!("{:<28} {:>22} {:>22}", "", "one flow", "each packet a flow");
    let baseline = measure(&routed(Rules::Tracked));
    let line = |name: &str, (one, fresh): (f64, f64)| {
        println!(
            "{name:<28} {one:>12.0} ({:>5.2}) {fresh:>14.0} ({:>5.2})",
            one / baseline.0,
            fresh / baseline.1
        );
    };
    line("nothing", measure(&routed(Rules::None)));
    line("conntrack, no rules", baseline);
    for count in [10, 1_000, 10_000] {
        line(
            &format!("{count} rules"),
            measure(&routed(Rules::Many(count))),
        );
    }
}

/// Hosts with a port, an address and a group each, applied at once; beside bare namespaces.
fn hosts(factory: &GuestFactory, count: u32) {
    let begun = Instant::now();
    let bare: Vec<_> = (0..count)
        .map(|_| factory.network_namespace().expect("made"))
        .collect();
    let bare_took = begun.elapsed();
    drop(bare);
    let mut world = World::new();
    world.network("vpc", 9001);
    world.table("rtb", "vpc", &[("10.0.0.0/8", Target::Local)]);
    world.segment("one", "vpc", "10.0.0.0/16", "rtb");
    world.filter(group(
        "sg",
        vec![allow("in", members("sg"), ProtocolMatch::Any, true)],
        all_out(),
    ));
    let addresses: Vec<String> = (0..count)
        .map(|index| Ipv4Addr::from(0x0a00_0010 + index).to_string())
        .collect();
    for (index, address) in addresses.iter().enumerate() {
        world.host(&format!("h{index}"), "one", address, &["sg"]);
    }
    let members: Vec<String> = addresses
        .iter()
        .map(|address| format!("{address}/32"))
        .collect();
    world.set(
        "sg",
        &members.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let begun = Instant::now();
    world.apply();
    let took = begun.elapsed();
    println!(
        "{count} hosts: {took:.2?}, {:.2} of {count} bare namespaces ({bare_took:.2?})",
        took.as_secs_f64() / bare_took.as_secs_f64()
    );
}
