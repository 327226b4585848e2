//! Network policies of a cluster, by packets; every call is also asked of `walk`.

use crate::cluster::{Cluster, Outcome};
use crate::world::*;
use fabric::*;
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

crate::trials![
    ingress_isolates,
    egress_isolates_behind_services,
    both_ends_decide_on_one_node,
    the_node_itself_passes,
    clients_are_seen_as_they_are_masqueraded,
    members_come_one_by_one,
    live_flows_outlive_a_policy,
    pods_that_were_open_keep_their_flows,
];

const BOTH: [Protocol; 2] = [Protocol::TCP, Protocol::UDP];

fn policy(id: &str, ingress: Vec<FilterRule>, egress: Vec<FilterRule>) -> Filter {
    group(id, ingress, egress)
}

fn from_range(range: &str, protocol: ProtocolMatch) -> FilterRule {
    allow("ingress[0]", from(range), protocol, true)
}

fn to_range(range: &str, protocol: ProtocolMatch) -> FilterRule {
    allow("egress[0]", from(range), protocol, false)
}

fn service(protocol: Protocol, backend: &str) -> Service {
    Service {
        id: format!("default/web-{}", protocol.0).into(),
        protocol,
        frontends: vec![
            Frontend::Cluster {
                address: ip("10.96.0.80"),
                port: 80,
            },
            Frontend::Node { port: 30080 },
        ],
        backends: vec![Backend {
            address: ip(backend),
            port: 8080,
            name: String::new(),
        }],
        local: Vec::new(),
        lingering: Vec::new(),
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        affinity: None,
    }
}

/// K8S-NET: what a policy allows comes in, from this node and others; nothing else; the pod's own calls
/// are answered.
fn ingress_isolates() {
    let mut cluster = Cluster::with_pods();
    let rules = vec![
        from_range("10.244.2.6/32", tcp(8080)),
        from_range("10.244.1.6/32", udp(8080)),
    ];
    let web = policy("default/web", rules, vec![]);
    cluster.isolate("a", "web-1", "10.244.1.5", Some(&web), None);
    cluster.apply();
    for (caller, protocol, port, allowed) in [
        ("client-2", Protocol::TCP, 8080, true),
        ("client-2", Protocol::TCP, 8081, false),
        ("client-2", Protocol::UDP, 8080, false),
        ("client-1", Protocol::TCP, 8080, false),
        ("client-1", Protocol::UDP, 8080, true),
        ("b", Protocol::TCP, 8080, false),
        ("outsider", Protocol::TCP, 8080, false),
    ] {
        let outcome = cluster.call(caller, protocol, "10.244.1.5", port);
        assert_eq!(
            outcome != Outcome::Silent,
            allowed,
            "{caller} {protocol:?} {port}"
        );
    }
    for protocol in BOTH {
        for to in ["10.244.1.6", "10.244.2.6", "10.0.1.99"] {
            let outcome = cluster.call("web-1", protocol, to, 80);
            assert_ne!(outcome, Outcome::Silent, "{to}");
        }
    }
}

/// K8S-NET: egress policies see backends, not cluster addresses.
fn egress_isolates_behind_services() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&service(protocol, "10.244.2.5"));
    }
    for (range, passes) in [("10.244.2.5/32", true), ("10.96.0.80/32", false)] {
        let out = policy(
            "default/out",
            vec![],
            vec![to_range(range, ProtocolMatch::Any)],
        );
        cluster.isolate("a", "client-1", "10.244.1.6", None, Some(&out));
        cluster.apply();
        for protocol in BOTH {
            let outcome = cluster.call("client-1", protocol, "10.96.0.80", 80);
            assert_eq!(outcome != Outcome::Silent, passes, "{range}");
            let other = cluster.call("client-1", protocol, "10.244.1.5", 8080);
            assert_eq!(other, Outcome::Silent);
            // Others call it as before.
            cluster.call("web-1", protocol, "10.244.1.6", 80);
        }
    }
}

/// K8S-NET: of two pods on one node each side decides for itself.
fn both_ends_decide_on_one_node() {
    let mut cluster = Cluster::with_pods();
    let out = |open: bool| {
        let rules = open.then(|| to_range("10.244.1.5/32", ProtocolMatch::Any));
        policy("default/out", vec![], rules.into_iter().collect())
    };
    let inside = |open: bool| {
        let rules = open.then(|| from_range("10.244.1.6/32", ProtocolMatch::Any));
        policy("default/in", rules.into_iter().collect(), vec![])
    };
    for (leaves, enters) in [(true, true), (true, false), (false, true), (false, false)] {
        cluster.isolate("a", "client-1", "10.244.1.6", None, Some(&out(leaves)));
        cluster.isolate("a", "web-1", "10.244.1.5", Some(&inside(enters)), None);
        cluster.apply();
        for protocol in BOTH {
            let outcome = cluster.call("client-1", protocol, "10.244.1.5", 8080);
            assert_eq!(outcome != Outcome::Silent, leaves && enters);
        }
    }
}

