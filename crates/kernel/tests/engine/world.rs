//! Hand-built fabrics, applied, and packets to try them with.

use fabric::*;
use ipnet::Ipv4Net;
use kernel::Engine;
use kernel::engine::Applied;
use kernel::factory::GuestFactory;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long to wait for what must not come.
const PATIENCE: Duration = Duration::from_millis(400);

static FACTORY: OnceLock<GuestFactory> = OnceLock::new();

/// Where the namespaces of hosts come from.
pub(crate) fn use_factory(factory: GuestFactory) {
    FACTORY.get_or_init(|| factory);
}

/// A namespace that nothing leads to yet.
pub(crate) fn namespace() -> kernel::NetNs {
    let factory = FACTORY.get().expect("launched");
    factory.network_namespace().expect("made")
}

/// A fabric and the engine that realises it.
pub(crate) struct World {
    pub(crate) fabric: Fabric,
    pub(crate) engine: Engine,
}

pub(crate) fn net(text: &str) -> Ipv4Net {
    text.parse().expect("a prefix")
}

pub(crate) fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("an address")
}

/// Any-allow rules in one direction: who may be at the other end, which protocol and ports.
pub(crate) fn allow(
    id: &str,
    peer: AddressMatch,
    protocol: ProtocolMatch,
    ingress: bool,
) -> FilterRule {
    let (source, destination) = if ingress {
        (peer, AddressMatch::Any)
    } else {
        (AddressMatch::Any, peer)
    };
    FilterRule {
        id: id.into(),
        action: FilterAction::Allow,
        protocol,
        source,
        destination,
    }
}

pub(crate) fn deny(rule: FilterRule) -> FilterRule {
    FilterRule {
        action: FilterAction::Deny,
        ..rule
    }
}

pub(crate) fn from(prefix: &str) -> AddressMatch {
    AddressMatch::AnyOf(vec![AddressTerm::Prefix(net(prefix))])
}

pub(crate) fn members(set: &str) -> AddressMatch {
    AddressMatch::AnyOf(vec![AddressTerm::Set(set.into())])
}

pub(crate) fn tcp(port: u16) -> ProtocolMatch {
    ports(Protocol::TCP, port)
}

pub(crate) fn udp(port: u16) -> ProtocolMatch {
    ports(Protocol::UDP, port)
}

fn ports(protocol: Protocol, port: u16) -> ProtocolMatch {
    ProtocolMatch::Ports {
        protocol,
        source: Vec::new(),
        destination: vec![NumberRange::one(port)],
    }
}

/// A stateful any-allow filter.
pub(crate) fn group(id: &str, ingress: Vec<FilterRule>, egress: Vec<FilterRule>) -> Filter {
    Filter {
        id: id.into(),
        kind: FilterKind::AnyAllow,
        stateful: true,
        tracking: Tracking::Always,
        ingress,
        egress,
    }
}

