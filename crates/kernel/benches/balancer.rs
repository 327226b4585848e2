//! What a balancer that passes packets on costs, beside plain routing through a host whose connection
//! tracking is on, in the same run: 64-byte UDP packets and TCP bytes a second; the same with 10 and 1,000
//! listeners and members; and how long a change of one member takes.

#![allow(clippy::expect_used, clippy::print_stdout)]

mod rate;
#[allow(dead_code)] // the engine's tests use all of it
#[path = "../tests/engine/world.rs"]
mod world;

use fabric::balancer::{self, Balancer, Forwarding, Listener, Member, Pool, Service};
use fabric::*;
use kernel::node::SourceTranslator;
use rate::{PAYLOAD, arrived};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::*;

/// Many short rounds, each of all that is compared: what else the machine does changes meanwhile.
const ROUNDS: usize = 10;
const ESTABLISHED: u32 = 20_000;
/// Flows that are new, each from a socket of its own.
const FRESH: usize = 2_000;
const PORT: u16 = 9_000;
const NODE: &str = "10.0.5.10";
const RECEIVER: &str = "10.0.16.1";
const BYTES: usize = 1 << 26;

fn main() {
    kernel::testing::run_inside(|inside| {
        use_factory(inside.factory);
        compare();
        for members in [10, 1_000] {
            println!("one of {members} members changes: {:.2?}", change(members));
        }
        ExitCode::SUCCESS
    })
}

/// Packets a second of one flow and of new ones, and megabytes a second.
type Rates = [f64; 3];

fn line(name: &str, rates: Rates, plain: Rates) {
    let cells: Vec<String> = rates
        .iter()
        .zip(plain)
        .map(|(rate, plain)| format!("{rate:>12.0} ({:>5.2})", rate / plain))
        .collect();
    println!("{name:<28} {}", cells.join(" "));
}

/// A sender and a receiver that answers a whole range, and a host between them without a guard.
fn world() -> World {
    let mut world = World::new();
    world.network("vpc", 9001);
    world.table("rtb", "vpc", &[("10.0.0.0/8", Target::Local)]);
    world.segment("senders", "vpc", "10.0.1.0/24", "rtb");
    world.segment("nodes", "vpc", "10.0.5.0/24", "rtb");
    world.segment("receivers", "vpc", "10.0.16.0/20", "rtb");
    world.host("sender", "senders", "10.0.1.10", &[]);
    world.host("node", "nodes", NODE, &[]);
    world.edit_port("node-0", |port| port.guard = false);
    // Every network of a cloud tracks connections.
    let all = allow("all", AddressMatch::Any, ProtocolMatch::Any, true);
    world.filter(group("sg", vec![all], all_out()));
    world.host("receiver", "receivers", RECEIVER, &["sg"]);
    let range = net("10.0.16.0/20");
    world.edit_port("receiver-0", |port| port.prefixes = vec![range]);
    world.edit_host("receiver", |host| host.answers = vec![range]);
    world
}

/// The host routes, and its connection tracking is on.
fn routed() -> (World, SourceTranslator) {
    let mut world = world();
    world.table(
        "rtb-senders",
        "vpc",
        &[
            ("10.0.0.0/8", Target::Local),
            ("10.0.16.0/20", Target::Port("node-0".into())),
        ],
    );
    let back = ("10.0.1.0/24", Target::Port("node-0".into()));
    let local = ("10.0.0.0/8", Target::Local);
    world.table("rtb-receivers", "vpc", &[local, back]);
    world.edit_segment("receivers", |segment| {
        segment.route_table = "rtb-receivers".into();
    });
    world.edit_segment("senders", |segment| {
        segment.route_table = "rtb-senders".into();
    });
    world.edit_host("node", |host| host.forwarding = true);
    world.apply();
    let namespace = world.engine.host(&"node".into()).expect("runs");
    let mut translator = SourceTranslator::inside(&namespace).expect("entered");
    let others = SourceNat {
        sources: vec![net("192.0.2.0/24")],
        except: Vec::new(),
        address: None,
    };
    translator.apply(Some(&others)).expect("applies");
    (world, translator)
}

/// The host is a balancer's node.
fn balanced(listeners: u16, members: u32) -> World {
    let mut world = world();
    let pool = Pool::of("pool".into(), (0..members).map(member).collect());
    let listener = |index: u16| {
        Arc::new(Listener {
            id: format!("l-{index}").into(),
            transports: vec![balancer::Transport::Tcp, balancer::Transport::Udp],
            ports: NumberRange::one(PORT + index),
            service: Service::Forward(Forwarding {
                pool: "pool".into(),
                keeps_destination: false,
                idle_timeout: 350,
            }),
        })
    };
    let node = balancer::Node {
        zone: "a".to_owned(),
    };
    let balancer = Balancer {
        id: "lb".into(),
        nodes: [(HostId::from("node"), node)].into_iter().collect(),
        listeners: (0..listeners).map(listener).collect(),
        pools: [(pool.id.clone(), Arc::new(pool))].into_iter().collect(),
    };
    let id = balancer.id.clone();
    world.fabric.balancers.insert(id, Arc::new(balancer));
    world.apply();
    world
}

