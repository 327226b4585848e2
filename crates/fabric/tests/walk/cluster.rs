//! Hand-built clusters: nodes a (10.0.1.10) and b (10.0.1.11) of the pair, with pods behind them.

use crate::world::*;
use fabric::*;
use imbl::OrdMap;
use std::sync::Arc;

/// The pair as nodes. Pods of a are 10.244.1.0/24, of b 10.244.2.0/24; the network knows the way to them.
pub(crate) fn cluster() -> World {
    let mut world = World::pair();
    world.host("outsider", "one", "10.0.1.99");
    for (node, prefix) in [("a", "10.244.1.0/24"), ("b", "10.244.2.0/24")] {
        world.edit_port(&format!("{node}-0"), |port| {
            port.prefixes = vec![net(prefix)];
        });
        world.edit_node(node, |node| {
            node.services.pods = Some(vec![net("10.244.0.0/16")]);
            node.services.ranges = vec![net("10.96.0.0/16")];
        });
    }
    world.table(
        "rtb",
        "vpc",
        &[
            ("10.0.0.0/16", Target::Local),
            ("10.244.0.0/16", Target::Local),
            ("10.96.0.0/16", Target::Port("a-0".into())),
        ],
    );
    world.edit_node("a", |node| {
        node.services.node_addresses = vec![ip("10.0.1.10")];
    });
    world.edit_node("b", |node| {
        node.services.node_addresses = vec![ip("10.0.1.11")];
    });
    world.pod("web-1", "a", "10.244.1.5");
    world.pod("client-1", "a", "10.244.1.6");
    world.pod("web-2", "b", "10.244.2.5");
    world.pod("client-2", "b", "10.244.2.6");
    world
}

/// Backends of the web pods at port 8080.
pub(crate) fn backend(pod: &str) -> Backend {
    let address = match pod {
        "web-1" => "10.244.1.5",
        "web-2" => "10.244.2.5",
        other => panic!("{other}"),
    };
    Backend {
        address: ip(address),
        port: 8080,
        name: format!("default/{pod}"),
    }
}

/// A TCP service with all frontends: 10.96.0.80, 198.51.100.80 and 198.51.100.81 at port 80, node port
/// 30080.
pub(crate) fn web(backends: &[&str]) -> Service {
    Service {
        id: "default/web:http".into(),
        protocol: Protocol::TCP,
        frontends: vec![
            Frontend::Cluster {
                address: ip("10.96.0.80"),
                port: 80,
            },
            Frontend::External {
                address: ip("198.51.100.80"),
                port: 80,
            },
            Frontend::LoadBalancer {
                address: ip("198.51.100.81"),
                port: 80,
                sources: vec![net("10.0.1.99/32"), net("10.244.0.0/16")],
            },
            Frontend::Node { port: 30080 },
        ],
        backends: backends.iter().map(|pod| backend(pod)).collect(),
        local: Vec::new(),
        lingering: Vec::new(),
        internal: TrafficPolicy::Cluster,
        external: TrafficPolicy::Cluster,
        affinity: None,
    }
}

/// An any-allow policy.
pub(crate) fn policy(id: &str, ingress: Vec<FilterRule>, egress: Vec<FilterRule>) -> Filter {
    filter(id, FilterKind::AnyAllow, true, ingress, egress)
}

impl World {
    pub(crate) fn pod(&mut self, id: &str, node: &str, address: &str) {
        self.fabric
            .attach_pod(&format!("pod/{id}").into(), &node.into(), ip(address));
        let isolation = Isolation {
            pod: format!("default/{id}"),
            ..Isolation::default()
        };
        self.edit_node(node, |node| {
            node.policies.pods.insert(ip(address), Arc::new(isolation));
        });
    }

    pub(crate) fn edit_node(&mut self, id: &str, edit: impl FnOnce(&mut Node)) {
        let node: &mut Arc<Node> = self.fabric.nodes.entry(id.into()).or_default();
        edit(Arc::make_mut(node));
    }

    /// The service on both nodes; `local` says which of its backends are on each.
    pub(crate) fn service(&mut self, service: &Service) {
        for (node, pod) in [("a", "web-1"), ("b", "web-2")] {
            let mut service = service.clone();
            service.local = service
                .backends
                .iter()
                .filter(|known| **known == backend(pod))
                .cloned()
                .collect();
            self.edit_node(node, |node| {
                let services: &mut OrdMap<_, _> = &mut node.services.services;
                services.insert(service.id.clone(), Arc::new(service));
            });
        }
    }

    /// Isolates a pod in the directions in which there are policies.
    pub(crate) fn isolate(
        &mut self,
        node: &str,
        address: &str,
        ingress: Option<Filter>,
        egress: Option<Filter>,
    ) {
        self.edit_node(node, |node| {
            let ids = |filter: &Option<Filter>| filter.as_ref().map(|f| vec![f.id.clone()]);
            let isolation = Isolation {
                pod: format!("default/{address}"),
                ingress: ids(&ingress),
                egress: ids(&egress),
            };
            node.policies.pods.insert(ip(address), Arc::new(isolation));
            for filter in [ingress, egress].into_iter().flatten() {
                node.policies
                    .filters
                    .insert(filter.id.clone(), Arc::new(filter));
            }
        });
    }

    /// Why a node drops a call.
    pub(crate) fn node_drops(&self, from: &str, flow: Flow) -> (String, NodeDrop) {
        match self.dropped(from, flow) {
            (_, DropReason::Node { host, why }) => (host.to_string(), why),
            other => panic!("{from} {flow}: {other:?}"),
        }
    }

    /// The ends of all ways of a call: who got it and how.
    pub(crate) fn ways(&self, from: &str, flow: Flow) -> Vec<(String, Flow)> {
        let walker = fabric::walk::Walker::new(&self.fabric);
        let ways = walker.ways(&Origin::Host(from.into()), flow);
        let end = |way: Way| {
            assert_eq!(way.trace.verdict, Verdict::Delivered, "{:#?}", way.trace);
            let (host, packet) = way.trace.arrived.unwrap();
            (host.to_string(), packet)
        };
        ways.into_iter().map(end).collect()
    }
}

/// AWS-CNI: a node with two ports, pods at addresses that the cloud routes to either: what a pod sends
/// leaves by the port that its address belongs to, so that the guard lets it pass, and comes back.
#[test]
fn pods_leave_by_the_port_that_their_address_belongs_to() {
    let mut world = World::pair();
    world.host("node", "one", "10.0.1.20");
    world.host("spare", "one", "10.0.1.30");
    world.edit_port("node-0", |port| port.prefixes = vec![net("10.0.1.21/32")]);
    world.edit_port("spare-0", |port| {
        port.host = Some(("node".into(), 1));
        port.prefixes = vec![net("10.0.1.31/32")];
    });
    for (id, address) in [("first", "10.0.1.21"), ("second", "10.0.1.31")] {
        world.pod(id, "node", address);
    }
    let call = tcp("10.0.1.10", 80);
    world.dropped("pod/second", call);
    world.fabric.route_by_source(&"node".into());
    for (pod, address) in [("pod/first", "10.0.1.21"), ("pod/second", "10.0.1.31")] {
        assert_eq!(world.delivered(pod, call).source, ip(address));
        world.delivered("a", tcp(address, 8080));
    }
    world.delivered("pod/first", tcp("10.0.1.31", 8080));
}
