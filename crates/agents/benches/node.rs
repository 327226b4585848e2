//! What a node's proxy and policy agent cost, from a changed object to packets that obey it.
//!
//! `packets`: UDP packets a second from one pod to another through a service, beside plain forwarding.
//! `services`: one change of a service among others. `policies`: one peer more. Each is asked at 10,
//! 1,000 and 10,000 of what there may be many of, and printed beside the 10.

#![allow(clippy::expect_used, clippy::print_stdout)]

use kernel::NetNs;
use kernel::factory::GuestFactory;
use kernel::node::{PolicyAgent, Proxy};
use kernel::testing::{own_address, pod_link};
use serde_json::{Value, json};
use service_proxy::policies;
use service_proxy::services::{self, Options};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const COUNTS: [u32; 3] = [10, 1_000, 10_000];
const NODE: &str = "node-1";
const PAYLOAD: [u8; 64 - 28] = [0; 64 - 28];
const NODE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 10);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 20);
/// The port at services and at their pods.
const PORT: u16 = 9000;
const ROUNDS: usize = 5;
const ESTABLISHED: u32 = 200_000;
/// New flows come from a socket each; so many sockets at once, so many times.
const SOCKETS: u32 = 500;
const BATCHES: u32 = 20;
/// How often a change is made to find its usual time.
const TRIES: u32 = 31;

fn main() {
    kernel::testing::run_inside(|inside| {
        let wanted: Vec<String> = std::env::args().skip(1).collect();
        let asked = |name: &str| {
            !wanted.iter().any(|word| !word.starts_with('-'))
                || wanted.iter().any(|word| word == name)
        };
        let factory = &inside.factory;
        if asked("packets") {
            packets(factory);
        }
        if asked("services") {
            service_changes(factory);
        }
        if asked("policies") {
            policy_changes(factory);
        }
        ExitCode::SUCCESS
    })
}

fn namespace(factory: &GuestFactory) -> NetNs {
    factory.network_namespace().expect("made")
}

/// The cluster address of a service.
fn cluster_address(index: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a60_0000 + index)
}

/// A pod on some other node.
fn elsewhere(index: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a80_0000 + index)
}

fn service(index: u32, protocol: &str) -> Value {
    json!({
        "metadata": {"name": format!("s{index}"), "namespace": "default"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": cluster_address(index),
            "clusterIPs": [cluster_address(index)],
            "ports": [{"port": PORT, "protocol": protocol}],
        },
    })
}

fn slice(index: u32, protocol: &str, backends: &[Ipv4Addr]) -> Value {
    let endpoints: Vec<Value> = backends
        .iter()
        .map(|address| json!({"addresses": [address], "conditions": {"ready": true}}))
        .collect();
    json!({
        "metadata": {
            "name": format!("s{index}-x"),
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": format!("s{index}")},
        },
        "addressType": "IPv4",
        "ports": [{"name": "", "port": PORT, "protocol": protocol}],
        "endpoints": endpoints,
    })
}

/// A node that serves so many services, each with three backends elsewhere.
struct Serving {
    compiler: services::Compiler,
    proxy: Proxy,
    protocol: &'static str,
}

impl Serving {
    fn many(node: &NetNs, count: u32, protocol: &'static str) -> Self {
        let compiler = services::Compiler::new(Options {
            node: NODE.to_owned(),
            addresses: vec![NODE_ADDRESS],
            pods: Some(vec!["10.244.0.0/16".parse().expect("a range")]),
            ..Options::default()
        });
        let mut serving = Self {
            compiler,
            proxy: Proxy::inside(node).expect("entered"),
            protocol,
        };
        for index in 0..count {
            serving.compiler.service(&service(index, protocol));
            serving.back(index, &others(index));
        }
        serving.apply();
        serving
    }

    fn back(&mut self, index: u32, backends: &[Ipv4Addr]) {
        let slice = slice(index, self.protocol, backends);
        self.compiler.slice(&slice);
    }

    fn apply(&mut self) {
        self.proxy.apply(self.compiler.services()).expect("applies");
    }
}

fn others(index: u32) -> [Ipv4Addr; 3] {
    [0, 1, 2].map(|of| elsewhere(index * 4 + of))
}

/// Two pods on a node.
struct Pods {
    node: NetNs,
    client: NetNs,
    server: NetNs,
}

impl Pods {
    fn on(factory: &GuestFactory) -> Self {
        let pods = Self {
            node: namespace(factory),
            client: namespace(factory),
            server: namespace(factory),
        };
        let forward = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
        pods.node.run(forward).expect("entered").expect("set");
        own_address(&pods.node, NODE_ADDRESS).expect("added");
        for (pod, number, address) in [(&pods.client, 1, CLIENT), (&pods.server, 2, SERVER)] {
            pod_link(&pods.node, pod, number, address).expect("linked");
        }
        pods
    }

