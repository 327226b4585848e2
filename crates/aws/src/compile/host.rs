//! Instance and NAT gateway → host.
//!
//! An instance's stack is what Amazon's images set up: addresses by DHCP, the default route by the
//! first interface, and, where there are several, one routing policy an interface so that replies
//! leave by the interface they were asked on (amazon-ec2-net-utils).
//!
//! A node of a Kubernetes cluster sets up its first interface alone and forwards; the others, secondary
//! addresses and prefixes are its network plugin's.
//! <https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/cni-proposal.md>

use crate::model::instance::{Instance, InstanceState};
use crate::model::nat_gateway::NatGatewayState;
use crate::model::network_interface::NetworkInterface;
use crate::model::{InstanceId, NatGatewayId, State, image};
use fabric::{Host, HostRoute, SourceTranslation};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) fn instance(state: &State, id: &InstanceId) -> Option<Host> {
    let instance = state.instances.get(id)?;
    if instance.state == InstanceState::Terminated {
        return None;
    }
    let interfaces = interfaces(state, instance);
    let image = image::find(instance.image.as_str());
    let nat_instance = image.is_some_and(|image| image.nat_instance);
    let node = image.is_some_and(|image| image.kubernetes_node);
    let primary = interfaces
        .first()
        .and_then(|interface| interface.addresses.first());
    Some(Host {
        id: id.as_str().into(),
        running: matches!(
            instance.state,
            InstanceState::Pending | InstanceState::Running
        ),
        forwarding: nat_instance || node,
        routes: if node {
            routes(state, interfaces.get(..1).unwrap_or_default())
        } else {
            routes(state, &interfaces)
        },
        source_translation: primary
            .filter(|_| nat_instance)
            .map(|address| SourceTranslation {
                address: address.ip,
                managed: false,
            }),
        answers: Vec::new(),
        opaque: None,
    })
}

/// An instance's interfaces by device index.
fn interfaces<'a>(state: &'a State, instance: &Instance) -> Vec<&'a Arc<NetworkInterface>> {
    let mut interfaces: Vec<_> = instance
        .interfaces
        .iter()
        .filter_map(|interface| state.network_interfaces.get(interface))
        .collect();
    interfaces.sort_by_key(|interface| {
        interface
            .attachment
            .as_ref()
            .map(|attachment| attachment.device_index)
    });
    interfaces
}

fn everywhere() -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)
}

fn routes(state: &State, interfaces: &[&Arc<NetworkInterface>]) -> Vec<HostRoute> {
    let mut routes = Vec::new();
    for (index, interface) in interfaces.iter().enumerate() {
        let metric = 512 + index as u32;
        let mut add = |from: Option<Ipv4Net>, prefix| {
            routes.push(HostRoute {
                from,
                prefix,
                port: interface.id.as_str().into(),
                metric,
            });
        };
        if let Some(subnet) = state.subnets.get(&interface.subnet) {
            add(None, subnet.cidr);
        }
        if index == 0 {
            add(None, everywhere());
        }
        if interfaces.len() > 1 {
            let own = interface
                .addresses
                .iter()
                .map(|address| Ipv4Net::from(address.ip));
            own.chain(interface.prefixes.iter().copied())
                .for_each(|from| add(Some(from), everywhere()));
        }
    }
    routes
}

pub(super) fn nat_gateway(state: &State, id: &NatGatewayId) -> Option<Host> {
    let gateway = state.nat_gateways.get(id)?;
    if gateway.state == NatGatewayState::Deleted {
        return None;
    }
    let port = gateway.network_interface.as_str().into();
    Some(Host {
        id: id.as_str().into(),
        running: matches!(
            gateway.state,
            NatGatewayState::Pending | NatGatewayState::Available
        ),
        forwarding: true,
        routes: vec![HostRoute {
            from: None,
            prefix: everywhere(),
            port,
            metric: 0,
        }],
        source_translation: Some(SourceTranslation {
            address: gateway.private_ip,
            managed: true,
        }),
        answers: Vec::new(),
        opaque: None,
    })
}