/// K8S-NET: a pod is never shut off from its own node, nor from itself, not even through a service.
fn the_node_itself_passes() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&service(protocol, "10.244.1.5"));
    }
    let closed = policy("default/closed", vec![], vec![]);
    let both = Some(&closed);
    cluster.isolate("a", "web-1", "10.244.1.5", both, both);
    cluster.apply();
    for protocol in BOTH {
        for (caller, to, port, passes) in [
            ("a", "10.244.1.5", 8080, true),
            ("web-1", "10.0.1.10", 9100, true),
            ("web-1", "10.96.0.80", 80, true),
            ("a", "10.96.0.80", 80, true),
            ("b", "10.244.1.5", 8080, false),
            ("web-1", "10.0.1.11", 9100, false),
            ("client-1", "10.96.0.80", 80, false),
        ] {
            let outcome = cluster.call(caller, protocol, to, port);
            assert_eq!(outcome != Outcome::Silent, passes, "{caller} {to}:{port}");
        }
    }
}

/// K8S-NET: behind a node port a policy sees the client where the backend is on the node that was
/// called, and else that node.
fn clients_are_seen_as_they_are_masqueraded() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&service(protocol, "10.244.2.5"));
    }
    for (range, on_b, on_a) in [
        ("10.0.1.99/32", true, false),
        ("10.0.1.10/32", false, true),
        ("10.0.1.0/24", true, true),
    ] {
        let web = policy(
            "default/web",
            vec![from_range(range, ProtocolMatch::Any)],
            vec![],
        );
        cluster.isolate("b", "web-2", "10.244.2.5", Some(&web), None);
        cluster.apply();
        for protocol in BOTH {
            for (node, passes) in [("10.0.1.11", on_b), ("10.0.1.10", on_a)] {
                let outcome = cluster.call("outsider", protocol, node, 30080);
                assert_eq!(outcome != Outcome::Silent, passes, "{range} {node}");
            }
        }
    }
}

/// K8S-NET: peers are sets; one pod more is one element.
fn members_come_one_by_one() {
    let mut cluster = Cluster::with_pods();
    let peers = AddressMatch::AnyOf(vec![AddressTerm::Set("peers".into())]);
    let rule = allow("ingress[0]", peers, tcp(8080), true);
    let web = policy("default/web", vec![rule], vec![]);
    cluster.isolate("a", "web-1", "10.244.1.5", Some(&web), None);
    let set = |cluster: &mut Cluster, members: Vec<ipnet::Ipv4Net>| {
        let set = AddressSet {
            id: "peers".into(),
            members: members.into_iter().collect(),
        };
        cluster.edit_node("a", |node| {
            let sets = &mut node.policies.address_sets;
            sets.insert(set.id.clone(), Arc::new(set));
        });
        cluster.apply().0
    };
    let mut members: Vec<ipnet::Ipv4Net> = (0..2_000u32)
        .map(|number| std::net::Ipv4Addr::from(0x0af5_0000 + number).into())
        .collect();
    set(&mut cluster, members.clone());
    assert_eq!(cluster.tcp("client-1", "10.244.1.5", 8080), Outcome::Silent);
    members.push(net("10.244.1.6/32"));
    assert_eq!(set(&mut cluster, members.clone()), 1);
    assert_ne!(cluster.tcp("client-1", "10.244.1.5", 8080), Outcome::Silent);
    members.pop();
    assert_eq!(set(&mut cluster, members), 1);
    assert_eq!(cluster.tcp("client-1", "10.244.1.5", 8080), Outcome::Silent);
}

/// K8S-NET: a flow that a policy let through stays when the policy changes; new ones obey.
fn live_flows_outlive_a_policy() {
    let mut cluster = Cluster::with_pods();
    let open = policy(
        "default/web",
        vec![from_range("10.244.0.0/16", ProtocolMatch::Any)],
        vec![],
    );
    cluster.isolate("a", "web-1", "10.244.1.5", Some(&open), None);
    cluster.apply();
    outlives(&mut cluster);
}

/// K8S-NET: so does a flow of a pod that no policy selected.
fn pods_that_were_open_keep_their_flows() {
    let mut cluster = Cluster::with_pods();
    cluster.apply();
    outlives(&mut cluster);
}

fn outlives(cluster: &mut Cluster) {
    let client = cluster.client("client-2", 42_000);
    let to = SocketAddrV4::new(ip("10.244.1.5"), 8080);
    let before = cluster.exchange(&client, to, Duration::from_secs(3));
    assert!(matches!(before, Outcome::Answered(..)), "{before:?}");
    let (server, caller) = (cluster.namespace("web-1"), cluster.namespace("client-2"));
    let listen = || TcpListener::bind(("0.0.0.0", 7)).expect("bound");
    let listener = server.run(listen).expect("entered");
    let connect = || TcpStream::connect("10.244.1.5:7").expect("connected");
    let mut calling = caller.run(connect).expect("entered");
    let (mut called, _) = listener.accept().expect("accepted");
    let closed = policy("default/web", vec![], vec![]);
    cluster.isolate("a", "web-1", "10.244.1.5", Some(&closed), None);
    cluster.apply();
    assert_eq!(cluster.tcp("client-2", "10.244.1.5", 8080), Outcome::Silent);
    let after = cluster.exchange(&client, to, Duration::from_secs(3));
    assert_eq!(before, after);
    exchange(&mut calling, &mut called).expect("still there");
}
