//! Services of a cluster, walked. Each rule is kube-proxy's (nftables mode).

use crate::cluster::*;
use crate::world::*;
use fabric::*;

fn destination(flow: &Flow) -> (String, u16) {
    let Transport::Tcp {
        destination_port, ..
    } = flow.transport
    else {
        panic!("{flow}");
    };
    (flow.destination.to_string(), destination_port)
}

/// K8S-NET: from a pod the cluster address leads to every backend, under the pod's own address, and the
/// answers come from the cluster address. The hop names the service.
#[test]
fn cluster_addresses_lead_to_backends() {
    let mut world = cluster();
    world.service(&web(&["web-1", "web-2"]));
    let ways = world.ways("pod/client-1", tcp("10.96.0.80", 80));
    let hosts: Vec<&str> = ways.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(hosts, ["pod/web-1", "pod/web-2"]);
    for (_, packet) in &ways {
        assert_eq!(packet.source, ip("10.244.1.6"));
        assert_eq!(destination(packet).1, 8080);
    }
    let trace = world.walk("pod/client-1", tcp("10.96.0.80", 80));
    assert_eq!(trace.verdict, Verdict::Delivered);
    let balance = trace
        .hops
        .iter()
        .find(|hop| hop.action == HopAction::Balance)
        .unwrap();
    assert_eq!(balance.at, "a");
    assert_eq!(balance.resource.as_deref(), Some("default/web:http"));
    assert_eq!(balance.rule, Some("clusterIP".into()));
    assert_eq!(
        balance.detail,
        "10.96.0.80:80 → 10.244.1.5:8080 (default/web-1), one of 2"
    );
}

/// K8S-NET: a node's own call and one from outside the cluster's pods are masqueraded, so that answers
/// come back; with `masquerade_all` a pod's too.
#[test]
fn who_is_masqueraded_at_cluster_addresses() {
    let mut world = cluster();
    world.service(&web(&["web-2"]));
    // A static route leads from outside to a node, which forwards what isn't its own.
    world.edit_port("a-0", |port| port.guard = false);
    let call = tcp("10.96.0.80", 80);
    assert_eq!(
        world.delivered("pod/client-1", call).source,
        ip("10.244.1.6")
    );
    assert_eq!(world.delivered("a", call).source, ip("10.0.1.10"));
    assert_eq!(world.delivered("outsider", call).source, ip("10.0.1.10"));
    world.edit_node("a", |node| node.services.masquerade_all = true);
    assert_eq!(
        world.delivered("pod/client-1", call).source,
        ip("10.0.1.10")
    );
}

/// K8S-NET: a pod that reaches itself through a service sees the node as its caller.
#[test]
fn a_pod_calls_itself() {
    let mut world = cluster();
    world.service(&web(&["web-1"]));
    assert_eq!(
        world.delivered("pod/web-1", tcp("10.96.0.80", 80)).source,
        ip("10.0.1.10")
    );
}

/// K8S-NET: node ports on every node, to backends on any, under the node's address.
#[test]
fn node_ports_cross_nodes() {
    let mut world = cluster();
    world.service(&web(&["web-2"]));
    for (node, address) in [("10.0.1.10", "10.0.1.10"), ("10.0.1.11", "10.0.1.11")] {
        let arrived = world.delivered("outsider", tcp(node, 30080));
        assert_eq!(destination(&arrived), ("10.244.2.5".to_owned(), 8080));
        assert_eq!(arrived.source, ip(address));
    }
    world.delivered("pod/client-1", tcp("10.0.1.11", 30080));
    assert!(matches!(
        world.walk("outsider", tcp("10.0.1.10", 30081)).arrived,
        Some((host, _)) if host.as_str() == "a"
    ));
}

