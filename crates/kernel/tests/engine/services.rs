//! Services of a cluster, by packets; every call is also asked of `walk`.

use crate::cluster::{Cluster, Outcome};
use crate::random_node::{edited_node, node_steps};
use crate::world::*;
use fabric::*;
use kernel::node::{PolicyAgent, Proxy, SourceTranslator};
use kernel::testing::{add_table, remove_table, tables};
use proptest::prop_assert;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::time::Duration;

crate::trials![
    cluster_addresses_lead_to_backends,
    node_ports_lead_to_backends,
    a_pod_calls_itself_through_a_service,
    the_external_policy_local_keeps_clients,
    the_internal_policy_local_keeps_to_the_node,
    source_ranges_hold_at_the_balancer,
    services_without_backends_refuse,
    clients_stay_with_their_backend,
    backends_may_be_the_nodes_own,
    stale_udp_flows_are_cut,
    one_backend_is_a_small_change,
    a_restarted_proxy_takes_over,
    a_vanished_table_is_made_anew,
    pods_leave_the_cluster_under_the_nodes_address,
    the_kernel_takes_every_change_of_a_node,
];

fn backend(address: &str, port: u16) -> Backend {
    Backend {
        address: ip(address),
        port,
        name: String::new(),
    }
}

/// A service with every frontend, port 80 to the web pods' 8080.
fn web(protocol: Protocol, backends: &[&str]) -> Service {
    let at = |address: &str| (ip(address), 80);
    let ((cluster, port), (external, _)) = (at("10.96.0.80"), at("198.51.100.80"));
    Service {
        id: format!("default/web-{}:http", protocol.0).into(),
        protocol,
        frontends: vec![
            Frontend::Cluster {
                address: cluster,
                port,
            },
            Frontend::External {
                address: external,
                port,
            },
            Frontend::LoadBalancer {
                address: ip("198.51.100.81"),
                port,
                sources: vec![net("10.0.1.99/32"), net("10.244.1.0/24")],
            },
            Frontend::Node { port: 30080 },
        ],
        backends: backends
            .iter()
            .map(|address| backend(address, 8080))
            .collect(),
        local: Vec::new(),
        lingering: Vec::new(),
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        affinity: None,
    }
}

const BOTH: [Protocol; 2] = [Protocol::TCP, Protocol::UDP];
const WEB: [&str; 2] = ["10.244.1.5", "10.244.2.5"];

/// K8S-NET: pods, nodes and what comes from outside reach each backend at the cluster address.
fn cluster_addresses_lead_to_backends() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&web(protocol, &WEB));
    }
    cluster.apply();
    for protocol in BOTH {
        for caller in ["client-1", "client-2", "a", "b", "outsider"] {
            let mut reached = BTreeSet::new();
            for _ in 0..40 {
                match cluster.call(caller, protocol, "10.96.0.80", 80) {
                    Outcome::Answered(place, _) => reached.insert(place),
                    other => panic!("{caller}: {other:?}"),
                };
                if reached.len() == 2 {
                    break;
                }
            }
            assert_eq!(reached.len(), 2, "{caller} reached only {reached:?}");
        }
    }
}

/// K8S-NET: a node port on each node, whichever node the backend is on.
fn node_ports_lead_to_backends() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&web(protocol, &["10.244.2.5"]));
    }
    cluster.apply();
    for protocol in BOTH {
        for node in ["10.0.1.10", "10.0.1.11"] {
            for caller in ["outsider", "client-1", "client-2", "a", "b"] {
                let outcome = cluster.call(caller, protocol, node, 30080);
                assert!(matches!(outcome, Outcome::Answered(ref at, _) if at == "web-2"));
            }
        }
    }
}

/// K8S-NET: a pod that calls itself through a service sees the node as its caller.
fn a_pod_calls_itself_through_a_service() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&web(protocol, &["10.244.1.5"]));
    }
    cluster.apply();
    for protocol in BOTH {
        let outcome = cluster.call("web-1", protocol, "10.96.0.80", 80);
        assert_eq!(
            outcome,
            Outcome::Answered("web-1".to_owned(), ip("10.0.1.10"))
        );
    }
}

