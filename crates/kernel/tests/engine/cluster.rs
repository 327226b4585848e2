//! Hand-built clusters: nodes that the engine makes, with pods and programs as a cluster puts them there,
//! and packets to hold `walk` against.

use crate::world::*;
use fabric::walk::Walker;
use fabric::*;
use kernel::NetNs;
use kernel::node::{PolicyAgent, Proxy, SourceTranslator};
use kernel::testing::pod_link;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The ports that every place listens on.
const PORTS: [u16; 6] = [53, 80, 8080, 8081, 9100, 30080];
/// How long to wait for what must not come.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long to wait for what must.
const LONG: Duration = Duration::from_secs(3);

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It got to this place and was answered; the caller as seen there.
    Answered(String, Ipv4Addr),
    /// The caller was told that it can't be.
    Refused,
    /// Nothing came back.
    Silent,
}

/// A namespace with listeners.
struct Place {
    namespace: Arc<NetNs>,
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
}

/// A node's programs.
struct Programs {
    proxy: Proxy,
    agent: PolicyAgent,
    translator: SourceTranslator,
}

/// A cluster.
pub(crate) struct Cluster {
    pub(crate) world: World,
    /// With pods, services and policies: what `walk` looks at.
    pub(crate) fabric: Fabric,
    places: BTreeMap<String, Place>,
    programs: BTreeMap<String, Programs>,
    pods: u32,
    calls: u16,
}

impl Cluster {
    /// Nodes a (10.0.1.10) and b (10.0.1.11) with pods' ranges 10.244.1.0/24 and 10.244.2.0/24, and an
    /// outsider (10.0.1.99); the network sends cluster addresses to node a.
    pub(crate) fn new() -> Self {
        let mut world = World::new();
        world.network("vpc-1", 9001);
        world.table(
            "rtb-1",
            "vpc-1",
            &[
                ("10.0.0.0/16", Target::Local),
                ("10.244.0.0/16", Target::Local),
                ("10.96.0.0/16", Target::Port("a-0".into())),
                ("198.51.100.0/24", Target::Port("a-0".into())),
            ],
        );
        world.segment("subnet-1", "vpc-1", "10.0.1.0/24", "rtb-1");
        let nodes = [
            ("a", "10.0.1.10", "10.244.1.0/24"),
            ("b", "10.0.1.11", "10.244.2.0/24"),
        ];
        for (node, address, pods) in nodes {
            world.host(node, "subnet-1", address, &[]);
            world.edit_host(node, |host| host.forwarding = true);
            world.edit_port(&format!("{node}-0"), |port| {
                port.prefixes = vec![net(pods)];
            });
        }
        // What isn't its own goes on from here, too.
        world.edit_port("a-0", |port| port.guard = false);
        world.host("outsider", "subnet-1", "10.0.1.99", &[]);
        world.apply();
        let mut cluster = Self {
            fabric: world.fabric.clone(),
            world,
            places: BTreeMap::new(),
            programs: BTreeMap::new(),
            pods: 0,
            calls: 0,
        };
        for host in ["a", "b", "outsider"] {
            let namespace = cluster.world.engine.host(&host.into()).expect("it runs");
            cluster.place(host, namespace);
        }
        for (node, address, _) in nodes {
            let namespace = &cluster.places[node].namespace;
            let programs = Programs {
                proxy: Proxy::inside(namespace).expect("entered"),
                agent: PolicyAgent::inside(namespace).expect("entered"),
                translator: SourceTranslator::inside(namespace).expect("entered"),
            };
            cluster.programs.insert(node.to_owned(), programs);
            cluster.edit_node(node, |node| {
                node.services.node_addresses = vec![ip(address)];
                node.services.pods = Some(vec![net("10.244.0.0/16")]);
                node.services.ranges = vec![net("10.96.0.0/16")];
            });
        }
        cluster
    }

    /// The same with pods web-1, client-1 on a and web-2, client-2 on b.
    pub(crate) fn with_pods() -> Self {
        let mut cluster = Self::new();
        cluster.pod("web-1", "a", "10.244.1.5");
        cluster.pod("client-1", "a", "10.244.1.6");
        cluster.pod("web-2", "b", "10.244.2.5");
        cluster.pod("client-2", "b", "10.244.2.6");
        cluster
    }

    pub(crate) fn pod(&mut self, id: &str, node: &str, address: &str) {
        let namespace = Arc::new(namespace());
        let number = self.pods;
        self.pods += 1;
        let node_namespace = &self.places[node].namespace;
        pod_link(node_namespace, &namespace, number, ip(address)).expect("linked");
        self.place(id, namespace);
        self.fabric
            .attach_pod(&id.into(), &node.into(), ip(address));
        self.isolate(node, id, address, None, None);
    }

