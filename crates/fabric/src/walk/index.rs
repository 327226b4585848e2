//! Who has which address.

use crate::{Fabric, GatewayId, GatewayKind, HostId, InternetGateway, NetworkId, Port};
use ipnet::Ipv4Net;
use std::collections::HashMap;
use std::net::Ipv4Addr;

/// Owners of addresses, by network.
#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    ports: HashMap<(&'a NetworkId, Ipv4Addr), &'a Port>,
    prefixes: HashMap<&'a NetworkId, Vec<(Ipv4Net, &'a Port)>>,
    publics: HashMap<(&'a NetworkId, Ipv4Addr), Translation<'a>>,
    of_host: HashMap<&'a HostId, Vec<&'a Port>>,
}

/// A public address: the gateway that has it and the private address behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Translation<'a> {
    pub(super) id: &'a GatewayId,
    pub(super) gateway: &'a InternetGateway,
    pub(super) private: Ipv4Addr,
}

/// Who has an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    Port(&'a Port),
    Gateway(Translation<'a>),
}

impl<'a> Index<'a> {
    pub(super) fn new(fabric: &'a Fabric) -> Self {
        let mut index = Self::default();
        for port in fabric.ports.values() {
            for address in &port.addresses {
                index.ports.entry((&port.network, *address)).or_insert(port);
            }
            let ranges = port.prefixes.iter().map(|prefix| (*prefix, port.as_ref()));
            index
                .prefixes
                .entry(&port.network)
                .or_default()
                .extend(ranges);
            if let Some((host, _)) = &port.host {
                index.of_host.entry(host).or_default().push(port);
            }
        }
        for (id, gateway) in &fabric.gateways {
            let GatewayKind::Internet(gateway) = &gateway.kind;
            for (private, public) in &gateway.translations {
                let translation = Translation {
                    id,
                    gateway,
                    private: *private,
                };
                index
                    .publics
                    .entry((&gateway.outside, *public))
                    .or_insert(translation);
            }
        }
        index
    }

    /// Whoever has an address in a network: a port by itself, a gateway by a translation, a port by
    /// the longest of its prefixes.
    pub(super) fn owner(&self, network: &'a NetworkId, address: Ipv4Addr) -> Option<Owner<'a>> {
        if let Some(port) = self.ports.get(&(network, address)) {
            return Some(Owner::Port(port));
        }
        if let Some(translation) = self.publics.get(&(network, address)) {
            return Some(Owner::Gateway(*translation));
        }
        let ranges = self.prefixes.get(network)?;
        let covering = ranges
            .iter()
            .filter(|(prefix, _)| prefix.contains(&address));
        covering
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .map(|(_, port)| Owner::Port(port))
    }

    /// A host's ports.
    pub(super) fn ports_of(&self, host: &HostId) -> &[&'a Port] {
        self.of_host
            .get(host)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}
