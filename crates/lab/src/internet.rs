//! The lab's internet: a network of its own with places to call from and be called.
//!
//! | what | address |
//! | --- | --- |
//! | `internet`, the client | 203.0.113.10 |
//! | `internet:A.B.C.D`, made when first named | A.B.C.D |
//! | the lab's public resolver | 192.0.2.53 |
//! | the clouds' service endpoints | 192.0.2.80 |
//! | the APIs of Kubernetes clusters | 192.0.2.100 and on |
//!
//! The ranges are those set aside for documentation (RFC 5737). The clouds' public addresses are
//! reached through their gateways, which the fabric itself routes to.

use fabric::{
    Fabric, Host, HostId, HostRoute, Mac, Network, NetworkId, Port, PortId, Route, RouteOrigin,
    RouteTable, RouteTableId, Segment, SegmentId, Target,
};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The network's id, and its segment's and route table's.
pub const NETWORK: &str = "internet";
/// The address of the place `internet`.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// The address of the lab's public resolver.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// The address behind the clouds' service names.
pub const ENDPOINTS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);

/// The own address of the host that leads to the real internet.
const UPLINK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Where hosts of the internet live by default.
const SITES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24);
/// Where the lab's own services live.
const SERVICES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24);
/// From these the clouds give out public addresses.
const CLOUD_POOLS: [Ipv4Net; 2] = [
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
];
/// What no host of the internet has (RFC 6890).
const NOT_PUBLIC: [Ipv4Net; 9] = [
    Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// Places that can be made by name; each costs a namespace until the lab ends.
const PLACES: usize = 4096;

/// Why an address can't be a place on the internet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It is private, local or multicast.
    #[error("{0} is not a public address; on the internet try {CLIENT} or internet:203.0.113.7")]
    NotPublic(Ipv4Addr),
    /// A cloud gives it out.
    #[error(
        "{0} lies in the clouds' own pool of public addresses ({1}); name the instance that has it"
    )]
    CloudPool(Ipv4Addr, /** The pool. */ Ipv4Net),
    /// The lab's own services live there.
    #[error("{0} belongs to the lab's own services ({SERVICES})")]
    Service(Ipv4Addr),
    /// It is the internet's own gateway or an address that no host can have.
    #[error("{0} is no host's address")]
    Reserved(Ipv4Addr),
    /// Enough is enough.
    #[error("the lab's internet holds {PLACES} places at most")]
    Full,
}

/// The host at the place `internet`.
pub fn client() -> HostId {
    host_at(CLIENT)
}

/// The host that carries the lab's resolver and the clouds' endpoints.
pub fn services() -> HostId {
    HostId::from("internet-services")
}

/// The host at an address of the internet.
pub fn host_at(address: Ipv4Addr) -> HostId {
    HostId::from(format!("internet:{address}"))
}

/// Puts the internet and what always is there into a fabric.
pub fn add(fabric: &mut Fabric) {
    let network = NetworkId::from(NETWORK);
    fabric.networks.insert(
        network.clone(),
        Arc::new(Network {
            id: network.clone(),
            mtu: 1500,
            services: Vec::new(),
        }),
    );
    let table = RouteTableId::from(NETWORK);
    fabric.route_tables.insert(
        table.clone(),
        Arc::new(RouteTable {
            id: table.clone(),
            network: network.clone(),
            routes: vec![Route {
                id: "0.0.0.0/0".into(),
                prefix: everywhere(),
                target: Target::Local,
                origin: RouteOrigin::System,
                preference: 0,
            }],
        }),
    );
    let segment = SegmentId::from(NETWORK);
    fabric.segments.insert(
        segment.clone(),
        Arc::new(Segment {
            id: segment,
            network,
            prefixes: vec![SITES],
            zone: None,
            route_table: table,
            boundary: None,
        }),
    );
    put(fabric, &services(), vec![RESOLVER, ENDPOINTS]);
    put(fabric, &client(), vec![CLIENT]);
}

