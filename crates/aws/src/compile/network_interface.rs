//! Network interface → port.

use crate::model::network_interface::InterfaceKind;
use crate::model::{NetworkInterfaceId, State};
use fabric::{HostId, Layer, Mac, Port};

pub(super) fn port(state: &State, id: &NetworkInterfaceId) -> Option<Port> {
    let interface = state.network_interfaces.get(id)?;
    let host = interface.attachment.as_ref().and_then(|attachment| {
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
    Some(Port {
        id: id.as_str().into(),
        network: interface.vpc.as_str().into(),
        segment: interface.subnet.as_str().into(),
        host,
        mac: Mac(interface.mac),
        addresses: interface
            .addresses
            .iter()
            .map(|address| address.ip)
            .collect(),
        prefixes: interface.prefixes.clone(),
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

/// The host behind an interface that a service attached for itself.
fn managed_host(state: &State, id: &NetworkInterfaceId) -> Option<HostId> {
    let gateway = state
        .nat_gateways
        .iter()
        .find(|(_, gateway)| gateway.network_interface == *id)?;
    Some(gateway.0.as_str().into())
}
