//! Balancers that pass packets on.

use crate::world::*;
use fabric::balancer::{
    self, Balancer, Forwarding, Listener, Member, MemberState, Pool, Service, SourceSeen,
};
use fabric::*;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::sync::Arc;

crate::trials![
    members_see_the_client_and_answer_by_the_node,
    members_may_see_the_node,
    datagrams_come_back_too,
    a_member_is_not_its_own_client,
    connections_stay_when_members_change,
    datagrams_leave_members_that_are_gone,
    nobody_healthy_is_everybody,
    zones_keep_their_flows,
    clients_stay_with_their_member,
    ports_without_listeners_refuse,
    ranges_of_ports,
    idle_flows_are_forgotten,
    balancers_come_and_go,
];

const NODE: &str = "10.0.5.10";
const PUBLIC: &str = "198.51.100.5";
const PORT: u16 = 80;

/// Clients a and outside on the internet, two targets whose route table sends answers to a NAT machine
/// that drops them, and a balancer's node with a public address in a segment of its own.
fn balanced() -> World {
    let mut world = World::new();
    world.network("vpc", 9001);
    let local = ("10.0.0.0/16", Target::Local);
    world.table(
        "rtb",
        "vpc",
        &[local.clone(), ("0.0.0.0/0", Target::Gateway("igw".into()))],
    );
    let astray = ("0.0.0.0/0", Target::Port("nat-0".into()));
    let near = ("10.0.1.0/24", Target::Port("nat-0".into()));
    world.table("rtb-targets", "vpc", &[local, astray, near]);
    for (segment, prefix, table) in [
        ("clients", "10.0.1.0/24", "rtb"),
        ("targets", "10.0.2.0/24", "rtb-targets"),
        ("nodes", "10.0.5.0/24", "rtb"),
    ] {
        world.segment(segment, "vpc", prefix, table);
    }
    world.filter(group(
        "in",
        vec![
            allow("in", AddressMatch::Any, tcp(PORT), true),
            allow("udp", AddressMatch::Any, udp(PORT), true),
        ],
        all_out(),
    ));
    world.filter(group(
        "target",
        vec![
            allow("in", AddressMatch::Any, tcp(8080), true),
            allow("udp", AddressMatch::Any, udp(8080), true),
        ],
        vec![],
    ));
    world.internet("vpc", &[(NODE, PUBLIC)]);
    world.host("a", "clients", "10.0.1.10", &[]);
    world.host("outside", "internet-1", "203.0.113.10", &[]);
    world.host("t1", "targets", "10.0.2.10", &["target"]);
    world.host("t2", "targets", "10.0.2.11", &["target"]);
    world.host("nat", "nodes", "10.0.5.99", &[]);
    world.edit_port("nat-0", |port| port.guard = false);
    world.edit_host("nat", |host| {
        host.forwarding = true;
        host.source_translation = Some(SourceTranslation {
            address: ip("10.0.5.99"),
            managed: true,
        });
    });
    world.host("node", "nodes", NODE, &["in"]);
    world.edit_port("node-0", |port| port.always_tracked = true);
    world.balance(Pool::of(
        "tg".into(),
        vec![target("t1", "10.0.2.10"), target("t2", "10.0.2.11")],
    ));
    world
}

fn target(name: &str, address: &str) -> Member {
    Member::healthy(name, ip(address), 8080)
}

impl World {
    /// The balancer `lb` of the host `node` gives what comes to its port to this pool.
    fn balance(&mut self, pool: Pool) {
        self.balance_at(NumberRange::one(PORT), pool);
    }