/// K8S-NET: under the external policy Local clients are seen as they are, a node without backends is
/// silent, and pods and the node itself go past the policy.
fn the_external_policy_local_keeps_clients() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        let mut service = web(protocol, &["10.244.2.5"]);
        service.external = TrafficPolicy::Local;
        cluster.service(&service);
    }
    cluster.apply();
    for protocol in BOTH {
        let seen = cluster.call("outsider", protocol, "10.0.1.11", 30080);
        assert_eq!(seen, Outcome::Answered("web-2".to_owned(), ip("10.0.1.99")));
        let other = cluster.call("outsider", protocol, "10.0.1.10", 30080);
        assert_eq!(other, Outcome::Silent);
        let pod = cluster.call("client-1", protocol, "198.51.100.80", 80);
        assert_eq!(pod, Outcome::Answered("web-2".to_owned(), ip("10.244.1.6")));
        let node = cluster.call("a", protocol, "10.0.1.10", 30080);
        assert_eq!(node, Outcome::Answered("web-2".to_owned(), ip("10.0.1.10")));
        // Unless the node can't tell pods from others.
        cluster.edit_node("a", |node| node.services.pods = None);
        cluster.apply();
        let pod = cluster.call("client-1", protocol, "198.51.100.80", 80);
        assert_eq!(pod, Outcome::Silent);
        cluster.edit_node("a", |node| {
            node.services.pods = Some(vec![net("10.244.0.0/16")]);
        });
        cluster.apply();
    }
}

/// K8S-NET: under the internal policy Local the cluster address leads to the caller's node only.
fn the_internal_policy_local_keeps_to_the_node() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        let mut service = web(protocol, &["10.244.2.5"]);
        service.internal = TrafficPolicy::Local;
        cluster.service(&service);
    }
    cluster.apply();
    for protocol in BOTH {
        let outcome = cluster.call("client-1", protocol, "10.96.0.80", 80);
        assert_eq!(outcome, Outcome::Silent);
        cluster.call("client-2", protocol, "10.96.0.80", 80);
        cluster.call("outsider", protocol, "10.0.1.10", 30080);
    }
}

/// K8S-NET: a load balancer's source ranges.
fn source_ranges_hold_at_the_balancer() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&web(protocol, &["10.244.1.5"]));
    }
    cluster.apply();
    for protocol in BOTH {
        for (caller, allowed) in [
            ("outsider", true),
            ("client-1", true),
            ("a", false),
            ("b", false),
        ] {
            let outcome = cluster.call(caller, protocol, "198.51.100.81", 80);
            assert_eq!(outcome != Outcome::Silent, allowed, "{caller}");
        }
        cluster.call("b", protocol, "198.51.100.80", 80);
    }
}

/// K8S-NET: no backends: refused at every frontend; other ports of a cluster address: refused; an
/// address that no service has: silence.
fn services_without_backends_refuse() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        cluster.service(&web(protocol, &[]));
    }
    cluster.apply();
    for protocol in BOTH {
        for (caller, to, port) in [
            ("client-1", "10.96.0.80", 80),
            ("outsider", "10.96.0.80", 80),
            ("a", "10.96.0.80", 80),
            ("client-1", "198.51.100.80", 80),
            ("client-2", "10.0.1.10", 30080),
            ("outsider", "10.0.1.10", 30080),
            ("a", "10.0.1.10", 30080),
            ("client-1", "10.96.0.80", 81),
            ("a", "10.96.0.80", 81),
        ] {
            let outcome = cluster.call(caller, protocol, to, port);
            assert_eq!(outcome, Outcome::Refused, "{caller} {to}:{port}");
        }
        for caller in ["client-1", "a", "outsider"] {
            let outcome = cluster.call(caller, protocol, "10.96.7.7", 80);
            assert_eq!(outcome, Outcome::Silent, "{caller}");
        }
    }
}

/// K8S-NET: with session affinity a client gets the same backend again, as long as it is there and the
/// time isn't over; another client may get another.
fn clients_stay_with_their_backend() {
    let mut cluster = Cluster::with_pods();
    let many: Vec<String> = (0..8)
        .map(|last| format!("10.244.1.{}", 20 + last))
        .collect();
    for (number, address) in many.iter().enumerate() {
        cluster.pod(&format!("w{number}"), "a", address);
    }
    let all: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut service = web(Protocol::TCP, &all);
    service.affinity = Some(2);
    cluster.service(&service);
    cluster.apply();
    let call = |cluster: &mut Cluster| match cluster.tcp("client-1", "10.96.0.80", 80) {
        Outcome::Answered(place, _) => place,
        other => panic!("{other:?}"),
    };
    let first = call(&mut cluster);
    for _ in 0..20 {
        assert_eq!(call(&mut cluster), first);
    }
    // Its backend goes: another one, and again the same.
    let gone = first
        .trim_start_matches('w')
        .parse::<usize>()
        .expect("a number");
    let rest: Vec<&str> = all
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != gone)
        .map(|(_, address)| *address)
        .collect();
    let mut smaller = web(Protocol::TCP, &rest);
    smaller.affinity = Some(2);
    cluster.service(&smaller);
    cluster.apply();
    let second = call(&mut cluster);
    assert_ne!(second, first);
    for _ in 0..20 {
        assert_eq!(call(&mut cluster), second);
    }
    // In time it is forgotten: among so many tries one goes elsewhere.
    let elsewhere = (0..6).any(|_| {
        std::thread::sleep(Duration::from_millis(2_300));
        call(&mut cluster) != second
    });
    assert!(elsewhere);
}