fn member(index: u32) -> Member {
    let first = u32::from(Ipv4Addr::new(10, 0, 16, 1));
    Member::healthy(format!("m-{index}"), Ipv4Addr::from(first + index), PORT)
}

/// Measures all of them in turns, and prints the best of each: what else the machine does only ever slows.
fn compare() {
    let (plain, _translator) = routed();
    let mut worlds = vec![("plain routing".to_owned(), plain, RECEIVER, [0.0; 3])];
    for (listeners, members) in [(1, 1), (10, 1), (1_000, 1), (1, 10), (1, 1_000)] {
        let name = format!("{listeners} listeners, {members} members");
        worlds.push((name, balanced(listeners, members), NODE, [0.0; 3]));
    }
    for _ in 0..ROUNDS {
        for (_, world, to, best) in &mut worlds {
            for (best, rate) in best.iter_mut().zip(measure(world, to)) {
                *best = rate.max(*best);
            }
        }
    }
    println!(
        "Through one host, 64-byte UDP packets a second and TCP (ratio to plain routing with conntrack)"
    );
    println!(
        "{:<28} {:>20} {:>20} {:>20}",
        "", "one flow", "each packet a flow", "TCP, MB/s"
    );
    let plain = worlds[0].3;
    for (name, _, _, best) in &worlds {
        line(name, *best, plain);
    }
}

/// How often a second of this thread's own time something can be done: a packet's whole way is the
/// sender's work, and what else the machine does counts less than by the clock.
fn rate(count: u32, mut send: impl FnMut() -> std::io::Result<()>) -> f64 {
    let begun = busy();
    for _ in 0..count {
        // A full queue is a packet lost, which the counters show.
        let _ = send();
    }
    f64::from(count) / (busy() - begun).as_secs_f64()
}

/// The processor time that this thread has had.
fn busy() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("read");
    let first = told.split_whitespace().next();
    let nanoseconds = first.and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

fn measure(world: &World, to: &str) -> Rates {
    let _receiver = world.udp("receiver", PORT);
    let sender = world.udp("sender", 0);
    let one = rate(ESTABLISHED, || {
        sender.send_to(&PAYLOAD, (to, PORT)).map(drop)
    });
    let fresh: Vec<UdpSocket> = (0..FRESH).map(|_| world.udp("sender", 0)).collect();
    let before = arrived(world);
    let mut sockets = fresh.iter().cycle();
    let each = rate(FRESH as u32, || match sockets.next() {
        Some(socket) => socket.send_to(&PAYLOAD, (to, PORT)).map(drop),
        None => Ok(()),
    });
    let came = arrived(world) - before;
    assert!(came >= FRESH as u64 * 99 / 100, "{came} of {FRESH} arrived");
    [one, each, stream(world, to)]
}

/// Megabytes a second over one connection.
fn stream(world: &World, to: &str) -> f64 {
    let listener: TcpListener = world.listen("receiver", PORT);
    let mut client = world.connect("sender", to, PORT).expect("connected");
    let (mut server, _) = listener.accept().expect("accepted");
    let sink = std::thread::spawn(move || {
        let mut heard = vec![0; 1 << 18];
        let mut left = BYTES;
        while left > 0 {
            match server.read(&mut heard) {
                Ok(0) | Err(_) => break,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
        left
    });
    let said = vec![0; 1 << 18];
    let begun = Instant::now();
    for _ in 0..BYTES / said.len() {
        client.write_all(&said).expect("written");
    }
    assert_eq!(sink.join().expect("read"), 0);
    BYTES as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

/// How long it takes until packets obey that one member comes or goes; the best of some.
fn change(members: u32) -> Duration {
    let mut world = balanced(1, members);
    let mut best = Duration::MAX;
    for round in 0..20 {
        let count = members + u32::from(round % 2 == 0);
        let balancer = world.fabric.balancers.get_mut(&BalancerId::from("lb"));
        let pools = &mut Arc::make_mut(balancer.expect("the balancer")).pools;
        let pool = Pool::of("pool".into(), (0..count).map(member).collect());
        pools.insert(pool.id.clone(), Arc::new(pool));
        let begun = Instant::now();
        world.apply();
        best = best.min(begun.elapsed());
    }
    best
}
