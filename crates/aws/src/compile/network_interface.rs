//! Network interface → port.

use crate::model::network_interface::InterfaceKind;
use crate::model::network_interface::{NetworkInterface, PrivateAddress};
use crate::model::{NetworkInterfaceId, State, image};
use fabric::{HostId, Layer, Mac, Port};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

pub(super) fn port(state: &State, id: &NetworkInterfaceId) -> Option<Port> {
    let interface = state.network_interfaces.get(id)?;
    let host = interface.attachment.as_ref().and_then(|attachment| {
        if interface.kind == InterfaceKind::ControlPlane {
            return super::eks::host_of(state, id);
        }
        if interface.kind == InterfaceKind::Fargate {
            return Some((HostId::from(id.as_str()), 0));
        }
        let host = match &attachment.instance {
            Some(instance) => HostId::from(instance.as_str()),
            None if interface.kind.is_balancer() => HostId::from(id.as_str()),
            None => managed_host(state, id)?,
        };
        Some((host, attachment.device_index))
    });
    let managed = interface.kind == InterfaceKind::NatGateway;
    // A balancer's node without security groups filters nothing.
    let unfiltered = managed || (interface.kind.is_balancer() && interface.groups.is_empty());
    let groups: Vec<_> = interface
        .groups
        .iter()
        .map(|group| group.as_str().into())
        .collect();
    let node = on_kubernetes_node(state, interface);
    let (addresses, prefixes) = split(&interface.addresses, &interface.prefixes, node);
    Some(Port {
        id: id.as_str().into(),
        network: interface.vpc.as_str().into(),
        segment: interface.subnet.as_str().into(),
        host,
        mac: Mac(interface.mac),
        addresses,
        prefixes,
        guard: interface.source_dest_check && !managed,
        // A NAT gateway has no security groups, either.
        layers: if unfiltered {
            Vec::new()
        } else {
            vec![Layer::AnyOf(groups)]
        },
        always_tracked: managed || interface.kind.is_balancer(),
    })
}

/// Whether an interface is attached to a node of a Kubernetes cluster.
fn on_kubernetes_node(state: &State, interface: &NetworkInterface) -> bool {
    let attachment = interface.attachment.as_ref();
    let instance = attachment.and_then(|attachment| attachment.instance.as_ref());
    let instance = instance.and_then(|id| state.instances.get(id));
    let image = instance.and_then(|instance| image::find(instance.image.as_str()));
    image.is_some_and(|image| image.kubernetes_node)
}

/// The addresses that the host's stack has, and what else is routed to it. To a node of a Kubernetes
/// cluster secondary addresses are routed: they are its pods'.
fn split(
    addresses: &[PrivateAddress],
    prefixes: &[Ipv4Net],
    node: bool,
) -> (Vec<Ipv4Addr>, Vec<Ipv4Net>) {
    let mut addresses: Vec<_> = addresses.iter().map(|own| own.ip).collect();
    let pods = if node {
        addresses.split_off(addresses.len().min(1))
    } else {
        Vec::new()
    };
    let pods = pods.into_iter().map(Ipv4Net::from);
    let prefixes = pods.chain(prefixes.iter().copied()).collect();
    (addresses, prefixes)
}

/// The host behind an interface that a service attached for itself.
fn managed_host(state: &State, id: &NetworkInterfaceId) -> Option<HostId> {
    let gateway = state
        .nat_gateways
        .iter()
        .find(|(_, gateway)| gateway.network_interface == *id)?;
    Some(gateway.0.as_str().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-CNI: the stack of a node has the primary address alone; secondary ones and prefixes are routed
    /// to it. Any other instance has all addresses.
    #[test]
    fn secondary_addresses_of_nodes_are_their_pods() {
        let address = |last| Ipv4Addr::new(10, 0, 1, last);
        let own_address = |last| PrivateAddress {
            ip: address(last),
            public: None,
        };
        let prefix: Ipv4Net = "10.0.1.48/28".parse().unwrap();
        let addresses = vec![own_address(4), own_address(5)];
        assert_eq!(
            split(&addresses, &[prefix], true),
            (vec![address(4)], vec![address(5).into(), prefix])
        );
        assert_eq!(
            split(&addresses, &[prefix], false),
            (vec![address(4), address(5)], vec![prefix])
        );
        assert_eq!(split(&[], &[], true), (vec![], vec![]));
    }
}