/// K8S-NET: under the external policy Local clients keep their address, nodes without backends drop, and
/// the node and its cluster's pods take the short cut to all backends.
#[test]
fn the_external_policy_local() {
    let mut world = cluster();
    let mut service = web(&["web-2"]);
    service.external = TrafficPolicy::Local;
    world.service(&service);
    let arrived = world.delivered("outsider", tcp("10.0.1.11", 30080));
    assert_eq!(arrived.source, ip("10.0.1.99"));
    let (node, why) = world.node_drops("outsider", tcp("10.0.1.10", 30080));
    assert_eq!(node, "a");
    assert!(matches!(
        why,
        NodeDrop::NoLocalEndpoints {
            internal: false,
            ..
        }
    ));
    assert!(!why.refuses());
    assert_eq!(
        world
            .delivered("pod/client-1", tcp("198.51.100.80", 80))
            .source,
        ip("10.244.1.6")
    );
    assert_eq!(
        world.delivered("a", tcp("198.51.100.80", 80)).source,
        ip("10.0.1.10")
    );
    // Pods of another node take it too, under their own address: where the cloud checks sources, it
    // ends there.
    let (_, reason) = world.dropped("pod/client-2", tcp("10.0.1.10", 30080));
    assert!(matches!(reason, DropReason::Guard { .. }), "{reason:?}");
    // A node that can't tell pods from the outside knows no short cut for them.
    world.edit_node("a", |node| node.services.pods = None);
    let (_, why) = world.node_drops("pod/client-1", tcp("198.51.100.80", 80));
    assert!(matches!(why, NodeDrop::NoLocalEndpoints { .. }));
}

/// K8S-NET: the internal policy Local.
#[test]
fn the_internal_policy_local() {
    let mut world = cluster();
    let mut service = web(&["web-2"]);
    service.internal = TrafficPolicy::Local;
    world.service(&service);
    world.delivered("pod/client-2", tcp("10.96.0.80", 80));
    let (_, why) = world.node_drops("pod/client-1", tcp("10.96.0.80", 80));
    assert!(matches!(
        why,
        NodeDrop::NoLocalEndpoints { internal: true, .. }
    ));
    world.delivered("outsider", tcp("10.0.1.10", 30080));
}

/// K8S-NET: a load balancer's source ranges hold at its address and nowhere else.
#[test]
fn source_ranges() {
    let mut world = cluster();
    world.service(&web(&["web-1"]));
    let call = tcp("198.51.100.81", 80);
    world.delivered("pod/client-1", call);
    let (_, why) = world.node_drops("a", call);
    assert!(matches!(why, NodeDrop::SourceRange { source, .. } if source == ip("10.0.1.10")));
    assert!(!why.refuses());
    world.delivered("a", tcp("198.51.100.80", 80));
    world.delivered("b", tcp("10.0.1.10", 30080));
}

/// K8S-NET: a service without backends refuses at each frontend; a cluster address refuses other ports
/// and protocols; an address that no service has is silent.
#[test]
fn what_is_refused() {
    let mut world = cluster();
    world.service(&web(&[]));
    for (address, port) in [
        ("10.96.0.80", 80),
        ("198.51.100.80", 80),
        ("10.0.1.10", 30080),
    ] {
        let (_, why) = world.node_drops("pod/client-1", tcp(address, port));
        assert!(matches!(why, NodeDrop::NoEndpoints { .. }), "{why:?}");
        assert!(why.refuses());
    }
    let (_, why) = world.node_drops("pod/client-1", tcp("10.96.0.80", 81));
    assert!(matches!(why, NodeDrop::NoSuchPort { .. }) && why.refuses());
    let echo = Flow {
        transport: Transport::Echo {
            id: 1,
            reply: false,
        },
        ..tcp("10.96.0.80", 0)
    };
    let (_, why) = world.node_drops("a", echo);
    assert!(matches!(why, NodeDrop::NoSuchPort { .. }));
    let (_, why) = world.node_drops("pod/client-1", tcp("10.96.7.7", 80));
    assert!(matches!(why, NodeDrop::Unallocated { .. }) && !why.refuses());
}

/// K8S-NET: a backend on the node's own network: node ports and the cluster address lead to the node
/// itself, and its answers come from where it was called.
#[test]
fn backends_of_the_host_network() {
    let mut world = cluster();
    let mut service = web(&[]);
    service.backends = vec![Backend {
        address: ip("10.0.1.10"),
        port: 9100,
        name: "kube-system/exporter".to_owned(),
    }];
    world.service(&service);
    for (caller, to, port) in [
        ("pod/client-1", "10.96.0.80", 80),
        ("pod/client-2", "10.96.0.80", 80),
        ("outsider", "10.0.1.10", 30080),
        ("a", "10.96.0.80", 80),
        ("b", "10.96.0.80", 80),
    ] {
        let arrived = world.delivered(caller, tcp(to, port));
        assert_eq!(destination(&arrived), ("10.0.1.10".to_owned(), 9100));
    }
}