/// K8S-NET: a backend in a node's own network.
fn backends_may_be_the_nodes_own() {
    let mut cluster = Cluster::with_pods();
    for protocol in BOTH {
        let mut service = web(protocol, &[]);
        service.backends = vec![backend("10.0.1.10", 9100)];
        cluster.service(&service);
    }
    cluster.apply();
    for protocol in BOTH {
        for (caller, to, port) in [
            ("client-1", "10.96.0.80", 80),
            ("client-2", "10.96.0.80", 80),
            ("outsider", "10.0.1.10", 30080),
            ("outsider", "10.0.1.11", 30080),
            ("a", "10.96.0.80", 80),
            ("b", "10.96.0.80", 80),
        ] {
            let outcome = cluster.call(caller, protocol, to, port);
            assert!(matches!(outcome, Outcome::Answered(ref at, _) if at == "a"));
        }
    }
}

/// K8S-NET: a UDP client that goes on sending gets a new backend once its own is gone, and keeps one
/// that only takes no new flows; other flows are left alone.
fn stale_udp_flows_are_cut() {
    let mut cluster = Cluster::with_pods();
    cluster.service(&web(Protocol::UDP, &["10.244.1.5"]));
    let mut other = web(Protocol::UDP, &["10.244.2.5"]);
    other.id = "default/other".into();
    other.frontends = vec![Frontend::Cluster {
        address: ip("10.96.0.81"),
        port: 80,
    }];
    cluster.service(&other);
    cluster.apply();
    let to = SocketAddrV4::new(ip("10.96.0.80"), 80);
    let aside = SocketAddrV4::new(ip("10.96.0.81"), 80);
    let wait = Duration::from_secs(3);
    let (client, bystander) = (
        cluster.client("client-1", 41_000),
        cluster.client("client-1", 41_001),
    );
    let at = |place: &str| Outcome::Answered(place.to_owned(), ip("10.244.1.6"));
    assert_eq!(cluster.exchange(&client, to, wait), at("web-1"));
    assert_eq!(cluster.exchange(&bystander, aside, wait), at("web-2"));
    // It still serves, but gets no new flows.
    let mut leaving = web(Protocol::UDP, &["10.244.2.5"]);
    leaving.lingering = vec![backend("10.244.1.5", 8080)];
    cluster.service(&leaving);
    assert_eq!(cluster.apply().1, 0);
    assert_eq!(cluster.exchange(&client, to, wait), at("web-1"));
    cluster.service(&web(Protocol::UDP, &["10.244.2.5"]));
    assert_eq!(cluster.apply().1, 1);
    assert_eq!(cluster.exchange(&client, to, wait), at("web-2"));
    assert_eq!(cluster.exchange(&bystander, aside, wait), at("web-2"));
    // The last one goes: the client is told.
    cluster.service(&web(Protocol::UDP, &[]));
    assert_eq!(cluster.apply().1, 1);
    assert_eq!(cluster.exchange(&client, to, wait), Outcome::Refused);
}

/// K8S-NET: what one backend more or less changes doesn't depend on how many services and backends
/// there are.
fn one_backend_is_a_small_change() {
    let changes = |services: u16| {
        let mut cluster = Cluster::with_pods();
        for number in 0..services {
            let mut service = web(Protocol::TCP, &["10.244.9.1", "10.244.9.2", "10.244.9.3"]);
            service.id = format!("default/many-{number}").into();
            let [high, low] = number.to_be_bytes();
            service.frontends = vec![Frontend::Cluster {
                address: [10, 96, 1 + high, low].into(),
                port: 80,
            }];
            cluster.service(&service);
        }
        cluster.service(&web(Protocol::TCP, &WEB));
        cluster.apply();
        cluster.service(&web(Protocol::TCP, &WEB[1..]));
        let (changes, _) = cluster.apply();
        assert_eq!(
            cluster.tcp("client-1", "10.96.0.80", 80),
            Outcome::Answered("web-2".to_owned(), ip("10.244.1.6"))
        );
        changes
    };
    assert_eq!(changes(5), changes(500));
}

