//! Hand-built fabrics to walk.

use fabric::*;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A fabric in the making.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) fabric: Fabric,
}

pub(crate) fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

pub(crate) fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// A TCP flow from a host's own address.
pub(crate) fn tcp(to: &str, port: u16) -> Flow {
    Flow {
        source: Ipv4Addr::UNSPECIFIED,
        destination: ip(to),
        transport: Transport::Tcp {
            source_port: 40_000,
            destination_port: port,
        },
    }
}

/// A rule for one TCP port from or to a range.
pub(crate) fn rule(
    id: &str,
    action: FilterAction,
    range: &str,
    port: Option<u16>,
    ingress: bool,
) -> FilterRule {
    let peer = AddressMatch::AnyOf(vec![AddressTerm::Prefix(net(range))]);
    let (source, destination) = if ingress {
        (peer, AddressMatch::Any)
    } else {
        (AddressMatch::Any, peer)
    };
    let ports = |port| ProtocolMatch::Ports {
        protocol: Protocol::TCP,
        source: Vec::new(),
        destination: vec![NumberRange::one(port)],
    };
    FilterRule {
        id: id.into(),
        action,
        protocol: port.map_or(ProtocolMatch::Any, ports),
        source,
        destination,
    }
}

/// A filter; stateless where it is for a boundary.
pub(crate) fn filter(
    id: &str,
    kind: FilterKind,
    stateful: bool,
    ingress: Vec<FilterRule>,
    egress: Vec<FilterRule>,
) -> Filter {
    Filter {
        id: id.into(),
        kind,
        stateful,
        tracking: Tracking::Always,
        ingress,
        egress,
    }
}

impl World {
    /// A network with one segment 10.0.1.0/24 and hosts a (.10) and b (.11) in it.
    pub(crate) fn pair() -> Self {
        let mut world = Self::default();
        world.network("vpc", &["169.254.169.254"]);
        world.table("rtb", "vpc", &[("10.0.0.0/16", Target::Local)]);
        world.segment("one", "vpc", "10.0.1.0/24", "rtb");
        world.host("a", "one", "10.0.1.10");
        world.host("b", "one", "10.0.1.11");
        world
    }

    /// The pair, an internet with a caller at 203.0.113.10, and a gateway between them that gives a the
    /// public address 198.51.100.1.
    pub(crate) fn with_internet() -> Self {
        let mut world = Self::pair();
        world.network("internet", &[]);
        world.table("outside", "internet", &[("0.0.0.0/0", Target::Local)]);
        world.segment("net", "internet", "203.0.113.0/24", "outside");
        world.host("caller", "net", "203.0.113.10");
        let gateway = InternetGateway {
            inside: "vpc".into(),
            outside: "internet".into(),
            translations: [(ip("10.0.1.10"), ip("198.51.100.1"))]
                .into_iter()
                .collect(),
            route_table: None,
            mtu: 1500,
        };
        let gateway = Gateway {
            id: "igw".into(),
            kind: GatewayKind::Internet(gateway),
        };
        world
            .fabric
            .gateways
            .insert("igw".into(), Arc::new(gateway));
        world.table(
            "rtb",
            "vpc",
            &[
                ("10.0.0.0/16", Target::Local),
                ("0.0.0.0/0", Target::Gateway("igw".into())),
            ],
        );
        world
    }

    pub(crate) fn network(&mut self, id: &str, services: &[&str]) {
        let services = services.iter().map(|service| ip(service)).collect();
        let network = Network {
            id: id.into(),
            mtu: 9001,
            services,
        };
        self.fabric.networks.insert(id.into(), Arc::new(network));
    }

    pub(crate) fn table(&mut self, id: &str, network: &str, routes: &[(&str, Target)]) {
        let route = |(prefix, target): &(&str, Target)| Route {
            id: (*prefix).into(),
            prefix: net(prefix),
            target: target.clone(),
            origin: RouteOrigin::User,
            preference: 0,
        };
        let table = RouteTable {
            id: id.into(),
            network: network.into(),
            routes: routes.iter().map(route).collect(),
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

    /// A running host whose one port, `<id>-0`, has all its routes.
    pub(crate) fn host(&mut self, id: &str, segment: &str, address: &str) {
        let port = format!("{id}-0");
        let all = HostRoute {
            from: None,
            prefix: net("0.0.0.0/0"),
            port: port.as_str().into(),
            metric: 0,
        };
        let host = Host {
            id: id.into(),
            running: true,
            forwarding: false,
            routes: vec![all],
            source_translation: None,
            answers: Vec::new(),
            opaque: None,
        };
        self.fabric.hosts.insert(id.into(), Arc::new(host));
        let segment = self.fabric.segments[&SegmentId::from(segment)].clone();
        let port = Port {
            id: port.as_str().into(),
            network: segment.network.clone(),
            segment: segment.id.clone(),
            host: Some((id.into(), 0)),
            mac: Mac([2, 0, 0, 0, 0, 0]),
            addresses: vec![ip(address)],
            prefixes: Vec::new(),
            guard: true,
            layers: Vec::new(),
            always_tracked: false,
        };
        self.fabric.ports.insert(port.id.clone(), Arc::new(port));
    }

    pub(crate) fn filter(&mut self, filter: Filter) {
        self.fabric
            .filters
            .insert(filter.id.clone(), Arc::new(filter));
    }

    pub(crate) fn edit_host(&mut self, id: &str, edit: impl FnOnce(&mut Host)) {
        edit(Arc::make_mut(
            self.fabric.hosts.get_mut(&HostId::from(id)).unwrap(),
        ));
    }

    pub(crate) fn edit_port(&mut self, id: &str, edit: impl FnOnce(&mut Port)) {
        edit(Arc::make_mut(
            self.fabric.ports.get_mut(&PortId::from(id)).unwrap(),
        ));
    }

    pub(crate) fn edit_segment(&mut self, id: &str, edit: impl FnOnce(&mut Segment)) {
        edit(Arc::make_mut(
            self.fabric.segments.get_mut(&SegmentId::from(id)).unwrap(),
        ));
    }

    pub(crate) fn walk(&self, from: &str, flow: Flow) -> Trace {
        walk(&self.fabric, &Origin::Host(from.into()), flow)
    }

    /// Why a call is dropped, and on which way.
    pub(crate) fn dropped(&self, from: &str, flow: Flow) -> (Direction, DropReason) {
        match self.walk(from, flow).verdict {
            Verdict::Dropped(direction, reason) => (direction, reason),
            other => panic!("{from} {flow}: {other:?}"),
        }
    }

    pub(crate) fn delivered(&self, from: &str, flow: Flow) -> Flow {
        let trace = self.walk(from, flow);
        assert_eq!(
            trace.verdict,
            Verdict::Delivered,
            "{from} {flow}: {:#?}",
            trace.hops
        );
        trace.arrived.unwrap().1
    }
}
