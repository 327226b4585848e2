//! The internet of a test: one segment and a host for each place.

use crate::scenario::INTERNET;
use fabric::{
    Fabric, Host, HostId, HostRoute, Mac, Network, NetworkId, Port, PortId, Route, RouteOrigin,
    RouteTable, Segment, Target,
};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The internet's network.
pub const INTERNET_NETWORK: &str = "internet";

/// The host at a place on the internet.
pub fn internet_host(index: usize) -> HostId {
    HostId::from(format!("internet-{index}"))
}

fn everywhere() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)
}

pub(super) fn add(fabric: &mut Fabric) {
    let id = NetworkId::from(INTERNET_NETWORK);
    fabric.networks.insert(
        id.clone(),
        Arc::new(Network {
            id: id.clone(),
            mtu: 1500,
            services: Vec::new(),
        }),
    );
    let local = Route {
        id: "0.0.0.0/0".into(),
        prefix: everywhere(),
        target: Target::Local,
        origin: RouteOrigin::System,
        preference: 0,
    };
    let table = RouteTable {
        id: "internet".into(),
        network: id.clone(),
        routes: vec![local],
    };
    fabric
        .route_tables
        .insert(table.id.clone(), Arc::new(table));
    let segment = Segment {
        id: "internet".into(),
        network: id.clone(),
        prefixes: vec![Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24)],
        zone: None,
        route_table: "internet".into(),
        boundary: None,
    };
    fabric
        .segments
        .insert(segment.id.clone(), Arc::new(segment));
    for (index, address) in INTERNET.into_iter().enumerate() {
        let host = internet_host(index);
        let port = PortId::from(host.as_str());
        let route = HostRoute {
            from: None,
            prefix: everywhere(),
            port: port.clone(),
            metric: 0,
        };
        let machine = Host {
            id: host.clone(),
            running: true,
            forwarding: false,
            routes: vec![route],
            source_translation: None,
            answers: Vec::new(),
            opaque: None,
        };
        let attached = Port {
            id: port.clone(),
            network: id.clone(),
            segment: "internet".into(),
            host: Some((host.clone(), 0)),
            mac: Mac([2, 0, 0, 0, 113, index as u8]),
            addresses: vec![address],
            prefixes: Vec::new(),
            guard: true,
            layers: Vec::new(),
            always_tracked: false,
        };
        fabric.hosts.insert(host, Arc::new(machine));
        fabric.ports.insert(port, Arc::new(attached));
    }
}