/// K8S-NET, OPS-STATE: a proxy that starts anew replaces what its predecessor left, touches no table but
/// its own, and leaves none behind.
fn a_restarted_proxy_takes_over() {
    let mut cluster = Cluster::with_pods();
    let node = cluster.namespace("a");
    add_table(&node, "mine").expect("made");
    cluster.service(&web(Protocol::TCP, &["10.244.1.5"]));
    cluster.apply();
    let mut connection = {
        let connect = || std::net::TcpStream::connect("10.96.0.80:80").expect("connected");
        let namespace = cluster.namespace("client-1");
        namespace.run(connect).expect("entered")
    };
    for _ in 0..3 {
        cluster.restart_proxy("a");
        cluster.service(&web(Protocol::TCP, &["10.244.2.5"]));
        cluster.apply();
        let outcome = cluster.tcp("client-1", "10.96.0.80", 80);
        assert!(matches!(outcome, Outcome::Answered(ref at, _) if at == "web-2"));
        let tables = tables(&node).expect("told").join(" ");
        assert_eq!(tables.matches("skylab-proxy").count(), 1, "{tables}");
        assert!(tables.contains("mine"), "{tables}");
    }
    // The connection lived through all of it.
    std::io::Write::write_all(&mut connection, b"still there").expect("written");
    let proxy = Proxy::inside(&node).expect("entered");
    proxy.remove().expect("removed");
    let tables = tables(&node).expect("told").join(" ");
    assert!(!tables.contains("skylab-proxy"), "{tables}");
    assert!(tables.contains("mine") && tables.contains("skylab-policy"));
}

/// K8S-NET: somebody removed the table: the next change fails, and the one after puts all right.
fn a_vanished_table_is_made_anew() {
    let cluster = Cluster::with_pods();
    let namespace = cluster.namespace("a");
    let mut proxy = Proxy::inside(&namespace).expect("entered");
    let services = |backends: &[&str]| {
        let service = web(Protocol::TCP, backends);
        let mut services = Services::default();
        let service = std::sync::Arc::new(service);
        services.services.insert(service.id.clone(), service);
        services
    };
    proxy.apply(&services(&["10.244.1.5"])).expect("applies");
    remove_table(&namespace, "skylab-proxy").expect("removed");
    assert!(proxy.apply(&services(&["10.244.2.5"])).is_err());
    let applied = proxy.apply(&services(&["10.244.2.5"])).expect("applies");
    assert!(applied.changes > 10);
    let tables = tables(&namespace).expect("told").join(" ");
    assert_eq!(tables.matches("skylab-proxy").count(), 1, "{tables}");
}

/// K8S-NET: what pods send beyond the cluster leaves under the node's address or another one.
fn pods_leave_the_cluster_under_the_nodes_address() {
    let mut cluster = Cluster::with_pods();
    let nat = |address| {
        Some(SourceNat {
            sources: vec![net("10.244.0.0/16")],
            except: vec![net("10.244.0.0/16"), net("10.96.0.0/16")],
            address,
        })
    };
    for address in [None, Some(ip("10.0.1.10"))] {
        cluster.edit_node("a", |node| node.source_nat = nat(address));
        cluster.apply();
        for protocol in BOTH {
            let outside = cluster.call("client-1", protocol, "10.0.1.99", 80);
            let seen = Outcome::Answered("outsider".to_owned(), ip("10.0.1.10"));
            assert_eq!(outside, seen);
            let inside = cluster.call("client-1", protocol, "10.244.2.5", 80);
            let seen = Outcome::Answered("web-2".to_owned(), ip("10.244.1.6"));
            assert_eq!(inside, seen);
        }
    }
    cluster.edit_node("a", |node| node.source_nat = None);
    cluster.apply();
    cluster.tcp("client-1", "10.0.1.99", 80);
}

/// Whatever changes into whatever: the kernel refuses nothing.
fn the_kernel_takes_every_change_of_a_node() {
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&node_steps(), |steps| {
        let namespace = namespace();
        let mut proxy = Proxy::inside(&namespace).expect("entered");
        let mut agent = PolicyAgent::inside(&namespace).expect("entered");
        let mut translator = SourceTranslator::inside(&namespace).expect("entered");
        let mut node = Node::default();
        for step in steps {
            for edit in step {
                edited_node(&mut node, edit);
            }
            for applied in [
                proxy.apply(&node.services),
                agent.apply(&node.policies),
                translator.apply(node.source_nat.as_ref()),
            ] {
                prop_assert!(applied.is_ok(), "{applied:?}");
            }
        }
        Ok(())
    });
    outcome.expect("accepted");
}