    fn place(&mut self, id: &str, namespace: Arc<NetNs>) {
        let (tcp, udp) = namespace.run(listeners).expect("entered");
        let place = Place {
            namespace,
            tcp,
            udp,
        };
        self.places.insert(id.to_owned(), place);
    }

    pub(crate) fn edit_node(&mut self, id: &str, edit: impl FnOnce(&mut Node)) {
        let node: &mut Arc<Node> = self.fabric.nodes.entry(id.into()).or_default();
        edit(Arc::make_mut(node));
    }

    pub(crate) fn namespace(&self, place: &str) -> Arc<NetNs> {
        self.places[place].namespace.clone()
    }

    /// A service on both nodes; its local backends are those on each.
    pub(crate) fn service(&mut self, service: &Service) {
        for (node, pods) in [("a", "10.244.1.0/24"), ("b", "10.244.2.0/24")] {
            let mut service = service.clone();
            let here = |backend: &&Backend| net(pods).contains(&backend.address);
            service.local = service.backends.iter().filter(here).cloned().collect();
            self.edit_node(node, |node| {
                let services = &mut node.services.services;
                services.insert(service.id.clone(), Arc::new(service));
            });
        }
    }

    /// Which policies select a pod.
    pub(crate) fn isolate(
        &mut self,
        node: &str,
        pod: &str,
        address: &str,
        ingress: Option<&Filter>,
        egress: Option<&Filter>,
    ) {
        let ids = |filter: Option<&Filter>| filter.map(|filter| vec![filter.id.clone()]);
        let isolation = Isolation {
            pod: format!("default/{pod}"),
            ingress: ids(ingress),
            egress: ids(egress),
        };
        self.edit_node(node, |node| {
            let policies = &mut node.policies;
            policies.pods.insert(ip(address), Arc::new(isolation));
            for filter in ingress.into_iter().chain(egress) {
                policies
                    .filters
                    .insert(filter.id.clone(), Arc::new(filter.clone()));
            }
        });
    }

    /// Lets the programs do as the nodes say; how many things changed, and how many flows were cut.
    pub(crate) fn apply(&mut self) -> (usize, usize) {
        let (mut changes, mut cut) = (0, 0);
        for (node, programs) in &mut self.programs {
            let node = &self.fabric.nodes[&HostId::from(node.as_str())];
            let served = programs.proxy.apply(&node.services).expect("applies");
            let enforced = programs.agent.apply(&node.policies).expect("applies");
            let nat = node.source_nat.as_ref();
            let translated = programs.translator.apply(nat).expect("applies");
            for applied in [served, enforced, translated] {
                changes += applied.changes;
                cut += applied.flows_cut;
            }
        }
        (changes, cut)
    }

    /// A node's proxy starts anew.
    pub(crate) fn restart_proxy(&mut self, node: &str) {
        let namespace = &self.places[node].namespace;
        let fresh = Proxy::inside(namespace).expect("entered");
        self.programs.get_mut(node).expect("a node").proxy = fresh;
    }

    /// A call by packets; `walk` must have told of it.
    pub(crate) fn call(&mut self, from: &str, protocol: Protocol, to: &str, port: u16) -> Outcome {
        let told = self.told(from, protocol, to, port);
        let expected = told.iter().any(|one| matches!(one, Outcome::Answered(..)));
        let seen = self.packets(from, protocol, to, port, expected);
        assert!(
            told.contains(&seen),
            "{from} calls {to}:{port} by {protocol:?}: packets {seen:?}, walk {told:?}"
        );
        seen
    }

    pub(crate) fn tcp(&mut self, from: &str, to: &str, port: u16) -> Outcome {
        self.call(from, Protocol::TCP, to, port)
    }

    /// Every outcome that `walk` thinks possible.
    pub(crate) fn told(&self, from: &str, protocol: Protocol, to: &str, port: u16) -> Vec<Outcome> {
        let (source_port, destination_port) = (40_000, port);
        let flow = Flow {
            source: Ipv4Addr::UNSPECIFIED,
            destination: ip(to),
            transport: if protocol == Protocol::UDP {
                Transport::Udp {
                    source_port,
                    destination_port,
                }
            } else {
                Transport::Tcp {
                    source_port,
                    destination_port,
                }
            },
        };
        let ways = Walker::new(&self.fabric).ways(&Origin::Host(from.into()), flow);
        let mut outcomes: Vec<Outcome> = ways.into_iter().map(outcome).collect();
        outcomes.sort();
        outcomes.dedup();
        outcomes
    }