/// AN-EXPLAIN: where the outcome depends on the backend, `walk` says so and which; each way can be asked
/// for by itself.
#[test]
fn a_choice_is_never_guessed() {
    let mut world = cluster();
    world.service(&web(&["web-1", "web-2"]));
    world.isolate(
        "b",
        "10.244.2.5",
        Some(policy("default/deny", Vec::new(), Vec::new())),
        None,
    );
    let call = tcp("10.96.0.80", 80);
    let trace = world.walk("pod/client-1", call);
    let Verdict::Unknown(why) = &trace.verdict else {
        panic!("{trace:#?}");
    };
    assert!(
        why.contains("delivered by 10.244.1.5:8080 (default/web-1)"),
        "{why}"
    );
    assert!(
        why.contains("dropped on the way to 10.244.2.5:8080"),
        "{why}"
    );
    assert_eq!(trace.hops.last().unwrap().action, HopAction::Balance);
    let walker = fabric::walk::Walker::new(&world.fabric);
    let ways = walker.ways(&Origin::Host("pod/client-1".into()), call);
    let ends: Vec<(String, bool)> = ways
        .iter()
        .map(|way| {
            let delivered = way.trace.verdict == Verdict::Delivered;
            (way.choices[0].chosen.name().to_owned(), delivered)
        })
        .collect();
    let expected = [("default/web-1", true), ("default/web-2", false)];
    assert_eq!(
        ends,
        expected.map(|(name, delivered)| (name.to_owned(), delivered))
    );
}

/// K8S-NET: a service whose backend is itself a frontend elsewhere: every combination is a way.
#[test]
fn services_behind_services() {
    let mut world = cluster();
    world.service(&web(&["web-1", "web-2"]));
    let mut outer = web(&[]);
    outer.id = "default/outer:".into();
    outer.frontends = vec![Frontend::Cluster {
        address: ip("10.96.0.81"),
        port: 80,
    }];
    let at = |address: &str| Backend {
        address: ip(address),
        port: 30080,
        name: String::new(),
    };
    outer.backends = vec![at("10.0.1.11"), at("10.244.9.9")];
    world.service(&outer);
    let walker = fabric::walk::Walker::new(&world.fabric);
    let ways = walker.ways(&Origin::Host("pod/client-1".into()), tcp("10.96.0.81", 80));
    let chosen: Vec<Vec<String>> = ways
        .iter()
        .map(|way| {
            let backends = way.choices.iter();
            backends
                .map(|choice| choice.chosen.place().unwrap().ip().to_string())
                .collect()
        })
        .collect();
    assert_eq!(
        chosen,
        [
            vec!["10.0.1.11", "10.244.1.5"],
            vec!["10.0.1.11", "10.244.2.5"],
            vec!["10.244.9.9"]
        ]
    );
}

/// K8S-NET: what pods send beyond the cluster leaves under the node's address; within, under their own.
#[test]
fn pods_leave_under_the_nodes_address() {
    let mut world = cluster();
    world.edit_node("a", |node| {
        node.source_nat = Some(SourceNat {
            sources: vec![net("10.244.0.0/16")],
            except: vec![net("10.244.0.0/16")],
            address: None,
        });
    });
    assert_eq!(
        world.delivered("pod/client-1", tcp("10.0.1.99", 80)).source,
        ip("10.0.1.10")
    );
    assert_eq!(
        world
            .delivered("pod/client-1", tcp("10.244.2.5", 80))
            .source,
        ip("10.244.1.6")
    );
    assert_eq!(
        world.delivered("outsider", tcp("10.244.1.6", 80)).source,
        ip("10.0.1.99")
    );
}

/// K8S-NET: of two services that claim a frontend the one with backends has it.
#[test]
fn claims_of_one_frontend() {
    let mut world = cluster();
    let mut first = web(&[]);
    first.id = "default/a:http".into();
    world.service(&first);
    world.service(&web(&["web-1"]));
    world.delivered("pod/client-1", tcp("10.96.0.80", 80));
}