    fn socket(&self) -> UdpSocket {
        let open = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("bound");
        self.client.run(open).expect("entered")
    }

    /// Packets a second to an address: of one flow, and each a flow of its own. The best of some
    /// rounds: what else the machine does only ever slows.
    fn rates(&self, to: Ipv4Addr) -> (f64, f64) {
        let listen = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("bound");
        let server = self.server.run(listen).expect("entered");
        let mut best = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            let before = self.arrived();
            let socket = self.socket();
            let begun = Instant::now();
            for _ in 0..ESTABLISHED {
                // A full queue is a packet lost, which the counters show.
                let _ = socket.send_to(&PAYLOAD, (to, PORT));
            }
            let one = f64::from(ESTABLISHED) / begun.elapsed().as_secs_f64();
            let mut took = Duration::ZERO;
            for _ in 0..BATCHES {
                let sockets: Vec<UdpSocket> = (0..SOCKETS).map(|_| self.socket()).collect();
                let begun = Instant::now();
                for socket in &sockets {
                    let _ = socket.send_to(&PAYLOAD, (to, PORT));
                }
                took += begun.elapsed();
            }
            let sent = ESTABLISHED + SOCKETS * BATCHES;
            let came = self.arrived() - before;
            assert!(
                came >= u64::from(sent) * 99 / 100,
                "{came} of {sent} arrived"
            );
            best.0 = best.0.max(one);
            best.1 = best
                .1
                .max(f64::from(SOCKETS * BATCHES) / took.as_secs_f64());
        }
        drop(server);
        best
    }

    /// Packets that came through to the server's interface.
    fn arrived(&self) -> u64 {
        let read = || {
            std::thread::sleep(Duration::from_millis(20));
            std::fs::read_to_string("/proc/thread-self/net/dev").expect("read")
        };
        let devices = self.server.run(read).expect("entered");
        let line = devices
            .lines()
            .find(|line| line.trim_start().starts_with("eth0:"))
            .expect("eth0");
        let packets = line.split_whitespace().nth(2);
        packets
            .and_then(|packets| packets.parse().ok())
            .expect("a number")
    }
}

fn packets(factory: &GuestFactory) {
    println!("Pod to pod on one node, 64-byte UDP, packets a second (ratio to plain forwarding)");
    println!("{:<20} {:>22} {:>22}", "", "one flow", "each packet a flow");
    let bare = Pods::on(factory).rates(SERVER);
    let line = |name: &str, (one, fresh): (f64, f64)| {
        println!(
            "{name:<20} {one:>12.0} ({:>5.2}) {fresh:>14.0} ({:>5.2})",
            one / bare.0,
            fresh / bare.1
        );
    };
    line("forwarding alone", bare);
    for count in COUNTS {
        let pods = Pods::on(factory);
        let mut serving = Serving::many(&pods.node, count, "UDP");
        let ours = count / 2;
        serving.back(ours, &[SERVER]);
        serving.apply();
        let rates = pods.rates(cluster_address(ours));
        line(&format!("{count} services"), rates);
    }
}