/// Puts the host that leads to the real internet into the lab's: it has every address that nobody else
/// has.
pub fn add_uplink(fabric: &mut Fabric) {
    let id = crate::uplink::host();
    put(fabric, &id, vec![UPLINK]);
    if let Some(port) = fabric.ports.get_mut(&PortId::from(id.as_str())) {
        let port = Arc::make_mut(port);
        port.prefixes = vec![everywhere()];
        port.guard = false;
    }
    if let Some(host) = fabric.hosts.get_mut(&id) {
        let beyond = "the real internet is beyond this lab".to_owned();
        Arc::make_mut(host).opaque = Some(beyond);
    }
}

/// Puts a host of the lab's own into the internet.
pub fn add_site(fabric: &mut Fabric, host: &HostId, address: Ipv4Addr) {
    put(fabric, host, vec![address]);
}

/// Takes a host of the lab's own out of the internet.
pub fn remove_site(fabric: &mut Fabric, host: &HostId) {
    fabric.hosts.remove(host);
    fabric.ports.remove(&PortId::from(host.as_str()));
}

/// Puts a place into the internet; says whether it was not there before.
///
/// # Errors
/// The address can't be one.
pub fn add_place(fabric: &mut Fabric, address: Ipv4Addr) -> Result<bool, PlaceError> {
    check(address)?;
    let id = host_at(address);
    if fabric.hosts.contains_key(&id) {
        return Ok(false);
    }
    let places = fabric
        .ports
        .values()
        .filter(|port| port.network.as_str() == NETWORK)
        .count();
    if places >= PLACES {
        return Err(PlaceError::Full);
    }
    put(fabric, &id, vec![address]);
    Ok(true)
}

/// Whether an address can be a place on the internet.
///
/// # Errors
/// Why it can't.
pub fn check(address: Ipv4Addr) -> Result<(), PlaceError> {
    if NOT_PUBLIC.iter().any(|range| range.contains(&address)) {
        return Err(PlaceError::NotPublic(address));
    }
    if let Some(pool) = CLOUD_POOLS.iter().find(|pool| pool.contains(&address)) {
        return Err(PlaceError::CloudPool(address, *pool));
    }
    if SERVICES.contains(&address) {
        return Err(PlaceError::Service(address));
    }
    let gateway = Ipv4Addr::from(u32::from(SITES.network()) + 1);
    if [SITES.network(), gateway, SITES.broadcast()].contains(&address) {
        return Err(PlaceError::Reserved(address));
    }
    Ok(())
}

fn everywhere() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)
}

fn put(fabric: &mut Fabric, id: &HostId, addresses: Vec<Ipv4Addr>) {
    let port = PortId::from(id.as_str());
    let [a, b, c, d] = addresses.first().map_or([0; 4], Ipv4Addr::octets);
    fabric.hosts.insert(
        id.clone(),
        Arc::new(Host {
            id: id.clone(),
            running: true,
            forwarding: false,
            routes: vec![HostRoute {
                from: None,
                prefix: everywhere(),
                port: port.clone(),
                metric: 0,
            }],
            source_translation: None,
            answers: Vec::new(),
            opaque: None,
        }),
    );
    fabric.ports.insert(
        port.clone(),
        Arc::new(Port {
            id: port,
            network: NETWORK.into(),
            segment: NETWORK.into(),
            host: Some((id.clone(), 0)),
            mac: Mac([2, 0xff, a, b, c, d]),
            addresses,
            prefixes: Vec::new(),
            guard: true,
            layers: Vec::new(),
            always_tracked: false,
        }),
    );
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn places_are_made_once_and_only_where_they_can_be() {
        let mut fabric = Fabric::default();
        add(&mut fabric);
        assert!(fabric.hosts.contains_key(&client()));
        let site = Ipv4Addr::new(203, 0, 113, 7);
        assert!(add_place(&mut fabric, site).unwrap());
        assert!(!add_place(&mut fabric, site).unwrap());
        assert!(!add_place(&mut fabric, CLIENT).unwrap());
        assert!(add_place(&mut fabric, Ipv4Addr::new(8, 8, 8, 8)).unwrap());
        for (address, wanted) in [
            ([10, 0, 0, 1], "not a public address"),
            ([198, 51, 100, 1], "pool"),
            ([192, 0, 2, 53], "own services"),
            ([203, 0, 113, 1], "no host's"),
        ] {
            let refusal = add_place(&mut fabric, address.into()).unwrap_err();
            assert!(refusal.to_string().contains(wanted), "{refusal}");
        }
    }
}