/// Everything goes out.
pub(crate) fn all_out() -> Vec<FilterRule> {
    vec![allow(
        "all-out",
        AddressMatch::Any,
        ProtocolMatch::Any,
        false,
    )]
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            fabric: Fabric::default(),
            engine: Engine::new(FACTORY.get().expect("launched").clone()),
        }
    }

    pub(crate) fn apply(&mut self) -> Applied {
        self.engine.apply(&self.fabric).expect("applies")
    }

    pub(crate) fn network(&mut self, id: &str, mtu: u16) {
        let network = Network {
            id: id.into(),
            mtu,
            services: vec![ip("169.254.169.254")],
        };
        self.fabric.networks.insert(id.into(), Arc::new(network));
    }

    pub(crate) fn table(&mut self, id: &str, network: &str, routes: &[(&str, Target)]) {
        let routes = routes
            .iter()
            .map(|(prefix, target)| Route {
                id: (*prefix).into(),
                prefix: net(prefix),
                target: target.clone(),
                origin: RouteOrigin::User,
                preference: 0,
            })
            .collect();
        let table = RouteTable {
            id: id.into(),
            network: network.into(),
            routes,
        };
        self.fabric.route_tables.insert(id.into(), Arc::new(table));
    }

    pub(crate) fn segment(&mut self, id: &str, network: &str, prefix: &str, table: &str) {
        let segment = Segment {
            id: id.into(),
            network: network.into(),
            prefixes: vec![net(prefix)],
            zone: None,
            route_table: table.into(),
            boundary: None,
        };
        self.fabric.segments.insert(id.into(), Arc::new(segment));
    }

    pub(crate) fn boundary(&mut self, segment: &str, filter: Option<&str>) {
        self.edit_segment(segment, |segment| {
            segment.boundary = filter.map(FilterId::from);
        });
    }

    pub(crate) fn edit_segment(&mut self, id: &str, edit: impl FnOnce(&mut Segment)) {
        let segment = self.fabric.segments.get_mut(&SegmentId::from(id));
        edit(Arc::make_mut(segment.expect("the segment")));
    }

    pub(crate) fn filter(&mut self, filter: Filter) {
        self.fabric
            .filters
            .insert(filter.id.clone(), Arc::new(filter));
    }

    pub(crate) fn set(&mut self, id: &str, members: &[&str]) {
        let set = AddressSet {
            id: id.into(),
            members: members.iter().map(|member| net(member)).collect(),
        };
        self.fabric.address_sets.insert(id.into(), Arc::new(set));
    }

    /// A running host with one port, through which all its routes go. The port's id is the host's
    /// with `-0`.
    pub(crate) fn host(&mut self, id: &str, segment: &str, address: &str, groups: &[&str]) {
        let host = Host {
            id: id.into(),
            running: true,
            forwarding: false,
            routes: Vec::new(),
            source_translation: None,
            answers: Vec::new(),
            opaque: None,
        };
        self.fabric.hosts.insert(id.into(), Arc::new(host));
        let port = self.port(id, 0, segment, address, groups);
        self.route(id, "0.0.0.0/0", &port);
    }

    /// Another port of a host.
    pub(crate) fn port(
        &mut self,
        host: &str,
        device: u16,
        segment: &str,
        address: &str,
        groups: &[&str],
    ) -> String {
        let id = format!("{host}-{device}");
        let segment = self.fabric.segments[&SegmentId::from(segment)].clone();
        let number = self.fabric.ports.len() as u16;
        let [high, low] = number.to_be_bytes();
        let layers = if groups.is_empty() {
            Vec::new()
        } else {
            vec![Layer::AnyOf(
                groups.iter().map(|group| FilterId::from(*group)).collect(),
            )]
        };
        let port = Port {
            id: id.as_str().into(),
            network: segment.network.clone(),
            segment: segment.id.clone(),
            host: Some((host.into(), device)),
            mac: Mac([2, 0, 0, 0, high, low]),
            addresses: vec![ip(address)],
            prefixes: Vec::new(),
            guard: true,
            layers,
            always_tracked: false,
        };
        self.fabric.ports.insert(id.as_str().into(), Arc::new(port));
        id
    }

    pub(crate) fn edit_port(&mut self, id: &str, edit: impl FnOnce(&mut Port)) {
        let port = self.fabric.ports.get_mut(&PortId::from(id));
        edit(Arc::make_mut(port.expect("the port")));
    }

    pub(crate) fn edit_host(&mut self, id: &str, edit: impl FnOnce(&mut Host)) {
        let host = self.fabric.hosts.get_mut(&HostId::from(id));
        edit(Arc::make_mut(host.expect("the host")));
    }

    pub(crate) fn edit_gateway(&mut self, id: &str, edit: impl FnOnce(&mut InternetGateway)) {
        let gateway = self.fabric.gateways.get_mut(&GatewayId::from(id));
        let GatewayKind::Internet(internet) =
            &mut Arc::make_mut(gateway.expect("the gateway")).kind;
        edit(internet);
    }

    pub(crate) fn route(&mut self, host: &str, prefix: &str, port: &str) {
        let route = HostRoute {
            from: None,
            prefix: net(prefix),
            port: port.into(),
            metric: 0,
        };
        self.edit_host(host, |host| host.routes.push(route));
    }

    /// An internet with one segment, and a gateway to it.
    pub(crate) fn internet(&mut self, inside: &str, translations: &[(&str, &str)]) {
        let network = Network {
            id: "internet".into(),
            mtu: 1500,
            services: Vec::new(),
        };
        self.fabric
            .networks
            .insert(network.id.clone(), Arc::new(network));
        self.table("internet-rt", "internet", &[("0.0.0.0/0", Target::Local)]);
        self.segment("internet-1", "internet", "203.0.113.0/24", "internet-rt");
        let gateway = Gateway {
            id: "igw".into(),
            kind: GatewayKind::Internet(InternetGateway {
                inside: inside.into(),
                outside: "internet".into(),
                translations: translations
                    .iter()
                    .map(|(private, public)| (ip(private), ip(public)))
                    .collect(),
                route_table: None,
                mtu: 1500,
            }),
        };
        self.fabric.gateways.insert("igw".into(), Arc::new(gateway));
    }

    /// Runs something in a host's namespace.
    pub(crate) fn inside<T: Send>(&self, host: &str, job: impl FnOnce() -> T + Send) -> T {
        let namespace = self.engine.host(&host.into()).expect("the host runs");
        namespace.run(job).expect("entered")
    }

    /// A TCP listener on a host.
    pub(crate) fn listen(&self, host: &str, port: u16) -> TcpListener {
        self.inside(host, || {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("bound")
        })
    }

    /// A TCP connection attempt.
    pub(crate) fn connect(&self, host: &str, to: &str, port: u16) -> io::Result<TcpStream> {
        let to = SocketAddrV4::new(ip(to), port);
        let stream = self.inside(host, || TcpStream::connect_timeout(&to.into(), PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Whether a TCP connection comes about and carries data both ways; the address that the called
    /// sees. `walk` must say the same of it.
    pub(crate) fn tcp(&self, host: &str, to: &str, called: &str, port: u16) -> Option<Ipv4Addr> {
        let seen = self.tcp_by_packets(host, to, called, port);
        let told = self.tcp_by_walk(host, to, called, port);
        assert_eq!(seen, told, "{host} calls {to}:{port}: packets, then walk");
        seen
    }

    fn tcp_by_walk(&self, host: &str, to: &str, called: &str, port: u16) -> Option<Ipv4Addr> {
        let flow = Flow {
            // walk puts the sending port's address here.
            source: Ipv4Addr::UNSPECIFIED,
            destination: ip(to),
            transport: Transport::Tcp {
                source_port: 40_000,
                destination_port: port,
            },
        };
        let trace = walk(&self.fabric, &Origin::Host(host.into()), flow);
        match (trace.verdict, trace.arrived) {
            (Verdict::Delivered, Some((at, flow))) if at.as_str() == called => Some(flow.source),
            (Verdict::Dropped(..), _) => None,
            other => panic!("{host} calls {to}:{port}: {other:?}"),
        }
    }

    fn tcp_by_packets(&self, host: &str, to: &str, called: &str, port: u16) -> Option<Ipv4Addr> {
        let listener = self.listen(called, port);
        let mut client = self.connect(host, to, port).ok()?;
        let (mut server, peer) = listener.accept().expect("accepted");
        exchange(&mut client, &mut server).ok()?;
        match peer.ip() {
            std::net::IpAddr::V4(address) => Some(address),
            std::net::IpAddr::V6(_) => None,
        }
    }

    /// A UDP socket on a host.
    pub(crate) fn udp(&self, host: &str, port: u16) -> UdpSocket {
        let socket = self.inside(host, || {
            UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("bound")
        });
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        socket
    }
}

/// Sends a line each way.
pub(crate) fn exchange(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    server.set_read_timeout(Some(PATIENCE))?;
    client.write_all(b"ask")?;
    let mut heard = [0; 3];
    server.read_exact(&mut heard)?;
    server.write_all(b"say")?;
    client.read_exact(&mut heard)?;
    Ok(())
}

/// Sends a datagram; who sent it, as the receiver sees it, if it arrives.
pub(crate) fn datagram(from: &UdpSocket, to: (&str, u16), at: &UdpSocket) -> Option<SocketAddrV4> {
    let mut buffer = [0; 64];
    from.send_to(b"datagram", SocketAddrV4::new(ip(to.0), to.1))
        .ok()?;
    match at.recv_from(&mut buffer).ok()? {
        (_, std::net::SocketAddr::V4(sender)) => Some(sender),
        _ => None,
    }
}

/// The path MTU that a connected socket has learnt, if one comes in time.
pub(crate) fn path_mtu(socket: &UdpSocket) -> Option<u32> {
    let begun = std::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        // The first word of an answer is the error that the network reported.
        let _ = socket.send(&[0; 4000]);
        let mtu = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::IpMtu).ok()?;
        if mtu < 9001 {
            return u32::try_from(mtu).ok();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}