/// The usual time of something that is done again and again.
fn usual(mut what: impl FnMut(u32)) -> Duration {
    let mut times: Vec<Duration> = (0..TRIES)
        .map(|index| {
            let begun = Instant::now();
            what(index);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Prints a line of times for each count, beside the first.
fn table(title: &str, what: &[&str], mut measure: impl FnMut(u32) -> Vec<Duration>) {
    println!("{title}, µs (ratio to {})", COUNTS[0]);
    let rows: Vec<Vec<f64>> = COUNTS
        .into_iter()
        .map(|count| {
            let times = measure(count).into_iter();
            times.map(|time| time.as_secs_f64() * 1e6).collect()
        })
        .collect();
    println!(
        "{:<32} {:>16} {:>16} {:>16}",
        "", COUNTS[0], COUNTS[1], COUNTS[2]
    );
    for (index, what) in what.iter().enumerate() {
        let of = |row: usize| rows.get(row).and_then(|row| row.get(index)).copied();
        let cells = (0..COUNTS.len()).map(|row| {
            let (time, first) = (of(row).unwrap_or_default(), of(0).unwrap_or_default());
            format!("{time:>8.0} ({:>5.2})", time / first)
        });
        println!("{what:<32} {}", cells.collect::<Vec<_>>().join(" "));
    }
}

fn service_changes(factory: &GuestFactory) {
    let what = [
        "a backend exchanged",
        "a backend more, one less",
        "a size no pool had",
        "a service more, one less",
        "a UDP backend exchanged",
    ];
    table("One change among so many services", &what, |count| {
        let node = namespace(factory);
        let mut serving = Serving::many(&node, count, "TCP");
        let ours = count / 2;
        let mut set = |backends: &[Ipv4Addr]| {
            serving.back(ours, backends);
            serving.apply();
        };
        let [a, b, c] = others(ours);
        let fresh = |index: u32| elsewhere(0x10_0000 + index);
        let exchanged = usual(|index| set(&[a, b, fresh(index)]));
        set(&[a, b, c]);
        let resized = usual(|index| {
            let all = [a, b, c, fresh(0)];
            set(&all[..if index % 2 == 0 { 4 } else { 3 }]);
        });
        let grown = usual(|index| {
            let all: Vec<Ipv4Addr> = (0..10 + index).map(fresh).collect();
            set(&all);
        });
        let added = usual(|index| {
            if index % 2 == 0 {
                serving.compiler.service(&service(count, "TCP"));
                serving.back(count, &others(count));
            } else {
                serving
                    .compiler
                    .service_gone("default", &format!("s{count}"));
                serving
                    .compiler
                    .slice_gone("default", &format!("s{count}-x"));
            }
            serving.apply();
        });
        let udp = udp_backends(factory, count);
        vec![exchanged, resized, grown, added, udp]
    });
}

/// Of UDP services a changed backend also means a look at all flows of the machine, so that those to
/// backends that are gone are cut.
fn udp_backends(factory: &GuestFactory, count: u32) -> Duration {
    let node = namespace(factory);
    let mut serving = Serving::many(&node, count, "UDP");
    let [a, b, _] = others(count / 2);
    usual(|index| {
        serving.back(count / 2, &[a, b, elsewhere(0x10_0000 + index)]);
        serving.apply();
    })
}

fn pod(index: u32, role: &str) -> Value {
    let address = elsewhere(index);
    json!({
        "metadata": {"name": format!("p{index}"), "namespace": "default", "labels": {"role": role}},
        "spec": {
            "nodeName": if role == "server" { NODE } else { "another" },
            "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 8080}]}],
        },
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    })
}

fn policy(from: &Value, port: &Value) -> Value {
    json!({
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {
            "podSelector": {"matchLabels": {"role": "server"}},
            "ingress": [{"from": from, "ports": [{"port": port, "protocol": "TCP"}]}],
        },
    })
}

/// A node that enforces a policy.
struct Enforcing {
    compiler: policies::Compiler,
    agent: PolicyAgent,
}

impl Enforcing {
    fn on(node: &NetNs) -> Self {
        let mut enforcing = Self {
            compiler: policies::Compiler::new(),
            agent: PolicyAgent::inside(node).expect("entered"),
        };
        let default = json!({"metadata": {"name": "default", "labels": {}}});
        enforcing.compiler.namespace(&default);
        enforcing.compiler.pod(&pod(0, "server"));
        enforcing
    }

    fn apply(&mut self) {
        let policies = self.compiler.on(NODE);
        self.agent.apply(&policies).expect("applies");
    }
}

/// One pod more and one less among those that a policy lets in.
fn pods_let_in(factory: &GuestFactory, count: u32, port: &Value) -> Duration {
    let node = namespace(factory);
    let mut enforcing = Enforcing::on(&node);
    for index in 1..=count {
        enforcing.compiler.pod(&pod(index, "client"));
    }
    let clients = json!([{"podSelector": {"matchLabels": {"role": "client"}}}]);
    enforcing.compiler.policy(&policy(&clients, port));
    enforcing.apply();
    usual(|index| {
        if index % 2 == 0 {
            enforcing.compiler.pod(&pod(count + 1, "client"));
        } else {
            let name = format!("p{}", count + 1);
            enforcing.compiler.pod_gone("default", &name);
        }
        enforcing.apply();
    })
}

/// One block more and one less among those that a policy names.
fn blocks_let_in(factory: &GuestFactory, count: u32) -> Duration {
    let node = namespace(factory);
    let mut enforcing = Enforcing::on(&node);
    let policies = [count, count + 1].map(|blocks| {
        let blocks: Vec<Value> = (0..blocks)
            .map(|index| json!({"ipBlock": {"cidr": format!("{}/32", elsewhere(index))}}))
            .collect();
        policy(&Value::Array(blocks), &json!(80))
    });
    enforcing.compiler.policy(&policies[0]);
    enforcing.apply();
    usual(|index| {
        let more = if index % 2 == 0 {
            &policies[1]
        } else {
            &policies[0]
        };
        enforcing.compiler.policy(more);
        enforcing.apply();
    })
}

fn policy_changes(factory: &GuestFactory) {
    let what = [
        "a pod, at a numbered port",
        "a pod, at a named port",
        "a block of one address",
    ];
    table("One peer more or less among so many", &what, |count| {
        vec![
            pods_let_in(factory, count, &json!(8080)),
            pods_let_in(factory, count, &json!("web")),
            blocks_let_in(factory, count),
        ]
    });
}