    fn packets(
        &mut self,
        from: &str,
        protocol: Protocol,
        to: &str,
        port: u16,
        expected: bool,
    ) -> Outcome {
        self.calls = self.calls % 20_000 + 1;
        self.hear_nothing();
        let to = SocketAddrV4::new(ip(to), port);
        let patience = if expected { LONG } else { PATIENCE };
        if protocol == Protocol::UDP {
            self.datagram(from, to, patience)
        } else {
            self.connection(from, to, patience)
        }
    }

    /// Forgets what came late of earlier calls.
    fn hear_nothing(&self) {
        let mut buffer = [0; 64];
        for place in self.places.values() {
            for listener in &place.tcp {
                while listener.accept().is_ok() {}
            }
            for socket in &place.udp {
                while socket.recv_from(&mut buffer).is_ok() {}
            }
        }
    }

    fn connection(&self, from: &str, to: SocketAddrV4, patience: Duration) -> Outcome {
        let connect = || TcpStream::connect_timeout(&to.into(), patience);
        let namespace = &self.places[from].namespace;
        let mut client = match namespace.run(connect).expect("entered") {
            Ok(client) => client,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Outcome::Refused,
            Err(_) => return Outcome::Silent,
        };
        client.set_read_timeout(Some(LONG)).expect("set");
        let begun = Instant::now();
        while begun.elapsed() < LONG {
            for (id, place) in &self.places {
                let accepted = place.tcp.iter().find_map(|one| one.accept().ok());
                let Some((mut server, peer)) = accepted else {
                    continue;
                };
                server.set_nonblocking(false).expect("set");
                server.set_read_timeout(Some(LONG)).expect("set");
                client.write_all(b"ask").expect("written");
                let mut heard = [0; 3];
                server.read_exact(&mut heard).expect("read");
                server.write_all(b"say").expect("written");
                client.read_exact(&mut heard).expect("read");
                return Outcome::Answered(id.clone(), v4(peer));
            }
        }
        panic!("connected to nobody");
    }

    fn datagram(&self, from: &str, to: SocketAddrV4, patience: Duration) -> Outcome {
        let port = 40_000 + self.calls;
        let open = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("bound");
        let client = self.places[from].namespace.run(open).expect("entered");
        self.exchange(&client, to, patience)
    }

    /// A UDP socket that is connected, at a place.
    pub(crate) fn client(&self, from: &str, port: u16) -> UdpSocket {
        let open = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("bound");
        self.places[from].namespace.run(open).expect("entered")
    }

    /// Sends a datagram and waits for its answer.
    pub(crate) fn exchange(
        &self,
        client: &UdpSocket,
        to: SocketAddrV4,
        patience: Duration,
    ) -> Outcome {
        client.set_nonblocking(true).expect("set");
        // A node that refuses its own packet doesn't let it be sent, and the answer says why.
        let _ = client.connect(to).and_then(|()| client.send(b"ask"));
        let mut buffer = [0; 64];
        let mut arrived = None;
        let begun = Instant::now();
        let mut sent = begun;
        while begun.elapsed() < patience {
            // A link that has just come up may lose what comes first.
            if arrived.is_none() && sent.elapsed() > PATIENCE {
                let _ = client.send(b"ask");
                sent = Instant::now();
            }
            for (id, place) in &self.places {
                for socket in &place.udp {
                    if let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                        arrived = Some((id.clone(), v4(peer)));
                        // If the answer can't be sent, the caller will miss it.
                        let _ = socket.send_to(b"say", peer);
                    }
                }
            }
            match client.recv(&mut buffer) {
                Ok(_) => {
                    let (id, source) = arrived.expect("answered by nobody");
                    return Outcome::Answered(id, source);
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    return Outcome::Refused;
                }
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        Outcome::Silent
    }
}

fn outcome(way: Way) -> Outcome {
    match (way.trace.verdict, way.trace.arrived) {
        (Verdict::Delivered, Some((host, packet))) => {
            Outcome::Answered(host.to_string(), packet.source)
        }
        (Verdict::Dropped(_, DropReason::Node { why, .. }), _) if why.refuses() => Outcome::Refused,
        (Verdict::Dropped(..), _) => Outcome::Silent,
        other => panic!("{other:?}"),
    }
}

fn listeners() -> (Vec<TcpListener>, Vec<UdpSocket>) {
    let any = Ipv4Addr::UNSPECIFIED;
    let tcp = PORTS.map(|port| TcpListener::bind((any, port)).expect("bound"));
    let udp = PORTS.map(|port| UdpSocket::bind((any, port)).expect("bound"));
    for listener in &tcp {
        listener.set_nonblocking(true).expect("set");
    }
    for socket in &udp {
        socket.set_nonblocking(true).expect("set");
    }
    (tcp.into(), udp.into())
}

fn v4(address: SocketAddr) -> Ipv4Addr {
    match address.ip() {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address}"),
    }
}