    fn balance_at(&mut self, ports: NumberRange, pool: Pool) {
        let listener = Listener {
            id: "listener".into(),
            transports: vec![balancer::Transport::Tcp, balancer::Transport::Udp],
            ports,
            service: Service::Forward(Forwarding {
                pool: pool.id.clone(),
                keeps_destination: false,
                idle_timeout: 350,
            }),
        };
        let node = balancer::Node {
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
        let pools = &mut Arc::make_mut(balancer.expect("the balancer")).pools;
        let pool = pools.get_mut(&PoolId::from("tg")).expect("the pool");
        edit(Arc::make_mut(pool));
    }

    fn members(&mut self, members: &[(&str, &str)]) {
        let of = |(name, address): &(&str, &str)| target(name, address);
        let members = members.iter().map(of).collect();
        self.edit_pool(|pool| pool.members = members);
    }

    /// Who takes a connection to the balancer, and whom it sees; `walk` must hold it possible.
    fn served(&self, client: &str, to: &str) -> Option<(String, Ipv4Addr)> {
        let (mut stream, who, peer) = self.session(client, to)?;
        stream.write_all(b"ask").ok()?;
        let seen = Some((who, peer));
        let told = self.told(client, to);
        assert!(told.contains(&seen), "{seen:?} is none of {told:?}");
        seen
    }

    /// A connection to the balancer, by whom it is taken and whom that sees.
    fn session(&self, client: &str, to: &str) -> Option<(TcpStream, String, Ipv4Addr)> {
        let listeners: Vec<_> = ["t1", "t2"]
            .map(|host| (host, self.listen(host, 8080)))
            .into();
        for (_, listener) in &listeners {
            listener.set_nonblocking(true).expect("set");
        }
        let stream = self.connect(client, to, PORT).ok()?;
        let begun = std::time::Instant::now();
        while begun.elapsed() < std::time::Duration::from_secs(5) {
            for (host, listener) in &listeners {
                if let Ok((mut server, peer)) = listener.accept() {
                    server.set_nonblocking(false).expect("set");
                    let std::net::IpAddr::V4(peer) = peer.ip() else {
                        return None;
                    };
                    // The other end lives as long as this thread.
                    std::thread::spawn(move || {
                        let mut heard = [0; 64];
                        while let Ok(count) = server.read(&mut heard)
                            && count > 0
                            && server.write_all(&heard[..count]).is_ok()
                        {}
                    });
                    return Some((stream, (*host).to_owned(), peer));
                }
            }
            std::thread::yield_now();
        }
        None
    }

    /// What `walk` holds possible of a connection: who takes it and whom that sees, or nobody.
    fn told(&self, client: &str, to: &str) -> BTreeSet<Option<(String, Ipv4Addr)>> {
        let flow = Flow {
            source: Ipv4Addr::UNSPECIFIED,
            destination: ip(to),
            transport: Transport::Tcp {
                source_port: 40_000,
                destination_port: PORT,
            },
        };
        let walker = fabric::walk::Walker::new(&self.fabric);
        let ways = walker.ways(&Origin::Host(client.into()), flow);
        let end = |way: fabric::Way| match (way.trace.verdict, way.trace.arrived) {
            (Verdict::Delivered, Some((host, packet))) => Some((host.to_string(), packet.source)),
            (Verdict::Dropped(..), _) => None,
            other => panic!("{other:?}"),
        };
        ways.into_iter().map(end).collect()
    }
}

/// Whether a connection still carries bytes both ways.
fn alive(stream: &mut TcpStream) -> bool {
    let mut heard = [0; 4];
    stream.write_all(b"echo").is_ok() && stream.read_exact(&mut heard).is_ok()
}

/// AWS-NLB: targets see the client's own address, and their answers return by the node whatever their
/// route table says: from inside, and from the internet to the node's public address. Every member gets
/// some of the flows.
fn members_see_the_client_and_answer_by_the_node() {
    let mut world = balanced();
    world.apply();
    for (client, to, source) in [
        ("a", NODE, "10.0.1.10"),
        ("outside", PUBLIC, "203.0.113.10"),
    ] {
        let mut who = BTreeSet::new();
        // With two members a hundred flows to one of them alone are as good as impossible.
        for _ in 0..100 {
            let (taken, peer) = world.served(client, to).expect("served");
            assert_eq!(peer, ip(source));
            who.insert(taken);
            if who.len() == 2 {
                break;
            }
        }
        assert_eq!(who.len(), 2, "{who:?}");
    }
}

/// AWS-NLB: with client addresses not kept, targets see the node's, and its groups decide.
fn members_may_see_the_node() {
    let mut world = balanced();
    world.edit_pool(|pool| pool.source = SourceSeen::Node);
    world.apply();
    let (_, peer) = world.served("outside", PUBLIC).expect("served");
    assert_eq!(peer, ip(NODE));
    // A target is its own client then.
    world.members(&[("t1", "10.0.2.10")]);
    world.edit_port("t1-0", |port| port.layers = vec![]);
    world.apply();
    assert_eq!(world.served("t1", NODE), Some(("t1".to_owned(), ip(NODE))));
}

fn echo(world: &World, host: &str, port: u16) -> UdpSocket {
    let socket = world.udp(host, port);
    socket.set_nonblocking(true).expect("set");
    socket
}

/// Sends a datagram to the balancer; who gets it, and whether its answer comes back.
fn ask(client: &UdpSocket, to: &str, targets: &[(&str, UdpSocket)]) -> Option<(String, bool)> {
    use std::net::SocketAddrV4;
    client
        .send_to(b"ask", SocketAddrV4::new(ip(to), PORT))
        .expect("sent");
    let mut buffer = [0; 16];
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(2) {
        for (name, target) in targets {
            if let Ok((_, peer)) = target.recv_from(&mut buffer) {
                target.send_to(b"say", peer).expect("sent");
                let answer = client.recv_from(&mut buffer);
                let expected = SocketAddrV4::new(ip(to), PORT);
                let back = answer.is_ok_and(|(_, from)| from == expected.into());
                return Some(((*name).to_owned(), back));
            }
        }
        std::thread::yield_now();
    }
    None
}

/// AWS-NLB: UDP flows are answered under the balancer's address, and stay with their target.
fn datagrams_come_back_too() {
    let mut world = balanced();
    world.apply();
    let targets = ["t1", "t2"].map(|host| (host, echo(&world, host, 8080)));
    for (client, to) in [("a", NODE), ("outside", PUBLIC)] {
        let socket = world.udp(client, 0);
        let first = ask(&socket, to, &targets).expect("arrived");
        assert!(first.1, "{client} {first:?}");
        for _ in 0..10 {
            assert_eq!(ask(&socket, to, &targets).as_ref(), Some(&first));
        }
    }
}

/// AWS-NLB: a target that is its own client gets no answer while its address is kept.
fn a_member_is_not_its_own_client() {
    let mut world = balanced();
    world.members(&[("t1", "10.0.2.10")]);
    for host in ["t1", "t2"] {
        world.edit_port(&format!("{host}-0"), |port| port.layers = vec![]);
    }
    world.apply();
    assert_eq!(world.served("t1", NODE), None);
    assert_eq!(world.told("t1", NODE), [None].into());
    assert!(world.served("t2", NODE).is_some());
}

/// AWS-NLB: connections stay with their target when others come, when it drains, and when it is gone;
/// new ones go elsewhere.
fn connections_stay_when_members_change() {
    let mut world = balanced();
    world.members(&[("t1", "10.0.2.10")]);
    world.apply();
    let (mut stream, who, _) = world.session("outside", PUBLIC).expect("served");
    assert_eq!(who, "t1");
    assert!(alive(&mut stream));
    world.members(&[("t1", "10.0.2.10"), ("t2", "10.0.2.11")]);
    world.edit_pool(|pool| pool.members[0].state = MemberState::Draining);
    world.apply();
    assert!(alive(&mut stream));
    for _ in 0..5 {
        assert_eq!(world.served("outside", PUBLIC).expect("served").0, "t2");
    }
    world.members(&[("t2", "10.0.2.11")]);
    world.apply();
    assert!(alive(&mut stream));
}

/// AWS-NLB: UDP flows leave a target when it is gone, not when it drains.
fn datagrams_leave_members_that_are_gone() {
    let mut world = balanced();
    world.members(&[("t1", "10.0.2.10")]);
    world.apply();
    let targets = ["t1", "t2"].map(|host| (host, echo(&world, host, 8080)));
    let client = world.udp("a", 0);
    let t1 = Some(("t1".to_owned(), true));
    assert_eq!(ask(&client, NODE, &targets), t1);
    world.members(&[("t1", "10.0.2.10"), ("t2", "10.0.2.11")]);
    world.edit_pool(|pool| pool.members[0].state = MemberState::Draining);
    assert_eq!(world.apply().flows_cut, 0);
    assert_eq!(ask(&client, NODE, &targets), t1);
    world.members(&[("t2", "10.0.2.11")]);
    assert_eq!(world.apply().flows_cut, 1);
    assert_eq!(ask(&client, NODE, &targets), Some(("t2".to_owned(), true)));
}

/// AWS-NLB: while some target is healthy only healthy ones get flows; while none is, all do; without
/// any, nothing comes back.
fn nobody_healthy_is_everybody() {
    let mut world = balanced();
    let unhealthy =
        |pool: &mut Pool, index: usize| pool.members[index].state = MemberState::Unhealthy;
    world.edit_pool(|pool| unhealthy(pool, 0));
    world.apply();
    for _ in 0..5 {
        assert_eq!(world.served("a", NODE).expect("served").0, "t2");
    }
    world.edit_pool(|pool| unhealthy(pool, 1));
    world.apply();
    let who: BTreeSet<String> = (0..100)
        .map(|_| world.served("a", NODE).expect("served").0)
        .collect();
    assert_eq!(who.len(), 2);
    world.members(&[]);
    world.apply();
    assert_eq!(world.served("a", NODE), None);
}

/// AWS-NLB: without cross-zone load balancing a node uses the targets of its own zone.
fn zones_keep_their_flows() {
    let mut world = balanced();
    world.edit_pool(|pool| {
        pool.cross_zone = false;
        pool.members[0].zone = Some("b".to_owned());
        pool.members[1].zone = Some("a".to_owned());
    });
    world.apply();
    for _ in 0..5 {
        assert_eq!(world.served("a", NODE).expect("served").0, "t2");
    }
    world.edit_pool(|pool| pool.members[1].zone = Some("c".to_owned()));
    world.apply();
    assert_eq!(world.served("a", NODE), None);
    world.edit_pool(|pool| pool.cross_zone = true);
    world.apply();
    assert!(world.served("a", NODE).is_some());
}

/// AWS-NLB: with stickiness a client's flows go to one target as long as it is there.
fn clients_stay_with_their_member() {
    let mut world = balanced();
    world.edit_pool(|pool| pool.affinity = Some(600));
    world.apply();
    let (first, _) = world.served("a", NODE).expect("served");
    for _ in 0..20 {
        assert_eq!(world.served("a", NODE).expect("served").0, first);
    }
    let other = if first == "t1" {
        ("t2", "10.0.2.11")
    } else {
        ("t1", "10.0.2.10")
    };
    world.members(&[other]);
    world.apply();
    assert_eq!(world.served("a", NODE).expect("served").0, other.0);
}

/// AWS-NLB: a port that no listener takes refuses at once; the balancer's own stack answers an echo, and
/// passes nothing on that it was not asked to.
fn ports_without_listeners_refuse() {
    let mut world = balanced();
    world.edit_port("node-0", |port| port.layers = vec![]);
    world.apply();
    let refused = world.connect("a", NODE, 81).expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    world.table(
        "rtb",
        "vpc",
        &[
            ("10.0.0.0/16", Target::Local),
            ("203.0.113.0/24", Target::Port("node-0".into())),
        ],
    );
    world.edit_port("node-0", |port| port.guard = false);
    world.apply();
    assert_eq!(world.tcp("a", "203.0.113.10", "outside", PORT), None);
    assert!(world.served("a", NODE).is_some());
}

/// AWS-NLB: a listener may take a range of ports.
fn ranges_of_ports() {
    let mut world = balanced();
    let pool = || Pool::of("tg".into(), vec![target("t1", "10.0.2.10")]);
    world.balance_at(NumberRange::new(70, 90), pool());
    world.apply();
    assert!(world.served("a", NODE).is_some());
    world.balance_at(NumberRange::new(81, 90), pool());
    world.apply();
    assert_eq!(world.served("a", NODE), None);
    world.balance_at(NumberRange::ALL, pool());
    world.apply();
    assert!(world.served("a", NODE).is_some());
}

/// AWS-NLB: a node forgets flows after the listener's idle timeout, of TCP and of UDP: connection tracking
/// says for how long it will remember them.
fn idle_flows_are_forgotten() {
    // Longer and shorter than what Linux has for any flow.
    const IDLE: u32 = 100_000;
    let mut world = balanced();
    let balancer = world.fabric.balancers.get_mut(&BalancerId::from("lb"));
    for listener in &mut Arc::make_mut(balancer.expect("the balancer")).listeners {
        if let Service::Forward(forwarding) = &mut Arc::make_mut(listener).service {
            forwarding.idle_timeout = IDLE;
        }
    }
    world.apply();
    let (mut stream, ..) = world.session("a", NODE).expect("served");
    assert!(alive(&mut stream));
    let targets = ["t1", "t2"].map(|host| (host, echo(&world, host, 8080)));
    let client = world.udp("a", 0);
    assert!(ask(&client, NODE, &targets).is_some());
    let known = world.inside("node", || {
        std::fs::read_to_string("/proc/thread-self/net/nf_conntrack").expect("read")
    });
    for transport in ["tcp", "udp"] {
        let flow = known
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|words| words.get(2) == Some(&transport) && words.contains(&"src=10.0.1.10"))
            .unwrap_or_else(|| panic!("no flow of {transport} in {known}"));
        let left: u32 = flow[4].parse().expect("seconds");
        assert!((IDLE / 2..=IDLE).contains(&left), "{transport}: {left}");
    }
}

/// AWS-NLB: a balancer that goes leaves a host that passes nothing on; it comes back as it was.
fn balancers_come_and_go() {
    let mut world = balanced();
    world.apply();
    let full = world.fabric.balancers.clone();
    for _ in 0..2 {
        assert!(world.served("outside", PUBLIC).is_some());
        world.fabric.balancers.clear();
        world.apply();
        let forwards = world.inside("node", || {
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").expect("read")
        });
        assert_eq!(forwards.trim(), "0");
        assert!(world.connect("a", NODE, PORT).is_err());
        world.fabric.balancers = full.clone();
        world.apply();
    }
}
